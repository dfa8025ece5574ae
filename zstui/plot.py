"""Figures over time as characters: a line of blocks for a cell, an area of braille for a pane."""

from __future__ import annotations

from collections.abc import Sequence

from zstui.themes import only_ascii

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "._-=+*%#"
LEFT, RIGHT = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
"""The dots of a braille character from below, in its two columns."""

DOTS = 4

Values = Sequence[float | None]
"""Oldest first; None where nothing is known."""


def sparkline(values: Values, cells: int, top: float) -> str:
    """The newest values, one a cell, filled with spaces from the left; nothing known is a space."""
    signs = PLAIN_BLOCKS if only_ascii() else BLOCKS
    newest = list(values)[-cells:]
    drawn = "".join(" " if value is None else signs[_level(value, top, len(signs) - 1)] for value in newest)
    return drawn.rjust(cells)


def area(values: Values, cells: int, rows: int, top: float) -> list[str]:
    """A filled curve of so many cells and rows, from the top down; a value that is known leaves a dot at least."""
    if only_ascii():
        return _plain_area(spread(values, cells), rows, top)
    columns = spread(values, 2 * cells)
    heights = [0 if each is None else 1 + _level(each, top, rows * DOTS - 1) for each in columns]
    lines = []
    for row in range(rows - 1, -1, -1):
        floor = row * DOTS
        pairs = zip(heights[::2], heights[1::2], strict=True)
        lines.append("".join(_cell(left, right, floor) for left, right in pairs))
    return lines


def spread(values: Values, columns: int) -> list[float | None]:
    """Values over another number of columns: the highest of those that share one, or one for several columns."""
    if not values:
        return [None] * columns
    found: list[float | None] = []
    for column in range(columns):
        first = column * len(values) // columns
        last = max(first + 1, (column + 1) * len(values) // columns)
        known = [each for each in values[first:last] if each is not None]
        found.append(max(known) if known else None)
    return found


def _cell(left: int, right: int, floor: int) -> str:
    dots = sum(LEFT[each] for each in range(min(DOTS, max(0, left - floor))))
    dots += sum(RIGHT[each] for each in range(min(DOTS, max(0, right - floor))))
    return chr(0x2800 + dots) if dots else " "


def _plain_area(values: Values, rows: int, top: float) -> list[str]:
    steps = len(PLAIN_BLOCKS)
    heights = [0 if each is None else 1 + _level(each, top, rows * steps - 1) for each in values]
    lines = []
    for row in range(rows - 1, -1, -1):
        parts = (min(height - row * steps, steps) for height in heights)
        lines.append("".join(PLAIN_BLOCKS[part - 1] if part > 0 else " " for part in parts))
    return lines


def _level(value: float, top: float, most: int) -> int:
    return max(0, min(most, round(value / top * most))) if top > 0 else 0
