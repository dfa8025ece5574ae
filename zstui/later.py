"""What is imported once the first frame is painted: in a thread, so that what is seen goes on meanwhile.

`zstui.app` imports what the first frame needs. This is the one place that leads from it to the rest: first the screens,
with all that keys open there but what has libraries of its own (consoles, the editor of user data), and when those are
painted what speaks HTTP.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zstui.app import Zstui

YOUNG = 5_000
"""Objects that are made before Python looks for unreachable ones. Usually it looks at 700, which while ten thousand
rows come in is a tenth of all work. `zstui.__main__` has it not look at all until everything is imported."""


async def opening() -> Callable[[Zstui], None]:
    """What shows the first screen."""
    return await asyncio.to_thread(_opening)


async def connection() -> Callable[[Zstui], Awaitable[None]]:
    """What keeps the connection; it is the last of what is imported."""
    keep_connected = await asyncio.to_thread(_connection)
    if not gc.isenabled():
        gc.freeze()  # modules are there for good: they are never looked through
        gc.set_threshold(YOUNG)
        gc.enable()
    return keep_connected


def _opening() -> Callable[[Zstui], None]:
    from zstui.opening import open_screens

    return open_screens


def _connection() -> Callable[[Zstui], Awaitable[None]]:
    from zstui.connection import keep_connected

    return keep_connected
