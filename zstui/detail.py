"""The detail of one row, kept true while it is shown."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical

from zstui.details import details
from zstui.i18n import tr
from zstui.line import Line, Part
from zstui.mirror import Batch, Mirror, Row
from zstui.nouns import noun_of
from zstui.sheet import Item, Sheet, note


class Title(Line):
    """The name of what is shown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.row: Row | None = None

    def left(self) -> list[Part]:
        """Name and kind."""
        if self.row is None:
            return []
        noun = noun_of(self.row.kind)
        return [Part("  "), Part(self.row.name, "strong"), Part(f"  {tr(noun.one) if noun else ''}", "faint")]


class Detail(Vertical):
    """A title and a sheet about one row; empty without one."""

    def __init__(self, mirror: Mirror, row: Row | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.mirror = mirror
        self.row = row
        self.extra: dict[str, list[Item]] = {}
        """What is read from the appliance for this row only, by section."""

    def compose(self) -> ComposeResult:
        """The title over the sheet."""
        yield Title()
        yield Sheet()

    def on_mount(self) -> None:
        """Follow the mirror."""
        self.mirror.listeners.append(self._changed)
        self.show(self.row)

    def on_unmount(self) -> None:
        """Stop following it."""
        self.mirror.listeners.remove(self._changed)

    def focus(self, scroll_visible: bool = True) -> Any:
        """The sheet takes the keys."""
        self.query_one(Sheet).focus(scroll_visible)
        return self

    def show(self, row: Row | None) -> None:
        """Show another row, or the same as it is now."""
        if row is None or self.row is None or row.key != self.row.key:
            self.query_one(Sheet).scroll_home(animate=False)
            self.extra = {}
        self.row = row
        self._draw()

    def _draw(self) -> None:
        row = self.row
        title = self.query_one(Title)
        title.row = row
        title.refresh()
        items = details(row, self.mirror) if row is not None else [note(tr("Nothing is chosen."), "faint")]
        self.query_one(Sheet).show(items)

    def retranslate(self) -> None:
        """The same in another language."""
        self._draw()

    def _changed(self, batch: Batch) -> None:
        """Any change may be shown here: of the row, of what it names, of what names it."""
        if self.row is None or not self.is_attached:
            return
        now = batch.get(self.row.kind, {}).get(self.row.key, self.row)
        if now is not None and now is not self.row:
            self.row = now
            self._draw()
        elif set(batch) - {"Event"}:
            self._draw()
