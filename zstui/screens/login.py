"""Who is there: name and password, asked when an appliance elsewhere wants them."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from zstui.cells import safe
from zstui.inputs import Entry


class Login(ModalScreen[tuple[str, str]]):
    """Returns a name and a password."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.quit", "leave")]

    def __init__(self, target: str, said: str = "") -> None:
        super().__init__()
        self._target = target
        self._said = said

    def compose(self) -> ComposeResult:
        """Two fields."""
        with Vertical(classes="dialog"):
            yield Static(f"Log in to {safe(self._target)}", classes="title", markup=False)
            yield Static("account", classes="label", markup=False)
            yield Entry("admin", id="account", compact=True)
            yield Static("password", classes="label", markup=False)
            yield Entry(password=True, id="password", compact=True)
            yield Static(safe(self._said), classes="error", markup=False)
            yield Static("Enter logs in · Esc leaves", classes="hint", markup=False)

    def on_mount(self) -> None:
        """The name is most likely right."""
        self.query_one("#password", Input).focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        account = self.query_one("#account", Input).value
        password = self.query_one("#password", Input).value
        if account and password:
            self.dismiss((account, password))
        else:
            self.query_one("#password" if account else "#account", Input).focus()
