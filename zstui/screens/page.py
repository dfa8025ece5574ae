"""One row on a page of its own, for terminals too narrow to show it beside its list."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from zstui.detail import Detail, leaves
from zstui.frame import Hints, LastCall, News, Totals
from zstui.i18n import mark
from zstui.mirror import Batch, Mirror, Row
from zstui.nouns import MAIN, Noun, noun_of
from zstui.screens.acting import Acting


class DetailPage(Acting):
    """The detail of a row; Esc goes back to the list. Keys act on the row as they do there."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "back", "Back to the list")]

    def __init__(self, mirror: Mirror, row: Row) -> None:
        super().__init__(mirror)
        self._shown = row
        self._gone = False

    def compose(self) -> ComposeResult:
        """The sheet inside the frame."""
        yield Totals(self.mirror)
        yield Detail(self.mirror, self._shown, id="page")
        yield LastCall(self.app.calls)
        yield News(self.mirror)
        yield Hints()

    def on_mount(self) -> None:
        """Keys scroll the sheet."""
        self.follow(self.mirror.listeners, self._changed)
        self.query_one(Detail).focus()

    def _changed(self, batch: Batch) -> None:
        now = batch.get(self._shown.kind, {}).get(self._shown.key)
        if now is not None:
            self._shown, self._gone = now, False
        elif leaves(batch, self._shown):
            self._gone = True
        for kind in (Totals, News, Hints):
            for part in self.query(kind):  # none any more where the screen is being taken down
                part.refresh()

    def hints(self) -> list[tuple[str, str, str]]:
        """The way back, then what keys do to the row."""
        return [("Esc", mark("back"), "screen.back"), *super().hints()]

    def chosen(self) -> list[Row]:
        """The row that is shown; none once it is gone."""
        return [] if self._gone else [self._shown]

    def current_noun(self) -> Noun:
        """The noun of the row."""
        return noun_of(self._shown.kind) or MAIN[0]

    async def go(self, noun_id: str, key: str | None = None, find: str = "", *, follow: bool = False) -> None:
        """Back to the lists, and there."""
        below = self.app.screen_stack[-2]
        self.dismiss()
        if isinstance(below, Acting):
            await below.go(noun_id, key, find, follow=follow)

    def action_back(self) -> None:
        """Back to the list."""
        self.dismiss()
