"""What colours mean: names of paints, the paint and sign of each state, and bars."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.scroll_view import ScrollView
from textual.strip import Strip

from zstui.values import word

PAINTS = {
    "plain": ("foreground", 1.0),
    "dim": ("foreground", 0.6),
    "faint": ("foreground", 0.35),
    "good": ("success", 1.0),
    "warn": ("warning", 1.0),
    "bad": ("error", 1.0),
    "busy": ("secondary", 1.0),
    "accent": ("accent", 1.0),
    "head": ("foreground", 0.55),
    "strong": ("foreground", 1.0),
}
"""The theme's colour of each paint, and how much of it: the rest is the ground's."""

GROUNDS = {"cursor": ("accent", 0.22), "blur": ("foreground", 0.07), "bar": ("panel", 1.0)}
"""What lies over a widget's own ground, likewise."""

BOLD = frozenset({"strong"})

READABLE, DECORATION = 4.5, 3.0
"""How far at least letters are from their ground, and what says nothing of its own."""

STEPS = 20

CONTRAST_VARIABLE = "least-contrast"
"""Where a theme says how far everything is from its ground."""

Piece = tuple[str, str]
"""Safe text and the name of its paint."""

SIGNS = {"good": "◉", "dim": "◌", "busy": "◍", "warn": "?", "bad": "✗", "plain": " "}
"""A state's sign, for those who see no colours. None is of ambiguous width."""

OWN_SIGNS = {"Maintenance": "◒"}
"""States that nobody takes for another of their paint."""

GOOD = frozenset({"Running", "Connected", "Ready", "Enabled", "Succeeded", "info"})
RESTING = frozenset({"Stopped", "Disabled", "Destroyed", "Deleted", "Canceled", "Created", "NotInstantiated"})
UNSURE = frozenset({"Unknown", "Disconnected", "Maintenance", "warning"})
STANDING = "Standing still"
"""What a VM counts as whose guest does: no state of ZStack's, in which it runs."""

WRONG = frozenset({"Error", "Failed", "error", STANDING})
ON_THE_WAY = frozenset({
    "Creating", "Starting", "Stopping", "Rebooting", "Destroying", "Expunging", "Migrating", "Connecting",
    "Downloading", "Deleting", "PreMaintenance", "Queued",
})  # fmt: skip


def paint_of(state: str) -> str:
    """The paint of a state: known ones as they are meant, all others are on their way somewhere."""
    for paint, states in (("good", GOOD), ("dim", RESTING), ("warn", UNSURE), ("bad", WRONG)):
        if state in states:
            return paint
    return "busy" if state else "plain"


def state_piece(state: str) -> Piece:
    """A state with its sign, painted."""
    paint = paint_of(state)
    return (f"{OWN_SIGNS.get(state, SIGNS[paint])} {word(state)}", paint) if state else ("", "plain")


def bar(share: float, cells: int) -> str:
    """A share of 1 as a bar of so many cells."""
    full = round(max(0.0, min(share, 1.0)) * cells)
    return "━" * full + "╌" * (cells - full)


def load_paint(share: float) -> str:
    """The paint of how full something is."""
    return "bad" if share >= 0.95 else "warn" if share >= 0.8 else "good"


def difference(before: Strip, after: Strip) -> tuple[int, int] | None:
    """Where a line is other than it was: the first cell and how many; None when it is the same."""
    olds, news = list(before), list(after)
    if olds == news:
        return None
    begin = sum(part.cell_length for part in _alike(olds, news))
    end = sum(part.cell_length for part in _alike(olds[::-1], news[::-1]))
    cells = max(before.cell_length, after.cell_length)
    return begin, max(1, cells - end - begin)


def _alike(olds: list[Segment], news: list[Segment]) -> list[Segment]:
    return [old for old, _ in takewhile(lambda pair: pair[0] == pair[1], zip(olds, news, strict=False))]


def mixed(colours: Mapping[str, str], under: Color, name: str, ground: str) -> Style:
    """A paint as one colour on one ground: what is half transparent is mixed with what is below it.

    It is as far from the ground as can be read. Of colours that are the terminal's own nobody knows how far they are
    from each other: what is chosen has its two plain ones, turned round.
    """
    if ground:
        over = _themed(colours, *GROUNDS[ground])
        if ground == "cursor" and over.ansi is not None:
            return Style(reverse=True, bold=name in BOLD)
        under = under.blend(over, over.a, alpha=1.0)
    colour = _themed(colours, *PAINTS[name])
    colour = under.blend(colour, colour.a, alpha=1.0)
    if colour.ansi is None and under.ansi is None:
        strong = colours.get(CONTRAST_VARIABLE)
        colour = _apart(
            colour, under, float(strong) if strong else DECORATION if name == "faint" else READABLE
        )
    return Style(color=colour.rich_color, bgcolor=under.rich_color, bold=name in BOLD)


def _themed(colours: Mapping[str, str], name: str, share: float) -> Color:
    return Color.parse(colours[name]).multiply_alpha(share)


def _apart(colour: Color, under: Color, least: float) -> Color:
    """A colour, made lighter or darker until it is far enough from what is below it."""
    end = max((Color(255, 255, 255), Color(0, 0, 0)), key=lambda each: contrast(each, under))
    for step in range(STEPS + 1):
        found = colour.blend(end, step / STEPS, alpha=1.0)
        if contrast(found, under) >= least:
            return found
    return end


def contrast(one: Color, other: Color) -> float:
    """How far two colours are apart, from 1 to 21, as WCAG 2 has it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Color) -> float:
    shares = (each / 255 for each in colour.rgb)
    red, green, blue = (
        each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class Painted(ScrollView):
    """A widget that draws its own lines, in paints that the theme gives meaning to.

    They are no component classes: Textual would work out the styles of each of them for each widget and each change.
    """

    DEFAULT_CSS = """
    Painted { overflow-x: hidden; scrollbar-size-vertical: 1; }
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._paints: dict[tuple[str, str], Style] = {}

    def on_mount(self) -> None:
        """Set up scrolling."""
        super().on_mount()  # type: ignore[no-untyped-call]

    def paint(self, name: str, ground: str = "") -> Style:
        """A paint by name, on the widget's own ground or that of another component."""
        found = self._paints.get((name, ground))
        if found is None:
            found = self._paints[name, ground] = self._mixed(name, ground)
        return found

    def _mixed(self, name: str, ground: str) -> Style:
        return mixed(self.app.theme_variables, self.background_colors[1], name, ground)

    def notify_style_update(self) -> None:
        """Forget paints of another theme."""
        super().notify_style_update()
        self._paints.clear()
