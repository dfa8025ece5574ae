"""The line that says, calmly, that nothing answers and how old what is shown is."""

from __future__ import annotations

import time
from typing import Any

from zstui.i18n import tr
from zstui.i18n.server_texts import said
from zstui.line import Line, Part
from zstui.mirror import STATUS, Batch, Mirror


class Banner(Line):
    """Since when nothing answers, and why; hidden as long as something does."""

    DEFAULT_CSS = """
    Banner { background: $warning 20%; display: none; }
    Banner.-shown { display: block; }
    """

    def __init__(self, mirror: Mirror, **options: Any) -> None:
        super().__init__(**options)
        self.mirror = mirror

    def on_mount(self) -> None:
        """Follow the mirror by itself: a screen that comes or goes has no banner for a while."""
        super().on_mount()
        self.mirror.listeners.append(self._heard)
        self._heard({STATUS: {}})

    def on_unmount(self) -> None:
        """Stop following it."""
        self.mirror.listeners.remove(self._heard)

    def left(self) -> list[Part]:
        """Since when, and why."""
        if self.mirror.status == "connecting":
            return [
                Part(f"  {tr('not connected yet')}", "warn"),
                Part(f"  {said(self.mirror.reason)}", "dim"),
            ]
        when = time.strftime("%H:%M:%S", time.localtime(self.mirror.as_of))
        return [
            Part("  " + tr("not connected, data as of {when}", when=when), "warn"),
            Part(f"  {tr('trying again')}", "dim"),
            Part(f"  {said(self.mirror.reason)}", "faint"),
        ]

    def _heard(self, batch: Batch) -> None:
        if STATUS not in batch:
            return
        late = self.mirror.status == "connecting" and bool(self.mirror.reason)
        self.appear(self.mirror.status == "stale" or late)
        self.refresh()
