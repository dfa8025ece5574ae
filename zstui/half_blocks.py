"""Pixels as text: two to a cell, one above the other, in a block that fills the upper half."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

from rich.segment import Segment
from rich.style import Style

UPPER = "▀"
HALF = 0xFEFEFE
"""Each colour without its last bit, so that halves do not run into each other."""

KEPT = 0xF8F8F8
"""What is told apart: 32 steps of each colour, so that more neighbours are alike and fewer bytes go out."""


@dataclass(frozen=True)
class Fit:
    """How a picture of `width` by `height` lies in cells: scaled as a whole, in their middle."""

    width: int
    height: int
    columns: int
    rows: int
    left: int
    top: int

    @classmethod
    def of(cls, width: int, height: int, columns: int, rows: int) -> Fit:
        """A picture as large as it can be; a cell is as high as two of its widths."""
        scale = min(columns / width, rows * 2 / height)
        wide = max(1, min(columns, round(width * scale)))
        high = max(1, min(rows, round(height * scale / 2)))
        return cls(width, height, wide, high, (columns - wide) // 2, (rows - high) // 2)

    def pixel(self, column: int, row: int) -> tuple[int, int]:
        """The pixel in the middle of a cell."""
        x = int((column - self.left + 0.5) * self.width / self.columns)
        y = int((row - self.top + 0.5) * self.height / self.rows)
        return x, y

    def cells_of(self, begin: int, end: int) -> range:
        """The rows of cells that show rows of pixels."""
        first = begin * self.rows // self.height
        last = -(-end * self.rows // self.height)
        return range(self.top + max(0, first - 1), self.top + min(self.rows, last + 1))


class Sampler:
    """Looks at the pixels that a fit needs and at no other: four for each half of a cell, whose mean it has."""

    def __init__(self, fit: Fit) -> None:
        self.fit = fit
        step = fit.width / fit.columns
        self._first = _pick([int((column + 0.25) * step) for column in range(fit.columns)])
        self._second = _pick([int((column + 0.75) * step) for column in range(fit.columns)])

    def row(self, pixels: memoryview, row: int) -> list[Segment]:
        """A row of cells, counted from the picture's top."""
        upper, lower = self._half(pixels, row * 2), self._half(pixels, row * 2 + 1)
        segments: list[Segment] = []
        begin = 0
        for at in range(1, len(upper) + 1):
            if at == len(upper) or upper[at] != upper[begin] or lower[at] != lower[begin]:
                segments.append(_segment(upper[begin], lower[begin], at - begin))
                begin = at
        return segments

    def _half(self, pixels: memoryview, half: int) -> list[int]:
        fit = self.fit
        step = fit.height / (fit.rows * 2)
        one = self._line(pixels, min(int((half + 0.25) * step), fit.height - 1))
        two = self._line(pixels, min(int((half + 0.75) * step), fit.height - 1))
        return [((a & HALF) + (b & HALF) >> 1) & KEPT for a, b in zip(one, two, strict=True)]

    def _line(self, pixels: memoryview, y: int) -> list[int]:
        line = pixels[y * self.fit.width : (y + 1) * self.fit.width]
        return [
            (a & HALF) + (b & HALF) >> 1 for a, b in zip(self._first(line), self._second(line), strict=True)
        ]


def _pick(places: list[int]) -> Callable[[Sequence[int]], tuple[int, ...]]:
    """What takes some places of a row; faster than a loop, and a tuple also of one."""
    if len(places) == 1:
        return lambda row: (row[places[0]],)
    return itemgetter(*places)


def _segment(upper: int, lower: int, cells: int) -> Segment:
    return Segment((" " if upper == lower else UPPER) * cells, _style(upper, lower))


@lru_cache(maxsize=20_000)
def _style(upper: int, lower: int) -> Style:
    return Style(color=f"#{upper:06x}", bgcolor=f"#{lower:06x}")
