"""One worker per resource that has something left to do; woken by name, never by event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.2
LAST_RETRY_SECONDS = 30.0


@dataclass(frozen=True)
class Next:
    """What a worker wants after one pass: nothing more, another pass, or one in `seconds` at the latest."""

    done: bool = False
    seconds: float = 0.0


DONE = Next(done=True)
AGAIN = Next()


class Worker(Protocol):
    """Brings one resource nearer to what is intended, one step a pass."""

    async def advance(self) -> Next:
        """Look, plan, and take the first step."""


class Backoff:
    """Growing pauses between tries that fail."""

    def __init__(self) -> None:
        self._seconds = FIRST_RETRY_SECONDS

    def next(self) -> Next:
        """The pause now; the next one is twice as long, up to a limit."""
        seconds, self._seconds = self._seconds, min(self._seconds * 2, LAST_RETRY_SECONDS)
        return Next(seconds=seconds)

    def reset(self) -> None:
        """Something worked: start over."""
        self._seconds = FIRST_RETRY_SECONDS


class Loop:
    """Runs the workers. `kinds` makes a worker for a uuid of each kind of resource."""

    def __init__(self, kinds: Mapping[str, Callable[[str], Worker]]) -> None:
        self._kinds = kinds
        self._pokes: dict[tuple[str, str], asyncio.Event] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Run until `stop`."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for kind, uuid in self._pokes:
                group.create_task(self._drive(kind, uuid), name=f"{kind} {uuid}")
            await self._stopping.wait()
            self._group = None
            raise _Stopped

    def stop(self) -> None:
        """End every worker where it stands: what is left is found again at the next start."""
        self._stopping.set()

    def poke(self, kind: str, uuid: str) -> None:
        """Something about a resource changed: let its worker look again."""
        if kind not in self._kinds:
            return
        poked = self._pokes.get((kind, uuid))
        if poked is not None:
            poked.set()
            return
        self._pokes[(kind, uuid)] = asyncio.Event()
        if self._group is not None:
            self._group.create_task(self._drive(kind, uuid), name=f"{kind} {uuid}")

    @property
    def busy(self) -> list[tuple[str, str]]:
        """The resources that have a worker now."""
        return list(self._pokes)

    async def _drive(self, kind: str, uuid: str) -> None:
        poked = self._pokes[(kind, uuid)]
        worker = self._kinds[kind](uuid)
        backoff = Backoff()
        while True:
            poked.clear()
            try:
                following = await worker.advance()
                backoff.reset()
            except Exception:
                # A worker's bug must not stop the others; the resource is tried again, ever more slowly.
                log.exception("worker of %s %s failed", kind, uuid)
                following = backoff.next()
            if following.done and not poked.is_set():
                del self._pokes[(kind, uuid)]
                return
            if following.seconds > 0:
                await _wait(poked, following.seconds)


class _Stopped(Exception):
    """Ends the task group, and every worker with it."""


async def run_until_stopped(loop: Loop) -> None:
    """Run a loop, taking its end by `stop` for what it is."""
    try:
        await loop.run()
    except* _Stopped:
        log.info("reconcile stopped")


async def _wait(poked: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await poked.wait()
    except TimeoutError:
        return
