"""What goes to the terminal of a line that is other in part: that part, and of its colours those that change there.

Textual begins each piece with all of its style and ends it with none: of a line with ten columns that is most of the
bytes, and on a slow line most of the time.
"""

from __future__ import annotations

from functools import lru_cache

from rich.console import Console, RenderableType
from rich.control import Control
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

RESET = "\x1b[0m"
Codes = tuple[str, str, str]
"""What chooses a colour, its ground's, and how letters look besides."""


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
                    sent.append(with_few(strip.crop(begin - x, stop - x), console))
        return "".join(sent)


class Whole(LayoutUpdate):
    """An update of all lines."""

    def render_segments(self, console: Console) -> str:
        """The update as the terminal gets it."""
        sent: list[str] = []
        for y, line in enumerate(self.strips, self.region.y):
            sent.append(Control.move_to(self.region.x, y).segment.text)
            sent += [with_few(strip, console) for strip in line]
        return "".join(sent)


def narrow(update: RenderableType | None) -> RenderableType | None:
    """An update that sends no more than it must."""
    if isinstance(update, ChopsUpdate):
        return Narrow(update.chops, update.spans, update.chop_ends)
    return Whole(update.strips, update.region) if isinstance(update, LayoutUpdate) else update


def with_few(strip: Strip, console: Console) -> str:
    """A strip as a terminal of true colours gets it: the same cells with fewer bytes; for others, as it is."""
    if type(strip) is not Strip or console.color_system != "truecolor":
        return strip.render(console)
    sent: list[str] = []
    colour, ground, look = "39", "49", ""
    for text, style, control in strip:
        codes = _codes(style) if style is not None else ("39", "49", "")
        if control or codes is None:
            return strip.render(console)
        over, under, other = codes
        if other != look:
            sent.append(f"\x1b[{';'.join(filter(None, ('0', other, over, under)))}m{text}")
            colour, ground, look = over, under, other
            continue
        change = [] if over == colour or (not look and text.isspace()) else [over]
        colour = change[0] if change else colour
        if under != ground:
            change.append(under)
            ground = under
        sent.append(f"\x1b[{';'.join(change)}m{text}" if change else text)
    return "".join(sent) + RESET


@lru_cache(maxsize=4096)
def _codes(style: Style) -> Codes | None:
    """What chooses a style's parts; None for one that is to be left as it is: with a link, or colours by number."""
    over, under = style.color, style.bgcolor
    if style.link or any(
        each is not None and each.triplet is None and not each.is_default for each in (over, under)
    ):
        return None
    looks = (
        ("1", style.bold), ("2", style.dim), ("3", style.italic), ("4", style.underline), ("5", style.blink),
        ("6", style.blink2), ("7", style.reverse), ("8", style.conceal), ("9", style.strike),
        ("21", style.underline2), ("51", style.frame), ("52", style.encircle), ("53", style.overline),
    )  # fmt: skip
    return (
        "39" if over is None or over.triplet is None else "38;2;{};{};{}".format(*over.triplet),
        "49" if under is None or under.triplet is None else "48;2;{};{};{}".format(*under.triplet),
        ";".join(code for code, wanted in looks if wanted),
    )
