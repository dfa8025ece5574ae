"""Storage: what can be asked about primary storage (VM disks) and backup storage (images)."""

from __future__ import annotations

from typing import ClassVar

from appliance.api.cluster import Cluster
from appliance.api.errors import BackupStorageFailed, PrimaryStorageFailed
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Child, Embed, Join, Resource, Timestamp, column
from appliance.api.zone import Zone

PRIMARY = "org.zstack.header.storage.primary"
LOCAL = "org.zstack.storage.primary.local"
BACKUP = "org.zstack.header.storage.backup"
SFTP = "org.zstack.storage.backup.sftp"


class PrimaryStorage(Resource, java=PRIMARY):
    """Where the disks of VMs live. LocalStorage is the same folder on every host of its clusters."""

    embeds: ClassVar[tuple[Embed, ...]] = (
        Embed("attachedClusterUuids", "PrimaryStorageClusterRef", "primary_storage_uuid", "cluster_uuid"),
    )
    joins = (
        Join("zone", "Zone", "zone_uuid"),
        Join("volume", "Volume", theirs="primary_storage_uuid"),
        Join("volumeSnapshot", "VolumeSnapshot", theirs="primary_storage_uuid"),
        Join("clusterRef", "PrimaryStorageClusterRef", theirs="primary_storage_uuid", hidden=True),
    )
    aliases = (("cluster", "clusterRef.cluster"),)

    uuid: str = column("Identity.")
    zone_uuid: str = column("The zone it is in.", indexed=True)
    name: str = column("Display name.", indexed=True)
    url: str = column("The folder on each host.")
    description: str | None = column("What it is for.", default=None)
    total_capacity: int = column("Bytes on all hosts.", default=0)
    available_capacity: int = column("Bytes not promised to a volume.", default=0)
    total_physical_capacity: int = column("Bytes on disk.", default=0, owner="observed")
    available_physical_capacity: int = column("Bytes free on disk.", default=0, owner="observed")
    system_used_capacity: int | None = column("Bytes taken by others from the first.", default=None)
    type: str = column("LocalStorage or SimulatorPrimaryStorage.", default="LocalStorage")
    state: str = column("Enabled, Disabled or Maintenance.", default="Enabled")
    status: str = column("Connecting, Connected or Disconnected.", default="Connected", owner="observed")
    mount_path: str = column("The folder on each host.")
    create_date: Timestamp = column("When it was added.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class PrimaryStorageClusterRef(Resource, java=PRIMARY):
    """A primary storage that hosts of a cluster may use."""

    joins = (
        Join("cluster", "Cluster", "cluster_uuid"),
        Join("primaryStorage", "PrimaryStorage", "primary_storage_uuid"),
    )
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("primary_storage_uuid", "cluster_uuid"),)

    uuid: str = column("Identity.", private=True)
    id: int = column("Counts them as they were attached.", unique=True)
    primary_storage_uuid: str = column("The storage.", indexed=True)
    cluster_uuid: str = column("The cluster.", indexed=True)
    create_date: Timestamp = column("When it was attached.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    intended: str = column("Present or Absent.", default="Present", private=True)


class LocalStorageResourceRef(Resource, java=LOCAL, primary="resource_uuid"):
    """Which host has the file of something on a local primary storage."""

    joins = (
        Join("volume", "Volume", "resource_uuid"),
        Join("image", "Image", "resource_uuid"),
        Join("snapshot", "VolumeSnapshot", "resource_uuid"),
    )

    resource_uuid: str = column("The volume.")
    primary_storage_uuid: str = column("The storage.", indexed=True)
    host_uuid: str = column("The host that has the file.", indexed=True)
    size: int = column("Bytes.")
    resource_type: str = column("VolumeVO.", default="VolumeVO")
    create_date: Timestamp = column("When it came there.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class LocalStorageHostRef(Resource, java=LOCAL):
    """What one host has of a local primary storage, in bytes."""

    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("primary_storage_uuid", "host_uuid"),)

    uuid: str = column("Identity.", private=True)
    primary_storage_uuid: str = column("The storage.", indexed=True)
    host_uuid: str = column("The host.", indexed=True)
    total_capacity: int = column("Bytes on the host's disk.", default=0, owner="observed")
    available_capacity: int = column("Bytes not promised to a volume.", default=0)
    available_physical_capacity: int = column("Bytes free on disk.", default=0, owner="observed")


class BackupStorage(Resource, java=BACKUP):
    """Where images live: a folder on a machine that the appliance reaches by SSH."""

    embeds: ClassVar[tuple[Embed, ...]] = (
        Embed("attachedZoneUuids", "BackupStorageZoneRef", "backup_storage_uuid", "zone_uuid"),
    )
    joins = (
        Join("zoneRef", "BackupStorageZoneRef", theirs="backup_storage_uuid", hidden=True),
        Join("imageRef", "ImageBackupStorageRef", theirs="backup_storage_uuid", hidden=True),
        Join(
            "volumeSnapshotRef", "VolumeSnapshotBackupStorageRef", theirs="backup_storage_uuid", hidden=True
        ),
    )
    aliases = (
        ("zone", "zoneRef.zone"),
        ("image", "imageRef.image"),
        ("volumeSnapshot", "volumeSnapshotRef.volumeSnapshot"),
    )
    children = (
        Child(
            "SftpBackupStorage",
            SFTP,
            "SftpBackupStorage",
            ("hostname", "ssh_port", "username", "host_key_fingerprint"),
        ),
    )

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    url: str = column("The folder.")
    description: str | None = column("What it is for.", default=None)
    total_capacity: int = column("Bytes on disk.", default=0, owner="observed")
    available_capacity: int = column(
        "Bytes free on disk, as of the last write, deletion or ping. New images and backups leave 64 MiB of them free.",
        default=0,
        owner="observed",
    )
    type: str = column("SftpBackupStorage or SimulatorBackupStorage.", default="SftpBackupStorage")
    state: str = column("Enabled or Disabled.", default="Enabled")
    status: str = column("Connecting, Connected or Disconnected.", default="Connecting", owner="observed")
    status_reason: str | None = column("Why it is not connected.", default=None, owner="observed")
    hostname: str = column("The machine.")
    ssh_port: int = column("The port of its sshd.", default=22)
    username: str = column("Who the appliance logs in as.", default="root")
    host_key_fingerprint: str | None = column("The SSH host key that it must have, by SHA256.", default=None)
    create_date: Timestamp = column("When it was added.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    intended: str = column("Present or Absent.", default="Present", private=True)
    connect_id: int = column("Counts the connections asked for.", default=1, private=True)
    connected_id: int = column("The last of them made.", default=0, private=True, owner="observed")


class BackupStorageZoneRef(Resource, java=BACKUP):
    """A backup storage whose images VMs of a zone may use."""

    joins = (
        Join("zone", "Zone", "zone_uuid"),
        Join("backupStorage", "BackupStorage", "backup_storage_uuid"),
    )
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("backup_storage_uuid", "zone_uuid"),)

    uuid: str = column("Identity.", private=True)
    id: int = column("Counts them as they were attached.", unique=True)
    backup_storage_uuid: str = column("The storage.", indexed=True)
    zone_uuid: str = column("The zone.", indexed=True)
    create_date: Timestamp = column("When it was attached.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class AddLocalPrimaryStorage(CreateMessage, java=LOCAL, returns=PrimaryStorage,
                             result_class=f"{PRIMARY}.APIAddPrimaryStorageEvent"):  # fmt: skip
    """Add a folder that every host has of its own as primary storage."""

    url: str = arg("The absolute path of the folder.", max_length=2048)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    type: str | None = arg("Kind of storage.", default=None)
    zone_uuid: str = arg("The zone it goes into.", ref=Zone)


class AttachPrimaryStorageToCluster(Message, java=PRIMARY, returns=PrimaryStorage,
                                    raises=(PrimaryStorageFailed,)):  # fmt: skip
    """Let the hosts of a cluster use a primary storage; done when each connected host has its folder."""

    cluster_uuid: str = arg("The cluster.", ref=Cluster)
    primary_storage_uuid: str = arg("The storage.", ref=PrimaryStorage)


class DetachPrimaryStorageFromCluster(Message, java=PRIMARY, returns=PrimaryStorage):
    """Take a primary storage from a cluster none of whose VMs has a volume on it."""

    primary_storage_uuid: str = arg("The storage.", ref=PrimaryStorage)
    cluster_uuid: str = arg("The cluster.", ref=Cluster)


class UpdatePrimaryStorage(Message, java=PRIMARY, returns=PrimaryStorage):
    """Change name or description of a primary storage."""

    uuid: str = arg("The storage.", ref=PrimaryStorage)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class ChangePrimaryStorageState(Message, java=PRIMARY, returns=PrimaryStorage):
    """Enable a primary storage, disable it for new volumes, or put it into maintenance.

    For maintenance the VMs that have a volume on it must be stopped; they are not started before it is over.
    """

    uuid: str = arg("The storage.", ref=PrimaryStorage)
    state_event: str = arg("What to do.", choices=("enable", "disable", "maintain"))


class ReconnectPrimaryStorage(Message, java=PRIMARY, returns=PrimaryStorage, role="operator",
                              raises=(PrimaryStorageFailed,)):  # fmt: skip
    """Make the folder of a primary storage again on every connected host that should have it."""

    uuid: str = arg("The storage.", ref=PrimaryStorage)


class SyncPrimaryStorageCapacity(Message, java=PRIMARY, returns=PrimaryStorage, role="operator",
                                 raises=(PrimaryStorageFailed,)):  # fmt: skip
    """Ask every connected host that has a primary storage how large it is, and count what is left."""

    primary_storage_uuid: str = arg("The storage.", ref=PrimaryStorage)


class DeletePrimaryStorage(DeleteMessage, java=PRIMARY):
    """Forget a primary storage that no cluster uses; its folders stay on the hosts."""

    uuid: str = arg("The storage.")


class QueryPrimaryStorage(QueryMessage, java=PRIMARY, resource=PrimaryStorage):
    """Find primary storages."""


class QueryLocalStorageResourceRef(QueryMessage, java=LOCAL, resource=LocalStorageResourceRef):
    """Find which host has the file of a volume."""


class AddSftpBackupStorage(CreateMessage, java=SFTP, returns=BackupStorage,
                           result_class=f"{BACKUP}.APIAddBackupStorageEvent",
                           raises=(BackupStorageFailed,)):  # fmt: skip
    """Add a folder on a machine that the appliance reaches by SSH as backup storage."""

    url: str = arg("The absolute path of the folder.", max_length=2048)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    type: str | None = arg("Kind of storage.", default=None)
    hostname: str = arg("Address or name of the machine.", max_length=255)
    username: str = arg("root, or a user with sudo that asks for no password.", max_length=255)
    password: str = arg(
        "Used once to install the appliance's key.", max_length=255, secret=True, empty_allowed=True
    )
    ssh_port: int = arg("Port of its sshd.", default=22, minimum=1, maximum=65535)
    host_key_fingerprint: str | None = arg(
        "Refuse the machine unless its SSH host key has this SHA256 fingerprint. When absent, the key that it has "
        "when it is first seen is believed, and told by an event.",
        default=None,
    )


class AttachBackupStorageToZone(Message, java=BACKUP, returns=BackupStorage):
    """Let VMs of a zone be made from a backup storage's images."""

    zone_uuid: str = arg("The zone.", ref=Zone)
    backup_storage_uuid: str = arg("The storage.", ref=BackupStorage)


class DetachBackupStorageFromZone(Message, java=BACKUP, returns=BackupStorage):
    """Take a backup storage from a zone; VMs made of its images go on."""

    backup_storage_uuid: str = arg("The storage.", ref=BackupStorage)
    zone_uuid: str = arg("The zone.", ref=Zone)


class UpdateBackupStorage(Message, java=BACKUP, returns=BackupStorage):
    """Change name or description of a backup storage."""

    uuid: str = arg("The storage.", ref=BackupStorage)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class UpdateSftpBackupStorage(Message, java=SFTP, returns=BackupStorage,
                              result_class=f"{BACKUP}.APIUpdateBackupStorageEvent",
                              raises=(BackupStorageFailed,)):  # fmt: skip
    """Change name, description, machine or user of a backup storage, or accept its machine's new SSH host key.

    Reconnect it for a new machine or key to be used.
    """

    uuid: str = arg("The storage.", ref=BackupStorage)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)
    username: str | None = arg("New user.", default=None, max_length=255)
    password: str | None = arg(
        "Used once to install the appliance's key again.", default=None, max_length=255, secret=True
    )
    hostname: str | None = arg("New address or name of the machine.", default=None, max_length=255)
    ssh_port: int | None = arg("New port.", default=None, minimum=1, maximum=65535)
    host_key_fingerprint: str | None = arg(
        "Accept the SSH host key that the machine has now, if this is its SHA256 fingerprint.", default=None
    )


class ChangeBackupStorageState(Message, java=BACKUP, returns=BackupStorage):
    """Enable a backup storage, or disable it for new images."""

    uuid: str = arg("The storage.", ref=BackupStorage)
    state_event: str = arg("What to do.", choices=("enable", "disable"))


class ReconnectSftpBackupStorage(Message, java=SFTP, returns=BackupStorage, role="operator",
                                 raises=(BackupStorageFailed,)):  # fmt: skip
    """Connect a backup storage again from the start."""

    uuid: str = arg("The storage.", ref=BackupStorage, ref_child="SftpBackupStorage")


class DeleteBackupStorage(DeleteMessage, java=BACKUP):
    """Forget a backup storage that holds no image; its folder stays."""

    uuid: str = arg("The storage.")


class QueryBackupStorage(QueryMessage, java=BACKUP, resource=BackupStorage):
    """Find backup storages."""


class QuerySftpBackupStorage(QueryMessage, java=SFTP, resource=BackupStorage):
    """Find backup storages that are reached by SSH."""

    only = ({"name": "type", "op": "=", "value": "SftpBackupStorage"},)
