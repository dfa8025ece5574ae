"""The worker of one VM: look, plan, take the steps, until what is intended holds."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from agent.protocol import AnyRequest, DomainSeen, DropNic, EnsureNic, ObserveVm, VmSeen, digest
from appliance.api.errors import (
    ApiError,
    AttachNetworkFailed,
    Cancelled,
    CreateVmFailed,
    HostUnreachable,
    OperationFailed,
    RebootVmFailed,
    StartVmFailed,
    StopVmFailed,
    TimedOut,
)
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.hosts.fleet import Target
from appliance.hosts.link import Refused
from appliance.plans.step import Ask, CopyImage, Step, Wait
from appliance.plans.vm import VmIntent, lost_volume, outdated, plan
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker
from appliance.reconcile.capacity import drop_volume, recount_storage
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.image_copy import ImageCopies
from appliance.reconcile.loop import AGAIN, DONE, Backoff, Next
from appliance.reconcile.vm_nic import free_address, settle_nics, turn_back_nics
from appliance.reconcile.vm_rows import vm_intent, vm_rows
from appliance.reconcile.vm_state import move, placed_on, record_sight
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

UNREACHABLE_SECONDS = 30.0
"""A host that comes back wakes its VMs' workers: this is only for a lost wake-up."""

FAILURES: dict[str, type[ApiError]] = {
    "CreateVmInstance": CreateVmFailed,
    "StartVmInstance": StartVmFailed,
    "StopVmInstance": StopVmFailed,
    "RebootVmInstance": RebootVmFailed,
    "AttachL3NetworkToVm": AttachNetworkFailed,
    "DetachL3NetworkFromVm": OperationFailed,
}


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
        self._longest = 1

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
        except ApiError as failed:
            return await self._failed(work, failed)

    async def _pass(self, work: _Work) -> Next:
        known = self._outdated(work)
        if known is not None:
            if not await self._asker.settle_unanswered(work.target, known.request):
                await self._ask(work, known)
            return AGAIN
        seen = await self._look(work)
        if work.vm.power not in ("unseen", _power(seen.domain)):
            # What happened by itself changes what is intended: it must be written before it is planned on.
            taken = await self._context.database.write(lambda tx: self._sight(tx, seen.domain))
            return AGAIN if taken else self._backoff.next()
        lost = lost_volume(work.intent, seen)
        if lost is not None:
            raise OperationFailed(
                f"root volume {lost} of VM {work.vm.name} is not on host {work.host.name}[{work.host.management_ip}]; "
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
            await self._say(work, step, len(steps) - place)
            following = await self._take(work, step)
            if isinstance(step, CopyImage):
                return following
        return following

    async def _stands(self, work: _Work, power: str) -> bool:
        """Whether what was planned on is still so."""
        now = await self._context.database.read(self._load)
        if not isinstance(now, _Work) or now.vm.power not in ("unseen", power):
            return False
        return (now.intent, now.vm.generation, now.target) == (work.intent, work.vm.generation, work.target)

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
        reply = await self._asker.ask(
            work.target,
            step.request,
            resource=work.vm.uuid,
            generation=work.vm.generation,
            timeout_seconds=step.seconds,
        )
        self._carried_out.append(step.request)
        match step.request:
            case EnsureNic(nic_uuid=nic):
                self._context.served[work.target.key, nic] = digest(step.request)
            case DropNic(nic_uuid=nic):
                self._context.served.pop((work.target.key, nic), None)
        if isinstance(reply, DomainSeen):
            await self._context.database.write(lambda tx: self._sight(tx, reply))

    def _outdated(self, work: _Work) -> Ask | None:
        """What a running VM's NIC is to be served instead. A hint is used once: after a failure we look."""
        if work.vm.state != "Running" or work.vm.intended != "Running":
            return None
        return outdated(work.intent, lambda nic: self._context.served.pop((work.target.key, nic), None))

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
        volume = intent.volume
        seen = await self._context.fleet.link(work.target).ask(
            ObserveVm(
                vm_uuid=self._uuid,
                volume_paths=[volume.path] if volume else [],
                cache_paths=[volume.backing] if volume and volume.backing else [],
            ),
            VmSeen,
        )
        for nic in intent.nics:
            if nic.nic_uuid in seen.nics:
                self._context.served[work.target.key, nic.nic_uuid] = seen.nics[nic.nic_uuid]
        return seen

    def _load(self, snapshot: Snapshot) -> _Work | VmInstance | None:
        vm = snapshot.find(VmInstance, self._uuid)
        if vm is None:
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
        held = await self._context.database.write(lambda tx: settle(tx, work.vm, seen))
        return DONE if held else AGAIN

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
        log.info("vm %s: %s", self._uuid, error.details)
        self._carried_out = []
        turned = await self._context.database.write(lambda tx: give_up(tx, work.vm, error))
        return AGAIN if turned else self._backoff.next()

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


def settle(tx: Transaction, planned: VmInstance, seen: DomainSeen) -> bool:
    """Write that a VM is as intended; False when something else is intended meanwhile."""
    vm = tx.find(VmInstance, planned.uuid)
    if vm is None:
        return True
    vm = record_sight(tx, vm, seen)
    if vm.generation != planned.generation or vm.intended != planned.intended:
        return False
    if vm.intended == "Absent":
        forget(tx, vm)
        return True
    settle_nics(tx, vm)
    if vm.intended == "Destroyed":
        shelve(tx, vm)
    vm = move(tx, vm, settled=True, created=True, stop_deadline=None)
    root = tx.find(Volume, vm.root_volume_uuid) if vm.root_volume_uuid else None
    if root is not None and root.status == "Creating":
        tx.update(root, status="Ready")
    result = {} if vm.intended == "Destroyed" else {"inventory": tx.inventory(vm)}
    for job in jobs.running(tx, vm.uuid):
        jobs.succeed(tx, job, result)
    return True


def shelve(tx: Transaction, vm: VmInstance) -> None:
    """A destroyed VM that can be recovered: its disk waits, its addresses are free."""
    for nic in tx.all(VmNic, vm_instance_uuid=vm.uuid):
        free_address(tx, nic)
        tx.update(nic, ip=None, gateway=None, netmask=None, used_ip_uuid=None)
    for volume in tx.all(Volume, vm_instance_uuid=vm.uuid, type="Root"):
        tx.update(volume, status="Deleted")


def forget(tx: Transaction, vm: VmInstance) -> None:
    """Remove every row of a VM that is gone from its host, and end the jobs that wanted that."""
    storages = set()
    for volume in tx.all(Volume, vm_instance_uuid=vm.uuid, type="Root"):
        storages.add(volume.primary_storage_uuid)
        drop_volume(tx, volume)
        tx.delete(volume)
    for nic in tx.all(VmNic, vm_instance_uuid=vm.uuid):
        free_address(tx, nic)
        tx.delete(nic)
    vm = move(tx, vm, power="off", intended="Absent")
    host_uuid = vm.last_host_uuid
    tx.update(vm, host_uuid=None)
    tx.delete(vm)
    if host_uuid:
        tx.note("VmGone", f"{vm.name}: removed from its host", about=vm)
    for storage in storages - {None}:
        recount_storage(tx, str(storage))
    for job in jobs.running(tx, vm.uuid):
        jobs.succeed(tx, job, {})


def wait_or_give_up(tx: Transaction, planned: VmInstance, reason: ApiError) -> None:
    """Note what a VM's jobs wait for; past its deadline a job that is not undoing anything is given up."""
    vm = tx.find(VmInstance, planned.uuid)
    if vm is None:
        return
    for job in jobs.running(tx, vm.uuid):
        late = job.deadline is not None and tx.now > job.deadline and vm.intended in {"Running", "Stopped"}
        if late:
            give_up(tx, vm, TimedOut(f"given up after waiting: {reason.details}"))
            return
        jobs.progress(tx, job, job.step or "wait", job.progress, reason.details)


def give_up(tx: Transaction, planned: VmInstance, error: ApiError) -> bool:
    """A step failed for good: turn the intent around, and say why. False when there is nothing to turn."""
    vm = tx.find(VmInstance, planned.uuid)
    if vm is None or vm.generation != planned.generation:
        return True
    found = jobs.running(tx, vm.uuid)
    if vm.intended in {"Absent", "Destroyed"}:
        for job in found:
            jobs.progress(tx, job, job.step or "undo", job.progress, error.details)
        return False
    if not vm.created:
        for job in found:
            jobs.doom(tx, job, _failure(job, error))
        move(tx, vm, intended="Absent", generation=vm.generation + 1)
        return True
    return _turn_back(tx, vm, found, error)


def _turn_back(tx: Transaction, vm: VmInstance, found: list[LongJob], error: ApiError) -> bool:
    """What a VM that has been whole before goes back to when a call on it fails."""
    rebooting = any(job.name == "RebootVmInstance" for job in found)
    for job in found:
        if job.name == "AttachL3NetworkToVm" and job.failure is None:
            jobs.doom(tx, job, _failure(job, error))
        elif job.failure is not None:
            jobs.succeed(tx, job, {})
        else:
            jobs.fail(tx, job, _failure(job, error))
    if not found:
        tx.note("VmRepairFailed", f"{vm.name}: {error.details}", level="error", about=vm)
        return False
    changes = {"generation": vm.generation + 1, "stop_deadline": None, **turn_back_nics(tx, vm)}
    if rebooting:
        changes["boot_count"] = vm.boot_count - 1
    elif vm.intended == "Running" and vm.power != "on":
        changes["intended"] = "Stopped"
    elif vm.intended == "Stopped" and vm.power == "on":
        changes["intended"] = "Running"
    move(tx, vm, **changes)
    return True


def _failure(job: LongJob, error: ApiError) -> ApiError:
    """What a call's job ends with: its own error around the cause, but a cancelled one is just that."""
    return error if isinstance(error, Cancelled) else FAILURES.get(job.name, StartVmFailed)(cause=error)


def cancel(tx: Transaction, vm: VmInstance) -> VmInstance:
    """End a VM's jobs because another call took its place; nothing of what they began is kept."""
    for job in jobs.running(tx, vm.uuid):
        jobs.fail(tx, job, Cancelled("another call on the VM took its place"))
    changes = turn_back_nics(tx, vm)
    return tx.update(vm, **changes) if changes else vm
