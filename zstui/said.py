"""Texts and buttons that follow the user's language when it changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from textual.content import Content
from textual.geometry import Size
from textual.widgets import Button, Static

from zstui.cells import width, wrap
from zstui.i18n import sentences

BETWEEN = " · "

SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=。)(?=.)")

Make = Callable[[], str]
"""Makes a text in the language that is spoken now."""


class Said(Static):
    """A text, made anew when the language changes."""

    def __init__(self, make: Make = str, **options: Any) -> None:
        super().__init__(make(), markup=False, **options)
        self._make = make

    def say(self, make: Make) -> None:
        """Say something else."""
        self._make = make
        self.update(make())

    def retranslate(self) -> None:
        """Say the same in the language that is spoken now."""
        self.update(self._make())


class Keys(Said):
    """Keys and what they do, with ` · ` between: a line ends between two of them, never within one."""

    def _lines(self, cells: int) -> list[str]:
        lines: list[str] = []
        for part in self._make().split(BETWEEN):
            if lines and width(lines[-1]) + width(BETWEEN) + width(part) <= cells:
                lines[-1] += BETWEEN + part
            else:
                lines.append(part)
        return lines

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are in that width."""
        del container, viewport
        return len(self._lines(width))

    def render(self) -> Content:
        """The lines."""
        return Content("\n".join(self._lines(self.content_size.width)))


class Doc(Said):
    """What something is for. On a low terminal as many whole sentences of it as one line has room for."""

    def _lines(self, cells: int) -> list[str]:
        text = self._make()
        if width(text) <= cells or not self.screen.has_class("-short"):
            return wrap(text, cells)
        parts = SENTENCE_END.split(text)
        fitting = (sentences(*parts[:number]) for number in range(len(parts), 0, -1))
        return [text for text in fitting if width(text) <= cells][:1]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are in that width."""
        del container, viewport
        return len(self._lines(width))

    def render(self) -> Content:
        """The lines."""
        return Content("\n".join(self._lines(self.content_size.width)))


class Answer(Button):
    """A button whose word follows the language."""

    def __init__(self, make: Make, **options: Any) -> None:
        super().__init__(make(), compact=True, **options)
        self._make = make

    def retranslate(self) -> None:
        """Say the same in the language that is spoken now."""
        self.label = self._make()
