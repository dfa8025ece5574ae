"""Snapshots: what can be asked about the states of volumes that are kept."""

from __future__ import annotations

from typing import ClassVar

from appliance.api.errors import WrongVmState
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Embed, Join, Resource, Timestamp, column
from appliance.api.storage import PrimaryStorage
from appliance.api.tally import promised
from appliance.api.volume import JAVA as VOLUME_JAVA
from appliance.api.volume import Volume

JAVA = "org.zstack.header.storage.snapshot"


class VolumeSnapshotTree(Resource, java=JAVA):
    """The snapshots of a volume, each on top of its parent."""

    joins = (
        Join("volume", "Volume", "volume_uuid"),
        Join("snapshot", "VolumeSnapshot", theirs="tree_uuid"),
    )

    uuid: str = column("Identity.")
    volume_uuid: str = column("The volume.", indexed=True)
    current: bool = column("Whether the volume builds on one of them.", default=True)
    root_image_uuid: str | None = column(
        "The image that the lowest of them builds on.", default=None, private=True, indexed=True
    )
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class VolumeSnapshot(Resource, java=JAVA):
    """A volume as it was: a file that nobody writes to any more, below the one that is written."""

    embeds: ClassVar[tuple[Embed, ...]] = (
        Embed("backupStorageRefs", "VolumeSnapshotBackupStorageRef", "volume_snapshot_uuid"),
    )
    joins = (
        Join("volume", "Volume", "volume_uuid"),
        Join("tree", "VolumeSnapshotTree", "tree_uuid"),
        Join("primaryStorage", "PrimaryStorage", "primary_storage_uuid"),
        Join("backupStorageRef", "VolumeSnapshotBackupStorageRef", theirs="backup_storage_uuid"),
        Join("localStorageHostRef", "LocalStorageResourceRef", theirs="resource_uuid"),
    )
    aliases = (("backupStorage", "backupStorageRef.backupStorage"),)

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    type: str = column("Hypervisor.", default="Hypervisor")
    volume_uuid: str = column("The volume.", indexed=True)
    tree_uuid: str = column("Its tree.", indexed=True)
    parent_uuid: str | None = column("The snapshot that it is on top of.", default=None, indexed=True)
    primary_storage_uuid: str | None = column("Where it is.", default=None, indexed=True)
    primary_storage_install_path: str = column("The file.")
    volume_type: str = column("Root or Data.")
    format: str = column("qcow2.", default="qcow2")
    latest: bool = column("Whether the volume is on top of it.", default=True)
    size: int = column("Bytes that its file takes.", default=0)
    state: str = column("Enabled or Disabled.", default="Enabled")
    status: str = column("Creating, Ready or Deleting.", default="Creating")
    quiesced: bool | None = column(
        "Whether the guest held its writes back while it was taken: without, it is as a disk after a power cut. "
        "Absent where no guest had the volume.",
        default=None,
    )
    create_date: Timestamp = column("When it was taken.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    host_uuid: str | None = column("The host that has the file.", default=None, private=True, indexed=True)

    def tallies(self) -> dict[str, int]:
        """Its file on its storage."""
        return promised(self.primary_storage_uuid, self.host_uuid, self.size)


class VolumeSnapshotBackupStorageRef(Resource, java=JAVA):
    """A snapshot's copy on one backup storage."""

    joins = (
        Join("volumeSnapshot", "VolumeSnapshot", "volume_snapshot_uuid"),
        Join("backupStorage", "BackupStorage", "backup_storage_uuid"),
    )

    uuid: str = column("Identity.", private=True)
    volume_snapshot_uuid: str = column("The snapshot.", indexed=True)
    backup_storage_uuid: str = column("The storage.", indexed=True)
    install_path: str = column("The file.")


class CreateVolumeSnapshot(CreateMessage, java=VOLUME_JAVA, returns=VolumeSnapshot, role="operator",
                           raises=(WrongVmState,)):  # fmt: skip
    """Keep a volume as it is now. A running guest is asked to hold its writes back; its agent has 10 seconds.

    Where that does not answer, or refuses, the snapshot is taken all the same, as a disk after a power cut would be:
    `quiesced` says which, and an event why.
    """

    volume_uuid: str = arg("The volume.", ref=Volume)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)


class CreateDataVolumeFromVolumeSnapshot(CreateMessage, java=VOLUME_JAVA, returns=Volume, role="operator"):
    """Make a data volume with what a snapshot has, on the same host. It stands alone; the snapshot's VM may run."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    volume_snapshot_uuid: str = arg("The snapshot.", ref=VolumeSnapshot)
    primary_storage_uuid: str | None = arg(
        "Where it is put, on the snapshot's host; beside the snapshot when absent.",
        default=None,
        ref=PrimaryStorage,
    )


class RevertVolumeFromSnapshot(Message, java=JAVA, role="operator", raises=(WrongVmState,)):
    """Make a volume be what it was, giving up what was written since its latest snapshot. Its VM must be off."""

    uuid: str = arg("The snapshot.", ref=VolumeSnapshot)


class DeleteVolumeSnapshot(
    DeleteMessage,
    in_use="deleted",
    along=("VolumeSnapshot",),
    java=JAVA,
    role="operator",
    raises=(WrongVmState,),
):
    """Delete a snapshot and all that are on top of it; the volume keeps its content."""

    uuid: str = arg("The snapshot.")


class UpdateVolumeSnapshot(Message, java=JAVA, returns=VolumeSnapshot, role="operator"):
    """Change name or description of a snapshot."""

    uuid: str = arg("The snapshot.", ref=VolumeSnapshot)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class GetVolumeSnapshotTree(Message, java=JAVA, sync=True, role="read-only"):
    """Show the snapshots of a volume, or of one tree, as a tree."""

    volume_uuid: str | None = arg("The volume.", default=None, ref=Volume)
    tree_uuid: str | None = arg("The tree.", default=None, ref=VolumeSnapshotTree)


class QueryVolumeSnapshot(QueryMessage, java=JAVA, resource=VolumeSnapshot):
    """Find snapshots."""


class QueryVolumeSnapshotTree(QueryMessage, java=JAVA, resource=VolumeSnapshotTree):
    """Find trees of snapshots."""
