"""A line of a picture: in true colours already, so that nothing is to be made of them, and sent with few bytes."""

from __future__ import annotations

from functools import lru_cache

from rich.console import Console
from rich.style import Style
from textual.color import Color
from textual.filter import ANSIToTruecolor, LineFilter
from textual.strip import Strip

RESET = "\x1b[0m"


class Pixels(Strip):
    """Segments that each have a colour of their own and one of their ground, and no other style.

    A picture has some ten thousand, and is another ten times a second: Textual would look at the colours of each to
    make true ones of them, and begin each anew with both.
    """

    def apply_filter(self, filter: LineFilter, background: Color) -> Strip:  # noqa: A002 - Textual's name
        """The line as a filter has it; colours that are true stay."""
        return self if isinstance(filter, ANSIToTruecolor) else super().apply_filter(filter, background)

    def render(self, console: Console) -> str:
        """The line as the terminal gets it: of colours, those that are others than of the cells before."""
        if console.color_system != "truecolor":
            return super().render(console)
        sent: list[str] = []
        colour = ground = ""
        for text, style, _ in self:
            over, under = _codes(style)
            if over == colour or text.isspace():
                sent.append(text if under == ground else f"\x1b[{under}m{text}")
            else:
                sent.append(f"\x1b[{over}m{text}" if under == ground else f"\x1b[{over};{under}m{text}")
                colour = over
            ground = under
        return "".join(sent) + RESET


@lru_cache(maxsize=20_000)
def _codes(style: Style | None) -> tuple[str, str]:
    """What chooses a style's colour, and its ground's; without one, the terminal's own."""
    chosen = (style.color, style.bgcolor) if style is not None else (None, None)
    over, under = (each.triplet if each is not None else None for each in chosen)
    return (
        f"38;2;{over.red};{over.green};{over.blue}" if over is not None else "39",
        f"48;2;{under.red};{under.green};{under.blue}" if under is not None else "49",
    )
