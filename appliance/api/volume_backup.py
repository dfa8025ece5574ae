"""Backups: what can be asked about copies of volumes on backup storage, and what is made of them again."""

from __future__ import annotations

from appliance.api.errors import WrongVmState
from appliance.api.host import Host
from appliance.api.image import PLATFORMS, Image
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column
from appliance.api.snapshot import JAVA as SNAPSHOT_JAVA
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.storage import BackupStorage, PrimaryStorage
from appliance.api.tally import promised
from appliance.api.volume import JAVA as VOLUME_JAVA
from appliance.api.volume import Volume

JAVA = "org.zstack.header.storage.backup"

MODES = ("incremental", "full")


class VolumeBackup(Resource, java=JAVA):
    """What a volume held at one moment, on a backup storage: all of it, or what differs from the backup before."""

    joins = (
        Join("volume", "Volume", "volume_uuid"),
        Join("vmInstance", "VmInstance", "vm_instance_uuid"),
        Join("backupStorage", "BackupStorage", "backup_storage_uuid"),
        Join("volumeSnapshot", "VolumeSnapshot", "volume_snapshot_uuid"),
        Join("parent", "VolumeBackup", "parent_uuid"),
    )

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    volume_uuid: str = column("The volume, which may be gone.", indexed=True)
    vm_instance_uuid: str | None = column("The VM that had it then.", default=None, indexed=True)
    group_uuid: str = column("The same for backups of one moment: the uuid of the first.", indexed=True)
    backup_storage_uuid: str = column("Where it is.", indexed=True)
    volume_snapshot_uuid: str | None = column(
        "The snapshot that it is a copy of, which may be gone, if it is one.", default=None, indexed=True
    )
    parent_uuid: str | None = column("The backup that this one only adds to.", default=None, indexed=True)
    type: str = column("Root or Data, as the volume.")
    mode: str = column("full or incremental, once it is known.", default="full")
    mode_reason: str | None = column("Why it is full though an increment was asked for.", default=None)
    volume_size: int = column("Virtual size of the volume then, in bytes.", default=0)
    size: int = column("Bytes that it takes.", default=0)
    md5: str | None = column("MD5 of its file.", default=None)
    install_path: str = column("The file.")
    state: str = column("Always Enabled.", default="Enabled")
    status: str = column("Creating, Ready or Deleting.", default="Creating")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    host_uuid: str = column("The host of the volume.", private=True, indexed=True)
    volume_path: str = column("The volume's file then.", private=True)
    staged_path: str = column("Its file on that host, until it is carried away.", private=True)
    phase: str = column("writing, carrying, clearing or done.", default="writing", private=True)
    intended: str = column("Present or Absent.", default="Present", private=True)
    generation: int = column("Counts changes of what is intended.", default=1, private=True)

    @property
    def is_unfinished(self) -> bool:
        """Whether something is left to do for it."""
        return self.phase != "done" or self.intended == "Absent"


class VolumeRestore(Resource):
    """What is being made of a backup: a new volume, what one that is there holds, or an image beside it."""

    uuid: str = column("Identity: of a new volume or image, that one's.")
    name: str = column("What the new one is called.")
    volume_uuid: str | None = column("The volume that goes back, if one does.", default=None, indexed=True)
    backup_uuid: str = column("The backup.", indexed=True)
    account_uuid: str = column("Who the new one is for.")
    description: str | None = column("What the new one is for.", default=None)
    primary_storage_uuid: str | None = column("Where a volume goes.", default=None, indexed=True)
    host_uuid: str | None = column("The host that a volume goes to.", default=None, indexed=True)
    backup_storage_uuid: str | None = column("Where an image goes.", default=None, indexed=True)
    format: str = column("Of an image: what its file is.", default="qcow2")
    platform: str = column("Of an image: what is in it.", default="Linux")
    guest_os_type: str | None = column("Of an image: what is in it.", default=None)
    system: bool = column("Of an image: whether it belongs to the appliance.", default=False)
    install_path: str = column("The file that is to be.")
    tags: str = column("Tags for the new one, by their kind: JSON.", default="{}")
    size: int = column("Bytes promised to it.")
    intended: str = column("Present, or Absent: then what has come goes.", default="Present")
    generation: int = column("Counts changes of what is intended.", default=1)
    create_date: Timestamp = column("When it began.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))

    def tallies(self) -> dict[str, int]:
        """What is promised to a volume that is being made."""
        return promised(self.primary_storage_uuid, self.host_uuid, self.size)


class CreateVolumeBackup(CreateMessage, java=JAVA, returns=VolumeBackup, role="operator",
                         raises=(WrongVmState,)):  # fmt: skip
    """Copy what a volume holds to a backup storage, under its guest if that runs.

    Incremental, it takes only what was written since the volume's last backup there, where that is known.
    """

    volume_uuid: str = arg("The volume.", ref=Volume)
    backup_storage_uuid: str = arg("Where it goes.", ref=BackupStorage)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    mode: str = arg("full takes everything whatever there is.", default="incremental", choices=MODES)


class CreateVmBackup(CreateMessage, java=JAVA, returns=VolumeBackup, role="operator",
                     raises=(WrongVmState,)):  # fmt: skip
    """Back up the root volume of a VM and all its data volumes, as they are at one moment."""

    root_volume_uuid: str = arg("The VM's root volume.", ref=Volume)
    backup_storage_uuid: str = arg("Where it goes.", ref=BackupStorage)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    mode: str = arg("full takes everything whatever there is.", default="incremental", choices=MODES)


class BackupDataVolume(Message, java=VOLUME_JAVA, returns=Volume, role="operator",
                       raises=(WrongVmState,)):  # fmt: skip
    """Back up a data volume, as CreateVolumeBackup does, to any backup storage unless one is named."""

    uuid: str = arg("The volume.", ref=Volume)
    backup_storage_uuid: str | None = arg("Where it goes.", default=None, ref=BackupStorage)


class BackupVolumeSnapshot(Message, java=SNAPSHOT_JAVA, returns=VolumeSnapshot, role="operator"):
    """Copy what a volume held at a snapshot to a backup storage; any that has room unless one is named.

    It is a backup from then on, and stays when the snapshot is deleted.
    """

    uuid: str = arg("The snapshot.", ref=VolumeSnapshot)
    backup_storage_uuid: str | None = arg("Where it goes.", default=None, ref=BackupStorage)


class DeleteVolumeSnapshotFromBackupStorage(DeleteMessage, java=SNAPSHOT_JAVA, returns=VolumeSnapshot,
                                            role="operator"):  # fmt: skip
    """Remove the copies of a snapshot from backup storages; the snapshot stays."""

    uuid: str = arg("The snapshot.", ref=VolumeSnapshot)
    backup_storage_uuids: list[str] = arg("From these.", ref=BackupStorage)


class DeleteVolumeBackup(DeleteMessage, java=JAVA, role="operator"):
    """Remove a backup that no other only adds to."""

    uuid: str = arg("The backup.")


class RevertVolumeFromVolumeBackup(Message, java=JAVA, returns=Volume, role="operator",
                                   raises=(WrongVmState,)):  # fmt: skip
    """Make a volume hold what it did at a backup. Its VM must be off; its snapshots stay as they are."""

    uuid: str = arg("The backup.", ref=VolumeBackup)


class CreateDataVolumeFromVolumeBackup(CreateMessage, java=JAVA, returns=Volume, role="operator"):
    """Make a new data volume that holds what another did at a backup, on any host."""

    backup_uuid: str = arg("The backup.", ref=VolumeBackup)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    primary_storage_uuid: str = arg("Where it is put.", ref=PrimaryStorage)
    host_uuid: str = arg("The host that gets its file.", ref=Host)


class CreateRootVolumeTemplateFromVolumeBackup(CreateMessage, java=JAVA, returns=Image, role="operator"):
    """Make an image of a backup, beside it: VMs made from it, on any host, begin as that volume was."""

    backup_uuid: str = arg("The backup.", ref=VolumeBackup)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What is in it.", default=None, max_length=2048)
    guest_os_type: str | None = arg("What runs in it.", default=None, max_length=255)
    platform: str = arg("Decides the virtual devices.", default="Linux", choices=PLATFORMS)
    system: bool = arg("Whether it belongs to the appliance.", default=False)


class QueryVolumeBackup(QueryMessage, java=JAVA, resource=VolumeBackup):
    """Find backups."""
