"""Fields to type into that never hand a control character to the terminal, whatever their text holds."""

from __future__ import annotations

import unicodedata

from rich.segment import Segment
from textual.strip import Strip
from textual.widgets import Input

from zstui.cells import HIDDEN


class Entry(Input):
    """One line to type into. Keys that are `passed` mean something else to the screen, and are not typed."""

    passed: frozenset[str] = frozenset()

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is typed here."""
        return key not in self.passed and super().check_consume_key(key, character)

    def render_line(self, y: int) -> Strip:
        """The line, made safe."""
        return harmless(super().render_line(y))


def harmless(strip: Strip) -> Strip:
    """A strip with each character that a terminal might obey replaced by one that it shows, of one cell."""
    if all(segment.text.isascii() and segment.text.isprintable() for segment in strip):
        return strip
    cells = strip.cell_length
    parts = [Segment("".join(_shown(each) for each in part.text), part.style) for part in strip]
    return Strip(parts).adjust_cell_length(cells)


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "�" if unicodedata.category(character) in HIDDEN else character
