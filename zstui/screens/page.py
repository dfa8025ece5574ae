"""One row on a page of its own, for terminals too narrow to show it beside its list."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from zstui.detail import Detail
from zstui.frame import Hints, Totals
from zstui.mirror import Mirror, Row


class DetailPage(Screen[None]):
    """The detail of a row; Esc goes back to the list."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "back", "back")]

    def __init__(self, mirror: Mirror, row: Row) -> None:
        super().__init__()
        self.mirror = mirror
        self.row = row

    def compose(self) -> ComposeResult:
        """The sheet between the frame's first and last line."""
        yield Totals(self.mirror)
        yield Detail(self.mirror, self.row, id="page")
        yield Hints()

    def on_mount(self) -> None:
        """Keys scroll the sheet."""
        self.query_one(Detail).focus()

    def action_back(self) -> None:
        """Back to the list."""
        self.dismiss()
