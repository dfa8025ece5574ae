"""Capacity: what can be asked about how much of hosts and storage is left, all together."""

from __future__ import annotations

from appliance.api.cluster import Cluster
from appliance.api.host import Host
from appliance.api.message import Message, arg
from appliance.api.storage import BACKUP, LOCAL, PRIMARY, BackupStorage, PrimaryStorage
from appliance.api.zone import Zone


class GetCpuMemoryCapacity(Message, java="org.zstack.header.allocator", sync=True, role="read-only"):
    """Say how much CPU and memory some hosts have in all, and how much of it is left for VMs."""

    zone_uuids: list[str] = arg("The hosts of these zones.", default=[], ref=Zone)
    cluster_uuids: list[str] = arg("The hosts of these clusters.", default=[], ref=Cluster)
    host_uuids: list[str] = arg("These hosts.", default=[], ref=Host)
    all: bool = arg("Every host.", default=False)


class GetPrimaryStorageCapacity(Message, java=PRIMARY, sync=True, role="read-only"):
    """Say how much some primary storages hold in all, and how much of it is left for volumes."""

    zone_uuids: list[str] = arg("The storages of these zones.", default=[], ref=Zone)
    cluster_uuids: list[str] = arg("The storages attached to these clusters.", default=[], ref=Cluster)
    primary_storage_uuids: list[str] = arg("These storages.", default=[], ref=PrimaryStorage)
    all: bool = arg("Every storage.", default=False)


class GetBackupStorageCapacity(Message, java=BACKUP, sync=True, role="read-only"):
    """Say how much some backup storages hold in all, and how much of it is left for images."""

    zone_uuids: list[str] = arg("The storages attached to these zones.", default=[], ref=Zone)
    backup_storage_uuids: list[str] = arg("These storages.", default=[], ref=BackupStorage)
    all: bool = arg("Every storage.", default=False)


class GetLocalStorageHostDiskCapacity(Message, java=LOCAL, sync=True, role="read-only"):
    """Say how much each host has of a local primary storage, and how much of it is left."""

    host_uuid: str | None = arg("Only this host.", default=None, ref=Host)
    primary_storage_uuid: str = arg("The storage.", ref=PrimaryStorage)
