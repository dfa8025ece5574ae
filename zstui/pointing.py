"""A list's cursor: it stays on its row while rows come and go, and is in sight unless somebody scrolls away from it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from textual.message import Message

from zstui.listing import Listing
from zstui.mirror import Row
from zstui.paint import Painted


class Pointing(Painted):
    """Lines of a listing below one of titles, and a cursor on one of its rows."""

    class Moved(Message):
        """The cursor is on another row, or its row changed."""

        def __init__(self, table: Pointing, row: Row | None) -> None:
            super().__init__()
            self.table = table
            self.row = row

    def __init__(self, listing: Listing, **options: Any) -> None:
        super().__init__(**options)
        self.listing = listing
        self.cursor: str | None = None
        self.begun = False
        """Whether the cursor is anybody's: while rows of a list just opened are read it is on the first of them."""

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.listing.rows[self.cursor] if self.cursor and self.cursor in self.listing else None

    @property
    def here(self) -> int:
        """The place of the cursor; the first where there is none."""
        return self.listing.place_of(self.cursor) if self.cursor and self.cursor in self.listing else 0

    @property
    def in_sight(self) -> bool:
        """Whether the cursor's row is on the screen."""
        return 0 <= self.here - int(self.scroll_offset.y) < self._room_for_rows

    @property
    def _room_for_rows(self) -> int:
        return max(1, self.size.height - 1)

    def chosen(self) -> list[Row]:
        """The marked rows, else the one under the cursor."""
        return self.listing.chosen(self.cursor)

    def select(self, key: str) -> bool:
        """Put the cursor on a row; whether it is there."""
        if key not in self.listing:
            return False
        self.go_to(self.listing.place_of(key))
        return True

    def settle_cursor(self) -> None:
        """A cursor whose row is gone goes to what is now at the top of the screen."""
        last = len(self.listing) - 1
        if last >= 0 and not self.begun:
            self.cursor = self.listing.key_at(0)
        elif last >= 0 and self.cursor not in self.listing:
            self.cursor = self.listing.key_at(min(int(self.scroll_offset.y), last))

    def show_cursor(self) -> None:
        """Scroll so far that the cursor's row is on the screen."""
        place, top = self.here, int(self.scroll_offset.y)
        if not self.in_sight:
            # Forced: of a list that was short a moment ago Textual thinks that there is nothing to scroll.
            target = place if place < top else place - self._room_for_rows + 1
            self.scroll_to(y=target, animate=False, immediate=True, force=True)

    def go_to(self, place: int) -> None:
        """Put the cursor on the row at a place."""
        if not len(self.listing):
            return
        self.begun = True
        place = max(0, min(place, len(self.listing) - 1))
        before, self.cursor = self.cursor, self.listing.key_at(place)
        for key in (before, self.cursor):
            self.refresh_key(key)
        self.show_cursor()
        if before != self.cursor:
            self.post_message(self.Moved(self, self.row))

    @abstractmethod
    def refresh_key(self, key: str | None) -> None:
        """Paint a row anew."""

    def action_move(self, by: int) -> None:
        """One row up or down."""
        self.go_to(self.here + by)

    def action_page(self, by: int) -> None:
        """One screen up or down."""
        self.go_to(self.here + by * max(1, self.size.height - 2))

    def action_edge(self, side: int) -> None:
        """The first or the last row."""
        self.go_to(0 if side < 0 else len(self.listing) - 1)
