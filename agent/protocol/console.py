"""A guest's screen: where it listens, and who is let in."""

from __future__ import annotations

from typing import ClassVar, Literal

from agent.protocol.request import Request
from agent.protocol.values import Struct


class ConsoleSeen(Struct, frozen=True):
    """Where the graphical console of a running domain really listens."""

    protocol: Literal["vnc", "spice"]
    port: int
    password: str = ""
    """What it asks for, in the answer to `AdmitToConsole` alone; empty where it asks for none."""


class ObserveConsole(Request, tag=True, frozen=True):
    """Ask where the console of a running domain listens."""

    reply: ClassVar[type[Struct]] = ConsoleSeen
    vm_uuid: str


class AdmitToConsole(Request, tag=True, frozen=True):
    """Have the console of a running domain take a new password, and no other, for so long.

    VNC takes it once. A console that asks for none goes on doing so.
    """

    reply: ClassVar[type[Struct]] = ConsoleSeen
    vm_uuid: str
    valid_seconds: int
