"""From running totals to figures: rates, their packing, and what a history is at another pace."""

from __future__ import annotations

import base64
import math
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.protocol import Used

WIDTH = 6
"""Figures of a point: CPU in percent, memory in bytes, then bytes a second, in the order of `METRICS`."""

FINE = 1024
"""Steps in which a figure may double: what is packed is at most 0.04 % off."""

Point = tuple[float | None, ...]
"""None is a figure that is not known."""


@dataclass(frozen=True)
class Reading:
    """A figure at a time or over some: its average, the highest sample that is known of, and the newest."""

    at: float
    value: float
    highest: float
    newest: float


def rates(before: Used, now: Used, seconds: float, cpus: int) -> Point | None:
    """What was used meanwhile; None when a total has begun anew."""
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
    return (percent, float(now.memory_bytes) or None, *(each / seconds for each in spent))


def pack(point: Point) -> tuple[int, ...]:
    """A point in sixteen bits a figure; 0 is for what is not known."""
    return tuple(0 if each is None else min(65_535, 1 + round(math.log2(1 + each) * FINE)) for each in point)


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
    """The average of points, of each figure where it is known."""
    columns = ([each for each in column if each is not None] for column in zip(*points, strict=True))
    return tuple(sum(known) / len(known) if known else None for known in columns)


def highest(points: Sequence[Point]) -> Point:
    """The highest of points, of each figure where it is known."""
    columns = ([each for each in column if each is not None] for column in zip(*points, strict=True))
    return tuple(max(known) if known else None for known in columns)


def added(points: Iterable[tuple[Point, int]]) -> Point:
    """Several hosts as one: CPU by how many they have, all else added up."""
    listed = list(points)
    cpus = sum(count for _, count in listed) or 1
    percent = sum((point[0] or 0.0) * count for point, count in listed) / cpus
    return (percent, *(sum(point[place] or 0.0 for point, _ in listed) for place in range(1, WIDTH)))


def paced(readings: Iterable[Reading], start: float, period: float) -> list[Reading]:
    """What each period was in which there was anything, at the time at which that began; readings come by time."""
    groups: dict[int, list[Reading]] = {}
    for each in readings:
        groups.setdefault(int((each.at - start) // period), []).append(each)
    return [
        Reading(
            start + place * period,
            sum(each.value for each in group) / len(group),
            max(each.highest for each in group),
            group[-1].newest,
        )
        for place, group in sorted(groups.items())
    ]
