"""A connection and where its work runs: on a thread of its own, or, for simulations, on the loop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import aiosqlite

from appliance.store.change_feed import Batch
from appliance.store.connection import Deadline, raisable

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """How a change or a look ended, brought from its thread to the loop."""

    value: T | None = None
    error: BaseException | None = None
    changes: Batch = field(default_factory=Batch)

    def result(self) -> T:
        """The value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # without an error it is a T


class Seat:
    """A connection and where its work runs: here, on the loop's thread. For simulations."""

    def __init__(self, connector: Callable[[], Any], deadline: Deadline | None) -> None:
        self._connector = connector
        self.deadline = deadline
        self.raw: Any = None

    async def open(self) -> None:
        """Connect."""
        self.raw = self._connector()

    async def run(self, work: Callable[[], T]) -> T:
        """Do something with `raw`. Like with a thread, others have a turn first."""
        await asyncio.sleep(0)
        return work()

    def reconnect(self) -> None:
        """Replace the connection by a new one; called where `work` runs."""
        self.raw.close()
        self.raw = self._connector()

    async def attempt(self, work: Callable[[Seat], T]) -> Outcome[T]:
        """How something ends that is done here."""

        def attempt() -> Outcome[T]:
            try:
                return Outcome(work(self))
            except Exception as error:  # noqa: BLE001 - it is raised to its caller
                return Outcome(error=raisable(error, self.raw))

        return await self.run(attempt)

    def stop(self) -> None:
        """Have what runs, and what comes after it, fail; not here, where nothing runs while others have their turn."""
        if self.deadline is not None:
            self.deadline.stop()

    async def close(self) -> None:
        """Disconnect, once what was begun is done."""
        if self.raw is not None:
            self.raw.close()


class ThreadSeat(Seat):
    """A connection with a thread of its own, which is aiosqlite's."""

    def __init__(self, connector: Callable[[], Any], deadline: Deadline | None) -> None:
        super().__init__(connector, deadline)
        self._thread = aiosqlite.Connection(connector, iter_chunk_size=64)

    async def open(self) -> None:
        try:
            await self._thread
        except BaseException:
            # It ends by itself now, and must not find a loop that is closed.
            await asyncio.to_thread(self._thread._thread.join)  # noqa: SLF001 - see run
            raise
        self.raw = self._thread._conn  # noqa: SLF001 - see run

    async def run(self, work: Callable[[], T]) -> T:
        # aiosqlite offers one statement per hop; a whole transaction in one hop has only its private way.
        hop: Any = self._thread._execute  # noqa: SLF001
        return await hop(work)  # type: ignore[no-any-return]

    def reconnect(self) -> None:
        super().reconnect()
        self._thread._connection = self.raw  # noqa: SLF001 - see run

    async def close(self) -> None:
        if self.raw is not None:
            await self._thread.close()
