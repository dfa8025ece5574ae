"""A sheet of text to read: headings, labels with values, wrapped to the width it has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.strip import Strip

from zstui.cells import fit, width, wrap
from zstui.paint import Painted

LABEL, WIDE_LABEL = 16, 21
MARGIN = 2


Told = list[tuple[str, str]]
"""A line: texts and their paints."""


@dataclass(frozen=True)
class Item:
    """One thing to read: a label (or none), safe text, its paint. A heading has a label and paint `head`."""

    label: str
    text: str = ""
    paint: str = "plain"

    def lines(self, cells: int) -> list[Told] | None:
        """How it is drawn in so many cells; None when its label and text are laid out as usual."""
        del cells
        return None


def heading(title: str) -> Item:
    """A heading over what follows."""
    return Item(title, "", "head")


def note(text: str, paint: str = "dim") -> Item:
    """A line or paragraph without a label."""
    return Item("", text, paint)


class Sheet(Painted, can_focus=True):
    """Shows items; scrolls with the arrows when it has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("home,g", "scroll_home", "Top", show=False),
        Binding("end,G", "scroll_end", "End", show=False),
    ]

    def __init__(self, items: list[Item] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.items = items or []
        self._lines: list[list[tuple[str, str]]] = []

    def on_mount(self) -> None:
        """Lay out what was given."""
        super().on_mount()
        self._lay_out()
        self.refresh()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._lay_out()
        self.refresh()

    def show(self, items: list[Item]) -> None:
        """Show other items: the lines are painted that are other than they were."""
        if items == self.items:
            return
        self.items, before, top = items, self._lines, int(self.scroll_offset.y)
        self._lay_out()
        pairs = enumerate(zip_longest(before, self._lines), start=-top)
        for y in (y for y, (old, new) in pairs if old != new and 0 <= y < self.size.height):
            self.refresh(Region(0, y, self.size.width, 1))

    def _lay_out(self) -> None:
        cells = max(10, self.size.width - 2 * MARGIN)
        label = label_cells(self.items, cells)
        self._lines = []
        for item in self.items:
            self._lines += laid_out(item, cells, label, first=not self._lines)
        self.virtual_size = Size(self.size.width, len(self._lines))

    def render_line(self, y: int) -> Strip:
        """One line."""
        place = int(self.scroll_offset.y) + y
        line = self._lines[place] if place < len(self._lines) else []
        plain = self.paint("plain")
        parts = [Segment(" " * MARGIN, plain)]
        parts += [Segment(text, self.paint(paint)) for text, paint in line]
        return Strip(parts).adjust_cell_length(self.size.width, plain)


def label_cells(items: list[Item], cells: int) -> int:
    """How wide the labels stand: as usual, or as the widest of them is where that leaves half for what they tell."""
    usual = WIDE_LABEL if cells >= 60 else min(LABEL, cells // 3)
    usual_ones = (item for item in items if item.paint != "head" and item.lines(cells) is None)
    widest = max((width(item.label) for item in usual_ones), default=0)
    return max(usual, min(widest + 1, cells // 2))


def laid_out(item: Item, cells: int, label: int, *, first: bool) -> list[list[tuple[str, str]]]:
    """The lines of an item; before all but the first a heading has an empty one."""
    own = item.lines(cells)
    if own is not None:
        return own
    if item.paint == "head":
        title = f"{item.label} "
        rule = "╌" * max(0, cells - width(title))
        return ([] if first else [[]]) + [[(title, "accent"), (rule, "faint")]]
    if not item.label:
        return [[(line, item.paint)] for line in wrap(item.text, cells)]
    values = wrap(item.text, cells - label)
    lines = [[(fit(item.label, label - 1) + " ", "dim"), (values[0], item.paint)]]
    return lines + [[(" " * label, "plain"), (value, item.paint)] for value in values[1:]]
