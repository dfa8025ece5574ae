"""Texts and buttons that follow the user's language when it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.widgets import Button, Static

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


class Answer(Button):
    """A button whose word follows the language."""

    def __init__(self, make: Make, **options: Any) -> None:
        super().__init__(make(), compact=True, **options)
        self._make = make

    def retranslate(self) -> None:
        """Say the same in the language that is spoken now."""
        self.label = self._make()
