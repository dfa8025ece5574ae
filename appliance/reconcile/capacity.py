"""What VMs and volumes leave of hosts and storage: counted from the rows, so that it cannot drift."""

from __future__ import annotations

import re

from appliance.api.host import Host
from appliance.api.move import VolumeMove
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.storage import LocalStorageHostRef, LocalStorageResourceRef, PrimaryStorage
from appliance.api.tag import SystemTag
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeRestore
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

LARGEST = 1 << 60
"""Bytes, or CPUs times MHz: more is a mistake, and what is counted with it must fit the store."""

_USED = """
SELECT COALESCE(SUM(MAX(memory_size, COALESCE(pending_memory_size, 0))), 0),
       COALESCE(SUM(MAX(cpu_num * cpu_speed, COALESCE(pending_cpu_num * pending_cpu_speed, 0))), 0)
FROM vm_instance
WHERE host_uuid = ?1
   OR uuid IN (SELECT vm_instance_uuid FROM vm_move WHERE host_uuid = ?1 AND phase <> 'moved')
"""


def parse_size(text: str) -> int:
    """`512M` in bytes; raises `ValueError`."""
    found = re.fullmatch(r"\s*([0-9]{1,19})\s*([KMGT]?)B?\s*", text.upper())
    if not found:
        raise ValueError(f"{text} is not a size like 512M")
    size = int(found.group(1)) * UNITS[found.group(2)]
    if size > LARGEST:
        raise ValueError(f"{text} is more than anything has: {LARGEST} at most")
    return size


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
    """Write what the VMs on a host leave of it: of a VM whose size will change, the larger one counts."""
    host = tx.find(Host, host_uuid)
    if host is None:
        return
    ((memory, cpu),) = tx.rows(_USED, (host_uuid,))
    tx.update(
        host,
        available_memory_capacity=host.total_memory_capacity
        - reserved(tx, host, "reservedMemory")
        - int(memory),
        available_cpu_capacity=host.total_cpu_capacity - reserved(tx, host, "reservedCpu") - int(cpu),
    )


def recount_storage(tx: Transaction, storage_uuid: str) -> None:
    """Write what volumes leave of a primary storage, per host and in all."""
    storage = tx.find(PrimaryStorage, storage_uuid)
    if storage is None:
        return
    if storage.type != "LocalStorage":
        _recount_shared(tx, storage)
        return
    refs = tx.all(LocalStorageHostRef, primary_storage_uuid=storage_uuid)
    available = 0
    for ref in refs:
        used = _used(tx, storage_uuid, host_uuid=ref.host_uuid)
        left = ref.total_capacity - used
        tx.update(ref, available_capacity=left)
        available += left
    tx.update(
        storage,
        total_capacity=sum(ref.total_capacity for ref in refs),
        available_capacity=available,
        total_physical_capacity=sum(ref.total_capacity for ref in refs),
        available_physical_capacity=sum(ref.available_physical_capacity for ref in refs),
    )


def _used(snapshot: Snapshot, storage_uuid: str, **where: str) -> int:
    """What volumes have of a storage: a data volume's is free once it is deleted, as ZStack counts."""
    found = {"primary_storage_uuid": storage_uuid, **where}
    deleted = snapshot.total(Volume, "size", type="Data", status="Deleted", **found)
    kept = snapshot.total(VolumeSnapshot, "size", **found)
    coming = snapshot.total(VolumeMove, "size", **found) + snapshot.total(VolumeRestore, "size", **found)
    return snapshot.total(Volume, "size", **found) - deleted + kept + coming


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
    used = _used(tx, storage.uuid)
    left = storage.total_capacity - (storage.system_used_capacity or 0) - used
    tx.update(storage, available_capacity=left, available_physical_capacity=left)
