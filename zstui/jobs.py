"""Jobs as rows: what each does, why it ended as it did, and the columns of their list."""

from __future__ import annotations

import json
from typing import Any

from appliance.api.message import MESSAGES
from zstui import words
from zstui.cells import safe
from zstui.columns import Column
from zstui.i18n import tr
from zstui.i18n.server_texts import said
from zstui.mirror import Mirror, Row
from zstui.paint import Piece, bar, paint_of, state_piece
from zstui.states import percent
from zstui.values import word
from zstui.verbs import title_of

REASON_CELLS = 16
"""Of a reason so much is worth its place: the first words of it."""


def job_title(row: Row) -> str:
    """What a job does, as forms say it: `MigrateVm` is `migrate VM`; what is no call any more, by its name."""
    name = row.text("name")
    return tr(title_of(name)) if name in MESSAGES else name


def _progress(row: Row, _: Mirror) -> Piece:
    state_now = row.text("state")
    if state_now != "Running":
        return "", paint_of(state_now)
    return f"{bar(percent(row) / 100, 10)} {percent(row):3}%", "busy"


def error_of(row: Row) -> dict[str, Any] | None:
    """The error that a job ended with, as the API tells it."""
    if row.get("state") not in ("Failed", "Canceled"):
        return None
    try:
        found = json.loads(row.get("jobResult") or "")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def reason(row: Row, _: Mirror) -> Piece:
    """Why a job ended as it did, or does not go on."""
    error = error_of(row)
    if error is not None:
        return said(safe(str(error.get("details", "")))), "bad" if row.get("state") == "Failed" else "dim"
    waits = row.text("waitsFor")
    return (tr("waits for {what}", what=said(waits)), "warn") if waits else ("", "dim")


def step(row: Row, _: Mirror) -> Piece:
    """What a job does."""
    return said(row.text("step")), "dim"


def outcome(row: Row, mirror: Mirror) -> Piece:
    """Why a job ended as it did, or does not go on; else what it does."""
    why = reason(row, mirror)
    return why if why[0] else step(row, mirror)


def state_of(row: Row, _: Mirror) -> Piece:
    """A job's state: one that runs has not come to a good end."""
    state_now = row.text("state")
    return (f"◍ {tr('Running')}", "busy") if state_now == "Running" else state_piece(state_now)


def target_of(row: Row, mirror: Mirror) -> str:
    """What a job works on: its name, or what kind of thing it is where nobody knows that."""
    known = row.text("targetResourceName")
    found = mirror.find(row.get("targetResourceUuid"))
    kind = row.text("targetResourceType")
    return known or (found.name if found is not None else word(kind) if kind else "")


def _target(row: Row, mirror: Mirror) -> Piece:
    return target_of(row, mirror), "plain"


COLUMNS = (
    Column("ASKED", lambda row, _: (words.clock(row.text("createDate")), "dim"), 0, 8,
           number=lambda row, mirror: mirror.histories.order(row)),
    Column("JOB", lambda row, _: (job_title(row), "strong"), 0, 36),
    Column("OF", _target, 0, 24),
    Column("STATE", state_of, 0, 12),
    Column("PROGRESS", _progress, 3, 16),
    Column("STEP OR REASON", outcome, 2, 80, fewest=REASON_CELLS),
)  # fmt: skip
