"""Resources that only grow: how much of them is held, what of it is read by itself, and how far back that goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from appliance.api.job import UNDER_WAY
from zstui import words

if TYPE_CHECKING:
    from appliance.client import Session
    from zstui.mirror import Row

PAGE = 500
"""Rows asked for at once: the answer is read in a few milliseconds, in which no key is late."""

HISTORY = {"LongJob": "createDate", "Event": "sequence", "AuditEntry": "sequence"}
"""Resources that only grow, and what orders them: only their newest rows are held until somebody asks for more."""

WORTH = {"AuditEntry": (("onlyRead", "=", "false"),)}
"""What is read of those: of the audit log what was to change something."""

HISTORY_ROWS = 1000


class Part(NamedTuple):
    """Rows of a history of which the newest are held, however many others are newer: those with one of some values."""

    wire: str = ""
    values: frozenset[str] = frozenset()
    order: str = ""
    """What orders them, where that is not what orders the history."""

    def holds(self, row: Row) -> bool:
        """Whether a row is one of them."""
        return not self.wire or row.get(self.wire) in self.values


ALL = Part()
MOVES = Part("name", frozenset({"MigrateVm", "LocalStorageMigrateVolume"}))
PARTS = {
    "LongJob": (
        ALL,
        Part("state", UNDER_WAY),
        Part("state", frozenset({"Failed"}), order="lastOpDate"),
        MOVES,
    )
}
"""What runs is counted, what failed needs attention, and moves have a list of their own."""


def parts_of(kind: str) -> tuple[Part, ...]:
    """The parts of a history, all of it first."""
    return PARTS.get(kind, (ALL,))


async def read_page(session: Session, kind: str, part: Part, start: int = 0) -> list[dict[str, Any]]:
    """Some rows of a part, the newest first, from a place on. Raises ApiError."""
    among: dict[str, Any] = {part.wire: part.values} if part.wire else {}
    return await session.query(
        kind, *WORTH.get(kind, ()), limit=PAGE, start=start or None, sort_by=part.order or HISTORY[kind],
        sort_direction="desc", **among,
    )  # fmt: skip


class Histories:
    """How far back each part of a history is held, and in which order its rows came to be."""

    def __init__(self) -> None:
        self.cut: set[tuple[str, Part]] = set()
        """What goes further back than what is held of it."""
        self._passed: Counter[tuple[str, Part]] = Counter()
        self._limits: dict[str, int] = {}
        """How many rows are held before the oldest are forgotten."""
        self._born: dict[str, int] = {}
        self._first = self._next = 0

    def took(self, kind: str, part: Part, start: int, found: int) -> None:
        """So many rows of a part were read, from a place on."""
        self._passed[kind, part] = start + found
        if found == PAGE:
            self.cut.add((kind, part))
        else:
            self.cut.discard((kind, part))

    def passed(self, kind: str, part: Part) -> int:
        """How many rows of a part were read, from the newest one on."""
        return self._passed[kind, part]

    def date(self, key: str, *, older: bool = False) -> None:
        """Remember that a row came after all that are known, or before them."""
        if key in self._born:
            return
        if older:
            self._first -= 1
        else:
            self._next += 1
        self._born[key] = self._first if older else self._next

    def order(self, row: Row) -> tuple[float, int]:
        """What rows are ordered by as they came to be: their dates only have whole seconds."""
        return words.seconds(row.text("createDate")), self._born.get(row.key, 0)

    def forget(self, key: str) -> None:
        """A row is held no more."""
        self._born.pop(key, None)

    def is_full(self, kind: str, count: int) -> bool:
        """Whether so many rows are too many to be held."""
        return count > self._limits.get(kind, 2 * HISTORY_ROWS)

    def allow(self, kind: str, count: int) -> None:
        """So many rows are wanted: some more are held before the oldest are forgotten."""
        self._limits[kind] = max(2 * HISTORY_ROWS, count + HISTORY_ROWS)

    def surplus(self, kind: str, rows: Mapping[str, Row]) -> list[str]:
        """The keys of rows that are to be forgotten: what is older than what was read, or than enough, of each part."""
        ordered = sorted(rows.values(), key=self.order, reverse=True)
        kept: set[str] = set()
        for part in parts_of(kind):
            own = [row.key for row in ordered if part.holds(row)]
            most = max(PAGE if part.wire else HISTORY_ROWS, self._passed[kind, part])
            if len(own) > most:
                self.cut.add((kind, part))
            kept.update(own[:most])
        self.allow(kind, len(kept))
        return [key for key in rows if key not in kept]
