"""What is sent of a line shows what it would show, whatever styles are in it, and is less."""

from __future__ import annotations

import io
import random

import pyte
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from zstui.narrow import with_few

STYLES = [
    Style(), Style(color="#102030", bgcolor="#405060"), Style(color="#ffffff", bgcolor="#405060", bold=True),
    Style(color="#ffffff", bgcolor="#405060", underline=True), Style(bgcolor="#708090"), Style(reverse=True),
    Style(color="#102030", bgcolor="#405060", italic=True, bold=True), Style(color="default", bgcolor="default"),
]  # fmt: skip
CELLS = 60


def a_console(colours: str = "truecolor") -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=colours)  # type: ignore[arg-type]


def shown(sent: str) -> list[object]:
    """What a terminal shows after that; of a plain blank, its ground alone."""
    screen = pyte.Screen(CELLS, 1)
    pyte.Stream(screen).feed(sent)
    cells = [screen.buffer[0][x] for x in range(CELLS)]
    return [each._replace(fg="") if each.data == " " and not each.reverse and not each.underscore else each
            for each in cells]  # fmt: skip


def test_a_terminal_shows_the_same() -> None:
    chance, console, more, less = random.Random(1), a_console(), 0, 0
    for _ in range(300):
        parts = [
            Segment(chance.choice(["web", "  ", "数", "-", " a "]), chance.choice([None, *STYLES]))
            for _ in range(9)
        ]
        usual, few = Strip(parts).render(console), with_few(Strip(parts), console)
        assert [
            each._replace(bold=False, italics=False) if each.data == " " else each for each in shown(few)
        ] == [each._replace(bold=False, italics=False) if each.data == " " else each for each in shown(usual)]
        more, less = more + len(usual), less + len(few)
    assert less < more


def test_what_has_links_or_other_colours_is_sent_as_always() -> None:
    for style, colours in (
        (Style(link="http://x"), "truecolor"),
        (Style(color="red"), "truecolor"),
        (STYLES[1], "256"),
    ):
        console = a_console(colours)
        parts = [Segment("x", style)]
        # A link has a number by chance, which is the style's.
        assert with_few(Strip(parts), console) == Strip(parts).render(console)
