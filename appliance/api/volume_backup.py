"""Backups: what can be asked about copies of volumes on backup storage, and what is made of them again."""

from __future__ import annotations

from appliance.api.errors import OperationFailed, WrongVmState
from appliance.api.host import Host
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column
from appliance.api.storage import BackupStorage, PrimaryStorage
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
        Join("parent", "VolumeBackup", "parent_uuid"),
    )

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    volume_uuid: str = column("The volume, which may be gone.", indexed=True)
    vm_instance_uuid: str | None = column("The VM that had it then.", default=None, indexed=True)
    group_uuid: str = column("The same for backups of one moment: the uuid of the first.", indexed=True)
    backup_storage_uuid: str = column("Where it is.", indexed=True)
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
    """A volume's file on its way from a backup storage: to be a new volume, or what one that is there holds."""

    uuid: str = column("Identity: of a new volume, that one's.")
    name: str = column("What the new volume is called.")
    volume_uuid: str | None = column("The volume that goes back, if one does.", default=None, indexed=True)
    backup_uuid: str = column("The backup.", indexed=True)
    account_uuid: str = column("Who the new volume is for.")
    description: str | None = column("What the new volume is for.", default=None)
    primary_storage_uuid: str = column("The storage that it goes to.", indexed=True)
    host_uuid: str = column("The host that it goes to.", indexed=True)
    install_path: str = column("The file that is to be.")
    size: int = column("Bytes promised to it.")
    intended: str = column("Present, or Absent: then what has come goes.", default="Present")
    generation: int = column("Counts changes of what is intended.", default=1)
    create_date: Timestamp = column("When it began.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class CreateVolumeBackup(CreateMessage, java=JAVA, returns=VolumeBackup, role="operator",
                         raises=(OperationFailed, WrongVmState)):  # fmt: skip
    """Copy what a volume holds to a backup storage, under its guest if that runs.

    Incremental, it takes only what was written since the volume's last backup there, where that is known.
    """

    volume_uuid: str = arg("The volume.", ref=Volume)
    backup_storage_uuid: str = arg("Where it goes.", ref=BackupStorage)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    mode: str = arg("full takes everything whatever there is.", default="incremental", choices=MODES)


class CreateVmBackup(CreateMessage, java=JAVA, returns=VolumeBackup, role="operator",
                     raises=(OperationFailed, WrongVmState)):  # fmt: skip
    """Back up the root volume of a VM and all its data volumes, as they are at one moment."""

    root_volume_uuid: str = arg("The VM's root volume.", ref=Volume)
    backup_storage_uuid: str = arg("Where it goes.", ref=BackupStorage)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    mode: str = arg("full takes everything whatever there is.", default="incremental", choices=MODES)


class BackupDataVolume(Message, java=VOLUME_JAVA, returns=Volume, role="operator",
                       raises=(OperationFailed, WrongVmState)):  # fmt: skip
    """Back up a data volume, as CreateVolumeBackup does, to any backup storage unless one is named."""

    uuid: str = arg("The volume.", ref=Volume)
    backup_storage_uuid: str | None = arg("Where it goes.", default=None, ref=BackupStorage)


class DeleteVolumeBackup(DeleteMessage, java=JAVA, role="operator", raises=(OperationFailed,)):
    """Remove a backup that no other only adds to."""

    uuid: str = arg("The backup.")


class RevertVolumeFromVolumeBackup(Message, java=JAVA, returns=Volume, role="operator",
                                   raises=(OperationFailed, WrongVmState)):  # fmt: skip
    """Make a volume hold what it did at a backup. Its VM must be off; its snapshots stay as they are."""

    uuid: str = arg("The backup.", ref=VolumeBackup)


class CreateDataVolumeFromVolumeBackup(CreateMessage, java=JAVA, returns=Volume, role="operator",
                                       raises=(OperationFailed,)):  # fmt: skip
    """Make a new data volume that holds what another did at a backup, on any host."""

    backup_uuid: str = arg("The backup.", ref=VolumeBackup)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    primary_storage_uuid: str = arg("Where it is put.", ref=PrimaryStorage)
    host_uuid: str = arg("The host that gets its file.", ref=Host)


class QueryVolumeBackup(QueryMessage, java=JAVA, resource=VolumeBackup):
    """Find backups."""
