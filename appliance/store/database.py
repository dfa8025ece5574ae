"""The store: one writer that commits in groups, readers of their own, and a feed of what changed."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import aiosqlite
from pysqlite3 import dbapi2 as sqlite

from appliance.api.errors import ApiError
from appliance.store import audit, backup, meta
from appliance.store.change_feed import Batch, ChangeFeed
from appliance.store.connection import Deadline, check_library, connect, translated
from appliance.store.errors import StoreBroken, StoreCannotWrite, StoreClosed, StoreError
from appliance.store.folder import Folder
from appliance.store.opening import create, prepare
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

T = TypeVar("T")

GROUP = 256
"""Changes that one commit takes at most, so that the first of them does not wait long for the last."""

READERS = 2


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
        await self._thread
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


class Database:
    """Everything the appliance remembers. Made by `open`, ended by `close`."""

    def __init__(
        self, folder: Folder, now: Callable[[], float], new_uuid: Callable[[], str], inline: bool
    ) -> None:
        self.feed = ChangeFeed()
        self.owner = ""
        self._folder = folder
        self.now = now
        self.new_uuid = new_uuid
        self._inline = inline
        self._queue: deque[tuple[Callable[[Transaction], Any], asyncio.Future[Any]]] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._open = False
        self._suspect = False
        self._writer = self._seat(reader=False)
        self._readers = [self._seat(reader=True) for _ in range(1 if inline else READERS)]
        self._free: asyncio.LifoQueue[Seat] = asyncio.LifoQueue()

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        now: Callable[[], float] = time.time,
        new_uuid: Callable[[], str] = lambda: uuid.uuid4().hex,
        inline: bool = False,
    ) -> Database:
        """Open the store in a folder, or make one where there never was one.

        `StoreBusy`, `StoreLocked`, `StoreTooNew`, `StoreDamaged` and `SqliteTooOld` say why not. With `inline`, all
        runs on the loop's thread and without waiting for the disk, in the same order in each run: for
        simulations, which end it by `crash` or `close`.
        """
        check_library()
        place = Folder(folder)
        place.take()
        self = cls(place, now, new_uuid, inline)
        try:
            await self._start()
        except BaseException:
            await self._stop_seats()
            place.release()
            raise
        return self

    async def _start(self) -> None:
        if self._folder.is_new():
            create(self._folder, durable=not self._inline)
        await self._writer.open()
        self.owner = await self._writer.run(self._prepare)
        self._folder.mark("open", durable=not self._inline)
        for seat in self._readers:
            await seat.open()
            self._free.put_nowait(seat)
        self._open = True

    def _prepare(self) -> str:
        return prepare(self._folder, self._writer.raw, self.now, self.new_uuid)

    def _seat(self, *, reader: bool) -> Seat:
        deadline = Deadline() if reader and not self._inline else None
        durable = not self._inline
        connector = partial(connect, self._folder.database, durable=durable, reader=reader, deadline=deadline)
        return (Seat if self._inline else ThreadSeat)(connector, deadline)

    async def write(self, change: Callable[[Transaction], T]) -> T:
        """Make a change, which runs on the writer's thread; its result, once it is on disk.

        What the change raises undoes it alone and is raised here. `StoreCannotWrite` and `StoreBroken` say that
        nothing of it was kept.
        """
        self._check_open()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((change, done))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._drain(), name="store-writer")
        return await done

    async def read(self, look: Callable[[Snapshot], T]) -> T:
        """Look at the store as it is at one moment, on a reader's thread."""
        self._check_open()
        seat = await self._free.get()
        try:
            outcome = await seat.run(partial(self._look, seat, look))
        finally:
            self._free.put_nowait(seat)
        return outcome.result()

    async def epoch(self) -> int:
        """The number that hosts order this appliance's commands by."""
        return await self.read(meta.epoch)

    async def raise_epoch(self) -> int:
        """The next epoch, durable before it is returned."""
        return await self.write(meta.raise_epoch)

    def _check_open(self) -> None:
        if not self._open:
            raise StoreClosed("the store is closed")

    async def _drain(self) -> None:
        """Commit what is queued, group by group, until nothing is."""
        while self._queue:
            group = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
            group = [(change, done) for change, done in group if not done.done()]
            try:
                outcomes = await self._writer.run(partial(self._commit, [change for change, _ in group]))
            except BaseException:
                for _, done in group:
                    done.cancel()
                raise
            for (_, done), outcome in zip(group, outcomes, strict=True):
                self._answer(done, outcome)

    def _answer(self, done: asyncio.Future[Any], outcome: Outcome[Any]) -> None:
        if outcome.changes:
            self.feed.publish(outcome.changes)
        if done.done():
            return
        if outcome.error is None:
            done.set_result(outcome.value)
        else:
            done.set_exception(outcome.error)

    def _commit(self, changes: Sequence[Callable[[Transaction], Any]]) -> list[Outcome[Any]]:
        """On the writer's thread: all changes in one commit, each undone by itself if it fails."""
        try:
            if self._suspect:
                self._reopen()
            raw = self._writer.raw
            raw.execute("BEGIN IMMEDIATE")
            outcomes = [self._change(raw, change) for change in changes]
            raw.execute("COMMIT")
        except (sqlite.Error, StoreError, StoreCannotWrite) as error:
            said = _group_error(error, self._writer.raw)
            self._abandon(said)
            return [Outcome(error=type(said)(said.details)) for _ in changes]
        return outcomes

    def _change(self, raw: Any, change: Callable[[Transaction], Any]) -> Outcome[Any]:
        raw.execute("SAVEPOINT one")
        transaction = Transaction(raw, self.now(), self.new_uuid)
        try:
            value = change(transaction)
            batch = transaction.journalled()
        except Exception as error:
            if not raw.in_transaction:  # SQLite has undone the whole group
                raise _group_error(error, raw) from error
            raw.execute("ROLLBACK TO one")
            raw.execute("RELEASE one")
            return Outcome(error=_raisable(error, raw))
        raw.execute("RELEASE one")
        return Outcome(value, changes=batch)

    def _abandon(self, said: ApiError) -> None:
        """Undo a group that could not be committed. After a refused write, the connection is not trusted."""
        self._suspect = not isinstance(said, StoreCannotWrite)
        try:
            if self._writer.raw.in_transaction:
                self._writer.raw.execute("ROLLBACK")
        except sqlite.Error:
            self._suspect = True  # it is replaced, and what it held with it

    def _reopen(self) -> None:
        """Connect anew after a refused write, and believe the file only after a look at all of it."""
        self._writer.reconnect()
        found = self._writer.raw.execute("PRAGMA quick_check(3)").fetchall()
        if found != [("ok",)]:
            raise StoreBroken(self._folder.damaged(str(found[0][0])).details)
        self._suspect = False

    def _look(self, seat: Seat, look: Callable[[Snapshot], T]) -> Outcome[T]:
        """On a reader's thread."""
        try:
            seat.raw.execute("BEGIN")
            try:
                return Outcome(look(Snapshot(seat.raw, self.now(), seat.deadline)))
            finally:
                seat.raw.execute("ROLLBACK")
        except Exception as error:  # noqa: BLE001 - it is raised to its caller
            return Outcome(error=_raisable(error, seat.raw))

    async def backup(self, path: Path) -> None:
        """Copy the store to a file while it is in use. `StoreDamaged` when the copy is not sound."""
        self._check_open()
        await self._aside(lambda raw: backup.copy(raw, path, backup.findings))

    async def verify(self) -> list[str]:
        """What is wrong with the store, in sentences. Takes seconds per million rows."""
        self._check_open()
        return await self._aside(backup.findings)

    async def verify_with_log(self) -> list[str]:
        """The same, and what is wrong with the audit log, which takes no part in what the store is used for."""
        self._check_open()
        return await self._aside(backup.findings_with_log)

    async def audit_findings(self, known: audit.Link | None = None) -> list[str]:
        """What is wrong with the audit log, in sentences. Takes seconds per million entries."""
        self._check_open()
        return await self._aside(lambda raw: audit.findings(raw, known))

    async def _aside(self, work: Callable[[Any], T]) -> T:
        """Run something long on a reader of its own."""
        seat = self._seat(reader=True)
        await seat.open()
        try:
            return await seat.run(lambda: work(seat.raw))
        finally:
            await seat.close()

    async def close(self) -> None:
        """Finish what is queued, bring everything into `store.db`, and let go of the folder."""
        if not self._open:
            return
        self._open = False
        if self._pump is not None:
            await asyncio.wait([self._pump])
        self.feed.close()
        try:
            for _ in self._readers:
                await (await self._free.get()).close()
            await self._writer.run(self._checkpoint)
        finally:
            await self._stop_seats()
            self._folder.release()

    def _checkpoint(self) -> None:
        busy, _, _ = self._writer.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            self._folder.mark("closed", durable=not self._inline)

    async def crash(self) -> None:
        """End an inline store as `kill -9` would: what is not committed is gone, and nobody is answered."""
        if not self._inline:
            raise RuntimeError("only an inline store can be crashed; kill the process instead")
        self._open = False
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
        for _, done in self._queue:
            done.cancel()
        self._queue.clear()
        self.feed.close()
        await self._stop_seats()
        self._folder.mark("closed", durable=False)
        self._folder.release()

    async def _stop_seats(self) -> None:
        for seat in (*self._readers, self._writer):
            await seat.close()


def _group_error(error: Exception, raw: Any) -> ApiError:
    """Why a whole group was undone."""
    said = translated(error, raw) if isinstance(error, sqlite.Error) else error
    if isinstance(said, (StoreError, StoreCannotWrite)):
        return said
    return StoreBroken(f"the store could not commit: {said}")


def _raisable(error: Exception, raw: Any) -> Exception:
    """The error, in a form that a future can carry."""
    if isinstance(error, sqlite.Error):
        return translated(error, raw)
    return (
        RuntimeError("the change or look stopped an iteration") if isinstance(error, StopIteration) else error
    )
