"""Calls that go on in the background while the screen goes on, too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zstui.screens.acting import Acting


def call(screen: Acting, message: str, what: str, **fields: Any) -> None:
    """Make a call in the background."""
    screen.app.keep(asyncio.create_task(screen.app.calls.make_all(message, [fields])), what)
