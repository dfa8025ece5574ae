"""The store keeps what it acknowledged, alone, in order, and comes back after every end."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite

from appliance.api.errors import ResourceNotFound
from appliance.api.setting import SETTINGS, GlobalConfig
from appliance.api.zone import Zone
from appliance.store import audit
from appliance.store.change_feed import Change
from appliance.store.database import Database
from appliance.store.errors import StoreBroken, StoreBusy, StoreClosed, StoreDamaged, StoreFull, StoreTooNew
from appliance.store.folder import Folder
from appliance.store.opening import prepare
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

from .samples import new_uuid, zone


def insert(name: str, tx: Transaction) -> Zone:
    return tx.insert(zone(name))


def names(snapshot: Snapshot) -> list[str]:
    return [each.name for each in snapshot.all(Zone)]


async def test_writes_of_many_are_one_commit(database: Database) -> None:
    statements: list[str] = []
    database._writer.raw.set_trace_callback(statements.append)
    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(database.write(partial(insert, f"z{number}")))
    database._writer.raw.set_trace_callback(None)
    assert statements.count("COMMIT") == 1
    assert await database.read(names) == [f"z{number}" for number in range(50)]


async def test_an_error_undoes_its_own_change_only(database: Database) -> None:
    def broken(tx: Transaction) -> None:
        tx.insert(zone("bad"))
        raise LookupError("no")

    feed = database.feed.subscribe()
    tasks: list[asyncio.Task[Any]] = [
        asyncio.create_task(database.write(change))
        for change in (lambda tx: tx.insert(zone("good")), broken, names)
    ]
    await asyncio.wait(tasks)
    good: Zone = tasks[0].result()
    with pytest.raises(LookupError):
        tasks[1].result()
    assert tasks[2].result() == ["good"]
    assert await database.read(names) == ["good"]
    assert feed.pending() == [(Change(Zone, good.uuid, good),)]


async def test_feed_has_each_transaction_in_commit_order_before_its_caller_knows(database: Database) -> None:
    feed = database.feed.subscribe()
    first = await database.write(lambda tx: tx.insert(zone("a")))
    assert feed.pending() == [(Change(Zone, first.uuid, first),)]

    def change(tx: Transaction) -> Zone:
        tx.delete(tx.update(first, name="b"))
        tx.insert(zone("c", uuid="c"))
        return tx.update(tx.get(Zone, "c"), name="d")

    second = await database.write(change)
    assert feed.pending() == [(Change(Zone, first.uuid, None), Change(Zone, "c", second))]
    await database.write(lambda tx: tx.update(second, name="d"))
    await database.write(lambda tx: tx.delete(first))
    assert feed.pending() == []


async def test_reader_sees_one_moment(database: Database) -> None:
    loop = asyncio.get_running_loop()
    looking, written = asyncio.Event(), threading.Event()

    def look(snapshot: Snapshot) -> tuple[int, int]:
        before = snapshot.count(Zone)
        loop.call_soon_threadsafe(looking.set)
        assert written.wait(10)
        return before, snapshot.count(Zone)

    reading = asyncio.create_task(database.read(look))
    await asyncio.wait_for(looking.wait(), 10)
    await database.write(lambda tx: tx.insert(zone()))
    written.set()
    assert await reading == (0, 0)
    assert await database.read(lambda snapshot: snapshot.count(Zone)) == 1


async def test_look_cannot_write_and_its_error_is_the_callers(database: Database) -> None:
    with pytest.raises(StoreBroken):
        await database.read(lambda snapshot: snapshot.rows("DELETE FROM zone"))
    with pytest.raises(ResourceNotFound, match="there is no Zone with uuid nix"):
        await database.read(lambda snapshot: snapshot.get(Zone, "nix"))
    with pytest.raises(RuntimeError, match="stopped an iteration"):
        await database.read(lambda _: next(iter(())))


async def test_cancelled_before_its_turn_does_nothing(database: Database) -> None:
    task = asyncio.create_task(database.write(lambda tx: tx.insert(zone("never"))))
    other = asyncio.create_task(database.write(lambda tx: tx.insert(zone("kept"))))
    await asyncio.sleep(0)
    task.cancel()
    await other
    assert await database.read(names) == ["kept"]


async def test_what_is_written_is_there_after_reopening(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "s")
    kept = await database.write(lambda tx: tx.insert(zone("kept")))
    owner = database.owner
    assert [await database.epoch(), await database.raise_epoch(), await database.raise_epoch()] == [0, 1, 2]
    await database.close()
    with pytest.raises(StoreClosed):
        await database.read(names)
    again = await Database.open(tmp_path / "s")
    assert await again.read(lambda snapshot: snapshot.get(Zone, kept.uuid)) == kept
    assert (await again.epoch(), again.owner) == (2, owner)
    await again.close()


async def test_close_finishes_what_is_queued(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "s")
    tasks = [asyncio.create_task(database.write(lambda tx: tx.insert(zone()))) for _ in range(600)]
    await asyncio.sleep(0)
    await database.close()
    assert all(task.done() and task.exception() is None for task in tasks)
    again = await Database.open(tmp_path / "s")
    assert await again.read(lambda snapshot: snapshot.count(Zone)) == 600
    await again.close()


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.mark.parametrize("leaves", [True, False])
async def test_close_stops_what_is_long_and_the_store_is_closed(tmp_path: Path, leaves: bool) -> None:
    database = await Database.open(tmp_path)
    work = asyncio.create_task(database._aside(lambda seat: seat.raw.execute(ENDLESS).fetchall()))
    await asyncio.sleep(0.1)
    if leaves:  # as calls do that the server cuts off
        work.cancel()
    async with asyncio.timeout(10):
        await database.close()
    with pytest.raises(asyncio.CancelledError if leaves else StoreClosed):
        await work
    assert (tmp_path / "lock").read_text().split()[1] == "closed"
    assert not (tmp_path / "store.db-wal").exists()


async def test_close_stops_the_check_of_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.store.backup.findings", lambda raw: raw.execute(ENDLESS).fetchall())
    database = await Database.open(tmp_path / "store")
    work = asyncio.create_task(database.backup(tmp_path / "copies" / "a.db"))
    while not (tmp_path / "copies").exists():
        await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        await database.close()
    with pytest.raises(StoreClosed):
        await work
    assert list((tmp_path / "copies").iterdir()) == []


async def test_close_answers_who_waits_for_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await Database.open(tmp_path)

    async def at_once() -> None:
        return

    ends = []
    for seat in database._readers:
        ends.append(asyncio.get_running_loop().create_future())

        async def run(work: Callable[[], Any], end: asyncio.Future[None] = ends[-1]) -> Any:
            await end
            return work()

        monkeypatch.setattr(seat, "run", run)
        monkeypatch.setattr(seat, "close", at_once)
    reads = [asyncio.create_task(database.read(names)) for _ in range(len(ends) + 1)]
    await asyncio.sleep(0)
    ends[0].set_result(None)
    await asyncio.sleep(0)
    # A reader is free, and the one who waits for it has not had a turn since.
    ends[1].set_result(None)
    await database.close()
    done, _ = await asyncio.wait(reads, timeout=1)
    monkeypatch.undo()
    for seat in database._readers:
        await seat.close()
    assert done == {*reads}


async def test_nobody_else_may_read_the_files(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == dict.fromkeys(
        ("lock", "store.db", "store.db-shm", "store.db-wal"), 0o600
    )


async def test_second_opener_is_told_who_has_it(database: Database, tmp_path: Path) -> None:
    with pytest.raises(StoreBusy, match=f"in use by process {os.getpid()};"):
        await Database.open(tmp_path / "store")


async def test_newer_store_is_refused(tmp_path: Path) -> None:
    await (await Database.open(tmp_path)).close()
    with sqlite.connect(str(tmp_path / "store.db")) as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(StoreTooNew, match="version 99"):
        await Database.open(tmp_path)


async def test_settings_are_filled_in_and_kept(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    assert await database.read(lambda snapshot: snapshot.count(GlobalConfig)) == len(SETTINGS)
    changed = "vm.expungePeriod"
    await database.write(lambda tx: tx.update(tx.get(GlobalConfig, changed), value="5", description="old"))
    await database.write(lambda tx: tx.delete(tx.get(GlobalConfig, "vm.stopGrace")))
    await database.close()
    again = await Database.open(tmp_path)
    assert await again.read(lambda snapshot: snapshot.setting("vm", "expungePeriod")) == "5"
    assert await again.read(lambda snapshot: snapshot.setting("vm", "stopGrace")) == "60"
    assert (await again.read(lambda s: s.get(GlobalConfig, changed))).description != "old"
    await again.close()


async def test_full_disk_refuses_and_recovers(database: Database) -> None:
    raw = database._writer.raw
    pages = raw.execute("PRAGMA page_count").fetchone()[0]
    raw.execute(f"PRAGMA max_page_count = {pages}")
    big = zone("big", description="x" * 50_000)
    with pytest.raises(StoreFull, match="make room"):
        await database.write(lambda tx: tx.insert(big))
    assert await database.read(names) == []
    database._writer.raw.execute("PRAGMA max_page_count = 1000000")
    await database.write(lambda tx: tx.insert(big))
    assert await database.read(names) == ["big"]


class FailingDisk:
    """A connection whose disk fails at some SQL; where `undoes`, SQLite then undoes the transaction by itself."""

    def __init__(self, raw: Any, fails: Callable[[str], bool], *, undoes: bool) -> None:
        self._raw = raw
        self._fails = fails
        self._undoes = undoes

    def execute(self, sql: str, *rest: Any) -> Any:
        if self._fails(sql):
            if self._undoes:
                self._raw.execute("ROLLBACK")
            error = sqlite.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite.SQLITE_IOERR
            raise error
        return self._raw.execute(sql, *rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def failing_commit(raw: Any) -> FailingDisk:
    """The next commit meets a disk that fails."""
    return FailingDisk(raw, lambda sql: sql == "COMMIT", undoes=False)


def failing_read(raw: Any, table: str) -> FailingDisk:
    """The disk fails as a table is read."""
    return FailingDisk(raw, lambda sql: table in sql, undoes=True)


async def test_failed_read_says_what_failed(database: Database, tmp_path: Path) -> None:
    for seat in database._readers:
        seat.raw = failing_read(seat.raw, "zone")
    with pytest.raises(StoreBroken, match="disk I/O error"):
        await database.read(names)
    writer = failing_read(database._writer.raw, "global_config")
    with pytest.raises(StoreBroken, match="disk I/O error"):
        prepare(Folder(tmp_path / "store"), writer, lambda: 1.0, lambda: "u")
    with pytest.raises(StoreBroken, match="disk I/O error"):
        audit.findings(failing_read(database._writer.raw, "audit_entry"))


async def test_a_disk_without_room_for_the_index_of_the_log_is_full(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seat in database._readers:
        seat.raw = failing_read(seat.raw, "zone")
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=7, f_frsize=4096))
    with pytest.raises(StoreFull, match="make room"):
        await database.read(names)


async def test_a_start_on_a_full_disk_says_so_and_leaves_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", full)
            with pytest.raises(StoreFull, match="make room"):
                await Database.open(tmp_path)
        await (await Database.open(tmp_path)).close()


async def test_failed_commit_acknowledges_nobody_and_the_connection_is_replaced(database: Database) -> None:
    raw = database._writer.raw
    database._writer.raw = failing_commit(raw)
    feed = database.feed.subscribe()
    outcomes = await asyncio.gather(
        *(database.write(lambda tx: tx.insert(zone("lost"))) for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in outcomes] == [StoreBroken] * 3
    assert feed.pending() == []
    await database.write(lambda tx: tx.insert(zone("kept")))
    assert database._writer.raw is not raw
    assert await database.read(names) == ["kept"]


CHILD = """
import asyncio, sys, pathlib
from appliance.api.zone import Zone
from appliance.store.database import Database

async def writer(database, number):
    count = 0
    while True:
        name = f"{number}.{count}"
        await database.write(lambda tx: tx.insert(Zone(uuid=tx.new_uuid(), name=name)))
        print(name, flush=True)
        count += 1

async def main():
    database = await Database.open(pathlib.Path(sys.argv[1]))
    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(writer(database, number))

asyncio.run(main())
"""


async def test_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for turn in range(3):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD.replace('f"{number}', f'f"{turn}.{{number}}'), str(tmp_path),
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert child.stdout is not None
        for _ in range(random.randrange(20, 300)):
            acknowledged.add((await asyncio.wait_for(child.stdout.readline(), 20)).decode().strip())
        child.send_signal(signal.SIGKILL)
        lines = (await asyncio.wait_for(child.stdout.read(), 20)).decode().splitlines(keepends=True)
        acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
        await child.wait()
        database = await Database.open(tmp_path)
        kept = set(await database.read(names))
        assert acknowledged <= kept
        assert len(kept - acknowledged) <= 8 * (turn + 1)
        assert await database.verify() == []
        await database.close()


async def test_damaged_row_is_found_on_reading_it(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    kept = await database.write(lambda tx: tx.insert(zone(description="needle in the hay")))
    await database.close()
    file = tmp_path / "store.db"
    data = file.read_bytes()
    assert data.count(b"needle in the hay") == 1
    file.write_bytes(data.replace(b"needle in the hay", b"needlf in the hay"))
    again = await Database.open(tmp_path)
    with pytest.raises(StoreDamaged, match=f"row '{kept.uuid}' in table zone is damaged"):
        await again.read(names)
    assert await again.verify() == [f"row '{kept.uuid}' in table zone does not fit its checksum"]
    await again.close()


class TestInline:
    async def test_same_run_twice_is_the_same(self, tmp_path: Path) -> None:
        async def run(folder: Path) -> list[Any]:
            seeded = random.Random(1)
            database = await Database.open(
                folder, inline=True, now=lambda: 5.0, new_uuid=lambda: f"{seeded.getrandbits(128):032x}"
            )
            feed = database.feed.subscribe()
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(database.write(lambda tx: tx.insert(zone(uuid=tx.new_uuid()))))
            await database.crash()
            return feed.pending()

        assert await run(tmp_path / "a") == await run(tmp_path / "b")

    async def test_crash_drops_what_is_not_committed_and_keeps_the_rest(self, tmp_path: Path) -> None:
        database = await Database.open(tmp_path, inline=True)
        await database.write(lambda tx: tx.insert(zone("kept")))
        task = asyncio.create_task(database.write(lambda tx: tx.insert(zone("lost"))))
        await asyncio.sleep(0)
        await database.crash()
        with pytest.raises(asyncio.CancelledError):
            await task
        again = await Database.open(tmp_path, inline=True)
        assert await again.read(names) == ["kept"]
        await again.close()

    async def test_starts_no_thread(self, tmp_path: Path) -> None:
        before = threading.active_count()
        database = await Database.open(tmp_path, inline=True)
        await database.write(lambda tx: tx.insert(zone(new_uuid())))
        assert threading.active_count() == before
        await database.close()
