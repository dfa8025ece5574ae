"""What goes to the terminal of a line that is other in part: that part, not all of the widget before it as well."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.control import Control
from textual._compositor import ChopsUpdate


class Narrow(ChopsUpdate):
    """An update of spans of lines. Textual's own begins each where a widget does, and ends it where it should."""

    def render_segments(self, console: Console) -> str:
        """The update as the terminal gets it."""
        sent: list[str] = []
        for y, first, last in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                begin, stop = max(x, first), min(end, last)
                if strip is not None and begin < stop:
                    sent.append(Control.move_to(begin, y).segment.text)
                    sent.append(strip.crop(begin - x, stop - x).render(console))
        return "".join(sent)


def narrow(update: RenderableType | None) -> RenderableType | None:
    """An update that sends no more than it must."""
    return Narrow(update.chops, update.spans, update.chop_ends) if isinstance(update, ChopsUpdate) else update
