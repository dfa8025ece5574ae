"""Text on a terminal: made safe, measured in cells, cropped and wrapped so that columns line up."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len

VARIATION_SELECTORS = range(0xFE00, 0xFE10)
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that a terminal might obey, or that take an unknown number of cells."""


def width(text: str) -> int:
    """How many cells a text takes: two for a Chinese character, none for a combining one."""
    return cell_len(text)


def safe(text: str) -> str:
    """A text from outside on one line, with each character that a terminal might obey made visible.

    A line feed becomes `␊`, an escape `␛`, the rest their code points.
    """
    return text if text.isascii() and text.isprintable() else _made_safe(text)


@lru_cache(maxsize=4096)
def _made_safe(text: str) -> str:
    return "".join(_shown(each) for each in text)


def safe_lines(text: str) -> list[str]:
    """A text from outside as safe lines, parted at its line feeds."""
    return [safe(line) for line in text.replace("\t", "    ").split("\n")]


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if code in VARIATION_SELECTORS:
        return ""
    return f"\\u{code:04x}" if unicodedata.category(character) in HIDDEN else character


def crop(text: str, cells: int) -> str:
    """As much of a text as fits; an ellipsis says that something was left out."""
    if cells <= 0:
        return ""
    if cell_len(text) <= cells:
        return text
    kept, used = [], 0
    for each in text:
        used += cell_len(each)
        if used > cells - 1:
            break
        kept.append(each)
    return "".join(kept) + "…"


def fit(text: str, cells: int, *, right: bool = False) -> str:
    """A text in exactly so many cells: cropped, or filled with spaces at its end, or right at its start."""
    text = crop(text, cells)
    space = " " * (cells - cell_len(text))
    return space + text if right else text + space


def wrap(text: str, cells: int) -> list[str]:
    """A line as several, each of at most so many cells, parted at spaces where there are any.

    Chinese has none, and may be parted anywhere; other words are only where no line could hold them.
    """
    cells = max(cells, 2)
    lines: list[str] = []
    while cell_len(text) > cells:
        end = _fitting(text, cells)
        space = text.rfind(" ", 0, end + 1)
        word = text[space + 1 :].split(" ", 1)[0]
        whole = cell_len(word) == len(word) <= cells
        cut = space if space > end // 2 or (space > 0 and whole) else end
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*lines, text]


def _fitting(text: str, cells: int) -> int:
    """How many characters of a text fit."""
    used = 0
    for place, each in enumerate(text):
        used += cell_len(each)
        if used > cells:
            return place
    return len(text)
