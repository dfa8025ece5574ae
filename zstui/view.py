"""How somebody likes a list: its order and the columns left out, remembered from one day to the next."""

from __future__ import annotations

from typing import Any

from zstui.cells import width
from zstui.columns import Column
from zstui.listing import Listing
from zstui.remembered import Remembered

VIEWS = "views"


class View:
    """The order and columns of one list. Names of columns that are no more are passed over."""

    def __init__(self, listing: Listing, remembered: Remembered) -> None:
        self._listing = listing
        self._remembered = remembered
        self._noun = listing.noun
        kept = remembered.get(VIEWS, {}).get(self._noun.id)
        kept = kept if isinstance(kept, dict) else {}
        titles = {column.title: column for column in self._noun.columns}
        hidden = kept.get("hidden")
        self.hidden = (
            frozenset(each for each in hidden if each in titles) if isinstance(hidden, list) else frozenset()
        )
        order = str(kept.get("order", ""))
        column = titles.get(order.removeprefix("-"))
        if column is not None:
            listing.sorted_by, listing.downward = column, order.startswith("-")

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns to show; the first always is."""
        first, *others = self._noun.columns
        return (first, *(column for column in others if column.title not in self.hidden))

    def least(self, column: Column) -> int:
        """The cells that a column's title takes, with the arrow of the order."""
        return width(column.heading) + (2 if column is self._listing.sorted_by else 0)

    def hide(self, titles: frozenset[str]) -> None:
        """Leave columns out from now on."""
        self.hidden = titles
        self.keep()

    def keep(self) -> None:
        """Remember the view as it is now."""
        sign = "-" if self._listing.downward else ""
        made: dict[str, Any] = {
            "order": f"{sign}{self._listing.sorted_by.title}",
            "hidden": sorted(self.hidden),
        }
        self._remembered.put(VIEWS, {**self._remembered.get(VIEWS, {}), self._noun.id: made})
