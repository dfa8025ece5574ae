"""Paints can be read on every ground, in every theme."""

from __future__ import annotations

import itertools

import pytest
from rich.style import Style
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from tests.zstui.conftest import Cloud, screens
from zstui.paint import GROUNDS, PAINTS, contrast, mixed
from zstui.themes import CONTRAST, CYCLE, THEMES

STATES = ("plain", "dim", "good", "warn", "bad", "busy", "strong")
OWN = [name for name in CYCLE if name in THEMES]
TERMINALS = [name for name in CYCLE if name not in THEMES]


def colours_of(theme: str) -> dict[str, str]:
    found = THEMES.get(theme) or BUILTIN_THEMES[theme]
    return {**found.to_color_system().generate(), **found.variables}


def far(style: Style) -> float:
    assert style.color is not None
    assert style.bgcolor is not None
    return contrast(Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor))


@pytest.mark.parametrize("theme", [*OWN, "textual-dark", "textual-light", "nord", "solarized-light"])
def test_a_state_can_be_read_on_every_ground(theme: str) -> None:
    colours = colours_of(theme)
    least = 7.0 if theme == CONTRAST.name else 4.5
    for below, ground, name in itertools.product(("background", "surface", "panel"), ("", *GROUNDS), STATES):
        style = mixed(colours, Color.parse(colours[below]), name, ground)
        assert far(style) >= least - 0.05, (below, ground, name)


def test_nothing_is_grey_where_contrast_is_asked_for() -> None:
    colours = colours_of(CONTRAST.name)
    for name in PAINTS:
        assert far(mixed(colours, Color.parse(colours["background"]), name, "")) >= 6.95


@pytest.mark.parametrize("theme", TERMINALS)
def test_what_is_chosen_has_the_terminals_own_two_colours_where_those_are_its_own(theme: str) -> None:
    colours = colours_of(theme)
    for name in STATES:
        style = mixed(colours, Color.parse(colours["background"]), name, "cursor")
        assert (style.reverse, style.color, style.bgcolor) == (True, None, None)


async def test_labels_of_forms_are_not_grey_either(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        on.app.theme = CONTRAST.name
        await on.press("n")
        await on.sees("* name")
        for selector in (".label", ".form-doc", ".form-help"):
            shown = on.app.screen.query(selector).first()
            assert contrast(shown.styles.color.blend(shown.background_colors[1], 0), Color(0, 0, 0)) > 15
        on.app.theme = "zstui"
        await on.until(lambda: not on.app.has_class("-contrast"))
