"""Being sure: a question that says what will happen, and for what cannot be undone a name to type."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from zstui.cells import safe
from zstui.i18n import tr
from zstui.inputs import Entry
from zstui.said import Answer, Said


class Confirm(ModalScreen[bool]):
    """Returns whether to go on. With `typed`, only once exactly that was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer(False)", "no"),
        Binding("left,right,up,down", "app.focus_next", "Other", show=False),
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n", "answer(False)", "No", show=False),
    ]

    def __init__(self, question: str, yes: str, lines: list[str] | None = None, *, typed: str = "") -> None:
        super().__init__()
        self._question = question
        self._yes = yes
        self._lines = lines or []
        self._typed = typed

    def compose(self) -> ComposeResult:
        """The question, what will be lost, and two answers; the careful one has the focus."""
        with Vertical(classes="dialog confirm"):
            yield Static(safe(self._question), classes="title", markup=False)
            for line in self._lines:
                yield Static(safe(line), classes="loss", markup=False)
            if self._typed:
                yield Said(lambda: tr("Type {text} to go on:", text=safe(self._typed)), classes="label")
                yield Entry(compact=True, id="typed")
            with Horizontal(classes="answers"):
                yield Answer(lambda: tr("Cancel"), id="no")
                yield Answer(lambda: self._yes, id="yes", variant="error", disabled=bool(self._typed))

    def on_mount(self) -> None:
        """The careful answer, or the name to type."""
        self.query_one("#typed" if self._typed else "#no").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Letters are letters while a name is typed."""
        return not (self._typed and action == "answer" and parameters == (True,))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self.query_one("#yes", Button).disabled = event.value != self._typed

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value == self._typed:
            self.dismiss(True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer by key."""
        self.dismiss(yes)
