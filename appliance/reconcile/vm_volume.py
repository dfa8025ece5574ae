"""A VM's data volumes as rows: attached once its host has them, and as they were when that failed."""

from __future__ import annotations

import json
from typing import Any

from appliance.api.job import LongJob
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.reconcile.capacity import drop_volume, recount_storage
from appliance.reconcile.snapshot_rows import JOBS as CHAIN_JOBS
from appliance.reconcile.snapshot_rows import latest_of, settle_chain
from appliance.reconcile.volume_rows import forget_volume, put_away
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

JOBS = frozenset({
    "AttachDataVolumeToVm", "DeleteDataVolume", "DetachDataVolumeFromVm", "ResizeDataVolume", "ResizeRootVolume",
})  # fmt: skip
"""Calls that end when the VM's host has the volumes as they should be, and not before."""

HELD = frozenset({"attaching", "attached"})


def data_volumes(snapshot: Snapshot, vm: VmInstance) -> list[Volume]:
    """The data volumes that a VM has, those that are leaving included, in their order."""
    return snapshot.all(Volume, vm_instance_uuid=vm.uuid, type="Data", order_by="device_id")


def settle_volumes(tx: Transaction, vm: VmInstance) -> None:
    """The host has what is intended: what left is free, what came is attached and ready."""
    for volume in tx.all(Volume, vm_instance_uuid=vm.uuid, chain_changes=True):
        if volume.overlay or vm.intended in {"Running", "Stopped"}:
            settle_chain(tx, volume)
    for volume in data_volumes(tx, vm):
        if volume.attachment in HELD:
            tx.update(volume, attachment="attached", status="Ready", whole_size=volume.size)
        else:
            release(tx, volume)


def leave_volumes(tx: Transaction, vm: VmInstance) -> None:
    """A VM ends: its volumes stay, free, or are deleted with it; of one that never was nothing is kept."""
    deleted = tx.flag("vm", "dataVolume.deleteOnVmDestroy")
    for volume in data_volumes(tx, vm):
        if not vm.created:
            forget_volume(tx, volume)
            continue
        if volume.overlay:
            settle_chain(tx, volume)
        free = release(tx, tx.get(Volume, volume.uuid))
        if deleted and free.intended == "Present":
            delete_released(tx, tx.update(free, intended=intended_by_policy(tx)))


def intended_by_policy(snapshot: Snapshot) -> str:
    """What deleting a data volume intends for it now."""
    return "Absent" if snapshot.setting("volume", "deletionPolicy") == "Direct" else "Deleted"


def delete_released(tx: Transaction, volume: Volume) -> Volume | None:
    """Delete a volume that no VM has, as is intended for it: None when nothing of it is left already."""
    if volume.intended == "Absent" and volume.install_path is None:
        forget_volume(tx, volume)
        return None
    return put_away(tx, volume)


def release(tx: Transaction, volume: Volume) -> Volume:
    """A volume is its VM's no more: free, or nowhere again if its file was never whole, or deleted."""
    vm_uuid = volume.vm_instance_uuid
    storage_uuid = volume.primary_storage_uuid
    never = volume.whole_size is None
    changes: dict[str, Any] = {"vm_instance_uuid": None, "device_id": None, "attachment": "none"}
    if never:
        drop_volume(tx, volume)
        nowhere = {"primary_storage_uuid": None, "host_uuid": None, "install_path": None}
        changes |= {**nowhere, "format": "qcow2", "status": "NotInstantiated"}
    volume = tx.update(volume, **changes, generation=volume.generation + 1)
    if never and storage_uuid is not None:
        recount_storage(tx, storage_uuid)
    if volume.intended == "Present":
        return volume
    for job in _jobs_on(tx, vm_uuid, volume):
        tx.update(
            job,
            target_resource_uuid=volume.uuid if volume.intended == "Absent" else vm_uuid,
            target_resource_type=volume.name_ if volume.intended == "Absent" else job.target_resource_type,
        )
    delete_released(tx, volume)
    return volume


def turn_back_volumes(tx: Transaction, vm: VmInstance) -> None:
    """Intend what was before: new volumes leave, leaving ones stay."""
    for volume in tx.all(Volume, vm_instance_uuid=vm.uuid):
        if volume.attachment == "attaching":
            tx.update(volume, attachment="withdrawn")
        elif volume.attachment == "detaching":
            tx.update(volume, attachment="attached", intended="Present")


def result_of(snapshot: Snapshot, vm: VmInstance, job: LongJob) -> dict[str, Any]:
    """What a call on a VM or one of its volumes answers once that is settled."""
    if job.name in CHAIN_JOBS:
        return chain_result(snapshot, job)
    if job.name in JOBS:
        volume = snapshot.find(Volume, volume_of(job))
        shown = volume is not None and job.name != "DeleteDataVolume"
        return {"inventory": snapshot.inventory(volume)} if volume is not None and shown else {}
    return {} if vm.intended == "Destroyed" else {"inventory": snapshot.inventory(vm)}


def chain_result(snapshot: Snapshot, job: LongJob) -> dict[str, Any]:
    """What a call about snapshots answers: the one it took is the latest, for no other is taken meanwhile."""
    volume = snapshot.find(Volume, volume_of(job)) if job.name == "CreateVolumeSnapshot" else None
    latest = latest_of(snapshot, volume) if volume is not None else None
    return {"inventory": snapshot.inventory(latest)} if latest is not None else {}


def volume_of(job: LongJob) -> str:
    """The volume that a call is about."""
    data = json.loads(job.job_data)
    return str(data.get("volumeUuid") or data.get("uuid"))


def _jobs_on(snapshot: Snapshot, vm_uuid: str | None, volume: Volume) -> list[LongJob]:
    found = snapshot.all(LongJob, target_resource_uuid=vm_uuid, state="Running", name="DeleteDataVolume")
    return [job for job in found if volume_of(job) == volume.uuid]
