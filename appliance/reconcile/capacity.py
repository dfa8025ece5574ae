"""What VMs and volumes leave of hosts and storage: of sums that are kept with every change of their rows."""

from __future__ import annotations

from collections.abc import Callable

from appliance.api.host import Host
from appliance.api.move import VmMove
from appliance.api.size import parse_size
from appliance.api.storage import LocalStorageHostRef, LocalStorageResourceRef, PrimaryStorage
from appliance.api.tag import SystemTag
from appliance.api.tally import of_host, of_storage
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def reserved(snapshot: Snapshot, host: Host, what: str) -> int:
    """What of a host is kept from VMs: its own tag's, its cluster's, its zone's, else for KVM the setting's.

    `what` is `reservedMemory`, in bytes, or `reservedCpu`, in CPUs times MHz.
    """
    for level, uuid, start in (
        ("hostLevel", host.uuid, f"{what}::"),
        ("clusterLevel", host.cluster_uuid, f"host::{what}::"),
        ("zoneLevel", host.zone_uuid, f"host::{what}::"),
    ):
        if not snapshot.flag("hostAllocator", f"reservedCapacity.{level}"):
            continue
        for tag in snapshot.all(SystemTag, resource_uuid=uuid):
            if tag.tag.startswith(start):
                return parse_size(tag.tag.removeprefix(start))
    return parse_size(snapshot.setting("kvm", what)) if host.hypervisor_type == "KVM" else 0


def kept_free(snapshot: Snapshot, category: str) -> int:
    """Bytes that what is put on a storage leaves of it: `primaryStorage`'s setting, or `backupStorage`'s."""
    return parse_size(snapshot.setting(category, "reservedCapacity"))


def spare_of(snapshot: Snapshot) -> Callable[[int], int]:
    """What of the bytes that a primary storage has left may be given to volumes: all above its reserve."""
    reserve = kept_free(snapshot, "primaryStorage")
    return lambda left: max(left - reserve, 0)


def recount_tagged(tx: Transaction, tag: SystemTag) -> None:
    """Count what is left of the hosts that a tag keeps something of, now that it came, changed or went."""
    if "reserved" not in tag.tag:
        return
    uuid = tag.resource_uuid
    match tag.resource_type:
        case "HostVO":
            hosts = tx.all(Host, uuid=uuid)
        case "ClusterVO":
            hosts = tx.all(Host, cluster_uuid=uuid)
        case "ZoneVO":
            hosts = tx.all(Host, zone_uuid=uuid)
        case _:
            hosts = []
    for host in hosts:
        recount_host(tx, host.uuid)


def recount_host(tx: Transaction, host_uuid: str) -> None:
    """Write what the VMs on a host, and those on their way to it, leave of it."""
    host = tx.find(Host, host_uuid)
    if host is None:
        return
    memory, cpu = tx.tally(of_host("memory", host_uuid)), tx.tally(of_host("cpu", host_uuid))
    for vm in _coming(tx, host_uuid):
        memory, cpu = memory + vm.most_memory, cpu + vm.most_cpu
    tx.update(
        host,
        available_memory_capacity=host.total_memory_capacity - reserved(tx, host, "reservedMemory") - memory,
        available_cpu_capacity=host.total_cpu_capacity - reserved(tx, host, "reservedCpu") - cpu,
    )


def _coming(snapshot: Snapshot, host_uuid: str) -> list[VmInstance]:
    """The VMs that move to a host, and are not on it yet."""
    moves = snapshot.all(VmMove, host_uuid=host_uuid, phase=["preparing", "moving"])
    vms = [snapshot.find(VmInstance, move.vm_instance_uuid) for move in moves]
    return [vm for vm in vms if vm is not None and vm.host_uuid != host_uuid]


def recount_storage(tx: Transaction, storage_uuid: str) -> None:
    """Write what volumes leave of a primary storage, per host and in all."""
    storage = tx.find(PrimaryStorage, storage_uuid)
    if storage is None:
        return
    if storage.type != "LocalStorage":
        _recount_shared(tx, storage)
        return
    refs = tx.all(LocalStorageHostRef, primary_storage_uuid=storage_uuid)
    used = tx.tallies(of_storage(storage_uuid))
    available = 0
    for ref in refs:
        left = ref.total_capacity - used.get(ref.host_uuid, 0)
        if left != ref.available_capacity:
            tx.update(ref, available_capacity=left)
        available += left
    tx.update(
        storage,
        total_capacity=sum(ref.total_capacity for ref in refs),
        available_capacity=available,
        total_physical_capacity=sum(ref.total_capacity for ref in refs),
        available_physical_capacity=sum(ref.available_physical_capacity for ref in refs),
    )


def keep_volume(tx: Transaction, volume: Volume) -> None:
    """Say which host has the file of a new volume, if it is on local storage."""
    storage = tx.find(PrimaryStorage, volume.primary_storage_uuid) if volume.primary_storage_uuid else None
    if storage is not None and storage.type == "LocalStorage" and volume.host_uuid is not None:
        tx.insert(
            LocalStorageResourceRef(
                resource_uuid=volume.uuid,
                primary_storage_uuid=storage.uuid,
                host_uuid=volume.host_uuid,
                size=volume.size,
            )
        )


def drop_volume(tx: Transaction, volume: Volume) -> None:
    """Say no more that a host has the file of a volume that is removed."""
    ref = tx.find(LocalStorageResourceRef, volume.uuid)
    if ref is not None:
        tx.delete(ref)


def resize_volume(tx: Transaction, volume: Volume, size: int) -> Volume:
    """Write the size that a volume is to have, and what that leaves of its storage."""
    ref = tx.find(LocalStorageResourceRef, volume.uuid)
    if ref is not None:
        tx.update(ref, size=size)
    volume = tx.update(volume, size=size)
    if volume.primary_storage_uuid is not None:
        recount_storage(tx, volume.primary_storage_uuid)
    return volume


def _recount_shared(tx: Transaction, storage: PrimaryStorage) -> None:
    """A storage that has its size of its own, whatever hosts use it."""
    used = tx.tally(of_storage(storage.uuid))
    left = storage.total_capacity - (storage.system_used_capacity or 0) - used
    tx.update(storage, available_capacity=left, available_physical_capacity=left)
