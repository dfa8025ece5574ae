"""The states of things: which of them matters, how far what changes has come, and why."""

from __future__ import annotations

from zstui.i18n import tr
from zstui.i18n.server_texts import said
from zstui.mirror import Mirror, Row
from zstui.paint import STANDING, Piece, state_piece

OFF = ("Stopped", "Destroyed")
"""States in which a VM uses nothing, whatever was last measured."""


def stands_still(row: Row) -> str:
    """Why the guest of a VM stands still; empty where it does not, or its host does not say."""
    return row.text("standsStill") if row.get("state") != "Unknown" else ""


def state_counted(row: Row) -> str:
    """The state that a VM counts as: one whose guest stands still does not plainly run."""
    return STANDING if row.get("state") == "Running" and stands_still(row) else row.text("state")


MOVING = "Migrating"
"""The state of a VM in which it is said how far its move has come."""


def percent(job: Row) -> int:
    """How far a job has come."""
    return int(job.get("progress") or 0)


def vm_state(row: Row, mirror: Mirror) -> Piece:
    """A VM's state, and how far its move has come."""
    text, paint = state_piece(row.text("state"))
    if row.get("state") == MOVING:
        for job in mirror.all("LongJob"):
            if job.get("targetResourceUuid") == row.key and job.get("state") == "Running":
                return f"{text} {percent(job)}%", paint
    return text, paint


def why(row: Row, mirror: Mirror) -> Piece:
    """Why a VM stands still, or came to its state by itself; else what its host's silence means."""
    cause = row.text("stateCause")
    if still := stands_still(row):
        return said(still), "warn"
    if not cause and row.get("state") == "Unknown":
        return tr("host does not answer"), "warn"
    return said(cause), "dim" if row.get("state") == "Running" else "warn"


WELL = ("", "Connected", "Connecting", "Ready", "NotInstantiated")
"""Statuses of what can be used, unless somebody has said that it is not to be."""


def state_that_matters(row: Row) -> str:
    """What matters most of what has a status and a state: that it cannot be used, or is not to be, else its status."""
    status, state = row.text("status"), row.text("state")
    return (status or state) if status not in WELL or state in ("", "Enabled") else state


def state_painted(row: Row, _: Mirror) -> Piece:
    """That with its sign."""
    return state_piece(state_that_matters(row))
