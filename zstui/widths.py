"""How wide the columns of a list are, and which of them fit: measured by some rows, then kept true row by row."""

from __future__ import annotations

from collections.abc import Iterable

from zstui.cells import width
from zstui.columns import GAP, Column, fit_columns
from zstui.listing import Listing
from zstui.mirror import Row
from zstui.view import View

SAMPLE = 200
"""Rows whose values decide how wide columns are at first; wider ones widen them when they are drawn."""


class Widths:
    """The columns that fit into a table, and their widths."""

    def __init__(self, view: View, listing: Listing) -> None:
        self._view = view
        self._listing = listing
        self._widths: dict[str, int] = {}
        self.fitted: list[tuple[Column, int]] = []
        """The columns to draw, and how wide."""

    @property
    def known(self) -> bool:
        """Whether anything was measured since it was forgotten."""
        return bool(self._widths)

    def forget(self) -> None:
        """Measure anew before the next line is drawn."""
        self._widths = {}

    def measure(self, room: int, seen: Iterable[Row] = ()) -> bool:
        """Measure some rows from all over the list, and those that are seen; whether any column changed."""
        before = self._widths
        self._widths = self._view.widths([*self._listing.sample(SAMPLE), *seen])
        self.fit(room)
        return self._widths != before

    def fit(self, room: int) -> None:
        """Choose the columns that fit into so many cells."""
        self.fitted = fit_columns(self._view.columns, self._widths, room)

    def widen(self, column: Column, cells: int) -> bool:
        """Give a column the cells that a value needs, up to its most; whether it had fewer."""
        wanted = min(cells, column.most)
        if self._widths.get(column.title, 0) >= wanted:
            return False
        self._widths[column.title] = wanted
        return True

    def fills(self, row: Row) -> bool:
        """Whether a row has a value in a column that was left out because no row had one."""
        out = (column for column in self._view.columns if column.title not in self._widths)
        return any(column.show(row, self._listing.mirror)[0] for column in out)

    def loosens(self, before: Row, after: Row | None) -> bool:
        """Whether a row that changed may have been why a column is as wide as it is, and is so no longer."""
        mirror = self._listing.mirror
        for column in self._view.columns:
            cells = min(width(column.show(before, mirror)[0]), column.most)
            if not cells or cells < self._widths.get(column.title, cells + 1):
                continue
            if after is None or width(column.show(after, mirror)[0]) < cells:
                return True
        return False

    def column_at(self, x: int) -> Column | None:
        """The column at a cell, counted from the first column."""
        at = 0
        for column, cells in self.fitted:
            if at <= x < at + cells + GAP:
                return column
            at += cells + GAP
        return None
