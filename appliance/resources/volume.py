"""What requests about volumes mean: made, renamed, enabled, made larger."""

from __future__ import annotations

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.host import Host
from appliance.api.image import Image
from appliance.api.offering import DiskOffering
from appliance.api.simulator import FORMAT
from appliance.api.storage import LocalStorageHostRef, PrimaryStorage, PrimaryStorageClusterRef
from appliance.api.vm import VmInstance
from appliance.api.volume import (
    SECTOR_BYTES,
    ChangeVolumeState,
    CreateDataVolume,
    CreateDataVolumeFromVolumeTemplate,
    ResizeDataVolume,
    ResizeRootVolume,
    UpdateVolume,
    Volume,
)
from appliance.plans import naming
from appliance.reconcile import jobs
from appliance.reconcile.capacity import keep_volume, recount_storage, resize_volume
from appliance.reconcile.reading import why_kept
from appliance.reconcile.recycle_bin import rename
from appliance.reconcile.vm_state import change_vm
from appliance.resources.creating import add, given, uuid_for
from appliance.resources.placing import check_hypervisor, room_on
from appliance.resources.promising import promise
from appliance.resources.quota import check_quota
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.vm_allowed import allowed
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(CreateDataVolume)
def create_data_volume(tx: Transaction, request: CreateDataVolume, caller: Caller) -> Volume:
    """A row; the file is made where the first VM is that it is attached to."""
    offering = enabled_disk_offering(tx, request.disk_offering_uuid)
    volume = Volume(
        uuid=uuid_for(tx, request, Volume),
        name=request.name,
        description=request.description,
        disk_offering_uuid=offering.uuid,
        type="Data",
        size=whole_sectors(offering.disk_size),
        status="NotInstantiated",
    )
    return add(tx, request, volume)


@handles(CreateDataVolumeFromVolumeTemplate)
def create_from_template(
    tx: Transaction, request: CreateDataVolumeFromVolumeTemplate, caller: Caller
) -> Promise:
    """A row with its place; its worker makes the file from the image."""
    image = _template(tx, request.image_uuid)
    storage = tx.get(PrimaryStorage, request.primary_storage_uuid)
    if storage.state != "Enabled" or storage.status != "Connected":
        raise OperationFailed(
            f"primary storage {storage.name}[uuid:{storage.uuid}] is {storage.state} and {storage.status}"
        )
    host = _host_for(tx, request, storage)
    check_hypervisor(tx, image, None, host.uuid)
    check_room(tx, storage, host.uuid, image.size)
    uuid = uuid_for(tx, request, Volume)
    volume = Volume(
        uuid=uuid,
        name=request.name,
        description=request.description,
        primary_storage_uuid=storage.uuid,
        root_image_uuid=image.uuid,
        install_path=naming.data_volume(storage.url, caller.account_uuid, uuid),
        type="Data",
        format=FORMAT if image.format == FORMAT else "qcow2",
        size=image.size,
        host_uuid=host.uuid,
    )
    volume = add(tx, request, volume)
    keep_volume(tx, volume)
    recount_storage(tx, storage.uuid)
    return promise(tx, request, volume, caller)


@handles(UpdateVolume)
def update_volume(tx: Transaction, request: UpdateVolume, caller: Caller) -> Volume:
    """The row's words."""
    volume = tx.update(tx.get(Volume, request.uuid), **given(request, "name", "description"))
    rename(tx, volume)
    return volume


@handles(ChangeVolumeState)
def change_volume_state(tx: Transaction, request: ChangeVolumeState, caller: Caller) -> Volume:
    """Enabled or Disabled: a disabled volume is attached to no VM."""
    volume = tx.get(Volume, request.uuid)
    refuse_deleted(volume)
    return tx.update(volume, state="Enabled" if request.state_event == "enable" else "Disabled")


@handles(ResizeDataVolume)
def resize_data_volume(tx: Transaction, request: ResizeDataVolume, caller: Caller) -> Promise | Volume:
    """A larger size, with the room it takes; whoever has the volume brings it there."""
    volume = tx.get(Volume, request.uuid)
    if volume.type != "Data":
        raise InvalidArgument(f"volume[uuid:{volume.uuid}] is a root volume; use ResizeRootVolume")
    return _resize(tx, request, volume, caller)


@handles(ResizeRootVolume)
def resize_root_volume(tx: Transaction, request: ResizeRootVolume, caller: Caller) -> Promise | Volume:
    """The same of a VM's root volume."""
    volume = tx.get(Volume, request.uuid)
    if volume.type != "Root":
        raise InvalidArgument(f"volume[uuid:{volume.uuid}] is a data volume; use ResizeDataVolume")
    return _resize(tx, request, volume, caller)


def _resize(
    tx: Transaction, request: ResizeDataVolume | ResizeRootVolume, volume: Volume, caller: Caller
) -> Promise | Volume:
    refuse_deleted(volume)
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    if vm is not None:
        allowed(tx, vm, request)
    refuse_busy(tx, volume)
    size = whole_sectors(request.size)
    if size <= volume.size:
        raise OperationFailed(
            f"volume[uuid:{volume.uuid}] has {volume.size} bytes, and can only become larger: size[{request.size}] "
            f"is not"
        )
    if volume.primary_storage_uuid is not None:
        storage = tx.get(PrimaryStorage, volume.primary_storage_uuid)
        check_room(tx, storage, volume.host_uuid, size - volume.size)
    volume = resize_volume(tx, volume, size)
    if not caller.is_admin:
        check_quota(tx, caller.account_uuid)
    if volume.install_path is None:
        return volume
    volume = tx.update(volume, generation=volume.generation + 1)
    target = volume if vm is None else change_vm(tx, vm, generation=vm.generation + 1)
    return promise(tx, request, target, caller)


def refuse_deleted(volume: Volume) -> None:
    """Refuse what is done with volumes to a deleted one."""
    if volume.status == "Deleted" or volume.intended != "Present":
        raise OperationFailed(f"volume[uuid:{volume.uuid}] is in status of deleted, cannot do the operation")


def refuse_moving(volume: Volume) -> None:
    """Refuse any change of a volume that is on its way to another host."""
    if volume.status == "Migrating":
        raise OperationFailed(
            f"volume[uuid:{volume.uuid}] is being moved to another host; wait for that, or cancel its job"
        ).passes(volume.name_, volume.uuid)


def refuse_kept(snapshot: Snapshot, volume: Volume, *, head_only: bool = False) -> None:
    """Refuse to change a volume that must stay as it is; with `head_only`, to let a guest write to it."""
    reason = why_kept(snapshot, volume, head_only=head_only)
    if reason is not None:
        kept = OperationFailed(f"volume[uuid:{volume.uuid}] {reason}; wait for that, or cancel its job")
        raise kept.passes(volume.name_, volume.uuid)


def refuse_busy(snapshot: Snapshot, volume: Volume) -> None:
    """Refuse a second change of a volume while one is under way."""
    refuse_moving(volume)
    refuse_kept(snapshot, volume)
    under_way = volume.attachment not in {"none", "attached"} or jobs.running(snapshot, volume.uuid)
    grows = volume.whole_size is not None and volume.whole_size != volume.size
    if under_way or grows or volume.chain_changes or volume.status == "Creating":
        raise OperationFailed(
            f"volume[uuid:{volume.uuid}] is being changed by another call; try again when that has ended"
        ).passes(volume.name_, volume.uuid)


def enabled_disk_offering(snapshot: Snapshot, uuid: str) -> DiskOffering:
    """The offering, if volumes may be made with it."""
    offering = snapshot.get(DiskOffering, uuid)
    if offering.state != "Enabled":
        raise OperationFailed(
            f"disk offering[uuid:{uuid}] is {offering.state}, can't create data volume from it"
        )
    return offering


def whole_sectors(size: int) -> int:
    """A size in bytes that a disk can have: this one, or a little more."""
    return -(-size // SECTOR_BYTES) * SECTOR_BYTES


def check_room(snapshot: Snapshot, storage: PrimaryStorage, host_uuid: str | None, size: int) -> None:
    """Refuse to promise more of a storage than it has left, on the host if it is local."""
    room = room_on(snapshot, storage, host_uuid)
    if room < size:
        raise OperationFailed(
            f"primary storage {storage.name}[uuid:{storage.uuid}] has {max(room, 0)} bytes left above the reserve"
            f"{f' on host[uuid:{host_uuid}]' if storage.type == 'LocalStorage' else ''}, and {size} are needed; "
            f"expunge something there, use another, or lower the global config primaryStorage reservedCapacity"
        )


def _template(tx: Transaction, uuid: str) -> Image:
    image = tx.get(Image, uuid)
    if image.media_type != "DataVolumeTemplate":
        raise InvalidArgument(
            f"image[uuid:{image.uuid}] is not DataVolumeTemplate, it's {image.media_type}; UpdateImage changes "
            f"what it may be used for"
        )
    if image.status != "Ready" or image.state != "Enabled":
        raise OperationFailed(f"image {image.name}[uuid:{image.uuid}] is {image.status} and {image.state}")
    return image


def _host_for(tx: Transaction, request: CreateDataVolumeFromVolumeTemplate, storage: PrimaryStorage) -> Host:
    """The host that gets the file: the one asked for, or any that a shared storage is on."""
    if request.host_uuid is None and storage.type == "LocalStorage":
        raise InvalidArgument(
            f"primary storage[uuid:{storage.uuid}] is a LocalStorage: hostUuid must say which host the volume "
            f"is made on"
        )
    refs = tx.all(PrimaryStorageClusterRef, primary_storage_uuid=storage.uuid, intended="Present")
    clusters = [ref.cluster_uuid for ref in refs]
    hosts = tx.all(Host, cluster_uuid=clusters, intended="Present", order_by="name") if clusters else []
    if request.host_uuid is None:
        found = next((host for host in hosts if host.status == "Connected"), None)
        if found is None:
            raise OperationFailed(f"no host of primary storage[uuid:{storage.uuid}] is Connected")
        return found
    host = tx.get(Host, request.host_uuid)
    local = storage.type == "LocalStorage"
    if host not in hosts or (
        local and not tx.exists(LocalStorageHostRef, primary_storage_uuid=storage.uuid, host_uuid=host.uuid)
    ):
        raise InvalidArgument(
            f"the host[uuid:{host.uuid}] doesn't belong to the primary storage[uuid:{storage.uuid}]"
        )
    if host.status != "Connected" or host.state not in {"Enabled", "Disabled"}:
        raise OperationFailed(f"host {host.name}[uuid:{host.uuid}] is {host.state} and {host.status}")
    return host
