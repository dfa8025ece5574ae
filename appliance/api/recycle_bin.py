"""The recycle bin: what was deleted and can still be recovered, what that would free, and until when."""

from __future__ import annotations

from appliance.api.message import QueryMessage
from appliance.api.resource import Join, Resource, Timestamp, column

JAVA = "org.zstui.recyclebin"

CATEGORIES = {"VmInstance": "vm", "Volume": "volume", "Image": "image"}
"""Whose settings decide about what is in the bin, by its kind."""


class RecycleBinItem(Resource, java=JAVA):
    """A VM, a data volume, or an image on one backup storage that was deleted, until it is recovered or removed.

    An image that was deleted from several backup storages is there once for each.
    """

    joins = (
        Join("vmInstance", "VmInstance", "resource_uuid"),
        Join("volume", "Volume", "resource_uuid"),
        Join("image", "Image", "resource_uuid"),
        Join("host", "Host", "host_uuid"),
        Join("primaryStorage", "PrimaryStorage", "primary_storage_uuid"),
        Join("backupStorage", "BackupStorage", "backup_storage_uuid"),
    )
    indexes = (("resource_type", "expunge_date"),)

    uuid: str = column("Identity.")
    resource_uuid: str = column("What was deleted.", indexed=True)
    resource_type: str = column("VmInstanceVO, VolumeVO or ImageVO.", few=True)
    name: str = column("Its name.", indexed=True)
    status: str = column("Deleted, or Expunging while what it takes is being removed.", default="Deleted")
    reclaimable_size: int | None = column(
        "Bytes of storage that expunging it gives back; none until its host has said.",
        default=None,
        owner="observed",
    )
    deletion_date: Timestamp = column("When it was deleted.", indexed=True)
    expunge_date: Timestamp | None = column(
        "When it is removed for good, at the next look from then on; none while the policy is Never.",
        default=None,
        indexed=True,
    )
    host_uuid: str | None = column("The host that has its files.", default=None, indexed=True)
    primary_storage_uuid: str | None = column("Where a VM's disk or a volume is.", default=None, indexed=True)
    backup_storage_uuid: str | None = column("Where an image is.", default=None, indexed=True)
    data_volume_uuids: list[str] = column(
        "Of a VM: the data volumes that it had, in their order.", default_factory=list
    )
    ips: list[str] = column("Of a VM: the addresses that it had.", default_factory=list)
    create_date: Timestamp = column("When it came into the bin.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class QueryRecycleBinItem(QueryMessage, java=JAVA, resource=RecycleBinItem):
    """Find what is in the recycle bin: VMs, data volumes and images together."""
