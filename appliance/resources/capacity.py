"""How much is left, added up."""

from __future__ import annotations

from typing import Any, TypeVar

from appliance.api.capacity import (
    GetBackupStorageCapacity,
    GetCpuMemoryCapacity,
    GetLocalStorageHostDiskCapacity,
    GetPrimaryStorageCapacity,
)
from appliance.api.errors import InvalidArgument
from appliance.api.host import Host
from appliance.api.message import Message
from appliance.api.resource import Resource
from appliance.api.storage import (
    BackupStorage,
    BackupStorageZoneRef,
    LocalStorageHostRef,
    PrimaryStorage,
    PrimaryStorageClusterRef,
)
from appliance.resources.registry import Caller, reads
from appliance.store.snapshot import Snapshot

R = TypeVar("R", bound=Resource)


@reads(GetCpuMemoryCapacity)
def get_cpu_memory_capacity(
    snapshot: Snapshot, request: GetCpuMemoryCapacity, caller: Caller
) -> dict[str, Any]:
    """Of hosts, whatever their state; what is reserved is not left."""
    _check_asked(request)
    hosts = _asked(snapshot, Host, request.host_uuids, request.all)
    hosts |= _by(snapshot, Host, zone_uuid=request.zone_uuids)
    hosts |= _by(snapshot, Host, cluster_uuid=request.cluster_uuids)
    return {
        "totalCpu": sum(host.total_cpu_capacity for host in hosts.values()),
        "availableCpu": sum(max(0, host.available_cpu_capacity) for host in hosts.values()),
        "totalMemory": sum(host.total_memory_capacity for host in hosts.values()),
        "availableMemory": sum(max(0, host.available_memory_capacity) for host in hosts.values()),
    }


@reads(GetPrimaryStorageCapacity)
def get_primary_storage_capacity(
    snapshot: Snapshot, request: GetPrimaryStorageCapacity, caller: Caller
) -> dict[str, Any]:
    """Of primary storages, each once."""
    _check_asked(request)
    storages = _asked(snapshot, PrimaryStorage, request.primary_storage_uuids, request.all)
    storages |= _by(snapshot, PrimaryStorage, zone_uuid=request.zone_uuids)
    refs = _by(snapshot, PrimaryStorageClusterRef, cluster_uuid=request.cluster_uuids)
    storages |= _by(snapshot, PrimaryStorage, uuid=[ref.primary_storage_uuid for ref in refs.values()])
    found = storages.values()
    return {
        "totalCapacity": sum(storage.total_capacity for storage in found),
        "availableCapacity": sum(storage.available_capacity for storage in found),
        "totalPhysicalCapacity": sum(storage.total_physical_capacity for storage in found),
        "availablePhysicalCapacity": sum(storage.available_physical_capacity for storage in found),
    }


@reads(GetBackupStorageCapacity)
def get_backup_storage_capacity(
    snapshot: Snapshot, request: GetBackupStorageCapacity, caller: Caller
) -> dict[str, Any]:
    """Of backup storages, each once."""
    _check_asked(request)
    storages = _asked(snapshot, BackupStorage, request.backup_storage_uuids, request.all)
    refs = _by(snapshot, BackupStorageZoneRef, zone_uuid=request.zone_uuids)
    storages |= _by(snapshot, BackupStorage, uuid=[ref.backup_storage_uuid for ref in refs.values()])
    return {
        "totalCapacity": sum(storage.total_capacity for storage in storages.values()),
        "availableCapacity": sum(storage.available_capacity for storage in storages.values()),
    }


@reads(GetLocalStorageHostDiskCapacity)
def get_local_storage_host_disk_capacity(
    snapshot: Snapshot, request: GetLocalStorageHostDiskCapacity, caller: Caller
) -> dict[str, Any]:
    """What each host said of its disk, and what volumes left of it."""
    storage = snapshot.get(PrimaryStorage, request.primary_storage_uuid)
    if storage.type != "LocalStorage":
        raise InvalidArgument(
            f"primary storage {storage.name}[uuid:{storage.uuid}] is a {storage.type}, not a LocalStorage: "
            f"hosts have no disk of it; use GetPrimaryStorageCapacity"
        )
    refs = snapshot.all(LocalStorageHostRef, primary_storage_uuid=storage.uuid)
    if request.host_uuid is not None:
        refs = [ref for ref in refs if ref.host_uuid == request.host_uuid]
        if not refs:
            raise InvalidArgument(
                f"local primary storage[uuid:{storage.uuid}] doesn't have the host[uuid:{request.host_uuid}]"
            )
    return {
        "inventories": [
            {
                "hostUuid": ref.host_uuid,
                "totalCapacity": ref.total_capacity,
                "availableCapacity": ref.available_capacity,
                "totalPhysicalCapacity": ref.total_capacity,
                "availablePhysicalCapacity": ref.available_physical_capacity,
            }
            for ref in refs
        ]
    }


def _check_asked(request: Message) -> None:
    """Refuse a question about nothing: an empty sum would look like an answer."""
    own = request.own_parameters()
    if not any(getattr(request, each.name) for each in own):
        lists = ", ".join(each.wire for each in own if each.name != "all")
        raise InvalidArgument(f"one of {lists} must be a nonempty list, or all must be true")


def _asked(snapshot: Snapshot, kind: type[R], uuids: list[str], everything: bool) -> dict[str, R]:
    found = snapshot.all(kind) if everything else snapshot.all(kind, uuid=uuids) if uuids else []
    return {str(each.key_value): each for each in found}


def _by(snapshot: Snapshot, kind: type[R], **equals: Any) -> dict[str, R]:
    """Those with one of some values, by uuid; none for an empty list."""
    found = snapshot.all(kind, **equals) if any(equals.values()) else []
    return {str(each.key_value): each for each in found}
