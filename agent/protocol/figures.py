"""What a host and its guests use: running totals, in arrays, since they are asked for again and again."""

from __future__ import annotations

from typing import ClassVar

from agent.protocol.request import Request
from agent.protocol.values import Struct


class Used(Struct, frozen=True, array_like=True):
    """Running totals: CPU in nanoseconds over all CPUs, disks and network in bytes. Only memory is as it is now.

    A total that is less than it was has begun anew. What cannot be learned is 0, so memory of a guest without a
    balloon driver.
    """

    cpu_ns: int = 0
    memory_bytes: int = 0
    disk_read_bytes: int = 0
    disk_write_bytes: int = 0
    network_in_bytes: int = 0
    """What came in, seen from whoever uses it: a guest's own NICs, or the host's way out."""
    network_out_bytes: int = 0


class Figures(Struct, frozen=True):
    """What the host uses in all, and each domain that is on. `at` is the host's monotonic clock in nanoseconds."""

    at: int
    host: Used
    domains: dict[str, Used] = {}


class ReadFigures(Request, tag=True, frozen=True):
    """Ask what the host and its guests have used so far; memory of a guest is what it says of its own."""

    reply: ClassVar[type[Struct]] = Figures
