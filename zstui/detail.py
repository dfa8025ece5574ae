"""The detail of one row, kept true while it is shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical

from appliance.api.errors import ApiError
from zstui.details import details
from zstui.figures import NAMESPACE_OF, History, chart_items, read_history
from zstui.histories import HISTORY
from zstui.i18n import tr
from zstui.line import Line, Part
from zstui.mirror import FIGURES, Batch, Mirror, Row
from zstui.nouns import noun_of
from zstui.recycle_bin import KIND as BINNED
from zstui.rows import called
from zstui.sheet import Item, Sheet, note

if TYPE_CHECKING:
    from zstui.app import Zstui

PASSING_SECONDS = 0.15
"""How long a row is shown before its plots are read."""

OTHERS_SECONDS = 0.25
"""How long changes of other rows are gathered before what is shown of them here is drawn anew."""


class Title(Line):
    """The name of what is shown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.row: Row | None = None
        self.gone = False

    def left(self) -> list[Part]:
        """Name and kind."""
        if self.row is None:
            return []
        noun = noun_of(self.row.kind)
        parts = [Part("  "), Part(called(self.row), "dim" if self.gone else "strong")]
        parts.append(Part(f"  {tr(noun.one) if noun else ''}", "faint"))
        return [*parts, Part(f"  ✗ {tr('gone')}", "bad")] if self.gone else parts


def leaves(batch: Batch, row: Row) -> bool:
    """Whether a batch takes a row away. What only grows leaves memory at times, and is there still."""
    return row.kind not in HISTORY and batch.get(row.kind, {}).get(row.key, row) is None


def obituary(row: Row, items: list[Item]) -> list[Item]:
    """What was read of a row last, with nothing in it that looks alive."""
    said = (
        tr("This is no longer in the recycle bin. What was known of it last:")
        if row.kind == BINNED
        else tr("This was deleted. What was known of it last:")
    )
    return [
        note(said, "bad"),
        *(each if each.paint == "head" else replace(each, paint="faint") for each in items),
    ]


def with_plots(items: list[Item], row: Row, history: History | None) -> list[Item]:
    """What is read of a row, with plots of what it used after what matters first."""
    if history is None:
        return items
    place = next((at for at, item in enumerate(items) if item.paint == "head"), len(items))
    memory = row.get("memorySize") or row.get("totalMemoryCapacity") or 0
    return [*items[:place], *chart_items(history, memory), *items[place:]]


class Detail(Vertical):
    """A title and a sheet about one row; empty without one."""

    app: Zstui

    def __init__(self, mirror: Mirror, row: Row | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.span = "hour"
        self.mirror = mirror
        self.row = row
        self.gone = False
        """Whether the row is there no more."""
        self._drawing = False
        self._title, self._sheet = Title(), Sheet()
        """Drawn on whenever something is read or changed, also while the screen is being taken down."""
        self.history: History | None = None
        """What this row used, once that was read."""

    def compose(self) -> ComposeResult:
        """The title over the sheet."""
        yield self._title
        yield self._sheet

    def on_mount(self) -> None:
        """Follow the mirror."""
        self.mirror.listeners.append(self._changed)
        self.show(self.row)

    def on_unmount(self) -> None:
        """Stop following it."""
        self.mirror.listeners.remove(self._changed)

    def focus(self, scroll_visible: bool = True) -> Any:
        """The sheet takes the keys."""
        self._sheet.focus(scroll_visible)
        return self

    def show(self, row: Row | None) -> None:
        """Show another row, or the same as it is now."""
        if row is None or self.row is None or row.key != self.row.key:
            self._sheet.scroll_home(animate=False)
            self.history = None
        self.row, self.gone = row, False
        self._draw()
        self._read_history()

    def turn_span(self) -> None:
        """Plots of a day instead of an hour, or the other way round."""
        self.span = "day" if self.span == "hour" else "hour"
        self._read_history()

    def _read_history(self) -> None:
        if self.row is not None and not self.gone and self.row.kind in NAMESPACE_OF:
            work = partial(self._plot, self.row)
            self.run_worker(work, group="plots", exclusive=True)  # type: ignore[arg-type]  # Textual's hint

    async def _plot(self, row: Row) -> None:
        """Read and draw what a row used; somebody who only passes by asks for nothing."""
        await asyncio.sleep(PASSING_SECONDS)
        try:
            history = await read_history(self.app.calls.session, NAMESPACE_OF[row.kind], row.key, self.span)
        except ApiError:
            return  # the banner says that nothing answers, and what was drawn is stale as the rest is
        if self.row is not None and self.row.key == row.key:
            self.history = history
            self._draw()

    def _draw(self) -> None:
        self._drawing = False
        row = self.row
        self._title.row, self._title.gone = row, self.gone
        self._title.renew()
        if row is None:
            items = [note(tr("Nothing is chosen."), "faint")]
        elif self.gone:
            items = obituary(row, details(row, self.mirror, self.app.key_of))
        else:
            items = with_plots(details(row, self.mirror, self.app.key_of), row, self.history)
        self._sheet.show(items)

    def retranslate(self) -> None:
        """The same in another language."""
        self._draw()

    def _changed(self, batch: Batch) -> None:
        """Any change may be shown here: of the row, of what it names, of what names it."""
        if self.row is None or not self.is_attached:
            return
        now = batch.get(self.row.kind, {}).get(self.row.key)
        if FIGURES in batch:
            self._read_history()
        if leaves(batch, self.row):
            self.gone = True
            self._draw()
        elif now is not None and (now is not self.row or self.gone):
            self.row, self.gone = now, False
            self._draw()
        elif set(batch) - {"Event", FIGURES} and not self._drawing:
            self._drawing = True
            self.set_timer(OTHERS_SECONDS, self._draw)
