"""One worker per resource that has something left to do; woken by name, never by event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from appliance.api.errors import ApiError

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.2
LAST_RETRY_SECONDS = 30.0

AT_ONCE = 16
"""Workers that have their turn at the same time: what somebody waits for is behind so many steps at most."""

TURN_SECONDS = 1.0
"""How long a turn is at most: what is on a host that does not answer keeps nobody else waiting."""


@dataclass(frozen=True)
class Next:
    """What a worker wants after one pass: nothing more, another pass, or one in `seconds` at the latest."""

    done: bool = False
    seconds: float = 0.0


DONE = Next(done=True)
AGAIN = Next()


class Worker(Protocol):
    """Brings one resource nearer to what is intended with each pass."""

    async def advance(self) -> Next:
        """Look, plan, and take what steps can be taken on that look."""


class Backoff:
    """Growing pauses between tries that fail, and what they failed for."""

    def __init__(self) -> None:
        self._seconds = FIRST_RETRY_SECONDS
        self._reason = ""

    def next(self) -> Next:
        """The pause now; the next one is twice as long, up to a limit."""
        seconds, self._seconds = self._seconds, min(self._seconds * 2, LAST_RETRY_SECONDS)
        return Next(seconds=seconds)

    def is_news(self, error: ApiError) -> bool:
        """Whether the last try failed for something else, or did not fail."""
        return error.details != self._reason

    def after(self, who: str, error: ApiError) -> Next:
        """The pause after a try that failed, which is logged once for as long as it fails for the same reason."""
        following = self.next()
        if self.is_news(error):
            log.warning(
                "%s: %s; it is tried again in %g s, and each time later, up to every %g s; no more is said of it "
                "until that changes",
                who, error.details, following.seconds, LAST_RETRY_SECONDS,
            )  # fmt: skip
        self._reason = error.details
        return following

    def reset(self) -> None:
        """Something worked: start over."""
        self._seconds = FIRST_RETRY_SECONDS
        self._reason = ""


class Loop:
    """Runs the workers. `kinds` makes a worker for a uuid of each kind of resource."""

    def __init__(self, kinds: Mapping[str, Callable[[str], Worker]]) -> None:
        self._kinds = kinds
        self._pokes: dict[tuple[str, str], asyncio.Event] = {}
        self._queue: dict[tuple[str, str], None] = {}
        """Whose turn is still to come, in order."""
        self._turns: dict[tuple[str, str], asyncio.TimerHandle] = {}
        """Whose turn it is, and what ends it if they take long."""
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
        """Something about a resource changed: let its worker look again, now."""
        if kind not in self._kinds:
            return
        self._queue.pop((kind, uuid), None)
        poked = self._pokes.get((kind, uuid))
        if poked is not None:
            poked.set()
            return
        self._pokes[(kind, uuid)] = asyncio.Event()
        if self._group is not None:
            self._group.create_task(self._drive(kind, uuid), name=f"{kind} {uuid}")

    def poke_in_turn(self, kind: str, uuids: Iterable[str]) -> None:
        """Something changed that very many resources have in common: let their workers look again, some at a time.

        Between them there is room for all else, and who is poked besides need not wait for its turn. What is still to
        come is forgotten with the process, as pokes are: at the next start each host has all that is on it looked at.
        """
        self._queue |= dict.fromkeys((kind, uuid) for uuid in uuids)
        while self._queue and len(self._turns) < AT_ONCE:
            self._next_turn()

    @property
    def busy(self) -> list[tuple[str, str]]:
        """The resources that have a worker now, or will have."""
        return [*self._pokes, *self._queue]

    def _next_turn(self) -> None:
        key = next(iter(self._queue))
        self._turns[key] = asyncio.get_running_loop().call_later(TURN_SECONDS, self._end_turn, key)
        self.poke(*key)

    def _end_turn(self, key: tuple[str, str]) -> None:
        """A worker is done, waits for something, or takes long: its turn, if this was one, is another's now."""
        timer = self._turns.pop(key, None)
        if timer is None:
            return
        timer.cancel()
        if self._queue:
            self._next_turn()

    async def _drive(self, kind: str, uuid: str) -> None:
        poked = self._pokes[(kind, uuid)]
        worker = self._kinds[kind](uuid)
        backoff = Backoff()
        while True:
            poked.clear()
            try:
                following = await worker.advance()
                backoff.reset()
            except ApiError as failed:
                # The store does not take what the worker has to say: that is in its words, and no bug.
                following = backoff.after(f"worker of {kind} {uuid}", failed)
            except Exception:
                # A worker's bug must not stop the others; the resource is tried again, ever more slowly.
                log.exception("worker of %s %s failed", kind, uuid)
                following = backoff.next()
            if following.done and not poked.is_set():
                del self._pokes[(kind, uuid)]
                self._end_turn((kind, uuid))
                return
            if following.seconds > 0:
                self._end_turn((kind, uuid))
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
