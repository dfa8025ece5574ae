"""How work on a VM ends: settled as intended, given up and turned back, or overtaken by another call."""

from __future__ import annotations

from agent.protocol import AnyRequest, DomainSeen, EnsureOverlay
from appliance.api.errors import (
    ApiError,
    AttachNetworkFailed,
    AttachVolumeFailed,
    Cancelled,
    CreateVmFailed,
    DetachVolumeFailed,
    OperationFailed,
    RebootVmFailed,
    StartVmFailed,
    StopVmFailed,
    TimedOut,
    ended_by,
)
from appliance.api.job import LongJob
from appliance.api.resource import Timestamp
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.plans.boot import ISO
from appliance.reconcile import jobs
from appliance.reconcile.capacity import drop_volume, recount_storage
from appliance.reconcile.inherent_tags import drop_inherent_tags
from appliance.reconcile.recycle_bin import bin_vm, item_of, take_out
from appliance.reconcile.snapshot_rows import JOBS as CHAIN_JOBS
from appliance.reconcile.snapshot_rows import OVERLAYS, drop_snapshots, turn_back_files
from appliance.reconcile.vm_nic import free_address, nics_of, settle_nics, turn_back_nics
from appliance.reconcile.vm_state import change_vm, record_sight
from appliance.reconcile.vm_volume import (
    HELD,
    chain_result,
    data_volumes,
    leave_volumes,
    result_of,
    settle_volumes,
    turn_back_volumes,
    volume_of,
)
from appliance.store.transaction import Transaction

FAILURES: dict[str, type[ApiError]] = {
    "CreateVmInstance": CreateVmFailed,
    "StartVmInstance": StartVmFailed,
    "StopVmInstance": StopVmFailed,
    "RebootVmInstance": RebootVmFailed,
    "AttachL3NetworkToVm": AttachNetworkFailed,
    "DetachL3NetworkFromVm": OperationFailed,
    "AttachDataVolumeToVm": AttachVolumeFailed,
    "AttachIsoToVmInstance": OperationFailed,
    "DetachIsoFromVmInstance": OperationFailed,
    "DetachDataVolumeFromVm": DetachVolumeFailed,
    "DeleteDataVolume": OperationFailed,
    "ResizeDataVolume": OperationFailed,
    "ResizeRootVolume": OperationFailed,
    "CreateVolumeSnapshot": OperationFailed,
    "DeleteVolumeSnapshot": OperationFailed,
    "RevertVolumeFromSnapshot": OperationFailed,
}

RESIZES = frozenset({"ResizeDataVolume", "ResizeRootVolume"})

UNDONE = frozenset({"AttachL3NetworkToVm", "AttachDataVolumeToVm"})
"""Calls that end, when they fail, once what they began is undone."""

REPLACED = "another call on the VM took its place"
"""What the jobs are told that are ended for one that came later."""


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
    settle_volumes(tx, vm)
    if vm.intended == "Destroyed":
        shelve(tx, vm)  # nosec B403  # ours, not the module
    vm = change_vm(tx, vm, settled=True, created=True, stop_deadline=None)
    root = tx.find(Volume, vm.root_volume_uuid) if vm.root_volume_uuid else None
    if root is not None:
        status = "Ready" if root.status == "Creating" else root.status
        tx.update(root, status=status, whole_size=root.size)
    for job in jobs.running(tx, vm.uuid):
        jobs.succeed(tx, job, result_of(tx, vm, job))
    return True


def shelve(tx: Transaction, vm: VmInstance) -> None:
    """A destroyed VM that can be recovered: its disk waits, its addresses are free."""
    had = [volume.uuid for volume in data_volumes(tx, vm) if volume.attachment in HELD]
    ips = [nic.ip for nic in nics_of(tx, vm) if nic.ip is not None]
    for nic in tx.all(VmNic, vm_instance_uuid=vm.uuid):
        free_address(tx, nic)
        tx.update(
            nic, ip=None, gateway=None, netmask=None, used_ip_uuid=None, former_ip=nic.ip or nic.former_ip
        )
    for volume in tx.all(Volume, vm_instance_uuid=vm.uuid, type="Root"):
        tx.update(volume, status="Deleted")
    leave_volumes(tx, vm)
    if item_of(tx, vm.uuid) is None:  # a settled VM is settled again whenever its host was looked at
        bin_vm(tx, vm, had, ips)


def forget(tx: Transaction, vm: VmInstance) -> None:
    """Remove every row of a VM that is gone from its host, and end the jobs that wanted that."""
    storages = set()
    for volume in tx.all(Volume, vm_instance_uuid=vm.uuid, type="Root"):
        storages.add(volume.primary_storage_uuid)
        drop_volume(tx, volume)
        drop_snapshots(tx, volume)
        tx.delete(volume)
    leave_volumes(tx, vm)
    for nic in tx.all(VmNic, vm_instance_uuid=vm.uuid):
        free_address(tx, nic)
        tx.delete(nic)
    take_out(tx, vm.uuid)
    vm = change_vm(tx, vm, power="off", intended="Absent")
    host_uuid = vm.last_host_uuid
    tx.update(vm, host_uuid=None)
    tx.delete(vm)
    if host_uuid:
        tx.note("VmGone", f"{vm.name}: removed from its host", about=vm)
    for storage in storages - {None}:
        recount_storage(tx, str(storage))
    for job in jobs.running(tx, vm.uuid):
        if job.name in OVERLAYS and not _outlives(tx, job):
            jobs.fail(tx, job, Cancelled("the VM was deleted, and the volume with it"))
        else:
            jobs.succeed(tx, job, chain_result(tx, job) if job.name in OVERLAYS else {})


def _outlives(tx: Transaction, job: LongJob) -> bool:
    """Whether what a call on a volume was about is there still."""
    return tx.find(Volume, volume_of(job)) is not None or tx.find(VolumeSnapshot, volume_of(job)) is not None


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


def give_up(
    tx: Transaction,
    planned: VmInstance,
    error: ApiError,
    refused: AnyRequest | None = None,
    *,
    tell: bool = True,
) -> bool:
    """A step failed for good: turn the intent around, and say why. False when there is nothing to turn.

    `refused` is what its host will certainly not do: of what was asked besides, some may be done. With `tell` it
    becomes an event where nobody waits for it.
    """
    vm = tx.find(VmInstance, planned.uuid)
    if vm is None or vm.generation != planned.generation:
        return True
    found = jobs.running(tx, vm.uuid)
    if vm.intended in {"Absent", "Destroyed"}:
        if isinstance(refused, EnsureOverlay):  # the VM's end does not wait for that
            _refuse_overlay(tx, vm, found, error, refused)
            return True
        for job in found:
            jobs.progress(tx, job, job.step or "undo", job.progress, error.details)
        return False
    if not vm.created:
        for job in found:
            jobs.doom(tx, job, _failure(job, error))
        change_vm(tx, vm, intended="Absent", generation=vm.generation + 1)
        return True
    if found:
        return _turn_back(tx, vm, found, error, refused)
    if tell:
        tx.note("VmRepairFailed", f"{vm.name}: {error.details}", level="error", about=vm)
    return False


def _refuse_overlay(
    tx: Transaction, vm: VmInstance, found: list[LongJob], error: ApiError, refused: EnsureOverlay
) -> None:
    """A volume of a VM that ends gets no new file: it, and the call that wanted one, are as if it had not been."""
    turn_back_files(tx, refused)
    for job in found:
        if job.name in OVERLAYS:
            jobs.fail(tx, job, _failure(job, error))
    change_vm(tx, vm, generation=vm.generation + 1)


def _turn_back(
    tx: Transaction,
    vm: VmInstance,
    found: list[LongJob],
    error: ApiError,
    refused: AnyRequest | None,
) -> bool:
    """What a VM that has been whole before goes back to when a call on it fails."""
    rebooting = any(job.name == "RebootVmInstance" for job in found)
    for job in found:
        if job.name in UNDONE and job.failure is None:
            jobs.doom(tx, job, _failure(job, error))
        elif job.failure is not None:
            jobs.succeed(tx, job, {})
        else:
            jobs.fail(tx, job, _failure(job, error))
    changes = {"generation": vm.generation + 1, "stop_deadline": None, **turn_back_nics(tx, vm)}
    turn_back_volumes(tx, vm)
    turn_back_files(tx, refused)
    if any(job.name == "AttachIsoToVmInstance" for job in found):
        drop_inherent_tags(tx, vm, ISO)
    if rebooting:
        changes["boot_count"] = vm.boot_count - 1
    elif vm.intended == "Running" and vm.power != "on":
        changes["intended"] = "Stopped"
    elif vm.intended == "Stopped" and vm.power == "on":
        changes["intended"] = "Running"
    change_vm(tx, vm, **changes)
    return True


def _failure(job: LongJob, error: ApiError) -> ApiError:
    """What a call's job ends with: its own error around the cause, but of one that was ended just that."""
    return ended_by(error, FAILURES.get(job.name, StartVmFailed))


def cancel(tx: Transaction, vm: VmInstance) -> VmInstance:
    """End a VM's jobs because another call took its place; nothing of what they began is kept.

    But what gives a volume a new file goes on, and a snapshot that is being deleted stays so. Who wants the VM
    destroyed as well has what it wants when it is.
    """
    for job in jobs.running(tx, vm.uuid):
        if job.name in OVERLAYS | {"DestroyVmInstance"}:
            continue
        later = (
            "; the snapshot goes once the volume is in use again, or with it"
            if job.name in CHAIN_JOBS
            else ""
        )
        jobs.fail(tx, job, Cancelled(f"{REPLACED}{later}"))
    turn_back_volumes(tx, vm)
    changes = turn_back_nics(tx, vm)
    return tx.update(vm, **changes) if changes else vm


def end_waiting(tx: Transaction, vm: VmInstance, own_job_uuid: str | None) -> None:
    """End what has waited longer on a VM than the call that destroys it: no recovery that came before undoes that."""
    for job in tx.all(LongJob, target_resource_uuid=vm.uuid, state="Queued", order_by="rowid"):
        if job.uuid == own_job_uuid:
            return
        jobs.fail(tx, job, Cancelled(REPLACED))


def intend_stopped(tx: Transaction, vm: VmInstance) -> VmInstance:
    """Ask a VM to stop; its guest gets the time that vm.stopGrace gives it."""
    if vm.intended == "Running" and vm.power != "on":
        vm = cancel(tx, vm)  # a start that waits for its host is over
    deadline = Timestamp(tx.now + float(tx.setting("vm", "stopGrace")))
    return change_vm(tx, vm, intended="Stopped", generation=vm.generation + 1, stop_deadline=deadline)
