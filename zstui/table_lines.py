"""The lines of a live list: drawn from its rows, kept until they change, and where one is other than it was."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from zstui.cells import fit, width, wrap
from zstui.columns import GAP, Column
from zstui.listing import Listing
from zstui.paint import difference
from zstui.widths import Widths

EDGE = 3
"""Cells left of the first column: the cursor's bar, the mark, and a space."""

KEPT = 200
"""Lines that are kept; scrolling through more draws them anew."""


class TableLines:
    """Draws titles and rows in the columns that fit. `too_narrow` is told of values that a column cuts."""

    def __init__(
        self,
        listing: Listing,
        widths: Widths,
        paint: Callable[[str, str], Style],
        too_narrow: Callable[[Column, int, str], None],
    ) -> None:
        self._listing = listing
        self._widths = widths
        self._paint = paint
        self._too_narrow = too_narrow
        self._kept: dict[tuple[str, str], Strip] = {}

    def forget(self) -> None:
        """Draw all lines anew."""
        self._kept.clear()

    def forget_but(self, keys: set[str]) -> None:
        """Draw all lines anew but those of some rows."""
        self._kept = {place: strip for place, strip in self._kept.items() if place[0] in keys}

    def titles(self, cells: int) -> Strip:
        """The line over the rows."""
        listing = self._listing
        parts = [Segment(" " * EDGE, self._paint("head", ""))]
        for column, wide in self._widths.fitted:
            here = column is listing.sorted_by
            title = f"{column.heading} {'▾' if listing.downward else '▴'}" if here else column.heading
            paint = self._paint("accent" if here else "head", "")
            parts.append(Segment(fit(title, wide, right=column.right) + " " * GAP, paint))
        return Strip(parts).adjust_cell_length(cells, self._paint("head", ""))

    def instead(self, number: int, cells: int) -> Strip:
        """A line of what is said where there are no rows, the first of which has the number 0."""
        lines = [line for text in self._listing.instead() for line in wrap(text, cells - 2 * EDGE)]
        text = lines[number] if 0 <= number < len(lines) else ""
        return Strip([Segment(fit(" " * EDGE + text, cells), self._paint("dim", ""))], cells)

    def row(self, key: str, ground: str, cells: int) -> Strip:
        """The line of a row on a ground: that of the cursor, or none."""
        strip = self._kept.get((key, ground))
        if strip is None or strip.cell_length != cells:
            if len(self._kept) > KEPT:
                self._kept.clear()
            strip = self._kept[key, ground] = self._draw(key, ground, cells)
        return strip

    def changed(self, key: str, ground: str, cells: int) -> tuple[int, int] | None:
        """Draw a row anew: the first cell and how many are other than they were; None when none is."""
        before = self._kept.get((key, ground))
        self.forget_row(key)
        return (0, cells) if before is None else difference(before, self.row(key, ground, cells))

    def forget_row(self, key: str) -> None:
        """Draw a row anew when it is seen again."""
        for ground in ("", "cursor", "blur"):
            self._kept.pop((key, ground), None)

    def _draw(self, key: str, ground: str, cells: int) -> Strip:
        listing = self._listing
        row = listing.rows[key]
        edge = ("▐" if ground else " ") + ("✓ " if key in listing.marks else "  ")
        parts = [Segment(edge, self._paint("accent", ground))]
        for column, wide in self._widths.fitted:
            text, paint = column.show(row, listing.mirror)
            if width(text) > wide:
                self._too_narrow(column, width(text), key)
            # The gap is painted as the text before it: each change of colours is some 40 bytes on the line.
            shown = fit(text, wide, right=column.right) + " " * GAP
            parts.append(Segment(shown, self._paint(paint, ground)))
        # Told its length and filled here: to measure it, and to make another that is filled, takes as long as all else.
        used = EDGE + sum(wide + GAP for _, wide in self._widths.fitted)
        parts.append(Segment(" " * (cells - used), self._paint("plain", ground)))
        return Strip(parts, max(used, cells)).crop(0, cells)
