"""Lines of a picture as a terminal gets them."""

from __future__ import annotations

import io

import pyte
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI
from textual.color import Color
from textual.filter import ANSIToTruecolor, NoColor
from textual.strip import Strip

from zstui.pixels import Pixels

PARTS = [
    Segment("▀▀", Style(color="#102030", bgcolor="#405060")),
    Segment("  ", Style(color="#405060", bgcolor="#405060")),
    Segment("▀", Style(color="#102030", bgcolor="#708090")),
    Segment("▀", Style(color="#a0b0c0", bgcolor="#708090")),
    Segment("   ", Style()),
    Segment("▀", Style(color="#a0b0c0")),
]


def a_console(colours: str) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, color_system=colours)  # type: ignore[arg-type]


def shown(sent: str) -> list[object]:
    """What a terminal shows after that: of a blank, its ground alone."""
    screen = pyte.Screen(12, 1)
    pyte.Stream(screen).feed(sent)
    return [
        (each.data, each.bg, each.data == " " or each.fg) for each in (screen.buffer[0][x] for x in range(12))
    ]


def test_a_terminal_shows_what_it_would_have_shown_with_more_bytes() -> None:
    console = a_console("truecolor")
    usual, few = Strip(PARTS).render(console), Pixels(PARTS, 10).render(console)
    assert shown(few) == shown(usual)
    assert len(few) < len(usual) * 2 / 3


def test_fewer_colours_are_told_as_always() -> None:
    console = a_console("256")
    assert Pixels(PARTS, 10).render(console) == Strip(PARTS).render(console)


def test_true_colours_stay_and_none_are_none() -> None:
    line = Pixels(PARTS, 10)

    assert line.apply_filter(ANSIToTruecolor(DIMMED_MONOKAI), Color(0, 0, 0)) is line
    assert line.apply_filter(NoColor(), Color(0, 0, 0)) is not line
