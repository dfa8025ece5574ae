"""A VM's state: who wins between what is intended and what was seen, as one table each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.protocol import Cause

Intended = Literal["Running", "Stopped", "Destroyed", "Absent"]
Power = Literal["on", "off", "unseen"]

CAUSES: dict[str, str] = {
    "none": "",
    "booted": "started on the host",
    "guest_shutdown": "shut down inside the guest",
    "destroyed": "powered off on the host",
    "crashed": "crashed",
    "failed": "failed on the host",
    "migrated": "moved to another host",
    "io_error": "",
    "suspended": "",
    "unknown": "",
}
STILL: dict[str, str] = {
    "io_error": "its guest stands still: its host's storage is full, or fails; make room there, then resume it on "
    "its host (virsh resume), reboot or stop it",
    "suspended": "its guest stands still: it is suspended; resume it on its host (virsh resume), reboot or stop it",
}
"""Why a guest stands still while its VM is on, and the ways out. ZStack has no state for it."""


@dataclass(frozen=True)
class Sight:
    """What was seen of a VM's power, and why it came to it."""

    power: Literal["on", "off"]
    cause: Cause = "none"


def intend_after(intended: Intended, before: Power, seen: Sight) -> Intended:
    """What is intended after a sight: only a *change* of power that nobody here asked for matters.

    A guest that halts, or is powered off or crashes behind our back, is meant to be off: it is never
    started again by itself. One that is started behind our back is meant to be on.
    """
    match (intended, before, seen.power):
        case ("Running", "on", "off"):
            return "Stopped"
        case ("Stopped", "off", "on"):
            return "Running"
        case _:
            return intended


def state_of(
    intended: Intended,
    power: Power,
    *,
    host_connected: bool,
    rebooting: bool,
    settled: bool,
    expunging: bool,
    moving: bool = False,
) -> str:
    """ZStack's name for what a VM is doing.

    `settled` says that nothing is left to do for what is intended.
    """
    if intended == "Destroyed":
        return "Destroyed" if settled else "Destroying"
    if intended == "Absent":
        return "Expunging" if expunging else "Destroying"
    if not host_connected:
        return "Unknown" if power == "on" or intended == "Running" else "Stopped"
    match (intended, power):
        case ("Running", "on"):
            if moving:
                return "Migrating"
            return "Rebooting" if rebooting else "Running"
        case ("Running", _):
            return "Starting"
        case (_, "on"):
            return "Stopping"
        case _:
            return "Stopped"
