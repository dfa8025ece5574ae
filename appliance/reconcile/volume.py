"""The worker of one data volume that no VM has: made from its image, grown, or removed for good."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

from agent.protocol import AnyRequest, FlattenVolume, ObserveVm, OverlayMade, VmSeen
from appliance.api.errors import ApiError, HostUnreachable, TimedOut, ended_by
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.volume import Volume
from appliance.hosts.fleet import Target
from appliance.hosts.link import Refused
from appliance.plans.step import Ask, CopyImage, Step
from appliance.plans.volume import VolumeIntent, plan
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker, Tries
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.image_copy import ImageCopies
from appliance.reconcile.loop import AGAIN, DONE, Next
from appliance.reconcile.reading import flatten, forget_reading
from appliance.reconcile.snapshot_rows import JOBS as CHAIN_JOBS
from appliance.reconcile.snapshot_rows import note_taken, settle_chain, turn_back_files
from appliance.reconcile.vm_volume import chain_result
from appliance.reconcile.volume_rows import forget_volume, unfinished, volume_intent
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

UNREACHABLE_SECONDS = 30.0
"""A host that comes back wakes its volumes' workers: this is only for a lost wake-up."""


@dataclass(frozen=True)
class _Work:
    volume: Volume
    target: Target
    intent: VolumeIntent
    jobs: tuple[LongJob, ...]


class VolumeWorker:
    """Brings one volume to what is intended for it; while a VM has it, that VM's worker does."""

    def __init__(self, context: Context, copies: ImageCopies, uuid: str) -> None:
        self._context = context
        self._copies = copies
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._tries = Tries()
        self._asked: AnyRequest | None = None

    async def advance(self) -> Next:
        """One pass: read what is intended, see what is, take the steps between them."""
        work = await self._context.database.read(self._load)
        if work is None:
            return DONE
        if isinstance(work, Volume):
            volume = work
            await self._context.database.write(lambda tx: forget_volume(tx, volume))
            return DONE
        return await self._tries.attempt(
            self._pass(work), failed=partial(self._failed, work), away=partial(self._wait, work)
        )

    async def _wait(self, work: _Work, reason: HostUnreachable) -> Next:
        """Jobs wait for a host that is away until their deadline; one that removes a volume, as long as that takes."""

        def write(tx: Transaction) -> bool:
            for job in jobs.running(tx, self._uuid):
                if job.deadline is not None and tx.now > job.deadline and work.volume.intended == "Present":
                    return True
                jobs.progress(tx, job, job.step or "wait", job.progress, reason.details)
            return False

        late = await self._context.database.write(write)
        if late:
            return await self._failed(work, TimedOut(f"given up after waiting: {reason.details}"))
        pause = self._tries.pause()
        return pause if self._context.fleet.connected(work.target) else Next(seconds=UNREACHABLE_SECONDS)

    async def _pass(self, work: _Work) -> Next:
        self._asked = None
        volume = work.intent.volume
        request = ObserveVm(
            vm_uuid=self._uuid,  # no VM's: what was begun for this volume must be seen done
            volume_paths=list(work.intent.files),
            cache_paths=[volume.backing] if volume.backing else [],
        )
        seen = await self._context.fleet.link(work.target).ask(request, VmSeen)
        steps = plan(work.intent, seen)
        step = steps[0] if steps else None
        following = step.request if isinstance(step, Ask) else None
        if await self._asker.settle_unanswered(work.target, following):
            return AGAIN
        if step is None:
            held = await self._context.database.write(lambda tx: settle(tx, work.volume))
            return DONE if held else AGAIN
        await self._say(work, step)
        await self._take(work, step)
        self._tries.reset()
        return AGAIN

    async def _take(self, work: _Work, step: Step) -> None:
        match step:
            case CopyImage():
                await self._copies.bring(step.image_uuid, work.target, step.cache_path, work.jobs)
            case Ask(request=FlattenVolume() as request):
                await self._copy_snapshot(work, request)
            case Ask():
                self._asked = step.request
                reply = await self._asker.ask(
                    work.target,
                    step.request,
                    resource=work.volume.uuid,
                    generation=work.volume.generation,
                    timeout_seconds=step.seconds,
                )
                self._asked = None
                if isinstance(reply, OverlayMade):
                    made = reply
                    await self._context.database.write(lambda tx: note_taken(tx, self._uuid, made))

    async def _copy_snapshot(self, work: _Work, request: FlattenVolume) -> None:
        volume = work.volume
        await flatten(
            self._context,
            self._asker,
            work.target,
            request,
            resource=volume.uuid,
            generation=volume.generation,
            jobs=work.jobs,
            title="copy snapshot",
            wanted=lambda snapshot: _is_planned(snapshot, volume),
        )

    async def _failed(self, work: _Work, error: ApiError) -> Next:
        refused = self._asked if isinstance(error, Refused) else None
        self._asked = None
        turned = await self._context.database.write(lambda tx: give_up(tx, work.volume, error, refused))
        return AGAIN if turned else self._tries.after(f"volume {self._uuid}", error)

    async def _say(self, work: _Work, step: Step) -> None:
        if not work.jobs:
            return

        def write(tx: Transaction) -> None:
            for job in jobs.running(tx, self._uuid):
                jobs.progress(tx, job, step.title, job.progress)

        await self._context.database.write(write)

    def _load(self, snapshot: Snapshot) -> _Work | Volume | None:
        """What is left to do; the volume itself where only rows are left of one that is to go."""
        volume = snapshot.find(Volume, self._uuid)
        if volume is None or not unfinished(volume):
            return None
        host = snapshot.find(Host, volume.host_uuid) if volume.host_uuid else None
        intent = volume_intent(snapshot, volume)
        if host is None or intent is None:
            return volume if volume.intended == "Absent" else None
        return _Work(volume, target_of(host), intent, tuple(jobs.running(snapshot, volume.uuid)))


def _is_planned(snapshot: Snapshot, planned: Volume) -> bool:
    volume = snapshot.find(Volume, planned.uuid)
    return volume is not None and volume.generation == planned.generation


def settle(tx: Transaction, planned: Volume) -> bool:
    """Write that a volume is as intended; False when something else is intended meanwhile."""
    volume = tx.find(Volume, planned.uuid)
    if volume is None:
        return True
    if volume.generation != planned.generation:
        return False
    if volume.intended == "Absent":
        forget_volume(tx, volume)
        return True
    status = "Ready" if volume.status == "Creating" else volume.status
    settle_chain(tx, volume)
    forget_reading(tx, volume.uuid)
    volume = tx.update(volume, status=status, whole_size=volume.size)
    for job in jobs.running(tx, volume.uuid):
        about_chain = job.name in CHAIN_JOBS
        result = chain_result(tx, job) if about_chain else {"inventory": tx.inventory(volume)}
        jobs.succeed(tx, job, result)
    return True


def give_up(tx: Transaction, planned: Volume, error: ApiError, refused: AnyRequest | None = None) -> bool:
    """A step failed for good: a new volume goes, another is as large as it was. False when it is tried again."""
    volume = tx.find(Volume, planned.uuid)
    if volume is None or volume.generation != planned.generation:
        return True
    found = jobs.running(tx, volume.uuid)
    if volume.intended == "Absent":
        for job in found:
            jobs.progress(tx, job, job.step or "delete volume", job.progress, error.details)
        return False
    if volume.whole_size is None:
        jobs.doom_all(tx, volume.uuid, error)
        tx.update(volume, intended="Absent", generation=volume.generation + 1)
        return True
    for job in found:
        jobs.fail(tx, job, ended_by(error))
    turn_back_files(tx, refused)
    tx.update(volume, generation=volume.generation + 1)
    return True
