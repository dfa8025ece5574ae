"""The serial consoles of a simulated host: what its guests wrote, and the doors that are open to it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from itertools import count

from agent.protocol import SerialDoor
from appliance.hosts.simulated_console import SimulatedSerial, SimulatedSerialPipe

FIRST_PORT = 40_000
DOORS = 100
"""Doors that nobody has gone through; the oldest close."""


class SerialDoors:
    """Of one host."""

    def __init__(self) -> None:
        self.lines: dict[str, SimulatedSerial] = {}
        """By VM; made when it is looked at first."""
        self._open: dict[int, tuple[str, str]] = {}
        self._ports = count(FIRST_PORT)

    def line(self, vm_uuid: str) -> SimulatedSerial:
        """The serial line of a VM."""
        return self.lines.setdefault(vm_uuid, SimulatedSerial())

    def open(self, vm_uuid: str) -> SerialDoor:
        """A door for one viewer."""
        door = SerialDoor(port=next(self._ports), key=secrets.token_hex(32))
        self._open[door.port] = (vm_uuid, door.key)
        if len(self._open) > DOORS:
            del self._open[next(iter(self._open))]
        return door

    def enter(self, port: int, ended: Callable[[str], str | None]) -> SimulatedSerialPipe | None:
        """The stream behind a door, which closes; None where there is no door."""
        vm_uuid, key = self._open.pop(port, ("", ""))
        return SimulatedSerialPipe(key, self.line(vm_uuid), lambda: ended(vm_uuid)) if vm_uuid else None
