"""What giving a VM a data volume and taking one from it mean, and who could be given which."""

from __future__ import annotations

from itertools import count
from typing import Any

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.simulator import FORMAT, HYPERVISOR
from appliance.api.storage import PrimaryStorage, PrimaryStorageClusterRef
from appliance.api.vm import GetVmAttachableDataVolume, VmInstance
from appliance.api.vm_states import ALLOWED
from appliance.api.volume import (
    AttachDataVolumeToVm,
    DetachDataVolumeFromVm,
    GetDataVolumeAttachableVm,
    Volume,
)
from appliance.plans import naming
from appliance.plans.vm_spec import VIRTIO_PLATFORMS
from appliance.reconcile.capacity import keep_volume, recount_storage
from appliance.reconcile.vm_state import change_vm, placed_on
from appliance.reconcile.vm_volume import data_volumes
from appliance.resources.placing import roomiest_storage
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles, reads
from appliance.resources.vm_allowed import allowed
from appliance.resources.volume import refuse_busy, refuse_deleted
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(AttachDataVolumeToVm)
def attach_volume(tx: Transaction, request: AttachDataVolumeToVm, caller: Caller) -> Promise | Volume:
    """The row's VM and place, and a file there if it has none; the VM's worker brings it to the guest."""
    volume = tx.get(Volume, request.volume_uuid)
    if volume.type != "Data":
        raise InvalidArgument(
            f"the volume[uuid:{volume.uuid}, name:{volume.name}] is Root Volume, can't attach it"
        )
    vm = allowed(tx, tx.get(VmInstance, request.vm_instance_uuid), request)
    if volume.intended == "Present":  # of one that is deleted it is said how it is had again
        refuse_busy(tx, volume)
    against = against_attaching(tx, volume, vm)
    if against is not None:
        raise OperationFailed(against)
    if volume.install_path is None:
        storage_uuid = roomiest_storage(tx, vm, volume.size)
        volume = put_on(tx, volume, vm, storage_uuid)
    elif vm.intended == "Stopped":
        return hand(tx, volume, vm, "attached")
    volume = hand(tx, volume, vm, "attaching")
    return promise(tx, request, change_vm(tx, vm, generation=vm.generation + 1), caller)


def against_attaching(snapshot: Snapshot, volume: Volume, vm: VmInstance) -> str | None:
    """Why a data volume cannot be attached to a VM; None when it can."""
    having = len(data_volumes(snapshot, vm))
    return _against(snapshot, volume) or _against_both(snapshot, volume, vm, having)


@handles(DetachDataVolumeFromVm)
def detach_volume(tx: Transaction, request: DetachDataVolumeFromVm, caller: Caller) -> Promise:
    """The row is free once the guest, and the domain's definition, have let go of it."""
    volume = tx.get(Volume, request.uuid)
    if volume.type != "Data":
        raise InvalidArgument(f"it's not allowed to detach root volume[uuid:{volume.uuid}]")
    refuse_deleted(volume)
    if volume.vm_instance_uuid is None:
        raise OperationFailed(f"data volume[uuid:{volume.uuid}] is not attached to any vm, can't detach")
    vm = allowed(tx, tx.get(VmInstance, volume.vm_instance_uuid), request)
    refuse_busy(tx, volume)
    return promise(tx, request, take_from(tx, volume, vm), caller)


def take_from(tx: Transaction, volume: Volume, vm: VmInstance) -> VmInstance:
    """Have a VM let go of a volume; the VM as it is then."""
    refuse_cold_only(vm, volume)
    tx.update(volume, attachment="detaching", generation=volume.generation + 1)
    return change_vm(tx, vm, generation=vm.generation + 1)


def put_on(tx: Transaction, volume: Volume, vm: VmInstance, storage_uuid: str) -> Volume:
    """Give a volume that is nowhere its place: where the VM's disk is."""
    storage = tx.get(PrimaryStorage, storage_uuid)
    volume = tx.update(
        volume,
        primary_storage_uuid=storage.uuid,
        host_uuid=placed_on(tx, vm),
        install_path=naming.data_volume(storage.url, tx.owner_of(volume.uuid), volume.uuid),
        format=FORMAT if vm.hypervisor_type == HYPERVISOR else "qcow2",
        status="Creating",
    )
    keep_volume(tx, volume)
    recount_storage(tx, storage.uuid)
    return volume


def free_device(snapshot: Snapshot, vm: VmInstance) -> int:
    """The lowest place that no volume of a VM has; the root volume has the first."""
    taken = {volume.device_id for volume in snapshot.all(Volume, vm_instance_uuid=vm.uuid)}
    return next(place for place in count(1) if place not in taken)


@reads(GetDataVolumeAttachableVm)
def get_attachable_vms(
    snapshot: Snapshot, request: GetDataVolumeAttachableVm, caller: Caller
) -> dict[str, Any]:
    """The VMs that nothing speaks against."""
    volume = snapshot.get(Volume, request.volume_uuid)
    if _against(snapshot, volume) is not None:
        return {"inventories": []}
    counts = "SELECT vm_instance_uuid, COUNT(*) FROM volume WHERE type = 'Data' GROUP BY vm_instance_uuid"
    having = dict(snapshot.rows(counts))
    states = sorted(ALLOWED[AttachDataVolumeToVm.__name__])
    vms = [
        vm
        for vm in snapshot.all(VmInstance, state=states)
        if _against_both(snapshot, volume, vm, having.get(vm.uuid, 0)) is None
    ]
    return {"inventories": snapshot.inventories(vms)}


@reads(GetVmAttachableDataVolume)
def get_attachable_volumes(
    snapshot: Snapshot, request: GetVmAttachableDataVolume, caller: Caller
) -> dict[str, Any]:
    """The data volumes of nobody that nothing speaks against: those that are nowhere yet, and those where the VM is."""
    vm = snapshot.get(VmInstance, request.vm_instance_uuid)
    having = len(data_volumes(snapshot, vm))
    volumes = snapshot.all(Volume, type="Data", state="Enabled", vm_instance_uuid=None)
    fitting = [
        volume
        for volume in volumes
        if (_against(snapshot, volume) or _against_both(snapshot, volume, vm, having)) is None
    ]
    return {"inventories": snapshot.inventories(fitting)}


def hand(tx: Transaction, volume: Volume, vm: VmInstance, attachment: str) -> Volume:
    """A volume is a VM's, in its next free place."""
    return tx.update(
        volume,
        vm_instance_uuid=vm.uuid,
        device_id=free_device(tx, vm),
        attachment=attachment,
        generation=volume.generation + 1,
    )


def _against(snapshot: Snapshot, volume: Volume) -> str | None:
    """Why a data volume cannot be attached to any VM; None when it can."""
    name = f"data volume[uuid:{volume.uuid}]"
    if volume.status == "Deleted" or volume.intended != "Present":
        return f"{name} is in status of deleted, can't attach; recover it first"
    if volume.vm_instance_uuid is not None:
        return f"{name} has been attached to vm[uuid:{volume.vm_instance_uuid}], can't attach again"
    if volume.state != "Enabled":
        return f"{name} is {volume.state}, can't attach; enable it first"
    if volume.status not in {"Ready", "NotInstantiated"}:
        return f"{name} is {volume.status}, can't attach before it is Ready"
    storage = snapshot.find(PrimaryStorage, volume.primary_storage_uuid or "")
    if storage is not None and storage.state == "Maintenance":
        return f"{name} is on primary storage[uuid:{storage.uuid}], which is under Maintenance; enable that first"
    return None


def _against_both(snapshot: Snapshot, volume: Volume, vm: VmInstance, having: int) -> str | None:
    """Why a data volume cannot be attached to a VM that has so many; None when it can."""
    most = int(snapshot.setting("kvm", "dataVolume.maxNum"))
    if having >= most:
        return (
            f"vm[uuid:{vm.uuid}] has {having} data volumes, and the global config kvm dataVolume.maxNum allows "
            f"{most}; detach one first"
        )
    if vm.intended == "Running" and vm.platform not in VIRTIO_PLATFORMS:
        return _cold_only(vm)
    if volume.status == "NotInstantiated":
        return None
    there, here = volume.host_uuid, placed_on(snapshot, vm)
    if there not in (None, here):
        return (
            f"can't attach data volume[uuid:{volume.uuid}] to vm[uuid:{vm.uuid}]: they are on different hosts; the "
            f"root volume[uuid:{vm.root_volume_uuid}] is on the host[uuid:{here}], the data volume is on the "
            f"host[uuid:{there}]; move it there with LocalStorageMigrateVolume"
        )
    if not snapshot.exists(
        PrimaryStorageClusterRef,
        primary_storage_uuid=volume.primary_storage_uuid,
        cluster_uuid=vm.cluster_uuid,
        intended="Present",
    ):
        return (
            f"data volume[uuid:{volume.uuid}] is on primary storage[uuid:{volume.primary_storage_uuid}], which is not "
            f"attached to the cluster[uuid:{vm.cluster_uuid}] of vm[uuid:{vm.uuid}]"
        )
    return None


def refuse_cold_only(vm: VmInstance, volume: Volume) -> None:
    """Refuse to change the disks of a running guest whose disks cannot be changed while it runs."""
    if vm.intended == "Running" and vm.platform not in VIRTIO_PLATFORMS:
        raise OperationFailed(_cold_only(vm))


def _cold_only(vm: VmInstance) -> str:
    return (
        f"vm[uuid:{vm.uuid}] runs with platform[{vm.platform}], whose IDE disks can only be changed while it is "
        f"off; stop it first"
    )
