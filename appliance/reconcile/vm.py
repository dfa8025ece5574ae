"""The worker of one VM: look, plan, take the steps, until what is intended holds."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from agent.protocol import (
    AnyRequest,
    DomainSeen,
    DropNic,
    EnsureNic,
    EnsureOverlay,
    ObserveVm,
    OverlayMade,
    VmSeen,
    digest,
)
from appliance.api.errors import (
    ApiError,
    HostUnreachable,
    OperationFailed,
)
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.vm import VmInstance
from appliance.hosts.fleet import Target
from appliance.hosts.link import Refused
from appliance.plans.step import Ask, CopyImage, Step, Wait
from appliance.plans.vm import VmIntent, begins, lost_volume, outdated, plan
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.image_copy import ImageCopies
from appliance.reconcile.loop import AGAIN, DONE, Backoff, Next
from appliance.reconcile.snapshot_rows import note_taken
from appliance.reconcile.vm_rows import vm_intent, vm_rows
from appliance.reconcile.vm_settle import give_up, settle, wait_or_give_up
from appliance.reconcile.vm_state import placed_on, record_sight
from appliance.store.errors import StoreCannotWrite
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

UNREACHABLE_SECONDS = 30.0
"""A host that comes back wakes its VMs' workers: this is only for a lost wake-up."""


@dataclass(frozen=True)
class _Work:
    vm: VmInstance
    host: Host
    target: Target
    intent: VmIntent
    jobs: tuple[LongJob, ...]


class VmWorker:
    """Brings one VM to what is intended for it."""

    def __init__(self, context: Context, copies: ImageCopies, uuid: str) -> None:
        self._context = context
        self._copies = copies
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._backoff = Backoff()
        self._carried_out: list[AnyRequest] = []
        """What was answered since the last look."""
        self._made: dict[str, OverlayMade] = {}
        """What was said of snapshots that were taken, by their volumes, until it is written."""
        self._longest = 1
        self._begun = -1
        """The generation whose new files were asked for before any look."""
        self._asked: AnyRequest | None = None

    async def advance(self) -> Next:
        """One pass: read what is intended, see what is, take the steps between them."""
        database = self._context.database
        work = await database.read(self._load)
        if work is None:
            return DONE
        if isinstance(work, VmInstance):
            return await self._unplaced(work)
        try:
            return await self._pass(work)
        except HostUnreachable as unreachable:
            return await self._unreachable(work, unreachable)
        except Refused as refused:
            return await self._refused(work, refused)
        except StoreCannotWrite:
            raise
        except ApiError as failed:
            return await self._failed(work, failed)

    async def _pass(self, work: _Work) -> Next:
        self._asked = None
        known = self._known(work)
        if known is not None:
            if not await self._asker.settle_unanswered(work.target, known.request):
                await self._take_told(work, known, 1)
            return AGAIN
        seen = await self._look(work)
        if work.vm.power not in ("unseen", _power(seen.domain)):
            # What happened by itself changes what is intended: it must be written before it is planned on.
            taken = await self._context.database.write(lambda tx: self._sight(tx, seen.domain))
            return AGAIN if taken else self._backoff.next()
        lost = lost_volume(work.intent, seen)
        if lost is not None:
            raise OperationFailed(
                f"{lost} of VM {work.vm.name} is not on host {work.host.name}[{work.host.management_ip}]; "
                f"mount the storage that holds it, then start the VM"
            )
        steps = plan(work.intent, seen, self._context.database.now())
        step = steps[0] if steps else None
        following = step.request if isinstance(step, Ask) else None
        if await self._asker.settle_unanswered(work.target, following):
            return AGAIN
        if step is None:
            return await self._settle(work, seen.domain)
        if isinstance(step, Ask) and step.request in self._carried_out:
            return await self._held_up(work, steps)
        self._carried_out = []
        return await self._take_all(work, steps, _power(seen.domain))

    async def _take_all(self, work: _Work, steps: list[Step], power: str) -> Next:
        """Take steps as planned for as long as they can be: until something else is intended or happens."""
        following = AGAIN
        for place, step in enumerate(steps):
            if place and not await self._stands(work, power):
                return AGAIN
            following = await self._take_told(work, step, len(steps) - place)
            if isinstance(step, CopyImage):
                return following
        return following

    async def _stands(self, work: _Work, power: str) -> bool:
        """Whether what was planned on is still so."""
        now = await self._context.database.read(self._load)
        if not isinstance(now, _Work) or now.vm.power not in ("unseen", power):
            return False
        return (now.intent, now.vm.generation, now.target) == (work.intent, work.vm.generation, work.target)

    async def _take_told(self, work: _Work, step: Step, left: int) -> Next:
        """Take a step, and say so to whoever waits: written while the host is at it."""
        saying = asyncio.create_task(self._say(work, step, left))
        try:
            following = await self._take(work, step)
        finally:
            # What became of the step is what is raised, and above all that this is to end.
            await asyncio.wait({saying})
            unsaid = None if saying.cancelled() else saying.exception()
        if unsaid is not None:
            raise unsaid
        return following

    async def _take(self, work: _Work, step: Step) -> Next:
        match step:
            case Wait():
                now = self._context.database.now()
                self._carried_out = []
                return Next(seconds=max(0.05, step.until - now))
            case CopyImage():
                await self._copies.bring(step.image_uuid, work.target, step.cache_path, work.jobs)
            case Ask():
                await self._ask(work, step)
        self._backoff.reset()
        return AGAIN

    async def _ask(self, work: _Work, step: Ask) -> None:
        self._asked = step.request
        reply = await self._asker.ask(
            work.target,
            step.request,
            resource=work.vm.uuid,
            generation=work.vm.generation,
            timeout_seconds=step.seconds,
        )
        self._asked = None
        self._carried_out.append(step.request)
        match step.request:
            case EnsureNic(nic_uuid=nic):
                self._context.served[work.target.key, nic] = digest(step.request)
            case DropNic(nic_uuid=nic):
                self._context.served.pop((work.target.key, nic), None)
        if isinstance(reply, OverlayMade) and isinstance(step.request, EnsureOverlay):
            self._made[step.request.volume_uuid] = reply
        if isinstance(reply, DomainSeen):
            await self._context.database.write(lambda tx: self._sight(tx, reply))

    def _known(self, work: _Work) -> Ask | None:
        """What a running VM is known to need. Each hint is used once: after a failure we look."""
        if work.vm.state != "Running" or work.vm.intended != "Running":
            return None
        served = outdated(work.intent, lambda nic: self._context.served.pop((work.target.key, nic), None))
        if served is not None or self._begun == work.vm.generation:
            return served
        self._begun = work.vm.generation
        return next(begins(work.intent), None)

    async def _held_up(self, work: _Work, steps: list[Step]) -> Next:
        """The step was answered, yet what it should bring is not there yet."""
        for step in steps[1:]:
            if isinstance(step, Wait):
                await self._say(work, step, len(steps))
                return await self._take(work, step)
        self._carried_out = []
        return self._backoff.next()

    async def _look(self, work: _Work) -> VmSeen:
        intent = work.intent
        held = [*([intent.root] if intent.root else []), *intent.data]
        volumes = [each.volume for each in held]
        seen = await self._context.fleet.link(work.target).ask(
            ObserveVm(
                vm_uuid=self._uuid,
                volume_paths=[*(path for each in held for path in each.files), *intent.dropped],
                cache_paths=[
                    *(volume.backing for volume in volumes if volume.backing),
                    *([intent.medium.path] if intent.medium else []),
                ],
            ),
            VmSeen,
        )
        for nic in intent.nics:
            if nic.nic_uuid in seen.nics:
                self._context.served[work.target.key, nic.nic_uuid] = seen.nics[nic.nic_uuid]
        return seen

    def _load(self, snapshot: Snapshot) -> _Work | VmInstance | None:
        vm = snapshot.find(VmInstance, self._uuid)
        if vm is None or vm.moving:
            return None
        host_uuid = placed_on(snapshot, vm)
        host = snapshot.find(Host, host_uuid) if host_uuid else None
        if host is None:
            return vm
        intent = vm_intent(vm_rows(snapshot, vm, host))
        return _Work(vm, host, target_of(host), intent, tuple(jobs.running(snapshot, vm.uuid)))

    def _sight(self, tx: Transaction, seen: DomainSeen) -> bool:
        """Take a sight; whether it is what the row says now."""
        vm = tx.find(VmInstance, self._uuid)
        return vm is not None and record_sight(tx, vm, seen).power == _power(seen)

    async def _settle(self, work: _Work, seen: DomainSeen) -> Next:
        """What is intended holds: say so, and end the jobs that wanted it."""
        self._carried_out = []
        self._longest = 1
        made, self._made = self._made, {}

        def write(tx: Transaction) -> bool:
            for volume_uuid, answer in made.items():
                note_taken(tx, volume_uuid, answer)
            return settle(tx, work.vm, seen)

        return DONE if await self._context.database.write(write) else AGAIN

    async def _unplaced(self, vm: VmInstance) -> Next:
        """A VM whose host is gone from the store, or that never had one: only rows are left of it."""
        if vm.intended in {"Destroyed", "Absent"}:
            seen = DomainSeen(vm_uuid=vm.uuid, at=vm.seen_at + 1)
            await self._context.database.write(lambda tx: settle(tx, vm, seen))
        return DONE

    async def _unreachable(self, work: _Work, reason: ApiError) -> Next:
        """The host cannot be asked: jobs wait for it, and give up at their deadline."""
        await self._context.database.write(lambda tx: wait_or_give_up(tx, work.vm, reason))
        pause = self._backoff.next()
        connected = self._context.fleet.connected(work.target)
        return pause if connected else Next(seconds=UNREACHABLE_SECONDS)

    async def _refused(self, work: _Work, refused: Refused) -> Next:
        self._carried_out = []
        if refused.refusal.code in {"generation.stale", "epoch.stale"}:
            return self._backoff.next()
        if refused.refusal.transient:
            await self._context.database.write(lambda tx: wait_or_give_up(tx, work.vm, refused))
            return self._backoff.next()
        return await self._failed(work, refused)

    async def _failed(self, work: _Work, error: ApiError) -> Next:
        self._carried_out = []
        self._made = {}
        refused = self._asked if isinstance(error, Refused) else None
        self._asked = None
        news = self._backoff.is_news(error)
        turned = await self._context.database.write(
            lambda tx: give_up(tx, work.vm, error, refused, tell=news)
        )
        return AGAIN if turned else self._backoff.after(f"vm {self._uuid}", error)

    async def _say(self, work: _Work, step: Step, left: int) -> None:
        if not work.jobs:
            return
        self._longest = max(self._longest, left)
        percent = 100 * (self._longest - left) // (self._longest + 1)

        def write(tx: Transaction) -> None:
            for job in jobs.running(tx, self._uuid):
                jobs.progress(tx, job, step.title, percent)

        await self._context.database.write(write)


def _power(seen: DomainSeen) -> str:
    """A domain's power as a VM's row keeps it."""
    return "off" if seen.power == "off" else "on"
