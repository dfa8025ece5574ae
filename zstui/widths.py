"""How wide the columns of a list are, and which of them fit: measured by some rows, then kept true row by row."""

from __future__ import annotations

from collections.abc import Iterable

from zstui.cells import width
from zstui.columns import GAP, Column, fit_columns
from zstui.listing import Listing
from zstui.mirror import Row
from zstui.view import View

SAMPLE = 100
"""Rows whose values decide how wide columns are at first; wider ones widen them when they are drawn."""


class Widths:
    """The columns that fit into a table, and their widths."""

    def __init__(self, view: View, listing: Listing) -> None:
        self._view = view
        self._listing = listing
        self._widths: dict[str, int] = {}
        self.fitted: list[tuple[Column, int]] = []
        """The columns to draw, and how wide."""
        self._widest: dict[str, set[Column]] = {}
        """Of rows that are why columns are wider than their titles need, these: they can shrink when it changes."""
        self._out: tuple[Column, ...] = ()
        """Columns that were left out because no row had a value."""

    @property
    def known(self) -> bool:
        """Whether anything was measured since it was forgotten."""
        return bool(self._widths)

    def forget(self) -> None:
        """Measure anew before the next line is drawn."""
        self._widths, self._widest, self._out = {}, {}, ()

    def measure(self, room: int, seen: Iterable[Row] = ()) -> bool:
        """Measure some rows from all over the list, and those that are seen; whether any column changed."""
        before = self._widths
        self._widths, self._widest = {}, {}
        rows = {row.key: row for row in (*self._listing.sample(SAMPLE), *seen)}
        for column in self._view.columns:
            cells = {key: self._cells(column, row) for key, row in rows.items()}
            longest, least = max(cells.values(), default=0), self._view.least(column)
            if longest or column.rank == 0 or not rows:
                self._widths[column.title] = max(longest, least)
            if longest > least:
                for key in (key for key, each in cells.items() if each == longest):
                    self._widest.setdefault(key, set()).add(column)
        self.fit(room)
        return self._widths != before

    def _cells(self, column: Column, row: Row) -> int:
        """How many cells a row would have in a column."""
        return min(width(column.show(row, self._listing.mirror)[0]), column.most)

    def fit(self, room: int) -> None:
        """Choose the columns that fit into so many cells."""
        columns, widths = self._view.columns, self._widths
        self.fitted = fit_columns(columns, widths, room)
        self._out = tuple(each for each in columns if each.title not in widths)

    def widen(self, column: Column, cells: int, key: str) -> bool:
        """Give a column the cells that a value of a row needs, up to its most; whether it had fewer."""
        wanted = min(cells, column.most)
        if self._widths.get(column.title, 0) >= wanted:
            return False
        self._widths[column.title] = wanted
        for columns in self._widest.values():
            columns.discard(column)
        self._widest.setdefault(key, set()).add(column)
        return True

    def fills(self, row: Row) -> bool:
        """Whether a row has a value in a column that was left out because no row had one."""
        return any(column.show(row, self._listing.mirror)[0] for column in self._out)

    def loosens(self, before: Row, after: Row | None) -> bool:
        """Whether a row that changed may have been why a column is as wide as it is, and is so no longer."""
        return any(
            after is None or self._cells(column, after) < self._widths.get(column.title, 0)
            for column in self._widest.get(before.key, ())
        )

    def column_at(self, x: int) -> Column | None:
        """The column at a cell, counted from the first column."""
        at = 0
        for column, cells in self.fitted:
            if at <= x < at + cells + GAP:
                return column
            at += cells + GAP
        return None
