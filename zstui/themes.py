"""The colours: by night, by day, in high contrast; and signs for terminals that have only those of ASCII."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Container, Mapping
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from zstui.i18n import mark, tr

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
    "◉": "*", "◌": "o", "◍": "~", "◒": "=", "✗": "x", "✓": "+", "▐": ">", "▸": ">", "▾": "v", "▴": "^", "━": "#",
    "╌": "-", "…": "~", "·": "-", "›": ">", "→": ">", "–": "-", "↑": "^", "↓": "v", "←": "<",
    "⌫": "<", "●": "o", "×": "x", "■": "#", "□": "o", "◆": "*", "≠": "!", "≤": "<", "≥": ">",
    **dict.fromkeys("▁▂▃▄⎽", "_"), **dict.fromkeys("▅▆▇", "="), **dict.fromkeys("▀▔⎺⎻⎼", "-"),
    **dict.fromkeys("▉▊▋▌▍▎▏▕", "|"), "░": ".", "▒": ":",
})  # fmt: skip
"""Signs that are drawn here, by Textual at the ends of scrollbars and around what has a border, and by guests."""

SIGNS = range(0x2190, 0x2C00)
"""Arrows, lines, blocks and the like; below and above are letters and what stands among them."""

CONTROLS, LINES = range(0x2400, 0x2440), range(0x2500, 0x2580)
BLOCKS, BRAILLE = range(0x2580, 0x25A0), range(0x2800, 0x2900)
DENSITY = " ..:::###"
"""Braille, of which plots and pictures are made, by how many of its eight dots it has."""

ACROSS, ALONG = {"HORIZONTAL", "LEFT", "RIGHT"}, {"VERTICAL", "UP", "DOWN"}
"""What the names of lines say of the ways that they go."""


def first_theme(kept: str, available: Container[str]) -> str:
    """The theme to begin with: what the user chose last, as long as it is there."""
    return kept if kept in available else NIGHT.name


TITLES = {
    "zstui": mark("dark"), "zstui-light": mark("light"), "zstui-contrast": mark("high contrast"),
    "ansi-dark": mark("16 colours, dark"), "ansi-light": mark("16 colours, light"),
}  # fmt: skip


def theme_title(name: str) -> str:
    """What a theme is, in words; of those that come with Textual the name."""
    return tr(TITLES[name]) if name in TITLES else name


def next_theme(name: str) -> str:
    """The theme after one; the first after one that F3 does not know."""
    return CYCLE[(CYCLE.index(name) + 1) % len(CYCLE)] if name in CYCLE else CYCLE[0]


def only_ascii(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal has no signs but ASCII's: by `ZSTUI_ASCII`, else what the terminal and the locale are.

    The Linux console has 256 or 512 signs, most of ours not among them; a locale that is not UTF-8 has none of them.
    """
    told = environment.get("ZSTUI_ASCII", "")
    if told:
        return told != "0"
    if environment.get("TERM") == "linux":
        return True
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


@lru_cache(maxsize=1024)
def _sign(character: str) -> str:
    """A sign by what it is made of, one that nobody knows as question marks over its cells; a letter as it is."""
    code = ord(character)
    if code in BRAILLE:
        return DENSITY[(code - BRAILLE.start).bit_count()]
    if code in LINES:
        drawn = set(unicodedata.name(character).split())
        across, along = not drawn.isdisjoint(ACROSS), not drawn.isdisjoint(ALONG)
        return "-" if not along else "|" if not across else "+"
    if code in BLOCKS:
        return "#"
    if code in CONTROLS:
        return "^"
    return "?" * cell_len(character) if code in SIGNS else character
