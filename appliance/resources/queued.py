"""Calls that wait for earlier ones on the same VM or volume, in the order in which they came, as in ZStack's queues.

What a call may do is judged when its turn comes. It waits in the store: it was accepted, and outlives a restart.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, replace

from appliance.api.errors import ApiError, OperationFailed, TimedOut
from appliance.api.job import LongJob
from appliance.api.message import MESSAGES, Message
from appliance.api.parse import parse, unparse
from appliance.api.resource import RESOURCES, Resource
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.vm_states import ALLOWED
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup
from appliance.reconcile import jobs
from appliance.resources.access import check_access, check_references
from appliance.resources.carrying_out import carry_out
from appliance.resources.registry import Caller, Promise
from appliance.resources.under_way import is_at_work, is_held_up
from appliance.store.change_feed import Batch, Overflow
from appliance.store.database import Database
from appliance.store.errors import StoreCannotWrite, StoreError
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

IN_TURN = (frozenset(ALLOWED) - {"DestroyVmInstance"}) | {
    "BackupDataVolume", "BackupVolumeSnapshot", "CreateDataVolumeFromVolumeSnapshot",
    "CreateRootVolumeTemplateFromVolumeSnapshot", "CreateVmBackup", "CreateVolumeBackup", "ExpungeDataVolume",
    "LocalStorageMigrateVolume", "RecoverDataVolume", "RevertVolumeFromVolumeBackup",
}  # fmt: skip
"""Messages that wait behind others that wait. To destroy a VM waits for none: it takes the place of what is under way,
and only a move, or what is made of its disk, is not torn by it."""

NAMED = (Volume, VolumeSnapshot, VolumeBackup)
"""What calls are about besides VMs: one waits behind the last that names the same."""

NAMES = ("target_resource_uuid", "volume_uuid", "vm_instance_uuid", "backup_uuid")
"""Columns by which rows say what they are about: with a change of one, that may be free."""

LOOK_SECONDS = 60.0
"""How often all that waits is looked at, whatever was heard: also what waits for somebody who is away for long."""


def waited_for(error: ApiError) -> tuple[str, str] | None:
    """Kind and uuid of what a call is refused for only because an earlier one is at it."""
    each: ApiError | None = error
    while each is not None and each.passing is None:
        each = each.cause
    return each.passing if each is not None else None


def named_by_others(snapshot: Snapshot, message: Message) -> tuple[str, str] | None:
    """Kind and uuid of what a call is to wait for, since others that are about the same do already.

    What does not go on by itself is waited for by nobody else: a call is judged now, and told so.
    """
    if message.sync or type(message).__name__ not in IN_TURN:
        return None
    for parameter in message.parameters.values():
        uuid = getattr(message, parameter.name)
        if not isinstance(uuid, str):
            continue
        if parameter.ref in NAMED or (parameter.ref is None and parameter.name == "uuid"):
            found = snapshot.rows(f"{_QUEUED} AND (target_resource_uuid = ?1 OR {_NAMES_IT})", (uuid,))
        elif parameter.ref is not None:
            found = snapshot.rows(f"{_QUEUED} AND target_resource_uuid = ?1", (uuid,))
        else:
            continue
        if found:
            _, kind, ahead = max(found)
            return None if is_held_up(snapshot, ahead) else (kind, ahead)
    return None


_QUEUED = "SELECT rowid, target_resource_type, target_resource_uuid FROM long_job WHERE state = 'Queued'"
_NAMES_IT = "target_resource_type IN ('VmInstance', 'Volume') AND instr(job_data, ?1)"


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
        self._against: dict[str, str] = {}
        """What calls wait for, and what speaks against the first of them: mostly itself."""

    async def run(self) -> None:
        """Until cancelled."""
        subscription = self._database.feed.subscribe()
        try:
            await self._look_at_all()
            # After a while for which there was nothing, all is looked at.
            while (news := await subscription.within(self._patience(), Overflow())) is not None:
                if isinstance(news, Overflow):
                    await self._look_at_all()
                    continue
                for uuid in self._concerned(news):
                    await self._give_turns(uuid)
        finally:
            subscription.close()

    def _patience(self) -> float | None:
        return LOOK_SECONDS if self._against else None

    def _concerned(self, batch: Batch) -> list[str]:
        """What calls wait for of which something changed: what speaks against them, or a row that is about it."""
        about: set[str | None] = set()
        for change in batch:
            job = change.after
            if isinstance(job, LongJob) and job.state == "Queued":
                self._against.setdefault(str(job.target_resource_uuid), str(job.target_resource_uuid))
            about.add(str(change.key))
            about |= {getattr(row, name, None) for row in (change.before, change.after) for name in NAMES}
        return [uuid for uuid, against in self._against.items() if uuid in about or against in about]

    async def _look_at_all(self) -> None:
        queued = await self._database.read(lambda snapshot: snapshot.all(LongJob, state="Queued"))
        self._against = {str(job.target_resource_uuid): str(job.target_resource_uuid) for job in queued}
        for uuid in list(self._against):
            await self._give_turns(uuid)

    async def _give_turns(self, uuid: str) -> None:
        """Begin what waits for something, one call after the other, until that is not free any more."""
        try:
            while (job := await self._database.read(lambda snapshot: _first(snapshot, uuid))) is not None:
                error = await self._refusal(job)
                against = waited_for(error) if error is not None else None
                if error is not None and against is not None:
                    self._against[uuid] = against[1]
                    if not await self._is_lost(job, against[1]):
                        return
                    error = TimedOut(f"given up after waiting: {error.details}")
                if error is not None:
                    await self._database.write(lambda tx, job=job, error=error: _refuse(tx, job.uuid, error))  # type: ignore[misc]
        except (StoreCannotWrite, StoreError) as full:
            log.warning("calls wait on: %s", full.details)
            return
        self._against.pop(uuid, None)

    async def _refusal(self, job: LongJob) -> ApiError | None:
        """What speaks against a call whose turn it is; None once it is begun, and so no longer Queued."""
        try:
            await self._database.write(lambda tx: _begin(tx, job.uuid))
        except (StoreCannotWrite, StoreError):  # nothing that speaks against the call
            raise
        except ApiError as error:
            return error
        return None

    async def _is_lost(self, job: LongJob, against: str) -> bool:
        """Whether a call has waited for long, and nothing goes on with what it waits for."""
        if self._database.now() - job.create_date < jobs.DEADLINE_SECONDS:
            return False

        def look(snapshot: Snapshot) -> bool:
            return is_held_up(snapshot, against) or not is_at_work(snapshot, against)

        return await self._database.read(look)


def _first(snapshot: Snapshot, uuid: str) -> LongJob | None:
    """The call whose turn is next of those that wait for something: who destroys a VM goes before all others."""
    waiting = {"target_resource_uuid": uuid, "state": "Queued"}
    ending = snapshot.first(LongJob, **waiting, name="DestroyVmInstance", order_by="rowid")
    return ending or snapshot.first(LongJob, **waiting, order_by="rowid")


def _begin(tx: Transaction, job_uuid: str) -> None:
    """Carry out a call whose turn it is, as if it came now; its refusal says by `passing` that it has to wait on."""
    job = tx.get(LongJob, job_uuid)
    if job.state != "Queued" or job.asked_by is None:
        return
    kind, uuid = str(job.target_resource_type), str(job.target_resource_uuid)
    if job.name != "DestroyVmInstance" and jobs.running(tx, uuid):
        raise OperationFailed(str(job.waits_for)).passes(kind, uuid)
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
