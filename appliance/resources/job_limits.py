"""Gives jobs up at the time that their callers set with `timeout`."""

from __future__ import annotations

import contextlib
import heapq
from functools import partial

from appliance.api.errors import OperationFailed, TimedOut
from appliance.api.job import TERMINAL, UNDER_WAY, LongJob
from appliance.reconcile import jobs
from appliance.reconcile.patience import until_kept
from appliance.resources.job import give_up_job
from appliance.store.change_feed import Batch, Overflow
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

UNDONE = "it is given up, and what it did is undone"
NOT_BEGUN = "it had not begun, and is not carried out"
LEFT = {
    "StopVmInstance": "it is given up; a guest that has been asked to power off may do so all the same",
    "RebootVmInstance": "it is given up; a guest that has been asked to restart may do so all the same",
    "ChangeHostState": "it is given up, and the host is enabled; VMs that have stopped stay stopped",
}
"""What becomes of a job that is ended, where it is not undone."""


class JobLimits:
    """Knows which job's time is over next."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ahead: list[tuple[float, str]] = []
        """A heap of when, and which job. One that has ended meanwhile is left in it."""

    async def run(self) -> None:
        """Until cancelled."""
        subscription = self._database.feed.subscribe()
        try:
            await self._look_at_all()
            while (news := await subscription.within(self._left(), Batch())) is not None:
                if isinstance(news, Overflow):
                    await self._look_at_all()
                else:
                    self._take_in(news)
                await self._give_up_late()
        finally:
            subscription.close()

    def _left(self) -> float | None:
        """Seconds until the next job's time is over."""
        return max(0.0, self._ahead[0][0] - self._database.now()) if self._ahead else None

    def _take_in(self, batch: Batch) -> None:
        for change in batch:
            job = change.after
            if isinstance(job, LongJob) and job.limit is not None and change.before is None:
                heapq.heappush(self._ahead, (float(job.limit), job.uuid))

    async def _look_at_all(self) -> None:
        self._ahead = await self._database.read(_limited)
        heapq.heapify(self._ahead)

    async def _give_up_late(self) -> None:
        while self._ahead and self._ahead[0][0] <= self._database.now():
            _, uuid = heapq.heappop(self._ahead)
            give_up = partial(give_up_late, job_uuid=uuid)
            await until_kept("timeouts of jobs", partial(self._database.write, give_up))


def give_up_late(tx: Transaction, job_uuid: str) -> None:
    """End a job now: its caller waits no longer. What it did is undone after that, as far as it can be.

    What cannot be cancelled any more is seen to its end, and so is its job.
    """
    job = tx.find(LongJob, job_uuid)
    if job is None or job.state in TERMINAL or job.limit is None:
        return
    error = TimedOut(
        f"{job.name} was not done within its timeout of {1000 * (job.limit - job.create_date):.0f} ms; "
        f"{NOT_BEGUN if job.state == 'Queued' else LEFT.get(job.name, UNDONE)}"
    )
    with contextlib.suppress(OperationFailed):
        give_up_job(tx, job, error)
        job = tx.get(LongJob, job_uuid)
        if job.state not in TERMINAL:
            jobs.fail(tx, job, error)


def _limited(snapshot: Snapshot) -> list[tuple[float, str]]:
    under_way = snapshot.all(LongJob, state=sorted(UNDER_WAY))
    return [(float(job.limit), job.uuid) for job in under_way if job.limit is not None]
