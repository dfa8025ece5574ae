"""An access token that was just made: shown once, to be copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from zstui.cells import safe
from zstui.i18n import tr
from zstui.screens.userdata import Reading
from zstui.sheet import Item, note

if TYPE_CHECKING:
    from zstui.app import Zstui
    from zstui.mirror import Row
    from zstui.screens.acting import Acting


class NewToken(Reading):
    """Shows a token; nobody can see it again."""

    app: Zstui
    BINDINGS: ClassVar[list[BindingType]] = [Binding("c,y", "copy", "copy")]

    def __init__(self, row: Row) -> None:
        self._token = str(row.get("token"))
        super().__init__(
            lambda: tr("Token {name}", name=row.name),
            [
                Item(tr("token"), safe(self._token), "accent"),
                note(tr("It is shown this once and kept nowhere; c copies it.")),
            ],
        )

    def action_copy(self) -> None:
        """Copy it."""
        self.app.copy_to_clipboard(self._token)
        self.app.tell(tr("copied"))


def show_token(screen: Acting, row: Row) -> None:
    """Show the token that a form has made."""
    screen.app.push_screen(NewToken(row))
