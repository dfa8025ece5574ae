"""Menus that arrange a list: by which column it is ordered, and which columns it shows."""

from __future__ import annotations

from typing import Any

from zstui.i18n import tr
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.table import LiveTable


def order_menu(table: LiveTable) -> None:
    """Choose the column to order by; the one that it is ordered by already turns around."""
    listing = table.listing

    def choices() -> list[Choice]:
        return [
            Choice(
                column, column.heading, _direction(listing.downward) if column is listing.sorted_by else ""
            )
            for column in table.noun.columns
        ]

    def chosen(columns: list[Any] | None) -> None:
        if columns:
            again = columns[0] is listing.sorted_by
            table.sort(columns[0], downward=again and not listing.downward)

    table.app.push_screen(Chooser(lambda: tr("Order by"), narrowed(choices)), chosen)


def _direction(downward: bool) -> str:
    return tr("downward, choose again to turn") if downward else tr("upward, choose again to turn")


def columns_menu(table: LiveTable) -> None:
    """Choose the columns to show; the first stays."""
    first, *others = table.noun.columns
    shown = {column.title for column in table.view.columns} - {first.title}

    def choices() -> list[Choice]:
        return [Choice(column.title, column.heading) for column in others]

    def chosen(titles: list[Any] | None) -> None:
        if titles is not None:
            table.hide(frozenset(column.title for column in others) - frozenset(map(str, titles)))

    table.app.push_screen(
        Chooser(lambda: tr("Columns to show"), narrowed(choices), several=True, chosen=shown), chosen
    )
