"""A live list: rows as data, one line drawn at a time, so that ten thousand rows cost what a screenful costs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from zstui.columns import Column
from zstui.keymap import movable
from zstui.listing import Listing, sort_by
from zstui.mirror import FIGURES, Batch, Mirror, Row
from zstui.nouns import Noun
from zstui.pointing import Pointing
from zstui.table_lines import EDGE, TableLines
from zstui.view import View
from zstui.widths import Widths

if TYPE_CHECKING:
    from zstui.app import Zstui

PREPARED = 200
"""Rows whose texts are made at once: in a few milliseconds, in which no key is late."""

NARROW_SECONDS = 0.5
"""How long columns stay wider than their rows need: many that shrink are measured once."""


class LiveTable(Pointing, can_focus=True):
    """The rows of a noun. The cursor and the marks stay on their rows while those move."""

    app: Zstui
    BINDINGS: ClassVar[list[BindingType]] = movable(
        [
            Binding("up,k", "move(-1)", "Up", show=False),
            Binding("down,j", "move(1)", "Down", show=False),
            Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
            Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
            Binding("home,g", "edge(-1)", "First row", show=False),
            Binding("end,G", "edge(1)", "Last row", show=False),
            Binding("space", "mark", "Mark the row for the next action", show=False),
            Binding("asterisk", "mark_all", "Mark all rows, or none", show=False),
            Binding("O", "sort_flip", "Turn the order upside down", show=False),
            Binding("enter", "open", "Open", show=False),
        ]
    )

    class Opened(Message):
        """Somebody wants to see a row whole."""

        def __init__(self, table: LiveTable, row: Row) -> None:
            super().__init__()
            self.table = table
            self.row = row

    class Changed(Message):
        """How many rows there are, or how they are chosen, changed."""

        def __init__(self, table: LiveTable) -> None:
            super().__init__()
            self.table = table

    class Ended(Message):
        """Somebody is at the end of a history of which there is more."""

        def __init__(self, table: LiveTable) -> None:
            super().__init__()
            self.table = table

    def __init__(self, noun: Noun, mirror: Mirror, **options: Any) -> None:
        super().__init__(Listing(noun, mirror), **options)
        self.noun = noun
        self.mirror = mirror
        self.view = View(self.listing, self.app.remembered)
        self.widths = Widths(self.view, self.listing)
        self.lines = TableLines(self.listing, self.widths, self.paint, self._too_narrow)
        self.lines_drawn = 0
        """Lines drawn since the table was made: what the tests measure smoothness by."""
        self._narrowing = False

    # --- rows ------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Take the mirror's rows and follow it."""
        super().on_mount()
        self.mirror.listeners.append(self.take)
        self.reload()
        self.begin()

    def on_unmount(self) -> None:
        """Stop following the mirror."""
        self.mirror.listeners.remove(self.take)

    def reload(self) -> None:
        """Take all rows anew."""
        self.listing.fill(self.noun.rows(self.mirror))
        self._forget_drawn()
        self._arranged()

    def begin(self) -> None:
        """The rows of a list that was opened are all there: from now on the cursor stays on its own."""
        if not self.mirror.reads(self.noun.kinds):
            self.begun = True

    def take(self, batch: Batch) -> None:
        """What the mirror says has changed. The cursor stays in sight, unless somebody scrolled away from it."""
        seen = self.in_sight
        self._take(batch)
        if seen and self.cursor is not None:
            self.show_cursor()

    def _take(self, batch: Batch) -> None:
        if any(kind in batch for kind in self.noun.uses):
            self._forget_cells()
        self._take_figures(batch)
        if not len(self.listing):
            self.refresh()  # what is said instead of rows is about other kinds
        if not self.listing.are_few(len(own := self.listing.among(batch))):
            self.listing.put_many(own)
            self._forget_drawn()
            self._placed()
            return
        self._put(own)
        self._renew(own)
        if own and (self.cursor in own or self.cursor not in self.listing or not self.begun):
            self.settle_cursor()
            self.post_message(self.Moved(self, self.row))

    def _put(self, own: dict[str, Row | None]) -> None:
        """Put rows where they belong now, and see whether the columns still fit them."""
        if own and not len(self.listing):
            self.widths.forget()
        loose = moved = False
        for key, row in own.items():
            loose |= key in self.listing and self.widths.loosens(self.listing.rows[key], row)
            moved |= self.listing.put(key, row)
        if moved:
            self._view_changed()
        if any(row is not None and self.widths.fills(row) for row in own.values()):
            self._forget_widths()
        elif loose:
            self._narrow_soon()

    def _take_figures(self, batch: Batch) -> None:
        """A column of figures comes with the first of them, and rows ordered by it have other places now."""
        if FIGURES not in batch or not any(column.live for column in self.noun.columns):
            return
        self._forget_widths()
        if self.listing.sorted_by.live:
            self.listing.arrange()
            self._placed()

    def _arranged(self) -> None:
        """Rows are others, or in another order, because somebody wanted that: the cursor's is in sight."""
        self._placed()
        self.show_cursor()

    def _placed(self) -> None:
        self._view_changed()
        self.settle_cursor()
        self.post_message(self.Moved(self, self.row))

    def _view_changed(self) -> None:
        # Set as usual, the whole screen would be laid out anew, and the scrollbar be painted a frame after the rows.
        self.set_reactive(LiveTable.virtual_size, Size(self.size.width, len(self.listing) + 1))
        self._scroll_update(self.virtual_size)
        self.refresh()
        self.post_message(self.Changed(self))

    def set_filter(self, text: str) -> None:
        """Show only rows that hold all words; a word after `!` must not be there."""
        if text != self.listing.filter:
            if not self.listing.find(text):
                self.post_message(self.Changed(self))
                return
            if self.widths.known and self.widths.measure(self._room):
                self.lines.forget()
            self._arranged()

    async def prepare_to_find(self) -> None:
        """Make the texts that a filter looks in, some at a time, before the first letter is typed."""
        while self.listing.prepare(PREPARED):  # noqa: ASYNC110 - keys come in between; nothing is waited for
            await asyncio.sleep(0)

    def sort(self, column: Column, *, downward: bool = False) -> None:
        """Order the rows by a column; one that says so beside its title takes other cells."""
        if column is not self.listing.sorted_by:
            self._forget_drawn()
        sort_by(self.listing, column, downward=downward)
        self.view.keep()
        self._arranged()

    def go_to(self, place: int) -> None:
        """Put the cursor on the row at a place; who goes to the last of a history wants to see older ones."""
        super().go_to(place)
        if place >= len(self.listing) - 1 and self.noun.is_cut(self.mirror):
            self.post_message(self.Ended(self))

    def hide(self, titles: frozenset[str]) -> None:
        """Show the other columns only."""
        self.view.hide(titles)
        self._forget_widths()

    def action_mark(self) -> None:
        """Mark the row, or take its mark away, and go on to the next."""
        if self.cursor is not None and self.cursor in self.listing:
            self.listing.marks ^= {self.cursor}
            self.go_to(self.here + 1)
            self._marks_changed()

    def action_mark_all(self) -> None:
        """Mark all rows shown; those that are marked lose it."""
        self.listing.mark_all()
        self._marks_changed()

    def clear_marks(self) -> None:
        """Take all marks away."""
        self.listing.marks.clear()
        self._marks_changed()

    def _marks_changed(self) -> None:
        self.lines.forget()
        self.refresh()
        self.post_message(self.Changed(self))

    def action_sort_flip(self) -> None:
        """Turn the order upside down."""
        self.sort(self.listing.sorted_by, downward=not self.listing.downward)

    def action_open(self) -> None:
        """See the row whole."""
        if self.row is not None:
            self.post_message(self.Opened(self, self.row))

    def on_click(self, event: events.Click) -> None:
        """A click chooses a row, a second opens it; on a column's title it sorts."""
        if event.y == 0:
            column = self.widths.column_at(event.x - EDGE)
            if column is not None:
                again = column is self.listing.sorted_by
                self.sort(column, downward=again and not self.listing.downward)
            return
        place = int(self.scroll_offset.y) + event.y - 1
        if place < len(self.listing):
            self.go_to(place)
            if event.chain == 2:
                self.action_open()

    # --- drawing -----------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Other columns fit now."""
        self._view_changed()
        self.show_cursor()
        self._forget_widths()

    def on_focus(self) -> None:
        """The cursor shows whether keys arrive here."""
        self.refresh_key(self.cursor)

    on_blur = on_focus

    def notify_style_update(self) -> None:
        """Colours of another theme."""
        super().notify_style_update()
        self.lines.forget()

    def _forget_cells(self) -> None:
        """What rows show, of other rows or of the time, is no longer right."""
        self.lines.forget()
        self.listing.forget_texts()
        self.refresh()

    def _forget_widths(self) -> None:
        """Columns may be as wide as they please."""
        self.widths.forget()
        self._forget_cells()

    def retranslate(self) -> None:
        """Other words are as wide as they are; what is sorted by them is sorted anew."""
        self.listing.arrange()
        self._arranged()
        self._forget_widths()

    def refresh_ages(self) -> None:
        """Time has passed: paint what is other by it."""
        seen = self._seen()
        self.lines.forget_but({*seen})
        self._renew(seen)

    def refresh_key(self, key: str | None) -> None:
        if key is not None and key in self.listing:
            y = self.listing.place_of(key) - int(self.scroll_offset.y) + 1
            if 0 < y < self.size.height:
                self.refresh(Region(0, y, self.size.width, 1))

    def _renew(self, keys: Iterable[str]) -> None:
        """Paint what is other now of rows than it was painted."""
        lines, cells = self._seen() if self.widths.known else {}, self.size.width
        for key in keys:
            if key not in lines:
                self.lines.forget_row(key)
                continue
            found = self.lines.changed(key, self._ground(key), cells)
            if found is not None:
                self.refresh(Region(found[0], lines[key], found[1], 1))

    def _seen(self) -> dict[str, int]:
        """The rows on the screen, each with its line."""
        rows = self.listing.some(int(self.scroll_offset.y), self.size.height - 1)
        return {row.key: y for y, row in enumerate(rows, start=1)}

    def render_line(self, y: int) -> Strip:
        """One line of the screen: the titles, then rows."""
        self.lines_drawn += 1
        if not self.widths.known:
            self.widths.measure(self._room)
        if y == 0:
            return self.lines.titles(self.size.width)
        place = int(self.scroll_offset.y) + y - 1
        if place < len(self.listing):
            key = self.listing.key_at(place)
            return self.lines.row(key, self._ground(key), self.size.width)
        return self.lines.instead(y - 2, self.size.width)

    @property
    def _room(self) -> int:
        """Cells for columns: without the edge, and without a scrollbar beside them."""
        return self.scrollable_content_region.width - EDGE

    def watch_show_vertical_scrollbar(self) -> None:
        """A scrollbar came or went, and took or gave a cell."""
        self._forget_drawn()

    def _forget_drawn(self) -> None:
        """Measure and draw anew all that is seen."""
        self.widths.forget()
        self.lines.forget()

    def _ground(self, key: str) -> str:
        return ("cursor" if self.has_focus else "blur") if key == self.cursor else ""

    def _too_narrow(self, column: Column, cells: int, key: str) -> None:
        if self.widths.widen(column, cells, key):
            self.call_later(self._relayout)

    def _relayout(self) -> None:
        self.widths.fit(self._room)
        self.lines.forget()
        self.refresh()

    def _narrow_soon(self) -> None:
        if not self._narrowing:
            self._narrowing = True
            self.set_timer(NARROW_SECONDS, self._narrow)

    def _narrow(self) -> None:
        """Measure anew: what is on the screen, too, lest a column shrinks only to be widened again."""
        self._narrowing = False
        seen = self.listing.some(int(self.scroll_offset.y), self.size.height)
        if self.widths.known and self.widths.measure(self._room, seen):
            self.lines.forget()
            self.refresh()
