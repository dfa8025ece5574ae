"""Being sure: a question that says what will happen, and for what cannot be undone a name to type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Input

from appliance.api.message import MESSAGES
from zstui import words
from zstui.cells import safe
from zstui.i18n import mark, tr
from zstui.inputs import Entry
from zstui.keymap import HELP
from zstui.said import Answer, Keys, Make, Said
from zstui.screens.working import Working
from zstui.verbs import title_of


class Confirm(Working, ModalScreen[bool]):
    """Returns whether to go on. With `typed`, only once exactly that was typed.

    Esc, n and, unless the other answer was moved to, Enter are the careful answer; the last line says so.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "answer(False)", "no"),
        Binding("left,right,up,down", "app.focus_next", "Other", show=False),
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n", "answer(False)", "No", show=False),
        HELP,
    ]

    def __init__(
        self, question: Make, yes: Make, lines: Callable[[], list[str]] = list, *, typed: str = "",
        no: str = mark("Cancel"),
    ) -> None:  # fmt: skip
        super().__init__()
        self._question = question
        self._yes = yes
        self._lines = lines
        self._typed = typed
        self._no = no
        self._mistyped: str | None = None
        """What was typed and sent instead of what is asked for."""

    def compose(self) -> ComposeResult:
        """The question, what will be lost, and two answers; the careful one has the focus."""
        with VerticalScroll(classes="dialog confirm", can_focus=False):
            yield Said(lambda: safe(self._question()), classes="title")
            if self._lines():
                yield Said(lambda: "\n".join(map(safe, self._lines())), classes="loss")
            with Vertical(classes="foot"):
                if self._typed:
                    yield Said(lambda: tr("Type {text} to go on:", text=safe(self._typed)), classes="label")
                    yield Entry(compact=True, id="typed")
                    yield Said(self._wrong, classes="wrong")
                with Horizontal(classes="answers"):
                    yield Answer(lambda: tr(self._no), id="no")
                    yield Answer(self._yes, id="yes", variant="error", disabled=bool(self._typed))
                yield Keys(self._hint, classes="hint")

    def _hint(self) -> str:
        key = "Enter" if self._typed else "y"
        return f"{key} {self._yes()} · Esc {tr(self._no).lower()}"

    def on_mount(self) -> None:
        """The careful answer, or the name to type."""
        self.query_one("#typed" if self._typed else "#no").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Letters are letters while a name is typed."""
        return not (self._typed and action == "answer" and parameters == (True,))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self.query_one("#yes", Button).disabled = event.value != self._typed
        self._say_wrong(None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value == self._typed:
            self.dismiss(True)
        else:
            self._say_wrong(event.value)

    def _say_wrong(self, typed: str | None) -> None:
        """Say that something else was typed than what is asked for; None: nothing is wrong yet."""
        self._mistyped = typed
        wrong = self.query_one(".wrong", Said)
        wrong.set_class(typed is not None, "-shown")
        wrong.retranslate()

    def _wrong(self) -> str:
        if not self._mistyped:
            return tr("Nothing is typed yet.")
        return tr("{typed} is not {text}.", typed=safe(self._mistyped), text=safe(self._typed))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer by key."""
        self.dismiss(yes)


def discard(screen: Screen[Any]) -> None:
    """Leave a screen in which something was typed, once it was said that it is lost."""

    def answered(yes: bool | None) -> None:
        if yes:
            screen.dismiss(None)

    screen.app.push_screen(
        Confirm(
            lambda: tr("Throw away what you typed?"), lambda: tr("throw it away"), no=mark("Go on editing")
        ),
        answered,
    )


def sure(message: str, about: str) -> Confirm:
    """The question whether a call is to be made for what is named."""

    def call() -> str:
        return tr(title_of(message))

    return Confirm(
        lambda: tr("{call}: {rows}?", call=f"{call()[:1].upper()}{call()[1:]}", rows=about),
        call,
        lambda: [tr(words.first_paragraph(MESSAGES[message].__doc__))],
    )
