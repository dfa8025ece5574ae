"""Waiting for the end of another process without holding anything up."""

from __future__ import annotations

import asyncio
import os


async def end_of(pid: int) -> None:
    """Wait until a process ends, at most 5 s: a pid may be another's when its descriptor is opened."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(5.0):
            await ended.wait()
    except TimeoutError:
        return
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
