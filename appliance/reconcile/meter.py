"""Bytes moved, written into jobs a few times a second and no oftener."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath

from agent.protocol import Copying
from appliance.api.job import LongJob
from appliance.plans.outrun import Outrun, Race
from appliance.plans.pace import Pace
from appliance.plans.whole import Whole
from appliance.reconcile import jobs
from appliance.reconcile.patience import until_kept
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

WRITE_SECONDS = 0.5

Grows = Callable[[Snapshot, Outrun], str]
"""What to wait for while a guest writes as fast to its disks, or its memory, as they are copied."""


class Meter:
    """The latest `done` of `total` of one part of some jobs; call it with both.

    What a job says is of all its parts, also those that others bring meanwhile. Parts that are `alike` are expected
    to take what this one does.
    """

    def __init__(
        self,
        database: Database,
        found: Sequence[LongJob],
        title: str,
        part: str,
        *,
        grows: Grows | None = None,
        alike: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._jobs = found
        self._title = title
        self._part = part
        self._grows = grows
        self._alike = alike
        self._latest: tuple[int, int] | None = None
        self._written: tuple[int, int] | None = None
        self._beside = 0
        """Bytes done of the other parts."""
        self._pace = Pace()
        self._rate: float | None = None
        """What was said last."""
        self._silent: int | None = None
        """Seconds without a byte that were said last."""
        self._anew: list[str] = []
        """Names of the files that are copied once more."""
        self._race = Race()

    def __call__(self, done: int, total: int) -> None:
        """Take a new reading."""
        self._latest = (done, total)
        self._pace.take(self._database.now(), self._beside + done)

    def guest(self, seen: Copying) -> None:
        """Take what of the reading is a guest's disks, and what its memory."""
        self._race.take(self._database.now(), seen)

    def anew(self, files: Sequence[str]) -> None:
        """Take which files, by path, arrived with other content, so that they are copied once more."""
        self._anew = [PurePosixPath(path).name for path in files]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Meter]:
        """Write readings while the body runs, and first what goes on; the part is there when that ends well."""
        if self._jobs:
            await self._database.write(self._begin)
        writer = asyncio.create_task(self._write(), name=f"meter {self._title}")
        try:
            yield self
        finally:
            writer.cancel()
            await asyncio.wait({writer})
        if self._jobs:
            await self._database.write(self._end)

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            # A rate that is said falls while nothing comes, until that is said.
            news = self._latest != self._written or self._rate is not None or self._quiet() != self._silent
            if self._jobs and news:
                await until_kept(f"meter {self._title}", partial(self._database.write, self._put))

    def _quiet(self) -> int | None:
        """Whole seconds in which nothing came of what is still to come; None while that is usual."""
        seconds = self._pace.silent(self._database.now())
        if seconds is None or self._latest is None or self._latest[0] >= self._latest[1]:
            return None
        return int(seconds)

    def _begin(self, tx: Transaction) -> None:
        """What has come before is no pace of this part."""
        for job in jobs.still_running(tx, self._jobs):
            self._note(Whole(job.parts))
            jobs.progress(tx, job, self._title, job.progress)

    def _note(self, whole: Whole) -> None:
        self._beside = whole.done - whole.part(self._part)[0]

    def _put(self, tx: Transaction) -> None:
        if self._latest is None:
            return
        self._written = done, total = self._latest
        self._rate = rate = self._pace.rate(self._database.now())
        self._silent = self._quiet()
        outrun = self._race.outrun() if self._grows is not None else None
        waits_for = self._grows(tx, outrun) if self._grows is not None and outrun is not None else None
        for job in jobs.still_running(tx, self._jobs):
            whole = Whole(job.parts)
            whole.reach(self._part, done, total)
            for part in self._alike:
                if not whole.part(part)[0]:
                    whole.reach(part, 0, total)
            self._note(whole)
            row = jobs.moved(tx, job, whole)
            pace = _said(rate, self._silent, None if waits_for else whole.total - whole.done)
            what = self._title
            if self._anew:
                what += f", once more, since it arrived with other content: {', '.join(self._anew)}"
            done_mib, total_mib = whole.done >> 20, whole.total >> 20
            title = (
                f"{what} ({done_mib} of {total_mib} MiB, {pace})"
                if pace
                else f"{what} ({done_mib} of {total_mib} MiB)"
            )
            whole_rate = round(rate) if rate is not None else None
            jobs.progress(tx, row, title, row.progress, waits_for, whole_rate)

    def _end(self, tx: Transaction) -> None:
        if self._latest is not None:
            for job in jobs.still_running(tx, self._jobs):
                whole = Whole(job.parts)
                whole.reach(self._part, *self._latest)
                jobs.moved(tx, job, whole)
        jobs.end_part(tx, self._jobs, self._part)


async def expect(database: Database, found: Sequence[LongJob], sizes: Mapping[str, int]) -> None:
    """Say how many bytes each part of some jobs is still to move, before the first of them does."""
    if found:
        await database.write(lambda tx: jobs.expect(tx, found, sizes))


def _said(rate: float | None, silent: int | None, left: int | None) -> str:
    """How fast it goes, and how long it takes at that; nothing until that is known."""
    if silent is not None:
        return f"nothing arrived for {silent} s"
    if rate is None:
        return ""
    if left is None:
        return f"{rate / (1 << 20):.1f} MiB/s"
    seconds = round(left / rate)
    return f"{rate / (1 << 20):.1f} MiB/s, {seconds // 60}:{seconds % 60:02} left"
