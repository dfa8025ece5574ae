"""One line of text in paints, with places to click: what frames, tabs, hints and news are made of."""

from __future__ import annotations

from typing import NamedTuple, Self

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.strip import Strip

from zstui.cells import crop, width
from zstui.paint import Painted, difference


class Part(NamedTuple):
    """A piece of a line: safe text, its paint, the action that a click on it runs, and its ground."""

    text: str
    paint: str = "dim"
    action: str = ""
    ground: str = ""


class Line(Painted, can_focus=False):
    """One line: `left()` from the left, `right()` at the right end where there is room."""

    DEFAULT_CSS = """
    Line { height: 1; overflow: hidden; }
    """

    _painted: Strip | None = None
    """What the terminal has once all is painted that is to be; None where that is not drawn yet."""

    def left(self) -> list[Part]:
        """The parts that stand at the left."""
        return []

    def right(self) -> list[Part]:
        """The parts that stand at the right; left out when there is no room for them."""
        return []

    def parts(self) -> list[Part]:
        """All parts as they fit, in order."""
        left, right, cells = self.left(), self.right(), self.size.width
        room = cells - sum(width(part.text) for part in right)
        if room < min(20, cells // 2):
            right, room = [], cells
        fitting: list[Part] = []
        for part in left:
            text = crop(part.text, room)
            room -= width(text)
            if text:
                fitting.append(Part(text, part.paint, part.action, part.ground))
            if room <= 0:
                break
        return [*fitting, Part(" " * max(room, 0)), *right]

    def renew(self) -> None:
        """Paint what is other now than it was painted, and nothing when all is the same."""
        if self._painted is None or self._painted.cell_length != self.size.width:
            self.refresh()
            return
        now = self._strip()
        found = difference(self._painted, now)
        if found is not None:
            self._painted = now
            super().refresh(Region(found[0], 0, found[1], 1))

    def refresh(self, *regions: Region, **options: bool) -> Self:
        """Draw it anew."""
        self._painted = None
        return super().refresh(*regions, **options)

    def notify_style_update(self) -> None:
        """Draw it anew in other colours."""
        super().notify_style_update()
        self._painted = None

    def appear(self, shown: bool) -> None:
        """Come or go, where the style has `-shown`; the whole screen is painted then.

        Which parts a new layout moves is not always known: Textual compares it with where widgets were, and asking
        for any widget's size once a hidden one was to be painted lays them out anew before that.
        """
        if shown != self.has_class("-shown"):
            self.set_class(shown, "-shown")
            self.screen.refresh()

    def render_line(self, y: int) -> Strip:
        """The line, as it was when it was last compared: a part of it is painted, and no other would be missed then."""
        del y
        if self._painted is None or self._painted.cell_length != self.size.width:
            self._painted = self._strip()
        return self._painted

    def _strip(self) -> Strip:
        segments = [Segment(part.text, self.paint(part.paint, part.ground)) for part in self.parts()]
        return Strip(segments).adjust_cell_length(self.size.width, self.paint("plain"))

    async def on_click(self, event: events.Click) -> None:
        """Run the action of the part that was clicked."""
        at = 0
        for part in self.parts():
            at += width(part.text)
            if event.x < at:
                if part.action:
                    event.stop()
                    await self.app.run_action(part.action, self.screen)
                return
