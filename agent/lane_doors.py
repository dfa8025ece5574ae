"""The near side of a lane's doors: places on this host that lead to a socket on the other."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from agent.lane import LOOPBACK, Lanes
from agent.refused import Refused
from agent.run import clean_environment

log = logging.getLogger(__name__)

_BACKLOG = 16


@asynccontextmanager
async def doors(
    lanes: Lanes, uuid: str, command: list[str], places: Mapping[str, Path | int]
) -> AsyncIterator[None]:
    """Have each word's place, a unix socket or a port of the loopback, lead through its door while the body runs.

    `command` runs on the lane's other end. Each connection is an ssh of its own, which has the connection itself
    as its input and output: nothing of it passes through here. Raises `Refused` where a place is taken.
    """
    async with AsyncExitStack() as stack:
        for word, place in places.items():
            listener = stack.enter_context(_listener(place))
            task = asyncio.create_task(_admit(lanes, uuid, listener, [*command, f"door {word}"]))
            stack.push_async_callback(_ended, task)
        yield


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (failed := task.exception()) is not None:
        raise failed


def _listener(place: Path | int) -> socket.socket:
    try:
        if isinstance(place, int):
            found = socket.create_server((LOOPBACK, place), backlog=_BACKLOG)
        else:
            place.unlink(missing_ok=True)
            found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            found.bind(str(place))
            found.listen(_BACKLOG)
    except OSError as failed:
        raise Refused(
            "lane.door", f"{place} cannot be listened at: {failed.strerror}", transient=True
        ) from failed
    found.setblocking(False)
    return found


async def _admit(lanes: Lanes, uuid: str, listener: socket.socket, command: list[str]) -> None:
    """Lead whoever comes through, each on its own, until cancelled; then nobody is led any more."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as led:
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setblocking(True)
            led.create_task(_lead(lanes, uuid, connection, command))


async def _lead(lanes: Lanes, uuid: str, connection: socket.socket, command: list[str]) -> None:
    with connection:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=connection.fileno(),
            stdout=connection.fileno(),
            stderr=asyncio.subprocess.PIPE,
            env=clean_environment(),
        )
    with lanes.moving(uuid, process):
        try:
            _, words = await process.communicate()
            if process.returncode:
                log.info("%s ended: %s", command[-1], words.decode(errors="replace").strip())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
