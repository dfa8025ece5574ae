"""The line that `/` opens: what is typed narrows the list at once."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from zstui.i18n import tr
from zstui.inputs import Entry


class Filter(Horizontal):
    """Hidden until opened. Enter keeps the filter, Esc takes it away, arrows move in the list meanwhile."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close(False)", "Show all", show=False),
        Binding("up", "arrow(-1)", "Up", show=False),
        Binding("down", "arrow(1)", "Down", show=False),
    ]

    class Closed(Message):
        """Typing is over, and this is to be found; None when the list is another by now."""

        def __init__(self, text: str | None) -> None:
            super().__init__()
            self.text = text

    class Arrow(Message):
        """The list's cursor is to move."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def compose(self) -> ComposeResult:
        """A slash and what is typed."""
        yield Static("  / ", markup=False)
        yield Entry(compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """Wait to be opened."""
        self.display = False
        self.retranslate()

    def retranslate(self) -> None:
        """Say what can be typed."""
        self.query_one(Input).placeholder = tr("words that rows must hold, key:value, @host, !word not")

    @property
    def text(self) -> str:
        """What is typed."""
        return self.query_one(Input).value

    def open(self, text: str) -> None:
        """Type on at the filter that there is."""
        self.display = True
        shown = self.query_one(Input)
        shown.value = text
        shown.cursor_position = len(text)
        shown.focus()

    def close(self) -> None:
        """Hide; what is filtered stays."""
        if self.display:
            self._end(None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_close(True)

    def action_close(self, keep: bool) -> None:
        """Stop typing."""
        self._end(self.text if keep else "")

    def _end(self, text: str | None) -> None:
        self.display = False
        self.post_message(self.Closed(text))

    def action_arrow(self, by: int) -> None:
        """Move in the list while typing."""
        self.post_message(self.Arrow(by))
