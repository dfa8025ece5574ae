"""An API call's promise: begun with its intent, ended with what came of it, remembered either way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from appliance.api.errors import ApiError, Cancelled, ResourceNotFound, ended_by
from appliance.api.job import TERMINAL, LongJob
from appliance.api.message import Message
from appliance.api.parse import unparse
from appliance.api.resource import Resource, Timestamp
from appliance.plans.whole import Whole
from appliance.store.audit import append_end
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

DEADLINE_SECONDS = 1800.0
"""So long a job waits for a machine that is away. ZStack's clients wait so long by default."""


def begin(
    tx: Transaction,
    request: Message,
    target: Resource,
    *,
    job_uuid: str | None,
    account_uuid: str,
    seconds: float = DEADLINE_SECONDS,
) -> LongJob:
    """Begin the job of a call, in the transaction that writes its intent; one that was queued has its row already."""
    about: dict[str, Any] = {
        "target_resource_uuid": str(target.key_value),
        "target_resource_type": target.name_,
        "target_resource_name": str(getattr(target, "name", "")) or None,
    }
    deadline = Timestamp(tx.now + seconds)
    queued = tx.find(LongJob, job_uuid) if job_uuid is not None else None
    if queued is not None and queued.state == "Queued":
        return tx.update(queued, state="Running", waits_for=None, asked_by=None, deadline=deadline, **about)
    return tx.insert(
        LongJob(
            uuid=job_uuid or tx.new_uuid(),
            name=type(request).__name__,
            job_data=json.dumps(unparse(request, secrets=False)),
            account_uuid=account_uuid,
            deadline=deadline,
            limit=limit_of(tx, request),
            **about,
        )
    )


def limit_of(tx: Transaction, request: Message) -> Timestamp | None:
    """When the caller of a call that is asked now wants it given up."""
    return Timestamp(tx.now + request.timeout / 1000) if request.timeout > 0 else None


def running(snapshot: Snapshot, target_uuid: str) -> list[LongJob]:
    """The jobs on a resource that have not ended, oldest first."""
    return snapshot.all(LongJob, target_resource_uuid=target_uuid, state="Running", order_by="create_date")


def succeed(tx: Transaction, job: LongJob, result: dict[str, Any]) -> None:
    """End a job with its reply, or with the failure it was to be undone for."""
    if job.failure is not None:
        fail(tx, job, ApiError.from_wire(json.loads(job.failure)))
        return
    # The last that was heard of its bytes is older than its end, which is that all have come.
    tx.update(job, state="Succeeded", job_result=json.dumps(result), progress=100, step=None, waits_for=None,
              done_bytes=job.total_bytes, bytes_per_second=None)  # fmt: skip
    append_end(tx, job, None)


def fail(tx: Transaction, job: LongJob, error: ApiError) -> None:
    """End a job with an error."""
    state = "Canceled" if isinstance(error, Cancelled) else "Failed"
    result = json.dumps(error.to_wire())
    tx.update(
        job, state=state, job_result=result, step=None, waits_for=None, bytes_per_second=None, asked_by=None
    )
    append_end(tx, job, error)
    tx.note(
        "JobFailed",
        f"{job.name} {job.target_resource_name or job.target_resource_uuid}: {error.details} [{error.code}]",
        level="info" if state == "Canceled" else "error",
        about=job,
    )


def doom(tx: Transaction, job: LongJob, error: ApiError) -> None:
    """Say how a job will end once its traces are undone."""
    if job.failure is None:
        tx.update(job, failure=json.dumps(error.to_wire()), step="undo", waits_for=None)


def doom_all(tx: Transaction, target_uuid: str, error: ApiError) -> None:
    """Say how every job on a resource will end, by an error that is an end or became the cause of one."""
    failure = ended_by(error)
    for job in running(tx, target_uuid):
        doom(tx, job, failure)


def progress(
    tx: Transaction,
    job: LongJob,
    step: str,
    percent: int,
    waits_for: str | None = None,
    bytes_per_second: int | None = None,
) -> None:
    """Say how far a job is, and how fast it moves bytes in this step; of one that is undone, that what it waits for
    keeps it from that."""
    percent = max(job.progress, min(percent, 99))
    if job.failure is not None and waits_for is not None:
        cancelled = ApiError.from_wire(json.loads(job.failure)).code == Cancelled.code
        to_be = "its host, to be cancelled there: " if cancelled else "its host, to be undone there: "
        step, waits_for = "undo", f"{to_be}{waits_for}"
    tx.update(job, step=step, progress=percent, waits_for=waits_for, bytes_per_second=bytes_per_second)


def expect(tx: Transaction, found: Sequence[LongJob], sizes: Mapping[str, int]) -> None:
    """Say what jobs are still to move, by part, before any of it moves: `Whole.expect`."""
    for job in still_running(tx, found):
        whole = Whole(job.parts)
        whole.expect(sizes)
        if whole.total or job.total_bytes:
            moved(tx, job, whole)


def end_part(tx: Transaction, found: Sequence[LongJob], part: str) -> None:
    """Say of jobs that a part of what they move is there."""
    for job in still_running(tx, found):
        whole = Whole(job.parts)
        whole.end(part)
        if whole.total:
            moved(tx, job, whole)


def moved(tx: Transaction, job: LongJob, whole: Whole) -> LongJob:
    """Say how many bytes of all its parts a job has moved; it has come back where these have."""
    came_back = whole.percent < Whole(job.parts).percent
    percent = min(whole.percent, 99) if came_back else max(job.progress, min(whole.percent, 99))
    return tx.update(job, parts=whole.text, done_bytes=whole.done, total_bytes=whole.total, progress=percent)


def still_running(tx: Transaction, found: Sequence[LongJob]) -> list[LongJob]:
    """Of some jobs, as they are now, those that have not ended."""
    rows = [tx.find(LongJob, job.uuid) for job in found]
    return [job for job in rows if job is not None and job.state == "Running"]


class Jobs:
    """Waiting for jobs to end."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def wait(self, job_uuid: str, timeout_seconds: float | None = None) -> LongJob:
        """The job, once it has ended; raises `TimeoutError`, or `ResourceNotFound` for an unknown uuid."""
        subscription = self._database.feed.watch(job_uuid)
        try:
            async with asyncio.timeout(timeout_seconds):
                job = await self._look(job_uuid)
                if job.state in TERMINAL:
                    return job
                async for _ in subscription:
                    job = await self._look(job_uuid)
                    if job.state in TERMINAL:
                        break
                return job
        finally:
            subscription.close()

    async def _look(self, job_uuid: str) -> LongJob:
        found = await self._database.read(lambda snapshot: snapshot.find(LongJob, job_uuid))
        if found is None:
            raise ResourceNotFound(f"there is no job[uuid:{job_uuid}]")
        return found
