"""What moving a volume to another host means: which may, where to, and what that promises."""

from __future__ import annotations

from typing import Any

from appliance.api.errors import ApiError, InvalidArgument, OperationFailed
from appliance.api.host import Host
from appliance.api.move import LocalStorageGetVolumeMigratableHosts, LocalStorageMigrateVolume, VolumeMove
from appliance.api.storage import LocalStorageHostRef, PrimaryStorage, PrimaryStorageClusterRef
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.plans.placement import mib, trouble_of, way_out
from appliance.reconcile.capacity import recount_storage
from appliance.resources.placing import bytes_of, room_on
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles, reads
from appliance.resources.vm_allowed import if_passing
from appliance.resources.volume import check_room, refuse_busy, refuse_deleted
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(LocalStorageMigrateVolume)
def migrate_volume(tx: Transaction, request: LocalStorageMigrateVolume, caller: Caller) -> Promise:
    """A row that says where it goes, with the room that it takes there; a worker brings it."""
    volume = tx.get(Volume, request.volume_uuid)
    host = tx.get(Host, request.dest_host_uuid)
    refuse_deleted(volume)
    refuse_busy(tx, volume)
    storage = _movable(tx, volume)
    if host.uuid == volume.host_uuid:
        raise InvalidArgument(f"the volume[uuid:{volume.uuid}] is already on the host[uuid:{host.uuid}]")
    if host.uuid not in {each.uuid for each in _hosts_of(tx, storage, volume)}:
        raise InvalidArgument(
            f"the dest host[uuid:{host.uuid}] doesn't belong to the local primary storage[uuid:{storage.uuid}] "
            f"where the volume[uuid:{volume.uuid}] is; attach the storage to the host's cluster, or choose another host"
        )
    vm = _check_use(tx, volume)
    if (trouble := trouble_of(host.state, host.status)) is not None:
        raise OperationFailed(f"host {host.name}[uuid:{host.uuid}] {trouble}")
    size = bytes_of(tx, volume)
    check_room(tx, storage, host.uuid, size)
    if vm is not None:
        tx.update(vm, moving=True)
    tx.update(volume, status="Migrating", generation=volume.generation + 1)
    row = tx.insert(
        VolumeMove(
            uuid=tx.new_uuid(),
            volume_uuid=volume.uuid,
            name=volume.name,
            vm_instance_uuid=vm.uuid if vm is not None else None,
            primary_storage_uuid=storage.uuid,
            source_host_uuid=str(volume.host_uuid),
            host_uuid=host.uuid,
            size=size,
        )
    )
    recount_storage(tx, storage.uuid)
    return promise(tx, request, row, caller)


@reads(LocalStorageGetVolumeMigratableHosts)
def get_migratable_hosts(
    snapshot: Snapshot, request: LocalStorageGetVolumeMigratableHosts, caller: Caller
) -> dict[str, Any]:
    """The hosts that the call would be taken for now, and why not the others: none while the volume has to stay."""
    volume = snapshot.get(Volume, request.volume_uuid)
    storage = _movable(snapshot, volume)
    size = bytes_of(snapshot, volume)
    stays = _why_it_stays(snapshot, volume)
    parts = {host.uuid for host in _hosts_of(snapshot, storage, volume)}
    kind = _hypervisor_of(snapshot, volume)
    found, excluded = [], []
    for host in snapshot.all(Host, intended="Present", zone_uuid=storage.zone_uuid, order_by="name"):
        if host.uuid == volume.host_uuid:
            continue
        reason = stays or _why_not(
            host, kind, storage, host.uuid in parts, room_on(snapshot, storage, host.uuid), size
        )
        if reason is None:
            found.append(host)
        else:
            excluded.append({"hostUuid": host.uuid, "reason": reason})
    reply = {"inventories": snapshot.inventories(found)}
    return {**reply, "excluded": excluded} if excluded else reply


def _why_it_stays(snapshot: Snapshot, volume: Volume) -> str | None:
    """What keeps a volume from leaving for any host; None when nothing does."""
    try:
        _check_use(snapshot, volume)
        refuse_busy(snapshot, volume)
    except ApiError as refused:
        return refused.details
    return None


def _why_not(
    host: Host, kind: str | None, storage: PrimaryStorage, has_part: bool, room: int, size: int
) -> str | None:
    """What keeps a host from taking a volume of a hypervisor's, and the way out; None when nothing does."""
    if kind not in (None, host.hypervisor_type):
        return f"is of hypervisor {host.hypervisor_type}"
    if not has_part:
        return f"has no part of primary storage {storage.name}; attach that to its cluster"
    if (trouble := trouble_of(host.state, host.status)) is not None:
        return f"{trouble}; {way_out(host.state, host.status)}"
    if room < size:
        return f"has {mib(room)} of local storage left, and {mib(size)} are needed; make room there"
    return None


def _movable(snapshot: Snapshot, volume: Volume) -> PrimaryStorage:
    """The local storage of a volume that is whole; raises `InvalidArgument`."""
    refuse_deleted(volume)
    if volume.status == "NotInstantiated":
        raise InvalidArgument(
            f"the volume[uuid:{volume.uuid}] is not on any local primary storage: its file is made when it is first "
            f"attached to a VM, on the host of that VM, so there is nothing to move"
        )
    uuid = volume.primary_storage_uuid
    storage = snapshot.find(PrimaryStorage, uuid) if uuid is not None else None
    if storage is None or storage.type != "LocalStorage" or volume.host_uuid is None:
        raise InvalidArgument(f"the volume[uuid:{volume.uuid}] is not on any local primary storage")
    if volume.status not in {"Ready", "Migrating"}:
        raise InvalidArgument(f"the volume[uuid:{volume.uuid}] is not Ready, but {volume.status}")
    return storage


def _check_use(snapshot: Snapshot, volume: Volume) -> VmInstance | None:
    """Refuse to move what is in use; the VM of a root volume that may be moved."""
    vm = snapshot.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    if vm is None:
        return None
    if volume.type == "Data":
        raise InvalidArgument(
            f"the data volume[uuid:{volume.uuid}, name:{volume.name}] is still attached to the VM[uuid:{vm.uuid}]. "
            f"Please detach it before migration"
        )
    if vm.state != "Stopped":
        used = OperationFailed(
            f"the volume[uuid:{volume.uuid}] is the root volume of the VM[uuid:{vm.uuid}], which is {vm.state} and "
            f"not Stopped, please stop it before migration"
        )
        raise if_passing(used, vm)
    attached = snapshot.all(Volume, vm_instance_uuid=vm.uuid, type="Data")
    if attached:
        names = ", ".join(f"{each.name}[uuid:{each.uuid}]" for each in attached)
        used = OperationFailed(
            f"the volume[uuid:{volume.uuid}] is the root volume of the VM[uuid:{vm.uuid}], which has data volumes "
            f"attached: {names}. They would stay behind; detach them, move each, and attach them again"
        )
        changing = any(each.attachment != "attached" for each in attached)
        raise used.passes(vm.name_, vm.uuid) if changing else used
    return vm


def _hosts_of(snapshot: Snapshot, storage: PrimaryStorage, volume: Volume) -> list[Host]:
    """The hosts that have a part of a local storage, and can run what the volume is made for."""
    refs = snapshot.all(PrimaryStorageClusterRef, primary_storage_uuid=storage.uuid, intended="Present")
    clusters = [ref.cluster_uuid for ref in refs]
    parts = {ref.host_uuid for ref in snapshot.all(LocalStorageHostRef, primary_storage_uuid=storage.uuid)}
    found = snapshot.all(Host, cluster_uuid=clusters, intended="Present", order_by="name") if clusters else []
    kind = _hypervisor_of(snapshot, volume)
    return [host for host in found if host.uuid in parts and host.hypervisor_type == kind]


def _hypervisor_of(snapshot: Snapshot, volume: Volume) -> str | None:
    """The hypervisor that a volume is made for; None where its host is gone."""
    home = snapshot.find(Host, str(volume.host_uuid))
    return home.hypervisor_type if home is not None else None
