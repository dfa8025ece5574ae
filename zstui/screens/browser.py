"""The main screen: one list at a time, what is known of its row, and the frame around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import ContentSwitcher

from zstui.detail import Detail
from zstui.frame import Banner, Caption, Hints, News, Tabs, Totals
from zstui.mirror import Batch, Mirror
from zstui.nouns import MAIN, NOUNS, Noun
from zstui.screens.page import DetailPage
from zstui.table import LiveTable

if TYPE_CHECKING:
    from zstui.app import Zstui

BESIDE = 120
"""Cells from which on the detail stands beside the list."""

AGES_SECONDS = 20.0


class Browser(Screen[None]):
    """Lists of nouns; the keys 1 to 7 change between them."""

    app: Zstui
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-narrow"), (BESIDE, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"show('{noun.id}')", noun.title, show=False)
            for number, noun in enumerate(MAIN, start=1)
        ),
        Binding("q", "leave", "Leave", show=False),
    ]

    def __init__(self, mirror: Mirror) -> None:
        super().__init__()
        self.mirror = mirror
        self.noun: Noun = MAIN[0]

    def compose(self) -> ComposeResult:
        """The frame, with a place for lists."""
        yield Totals(self.mirror)
        yield Tabs(self.mirror)
        yield Banner(self.mirror)
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Caption()
                yield ContentSwitcher(id="lists")
            yield Detail(self.mirror, id="beside")
        yield News(self.mirror)
        yield Hints()

    async def on_mount(self) -> None:
        """Follow the mirror, and show the first noun."""
        self.mirror.listeners.append(self._changed)
        self.mirror.on_status = self._status_changed
        self.set_interval(AGES_SECONDS, self._time_passed)
        await self.action_show(self.noun.id)

    @property
    def table(self) -> LiveTable:
        """The list that is shown."""
        return self.query_one(f"#list-{self.noun.id}", LiveTable)

    async def action_show(self, noun_id: str) -> None:
        """Show the list of a noun."""
        self.noun = NOUNS[noun_id]
        lists = self.query_one(ContentSwitcher)
        name = f"list-{noun_id}"
        if not lists.query(f"#{name}"):
            await lists.mount(LiveTable(self.noun, self.mirror, id=name))
        lists.current = name
        self.query_one(Tabs).noun = noun_id
        self.query_one(Caption).table = self.table
        self.table.focus()
        self.query_one(Detail).show(self.table.row)
        self._refresh_frame()
        self.refresh_bindings()

    def action_leave(self) -> None:
        """Close the screen; the appliance and its jobs go on."""
        self.app.exit(0)

    @on(LiveTable.Moved)
    def _moved(self, event: LiveTable.Moved) -> None:
        if event.table is self.table:
            self.query_one(Detail).show(event.row)
            self.query_one(Hints).refresh()

    @on(LiveTable.Changed)
    def _list_changed(self) -> None:
        self.query_one(Caption).refresh()

    @on(LiveTable.Opened)
    def _opened(self, event: LiveTable.Opened) -> None:
        if self.size.width < BESIDE:
            self.app.push_screen(DetailPage(self.mirror, event.row))
        else:
            self.query_one(Detail).focus()

    def _changed(self, batch: Batch) -> None:
        self._refresh_frame()

    def _refresh_frame(self) -> None:
        for kind in (Totals, Tabs, News, Caption, Hints):
            self.query_one(kind).refresh()

    def _status_changed(self) -> None:
        self.query_one(Banner).update_status()
        self._refresh_frame()
        if self.mirror.status == "live":
            self.table.refresh()

    def _time_passed(self) -> None:
        self.table.refresh_ages()
        self._refresh_frame()
