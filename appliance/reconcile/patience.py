"""What somebody writes who is there for as long as the appliance is: it is tried until the store takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from appliance.reconcile.loop import Backoff
from appliance.store.errors import StoreCannotWrite

T = TypeVar("T")


async def until_kept(what: str, write: Callable[[], Awaitable[T]]) -> T:
    """What a write gives, tried again for as long as the disk is full or somebody else holds the store's file.

    That is logged once, and not the end of whoever writes. Anything else that a write raises is raised.
    """
    backoff = Backoff()
    while True:
        try:
            return await write()
        except StoreCannotWrite as refused:
            await asyncio.sleep(backoff.after(what, refused).seconds)
