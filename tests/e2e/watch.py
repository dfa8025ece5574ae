"""When something was first seen: in queries, in the event stream, and when QEMU really ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.e2e.guest import Guest
from tests.e2e.stage import Stage


class Sightings:
    """States of one VM with the moment (`time.monotonic`) each was first seen, by query and by push."""

    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        self.queried: list[tuple[float, dict[str, Any]]] = []
        self.pushed: list[tuple[float, dict[str, Any]]] = []
        self.ready = asyncio.Event()
        self.changed = asyncio.Event()

    async def until(self, state: str, seconds: float = 30.0) -> tuple[float, float, dict[str, Any]]:
        """When a query and when a push first showed a state, and the VM as pushed."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self.changed.clear()
                    asked, told = _first(self.queried, state), _first(self.pushed, state)
                    if asked and told:
                        return asked[0], told[0], told[1]
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(
                f"no {state} within {seconds:g} s; by query: {_states(self.queried)}, "
                f"by push: {_states(self.pushed)}"
            ) from None


@contextlib.asynccontextmanager
async def watching(stage: Stage, guest: Guest) -> AsyncIterator[Sightings]:
    """Look at a VM all the time while the body runs; what was seen before is not in it."""
    sightings = Sightings(guest.uuid)
    tasks = [asyncio.create_task(_ask(stage, sightings)), asyncio.create_task(_listen(stage, sightings))]
    try:
        async with asyncio.timeout(30):
            await sightings.ready.wait()
        yield sightings
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _ask(stage: Stage, sightings: Sightings) -> None:
    last = None
    while True:
        found = await stage.session.query("VmInstance", uuid=sightings.uuid)
        vm = found[0] if found else {"state": "gone"}
        if vm["state"] != last:
            last = vm["state"]
            sightings.queried.append((time.monotonic(), vm))
            sightings.changed.set()
        await asyncio.sleep(0.02)


async def _listen(stage: Stage, sightings: Sightings) -> None:
    async for push in stage.session.events():
        if push.kind == "ready":
            sightings.ready.set()
        if push.resource == "VmInstance" and push.uuid == sightings.uuid:
            vm = {"state": "gone"} if push.op == "delete" else push.inventory
            sightings.pushed.append((time.monotonic(), vm))
            sightings.changed.set()


def qemu_of(guest: Guest) -> int:
    """The process id, as seen from here, of a guest's QEMU."""
    marks = (f"guest={guest.uuid}".encode(), b"qemu-system")
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes()
            if all(mark in line for mark in marks) and re.match(rb"[^\0]*qemu-system", line):
                return int(entry.name)
    raise AssertionError(f"no QEMU runs VM {guest.uuid}")


async def end_of(pid: int, seconds: float = 30.0) -> float:
    """When a process that may not be ours ended."""
    descriptor = os.pidfd_open(pid)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[float] = loop.create_future()
    loop.add_reader(descriptor, _settle, ended)
    try:
        async with asyncio.timeout(seconds):
            return await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _settle(ended: asyncio.Future[float]) -> None:
    if not ended.done():
        ended.set_result(time.monotonic())


def _first(seen: list[tuple[float, dict[str, Any]]], state: str) -> tuple[float, dict[str, Any]] | None:
    return next((sight for sight in seen if sight[1].get("state") == state), None)


def _states(seen: list[tuple[float, dict[str, Any]]]) -> list[Any]:
    return [vm.get("state") for _, vm in seen]
