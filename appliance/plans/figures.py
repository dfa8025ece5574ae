"""From running totals to figures: rates, their packing, and what a history is at another pace."""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Iterable, Sequence

from agent.protocol import Used

WIDTH = 6
"""Figures of a point: CPU in percent, memory in bytes, then bytes a second, in the order of `METRICS`."""

FINE = 1024
"""Steps in which a figure may double: what is packed is at most 0.04 % off."""

Point = tuple[float, ...]


def rates(before: Used, now: Used, seconds: float, cpus: int, memory: int) -> Point | None:
    """What was used meanwhile; None when a total has begun anew. `memory` is what there is in all, in bytes, or 0.

    What QEMU takes for itself counts in what the host tells of a guest, and is no memory of the guest's: one that
    has touched all of its own uses all of it, and not more.
    """
    spent = [
        now.disk_read_bytes - before.disk_read_bytes,
        now.disk_write_bytes - before.disk_write_bytes,
        now.network_in_bytes - before.network_in_bytes,
        now.network_out_bytes - before.network_out_bytes,
    ]
    busy = now.cpu_ns - before.cpu_ns
    if seconds <= 0 or busy < 0 or min(spent) < 0:
        return None
    percent = min(100.0, busy / 1e7 / seconds / max(1, cpus))
    held = min(now.memory_bytes, memory) if memory else now.memory_bytes
    return (percent, float(held), *(each / seconds for each in spent))


def pack(point: Point) -> tuple[int, ...]:
    """A point in sixteen bits a figure; 0 is for what is not known."""
    return tuple(min(65_535, 1 + round(math.log2(1 + each) * FINE)) for each in point)


def unpack(code: int) -> float | None:
    """The figure that a code means."""
    return 2 ** ((code - 1) / FINE) - 1 if code else None


def to_text(codes: array[int]) -> str:
    """Packed figures as the store keeps them, least byte first on every machine."""
    if sys.byteorder == "big":
        codes = array("H", codes)
        codes.byteswap()
    return base64.b64encode(codes.tobytes()).decode()


def from_text(text: str) -> array[int]:
    """What `to_text` made a text of."""
    codes = array("H", base64.b64decode(text))
    if sys.byteorder == "big":
        codes.byteswap()
    return codes


def mean(points: Sequence[Point]) -> Point:
    """The average of points, of which there is one at least."""
    return tuple(sum(each) / len(points) for each in zip(*points, strict=True))


def added(points: Iterable[tuple[Point, int]]) -> Point:
    """Several hosts as one: CPU by how many they have, all else added up."""
    listed = list(points)
    cpus = sum(count for _, count in listed) or 1
    percent = sum(point[0] * count for point, count in listed) / cpus
    return (percent, *(sum(point[place] for point, _ in listed) for place in range(1, WIDTH)))


def paced(values: Iterable[tuple[float, float]], start: float, period: float) -> list[tuple[float, float]]:
    """The average over each period in which there was anything, with the time at which that began."""
    groups: dict[int, list[float]] = {}
    for at, value in values:
        groups.setdefault(int((at - start) // period), []).append(value)
    return [(start + place * period, sum(each) / len(each)) for place, each in sorted(groups.items())]
