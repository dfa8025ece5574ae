"""The colours: by night, by day, in high contrast; and signs for terminals that have only those of ASCII."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

NIGHT = Theme(
    name="zstui", primary="#a78bfa", secondary="#6cb6ff", accent="#b9a3ff", success="#7ccf8a",
    warning="#e3b95f", error="#f0717a", foreground="#d6dbe5", background="#12151c", surface="#171b24",
    panel="#1e2430", dark=True,
)  # fmt: skip
DAY = Theme(
    name="zstui-light", primary="#5b3fd6", secondary="#0b62b8", accent="#5b3fd6", success="#1c7a34",
    warning="#8a5a00", error="#b3202c", foreground="#1b2030", background="#fbfbfd", surface="#f1f2f6",
    panel="#e4e6ee", dark=False,
)  # fmt: skip
CONTRAST = Theme(
    name="zstui-contrast", primary="#ffffff", secondary="#66d9ff", accent="#ffff00", success="#00ff66",
    warning="#ffd000", error="#ff6b6b", foreground="#ffffff", background="#000000", surface="#000000",
    panel="#1a1a1a", dark=True, variables={"least-contrast": "7"},
)  # fmt: skip
THEMES = {theme.name: theme for theme in (NIGHT, DAY, CONTRAST)}
CYCLE = (*THEMES, "ansi-dark", "ansi-light")
"""What F3 goes through; the last two leave the colours to the terminal's own sixteen."""

PLAIN = str.maketrans({
    "◉": "*", "◌": "o", "◍": "~", "✗": "x", "✓": "+", "▐": ">", "▸": ">", "▾": "v", "▴": "^", "━": "#",
    "╌": "-", "…": "~", "·": "|", "›": ">", "→": ">", "–": "-", "↑": "^", "↓": "v", "←": "<",
    "⌫": "<", "●": "o", "×": "x", "▄": "_", "▀": "-", "█": "#", "│": "|", "─": "-", "▎": "|", "▊": "|",
})  # fmt: skip


def first_theme(kept: str, available: Container[str]) -> str:
    """The theme to begin with: what the user chose last, as long as it is there."""
    return kept if kept in available else NIGHT.name


def next_theme(name: str) -> str:
    """The theme after one; the first after one that F3 does not know."""
    return CYCLE[(CYCLE.index(name) + 1) % len(CYCLE)] if name in CYCLE else CYCLE[0]


def only_ascii(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal has no signs but ASCII's: by `ZSTUI_ASCII`, else by a locale that is not UTF-8."""
    told = environment.get("ZSTUI_ASCII", "")
    if told:
        return told != "0"
    named = (environment.get(each) for each in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((each for each in named if each), "")
    return "." in locale and "utf" not in locale.lower()


class Ascii(LineFilter):
    """Signs as ASCII characters of the same width. Letters stay, in whatever script: names are what they are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments of a line, without signs that are no ASCII."""
        del background
        return [
            part if part.text.isascii() else Segment(_ascii(part), part.style, part.control)
            for part in segments
        ]


def _ascii(part: Segment) -> str:
    return "".join(each if each.isascii() else _sign(each) for each in part.text.translate(PLAIN))


def _sign(character: str) -> str:
    """Arrows, lines, blocks and the like as question marks over their cells; everything else as it is."""
    return "?" * cell_len(character) if "\u2190" <= character < "\u2c00" else character
