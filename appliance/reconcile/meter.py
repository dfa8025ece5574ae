"""Bytes moved, written into jobs a few times a second and no oftener."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from appliance.api.job import LongJob
from appliance.plans.pace import Pace
from appliance.reconcile import jobs
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

WRITE_SECONDS = 0.5


class Meter:
    """The latest `done` of `total`; call it with both.

    `grows` says what to wait for while what is to be moved grows as fast as it is.
    """

    def __init__(
        self,
        database: Database,
        found: Sequence[LongJob],
        title: str,
        grows: Callable[[Snapshot], str] | None = None,
    ) -> None:
        self._database = database
        self._jobs = [job.uuid for job in found]
        self._title = title
        self._grows = grows
        self._latest = (0, 0)
        self._written = (0, 0)
        self._pace = Pace()

    def __call__(self, done: int, total: int) -> None:
        """Take a new reading."""
        self._latest = (done, total)
        now = self._database.now()
        self._pace.take(now, done)
        self._pace.to_go(now, done, total - done)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Meter]:
        """Write readings while the body runs."""
        writer = asyncio.create_task(self._write(), name=f"meter {self._title}")
        try:
            yield self
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            if self._latest != self._written and self._jobs:
                self._written = self._latest
                await self._database.write(self._put)

    def _put(self, tx: Transaction) -> None:
        done, total = self._written
        percent = 100 * done // total if total else 0
        rate = self._pace.rate(self._database.now())
        waits_for = None if self._grows is None or self._pace.gains() else self._grows(tx)
        pace = _said(rate, None if waits_for else total - done)
        title = f"{self._title} ({done >> 20} of {total >> 20} MiB{pace})"
        for uuid in self._jobs:
            job = tx.find(LongJob, uuid)
            if job is not None and job.state == "Running":
                whole = round(rate) if rate is not None else None
                job = tx.update(job, done_bytes=done, total_bytes=total)
                jobs.progress(tx, job, title, percent, waits_for, whole)


def _said(rate: float | None, left: int | None) -> str:
    """How fast it goes, and how long it takes at that; nothing until that is known."""
    if rate is None:
        return ""
    if left is None:
        return f", {rate / (1 << 20):.1f} MiB/s"
    seconds = round(left / rate)
    return f", {rate / (1 << 20):.1f} MiB/s, {seconds // 60}:{seconds % 60:02} left"
