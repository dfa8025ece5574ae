"""Pixels as text: two to a cell, one above the other, in a block that fills the upper half; or eight as dots."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter

from rich.segment import Segment
from rich.style import Style

UPPER = "▀"
HALF = 0xFEFEFE
"""Each colour without its last bit, so that halves do not run into each other."""

KEPT = 0xF8F8F8
"""What is told apart: 32 steps of each colour, so that more neighbours are alike and fewer bytes go out."""

PIXEL = 4
"""Bytes."""

DOTS = (0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80)
"""The bits of braille's dots, from the top of the left column on."""

CONTRAST = 8 * 24
"""Parts of a cell that differ by less are of one colour. Light counts eightfold."""


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
    """Looks at the pixels that a fit needs and at no other: four for each part of a cell, whose mean it has."""

    across, down = 1, 2
    """Parts of a cell."""

    def __init__(self, fit: Fit) -> None:
        self.fit = fit
        parts = fit.columns * self.across
        self._bytes = parts * PIXEL
        self._half, self._kept = (
            int.from_bytes(_bytes(mask) * parts, sys.byteorder) for mask in (HALF, KEPT)
        )
        step = fit.width / parts
        self._first = _pick([int((part + 0.25) * step) for part in range(parts)])
        self._second = _pick([int((part + 0.75) * step) for part in range(parts)])

    def row(self, pixels: memoryview, row: int) -> list[Segment]:
        """A row of cells, counted from the picture's top."""
        return joined(UPPER, *(self.part(pixels, row * 2 + half) for half in range(2)))

    def part(self, pixels: memoryview, number: int) -> list[int]:
        """A row of parts of cells, counted from the picture's top."""
        fit = self.fit
        step = fit.height / (fit.rows * self.down)
        one = self._line(pixels, min(int((number + 0.25) * step), fit.height - 1))
        two = self._line(pixels, min(int((number + 0.75) * step), fit.height - 1))
        mean = self._mean(one, two) & self._kept
        return memoryview(mean.to_bytes(self._bytes, sys.byteorder)).cast("I").tolist()

    def _line(self, pixels: memoryview, y: int) -> int:
        line = pixels[y * self.fit.width : (y + 1) * self.fit.width]
        one, two = (
            int.from_bytes(array("I", pick(line)).tobytes(), sys.byteorder)
            for pick in (self._first, self._second)
        )
        return self._mean(one, two)

    def _mean(self, one: int, two: int) -> int:
        """Of a row of pixels and another, all at once: each row is one number, whose every 32 bits are a pixel."""
        return (one & self._half) + (two & self._half) >> 1


class Dots(Sampler):
    """Eight dots of braille to a cell in two colours: four times the pixels, for screens of text."""

    across, down = 2, 4

    def row(self, pixels: memoryview, row: int) -> list[Segment]:
        """A row of cells."""
        lines = [self.part(pixels, row * 4 + part) for part in range(4)]
        cells = zip(*(line[side::2] for side in range(2) for line in lines), strict=True)
        signs, on, off = zip(*map(_dots, cells), strict=True)
        return joined("".join(signs), on, off)


@lru_cache(maxsize=50_000)
def _dots(parts: tuple[int, ...]) -> tuple[str, int, int]:
    """The sign for eight parts of a cell, left ones first, and the colours of its dots and of its ground."""
    light = [(each >> 16) * 2 + (each >> 8 & 255) * 5 + (each & 255) for each in parts]
    low, high = min(light), max(light)
    ground = parts[light.index(low)]
    if high - low < CONTRAST:
        return " ", ground, ground
    edge = low + (high - low) * 2 // 5
    bits = sum(bit for bit, each in zip(DOTS, light, strict=True) if each > edge)
    return chr(0x2800 + bits), parts[light.index(high)], ground


def joined(signs: str, upper: Sequence[int], lower: Sequence[int]) -> list[Segment]:
    """A row of cells of one sign, or each with its own, in pairs of colours; like ones are put together."""
    each = signs if len(signs) == len(upper) else signs * len(upper)
    pairs = list(zip(upper, lower, strict=True))
    edges = [at for at, (before, here) in enumerate(pairwise(pairs), start=1) if before != here]
    segments: list[Segment] = []
    for begin, end in pairwise((0, *edges, len(pairs))):
        over, under = pairs[begin]
        text = each[begin:end] if over != under else " " * (end - begin)
        segments.append(Segment(text, _style(over, under)))
    return segments


def _bytes(pixel: int) -> bytes:
    return pixel.to_bytes(PIXEL, sys.byteorder)


def _pick(places: list[int]) -> Callable[[Sequence[int]], tuple[int, ...]]:
    """What takes some places of a row; faster than a loop, and a tuple also of one."""
    if len(places) == 1:
        return lambda row: (row[places[0]],)
    return itemgetter(*places)


@lru_cache(maxsize=20_000)
def _style(upper: int, lower: int) -> Style:
    return Style(color=f"#{upper:06x}", bgcolor=f"#{lower:06x}")
