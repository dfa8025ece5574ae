"""Who is there: name and password, asked when an appliance elsewhere wants them."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from zstui.cells import safe
from zstui.i18n import tr
from zstui.i18n.server_texts import said
from zstui.inputs import Entry
from zstui.said import Keys, Said
from zstui.screens.working import Working


class Login(Working, ModalScreen[tuple[str, str]]):
    """Returns a name and a password."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.quit", "leave")]
    AUTO_FOCUS = "#password"
    """The name is most likely right."""

    def __init__(self, target: str, said: str = "") -> None:
        super().__init__()
        self._target = target
        self._said = said

    def compose(self) -> ComposeResult:
        """Two fields."""
        with Vertical(classes="dialog"):
            yield Said(lambda: tr("Log in to {appliance}", appliance=safe(self._target)), classes="title")
            yield Said(lambda: tr("account"), classes="label")
            yield Entry("admin", id="account", compact=True)
            yield Said(lambda: tr("password"), classes="label")
            yield Entry(password=True, id="password", compact=True)
            yield Said(lambda: safe(said(self._said)), classes="error")
            yield Keys(lambda: tr("Enter logs in · Esc leaves"), classes="hint")

    @on(Input.Submitted)
    def _submitted(self) -> None:
        account = self.query_one("#account", Input).value
        password = self.query_one("#password", Input).value
        if account and password:
            self.dismiss((account, password))
        else:
            self.query_one("#password" if account else "#account", Input).focus()
