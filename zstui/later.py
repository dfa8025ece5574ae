"""What is imported once the first frame is painted: in a thread, so that what is seen goes on meanwhile.

`zstui.app` imports what the first frame needs. This is the one place that leads from it to the rest: first the screens
that show rows, and when those are painted what speaks HTTP. What is large and opened by a key (forms, panels, consoles,
the editor of user data) is imported when that is pressed.
"""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zstui.app import Zstui

YOUNG = 10_000
"""Objects that are made before Python looks for unreachable ones. Usually it looks at 700, which while ten thousand
rows come in is a tenth of all work. `zstui.__main__` has it not look at all until everything is imported."""


async def opening() -> Callable[[Zstui], None]:
    """What shows the first screen."""
    return await asyncio.to_thread(_opening)


async def connection(*, certificates: bool = False) -> Callable[[Zstui], Awaitable[None]]:
    """What keeps the connection; it is the last of what is imported.

    `certificates` are the machine's: whom to trust where nobody says so.
    """
    keep_connected = await asyncio.to_thread(_connection if certificates else _connection_alone)
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


def _connection_alone() -> Callable[[Zstui], Awaitable[None]]:
    with _no_certificates():
        return _connection()


@contextmanager
def _no_certificates() -> Iterator[None]:
    """Import aiohttp without all certificates of the machine, which it reads at once.

    It does so twice, also for those who verify none. That is half of its import, and some MB; a socket, plain HTTP
    and an appliance's own certificate need none. Who asked that client for TLS nevertheless would trust nobody.
    """
    read = ssl.SSLContext.set_default_verify_paths
    ssl.SSLContext.set_default_verify_paths = lambda _: None  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        ssl.SSLContext.set_default_verify_paths = read  # type: ignore[method-assign]
