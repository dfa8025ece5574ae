"""What a job says of bytes that move: how fast, how long yet, and what it is when they do not become fewer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.protocol import Copying
from appliance.api.errors import Cancelled
from appliance.api.job import LongJob
from appliance.reconcile import jobs
from appliance.reconcile.meter import Meter, expect
from appliance.store.database import Database
from appliance.store.errors import StoreLocked

MIB = 1 << 20
WHY = {"disks": "its guest to write less to disks", "memory": "its guest to write less to memory"}


class _BrokenOff(Exception):
    """A part does not end well."""


class Moving:
    """A job whose bytes come when a test says so, in a time of its own."""

    def __init__(self, database: Database, job: LongJob) -> None:
        self.database = database
        self.at = 1000.0
        database.now = lambda: self.at
        self.job = job
        self.meter = Meter(
            database, [job], "move memory and disks", "guest", grows=lambda _, outrun: WHY[outrun]
        )

    async def goes(self, done: int, left: int) -> LongJob:
        """A second passes; the job then."""
        seen = Copying(disks_done=done, disks_left=left, memory_done=0, memory_left=0)
        return await self.part_goes(done, done + left, seen)

    async def part_goes(
        self, done: int, total: int, seen: Copying | None = None, *, seconds: float = 1.0
    ) -> LongJob:
        """Time passes in which a part comes, and does not end; the job then."""
        self.at += seconds
        with contextlib.suppress(_BrokenOff):
            async with asyncio.timeout(10), self.meter.running():
                self.meter(done, total)
                if seen is not None:
                    self.meter.guest(seen)
                while self.meter._written is not self.meter._latest:
                    await asyncio.sleep(0.005)
                raise _BrokenOff
        return await self.row()

    async def row(self) -> LongJob:
        return await self.database.read(lambda snapshot: snapshot.get(LongJob, self.job.uuid))


@pytest.fixture
async def moving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Moving]:
    monkeypatch.setattr("appliance.reconcile.meter.WRITE_SECONDS", 0.01)
    database = await Database.open(tmp_path, inline=True)
    job = await database.write(lambda tx: tx.insert(LongJob(uuid="a" * 32, name="MigrateVm")))
    yield Moving(database, job)
    await database.close()


async def test_a_guest_that_writes_as_fast_as_is_copied_is_named_and_no_time_is_left(moving: Moving) -> None:
    for second in range(5):
        row = await moving.goes(2 * MIB * second, 100 * MIB - 2 * MIB * second)
    assert (row.step or "").endswith("2.0 MiB/s, 0:46 left)")
    assert row.waits_for is None
    for second in range(5, 70):
        row = await moving.goes(2 * MIB * second, 92 * MIB)
    assert row.waits_for == WHY["disks"]
    assert "left" not in (row.step or "")
    assert (row.step or "").endswith("2.0 MiB/s)")
    # It writes no more.
    for second in range(70, 80):
        row = await moving.goes(2 * MIB * second, 92 * MIB - 2 * MIB * (second - 70))
    assert row.waits_for is None


async def test_a_job_that_succeeded_has_moved_all_and_goes_at_no_pace(moving: Moving) -> None:
    for second in range(5):
        row = await moving.goes(2 * MIB * second, 100 * MIB - 2 * MIB * second)
    assert (row.done_bytes, row.total_bytes, row.bytes_per_second) == (8 * MIB, 100 * MIB, 2 * MIB)
    await moving.database.write(lambda tx: jobs.succeed(tx, tx.get(LongJob, moving.job.uuid), {}))
    row = await moving.row()
    assert (row.done_bytes, row.total_bytes, row.bytes_per_second) == (100 * MIB, 100 * MIB, None)


async def test_a_job_that_does_something_else_or_has_failed_goes_at_no_pace(moving: Moving) -> None:
    for second in range(5):
        await moving.goes(2 * MIB * second, 100 * MIB)
    await moving.database.write(
        lambda tx: jobs.progress(tx, tx.get(LongJob, moving.job.uuid), "wait", 0, "a host")
    )
    assert (await moving.row()).bytes_per_second is None
    await moving.goes(12 * MIB, 100 * MIB)
    assert (await moving.row()).bytes_per_second
    await moving.database.write(
        lambda tx: jobs.fail(tx, tx.get(LongJob, moving.job.uuid), Cancelled("by me"))
    )
    row = await moving.row()
    assert (row.done_bytes, row.bytes_per_second) == (12 * MIB, None)


async def test_what_a_job_says_is_of_all_its_parts_and_never_goes_back(moving: Moving) -> None:
    database, job = moving.database, moving.job
    await expect(database, [job], {"image": 100 * MIB, "files": 200 * MIB, "guest": 100 * MIB})
    row = await moving.row()
    assert (row.done_bytes, row.total_bytes, row.progress) == (0, 400 * MIB, 0)
    said: list[tuple[int | None, int]] = []
    for part, size in (("image", 100), ("files", 200), ("guest", 100)):
        moving.meter = Meter(database, [job], "bring", part)
        for done in range(10, size + 10, 10):
            row = await moving.part_goes(done * MIB, size * MIB)
            said.append((row.done_bytes, row.progress))
            assert row.total_bytes == 400 * MIB
    assert [done for done, _ in said] == [MIB * done for done in range(10, 410, 10)]
    assert [percent for _, percent in said] == [min(done // 4, 99) for done in range(10, 410, 10)]
    assert row.step == "bring (400 of 400 MiB, 10.0 MiB/s, 0:00 left)"


async def test_a_part_that_ended_is_there_and_one_that_failed_has_what_had_come(moving: Moving) -> None:
    database, job = moving.database, moving.job
    await expect(database, [job], {"image": 100 * MIB, "files": 300 * MIB})
    async with Meter(database, [job], "bring", "image").running():
        pass  # so fast that nobody heard of it
    assert (await moving.row()).done_bytes == 100 * MIB
    moving.meter = Meter(database, [job], "copy", "files")
    await moving.part_goes(150 * MIB, 300 * MIB)
    with pytest.raises(OSError, match="broke"):
        async with moving.meter.running():
            raise OSError("the way broke")
    row = await moving.row()
    assert (row.done_bytes, row.total_bytes, row.progress) == (250 * MIB, 400 * MIB, 62)
    # It must truly be done again: nothing says otherwise.
    row = await moving.part_goes(0, 300 * MIB)
    assert (row.done_bytes, row.total_bytes, row.progress) == (100 * MIB, 400 * MIB, 25)


async def test_parts_that_go_at_once_are_one_whole_at_one_pace(moving: Moving) -> None:
    database, job = moving.database, moving.job
    meters = [Meter(database, [job], "carry", part) for part in ("a", "b")]
    for second in range(8):
        for meter in meters:
            moving.meter = meter
            row = await moving.part_goes(second * MIB, 50 * MIB, seconds=0.5)
    assert (row.done_bytes, row.total_bytes) == (14 * MIB, 100 * MIB)
    assert row.bytes_per_second == pytest.approx(2 * MIB, rel=0.2)


async def test_copies_that_are_alike_are_expected_as_soon_as_one_is_known(moving: Moving) -> None:
    moving.meter = Meter(moving.database, [moving.job], "fetch", "first", alike=["second"])
    row = await moving.part_goes(10 * MIB, 50 * MIB)
    assert (row.done_bytes, row.total_bytes, row.progress) == (10 * MIB, 100 * MIB, 10)


async def test_nothing_that_comes_is_said_instead_of_a_pace_and_what_is_whole_is_not_missed(
    moving: Moving,
) -> None:
    for second in range(5):
        await moving.part_goes(2 * MIB * second, 100 * MIB)
    async with moving.meter.running():
        moving.at += 4
        await asyncio.sleep(0.1)
        row = await moving.row()
        assert row.step == "move memory and disks (8 of 100 MiB, nothing arrived for 4 s)"
        assert row.bytes_per_second is None
        moving.at += 5
        await asyncio.sleep(0.1)
        assert (await moving.row()).step == "move memory and disks (8 of 100 MiB, nothing arrived for 9 s)"
        moving.meter(100 * MIB, 100 * MIB)
        moving.at += 30  # in which both ends are compared
        await asyncio.sleep(0.1)
        assert (await moving.row()).step == "move memory and disks (100 of 100 MiB)"


async def test_what_goes_on_is_said_before_the_first_byte_of_it_came(moving: Moving) -> None:
    await moving.database.write(
        lambda tx: jobs.progress(tx, tx.get(LongJob, moving.job.uuid), "wait", 7, "a host")
    )
    async with moving.meter.running():
        row = await moving.row()
        assert (row.step, row.progress, row.waits_for) == ("move memory and disks", 7, None)


async def test_files_that_are_copied_once_more_are_named(moving: Moving) -> None:
    moving.meter = Meter(moving.database, [moving.job], "copy to new host", "files")
    await moving.part_goes(90 * MIB, 100 * MIB)
    moving.meter.anew(["/zstack_ps/a.qcow2", "/zstack_ps/snapshots/b.qcow2"])
    row = await moving.part_goes(50 * MIB, 100 * MIB)
    why = "once more, since it arrived with other content: a.qcow2, b.qcow2"
    assert row.step == f"copy to new host, {why} (50 of 100 MiB)"


async def test_a_store_that_refuses_once_hears_of_the_rest(
    moving: Moving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.reconcile.loop.FIRST_RETRY_SECONDS", 0.01)
    database, kept, refused = moving.database, moving.database.write, []

    async def write(change: Any) -> Any:
        if change == moving.meter._put and not refused:
            refused.append(change)
            raise StoreLocked("locked")
        return await kept(change)

    monkeypatch.setattr(database, "write", write)
    async with asyncio.timeout(5), moving.meter.running():
        moving.meter(MIB, 100 * MIB)
        while (await moving.row()).done_bytes != MIB:
            await asyncio.sleep(0.005)
    assert refused
