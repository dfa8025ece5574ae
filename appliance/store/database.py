"""The store: one writer that commits in groups, readers of their own, and a feed of what changed."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pysqlite3 import dbapi2 as sqlite

from appliance.api.errors import ApiError
from appliance.store import audit, backup, meta
from appliance.store.change_feed import ChangeFeed
from appliance.store.connection import Deadline, check_library, connect, raisable, roll_back, translated
from appliance.store.errors import StoreBroken, StoreCannotWrite, StoreClosed, StoreError
from appliance.store.folder import Folder
from appliance.store.opening import create, prepare
from appliance.store.seat import Outcome, Seat, ThreadSeat
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP = 256
"""Changes that one commit takes at most, so that the first of them does not wait long for the last."""

READERS = 2


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
        self._free = [*self._readers]
        self._turns = asyncio.Semaphore(len(self._readers))
        """Who asks first for a reader has one first, and `close` comes after all who wait."""
        self._beside: dict[asyncio.Task[Any], Seat] = {}
        """What is long and under way, and where."""

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
        self.owner, commits = await self._writer.run(self._prepare)
        self._folder.mark("open", commits, durable=not self._inline)
        for seat in self._readers:
            await seat.open()
        self._open = True

    def _prepare(self) -> tuple[str, int]:
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
        async with self._turns:
            seat = self._free.pop()
            try:
                outcome = await seat.attempt(partial(self._look, look))
            finally:
                self._free.append(seat)
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
            raw, commits = self._writer.raw, None
            raw.execute("BEGIN IMMEDIATE")
            before = raw.total_changes
            outcomes = [self._change(raw, change) for change in changes]
            if raw.total_changes != before:
                commits = meta.count_commit(Transaction(raw, self.now(), self.new_uuid))
            raw.execute("COMMIT")
        except (sqlite.Error, StoreError, StoreCannotWrite) as error:
            said = _group_error(error, self._writer.raw)
            self._abandon(said)
            return [Outcome(error=type(said)(said.details)) for _ in changes]
        if commits is not None:
            self._folder.note(commits)
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
            return Outcome(error=raisable(error, raw))
        raw.execute("RELEASE one")
        return Outcome(value, changes=batch)

    def _abandon(self, said: ApiError) -> None:
        """Undo a group that could not be committed. After a refused write, the connection is not trusted."""
        self._suspect = not isinstance(said, StoreCannotWrite)
        try:
            roll_back(self._writer.raw)
        except sqlite.Error:
            self._suspect = True  # it is replaced, and what it held with it

    def _reopen(self) -> None:
        """Connect anew after a refused write, and believe the file only after a look at all of it."""
        self._writer.reconnect()
        found = self._writer.raw.execute("PRAGMA quick_check(3)").fetchall()
        if found != [("ok",)]:
            raise StoreBroken(self._folder.damaged(str(found[0][0])).details)
        self._suspect = False

    def _look(self, look: Callable[[Snapshot], T], seat: Seat) -> T:
        """What is seen of one moment."""
        seat.raw.execute("BEGIN")
        try:
            return look(Snapshot(seat.raw, self.now(), seat.deadline))
        finally:
            roll_back(seat.raw)

    async def backup(self, path: Path) -> None:
        """Copy the store to a file while it is in use. `StoreDamaged` when the copy is not sound."""
        self._check_open()
        await self._aside(lambda seat: backup.copy(seat.raw, path, backup.findings, seat.deadline))

    async def verify(self) -> list[str]:
        """What is wrong with the store, in sentences. Takes seconds per million rows."""
        self._check_open()
        return await self._aside(lambda seat: backup.findings(seat.raw))

    async def verify_with_log(self) -> list[str]:
        """The same, and what is wrong with the audit log, which takes no part in what the store is used for."""
        self._check_open()
        return await self._aside(lambda seat: backup.findings_with_log(seat.raw))

    async def audit_findings(self, known: audit.Link | None = None) -> list[str]:
        """What is wrong with the audit log, in sentences. Takes seconds per million entries."""
        self._check_open()
        return await self._aside(lambda seat: audit.findings(seat.raw, known))

    async def _aside(self, work: Callable[[Seat], T]) -> T:
        """Run something long on a reader of its own, until the store is closed or the caller gone."""
        seat = self._seat(reader=True)
        task = asyncio.create_task(self._run_aside(seat, work), name="store-aside")
        self._beside[task] = seat
        task.add_done_callback(self._beside.pop)
        try:
            outcome = await asyncio.shield(task)
        except asyncio.CancelledError:
            seat.stop()
            raise
        self._check_open()  # what was stopped half-way has found nothing
        return outcome.result()

    async def _run_aside(self, seat: Seat, work: Callable[[Seat], T]) -> Outcome[T]:
        await seat.open()
        try:
            return await seat.attempt(work)
        finally:
            await seat.close()

    async def _end_beside(self) -> None:
        """Stop what is long, and wait until its seats are left: the last to leave removes the log."""
        for seat in self._beside.values():
            seat.stop()
        if self._beside:
            await asyncio.wait([*self._beside])

    async def close(self) -> None:
        """Finish what is queued, bring everything into `store.db`, and let go of the folder."""
        if not self._open:
            return
        self._open = False
        if self._pump is not None:
            await asyncio.wait([self._pump])
        self.feed.close()
        try:
            await self._end_beside()
            for _ in self._readers:
                await self._turns.acquire()
            for seat in self._readers:
                await seat.close()
            await self._writer.run(self._checkpoint)
        finally:
            await self._stop_seats()
            self._folder.release()

    def _checkpoint(self) -> None:
        try:
            busy, _, _ = self._writer.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite.Error as error:
            log.warning("store.db-wal stays until the next start: %s", translated(error, self._writer.raw))
            return
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
        await self._end_beside()
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
