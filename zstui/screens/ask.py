"""One line asked for: a text to type, a password."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from zstui.i18n import tr
from zstui.keymap import TYPING_HELP
from zstui.said import Keys, Said
from zstui.screens.working import Working


class Ask(Working, ModalScreen[str | None]):
    """A question, a line for the answer; None when there is none."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "back"), TYPING_HELP]

    def __init__(self, question: Callable[[], str], *, secret: bool = False) -> None:
        super().__init__()
        self._question = question
        self._secret = secret

    def compose(self) -> ComposeResult:
        """Question and line."""
        with Vertical(classes="dialog"):
            yield Said(self._question, classes="title")
            yield Input(password=self._secret, compact=True)
            yield Keys(lambda: tr("Enter sends · Esc back"), classes="hint")

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)
