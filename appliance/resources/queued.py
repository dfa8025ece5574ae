"""Calls that wait for earlier ones on the same VM or volume, in the order in which they came, as in ZStack's queues.

What a call may do is judged when its turn comes. It waits in the store: it was accepted, and outlives a restart.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from appliance.api.errors import ApiError
from appliance.api.job import LongJob
from appliance.api.message import MESSAGES, Message
from appliance.api.parse import parse, unparse
from appliance.api.resource import RESOURCES, Resource
from appliance.api.vm_states import ALLOWED
from appliance.reconcile import jobs
from appliance.resources.access import check_access, check_references
from appliance.resources.carrying_out import carry_out
from appliance.resources.registry import Caller, Promise
from appliance.store.change_feed import Batch, Overflow
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

IN_TURN = frozenset(ALLOWED) - {"DestroyVmInstance"}
"""Messages that an earlier call may keep waiting; to destroy a VM takes the place of what is under way."""


def waited_for(error: ApiError) -> tuple[str, str] | None:
    """Kind and uuid of what a call is refused for only because an earlier one is at it."""
    each: ApiError | None = error
    while each is not None and each.passing is None:
        each = each.cause
    return each.passing if each is not None else None


def named_by_others(snapshot: Snapshot, message: Message) -> tuple[str, str] | None:
    """Kind and uuid of what a call names that others wait for already: it waits behind them."""
    if message.sync or type(message).__name__ not in IN_TURN:
        return None
    for parameter in message.parameters.values():
        uuid = getattr(message, parameter.name)
        if parameter.ref is None or not isinstance(uuid, str):
            continue
        if snapshot.count(LongJob, target_resource_uuid=uuid, state="Queued"):
            return parameter.ref.name_, uuid
    return None


def enqueue(tx: Transaction, message: Message, caller: Caller, kind: str, uuid: str) -> LongJob:
    """The job of a call that waits until what it is about is free."""
    about = tx.find(RESOURCES[kind], uuid)
    name = str(getattr(about, "name", uuid))
    return tx.insert(
        LongJob(
            uuid=caller.call_id or tx.new_uuid(),
            name=type(message).__name__,
            state="Queued",
            target_resource_uuid=uuid,
            target_resource_type=kind,
            target_resource_name=name,
            job_data=json.dumps(unparse(message, secrets=False)),
            account_uuid=caller.account_uuid,
            waits_for=f"an earlier call on {name}",
            limit=jobs.limit_of(tx, message),
            asked_by=json.dumps(asdict(replace(caller, session_digest=None, call_id=None))),
        )
    )


class QueuedCalls:
    """Gives each its turn."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waited_for: set[str] = set()
        """VMs and volumes that calls wait for."""

    async def run(self) -> None:
        """Until cancelled."""
        subscription = self._database.feed.subscribe()
        try:
            await self._look_at_all()
            async for batch in subscription:
                if isinstance(batch, Overflow):
                    await self._look_at_all()
                    continue
                for uuid in self._concerned(batch):
                    await self._give_turns(uuid)
        finally:
            subscription.close()

    def _concerned(self, batch: Batch) -> set[str]:
        """What calls wait for of which something changed: itself, or a job on it."""
        found = set()
        for change in batch:
            found.add(str(change.key))
            if isinstance(change.after, LongJob):
                found.add(str(change.after.target_resource_uuid))
                if change.after.state == "Queued":
                    self._waited_for.add(str(change.after.target_resource_uuid))
        return found & self._waited_for

    async def _look_at_all(self) -> None:
        queued = await self._database.read(lambda snapshot: snapshot.all(LongJob, state="Queued"))
        self._waited_for = {str(job.target_resource_uuid) for job in queued}
        for uuid in list(self._waited_for):
            await self._give_turns(uuid)

    async def _give_turns(self, uuid: str) -> None:
        """Begin what waits for something, one call after the other, until that is not free any more."""
        while True:
            job, busy = await self._database.read(lambda snapshot: _next(snapshot, uuid))
            if job is None:
                self._waited_for.discard(uuid)
            if job is None or busy:
                return
            try:
                await self._database.write(lambda tx, job=job: _begin(tx, job.uuid))  # type: ignore[misc]
            except ApiError as error:
                if waited_for(error) is not None:
                    return
                await self._database.write(lambda tx, job=job, error=error: _refuse(tx, job.uuid, error))  # type: ignore[misc]


def _next(snapshot: Snapshot, uuid: str) -> tuple[LongJob | None, bool]:
    """The first call that waits for something, and whether another is at that still."""
    job = snapshot.first(LongJob, target_resource_uuid=uuid, state="Queued", order_by="create_date")
    return job, bool(jobs.running(snapshot, uuid))


def _begin(tx: Transaction, job_uuid: str) -> None:
    """Carry out a call whose turn it is, as if it came now."""
    job = tx.get(LongJob, job_uuid)
    if job.state != "Queued" or job.asked_by is None:
        return
    asked = json.loads(job.asked_by)
    caller = Caller(**{**asked, "scope": tuple(asked["scope"]), "call_id": job.uuid})
    message = parse(MESSAGES[job.name], json.loads(job.job_data))
    check_references(tx, message)
    check_access(tx, message, caller)
    outcome = carry_out(tx, message, caller)
    if isinstance(outcome, Promise):
        return
    if isinstance(outcome, Resource):
        about = {"target_resource_uuid": str(outcome.key_value), "target_resource_type": outcome.name_}
        job = tx.update(tx.get(LongJob, job_uuid), asked_by=None, **about)
    jobs.succeed(tx, job, outcome if isinstance(outcome, dict) else {})


def _refuse(tx: Transaction, job_uuid: str, error: ApiError) -> None:
    job = tx.get(LongJob, job_uuid)
    if job.state == "Queued":
        jobs.fail(tx, job, error)
