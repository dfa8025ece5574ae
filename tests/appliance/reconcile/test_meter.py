"""What a job says of bytes that move: how fast, how long yet, and what it is when they do not become fewer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.api.errors import Cancelled
from appliance.api.job import LongJob
from appliance.reconcile import jobs
from appliance.reconcile.meter import Meter
from appliance.store.database import Database

MIB = 1 << 20
WHY = "its guest to write less"


class Moving:
    """A job whose bytes come when a test says so, in a time of its own."""

    def __init__(self, database: Database, job: LongJob) -> None:
        self.database = database
        self.at = 1000.0
        database.now = lambda: self.at
        self.job = job
        self.meter = Meter(database, [job], "move memory and disks", lambda _: WHY)

    async def goes(self, done: int, left: int) -> LongJob:
        """A second passes; the job then."""
        self.at += 1
        self.meter(done, done + left)
        async with self.meter.running():
            await asyncio.sleep(0.05)
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
    for second in range(5, 35):
        row = await moving.goes(2 * MIB * second, 92 * MIB)
    assert row.waits_for == WHY
    assert "left" not in (row.step or "")
    assert (row.step or "").endswith("2.0 MiB/s)")
    # It writes no more.
    for second in range(35, 45):
        row = await moving.goes(2 * MIB * second, 92 * MIB - 2 * MIB * (second - 35))
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
