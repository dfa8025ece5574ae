"""Volumes: what can be asked about the disks of VMs."""

from __future__ import annotations

from appliance.api.errors import (
    AttachVolumeFailed,
    DetachVolumeFailed,
    QuotaExceeded,
    WrongVmState,
)
from appliance.api.host import Host
from appliance.api.image import Image
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.offering import DiskOffering
from appliance.api.resource import Join, Resource, Timestamp, column
from appliance.api.storage import PrimaryStorage
from appliance.api.tally import promised
from appliance.api.vm import VmInstance

JAVA = "org.zstack.header.volume"

SECTOR_BYTES = 512
"""A disk has a whole number of them."""

LARGEST_BYTES = 1 << 46


class Volume(Resource, java=JAVA):
    """A disk. On local storage it is a file on one host."""

    joins = (
        Join("vmInstance", "VmInstance", "vm_instance_uuid"),
        Join("snapshot", "VolumeSnapshot", theirs="volume_uuid"),
        Join("diskOffering", "DiskOffering", "disk_offering_uuid"),
        Join("primaryStorage", "PrimaryStorage", "primary_storage_uuid"),
        Join("image", "Image", "root_image_uuid"),
        Join("localStorageHostRef", "LocalStorageResourceRef", theirs="resource_uuid"),
    )

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    primary_storage_uuid: str | None = column("Where it is.", default=None, indexed=True)
    vm_instance_uuid: str | None = column("The VM it is attached to.", default=None, indexed=True)
    disk_offering_uuid: str | None = column("The size it was made with.", default=None, indexed=True)
    root_image_uuid: str | None = column("The image it was made from.", default=None, indexed=True)
    install_path: str | None = column("The file.", default=None)
    type: str = column("Root or Data.", default="Root")
    format: str = column("qcow2 or raw.", default="qcow2")
    size: int = column("Virtual size in bytes.")
    device_id: int | None = column("Its place in the VM; 0 is the root volume.", default=None)
    state: str = column("Enabled or Disabled.", default="Enabled")
    status: str = column("Creating, Ready, NotInstantiated or Deleted.", default="Creating")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    host_uuid: str | None = column("The host that has the file.", default=None, indexed=True)
    whole_size: int | None = column(
        "The size its file was last known to have; none while it was never made.", default=None, private=True
    )
    attachment: str = column(
        "Of a data volume: none, attaching, attached, detaching, or withdrawn when attaching failed.",
        default="none",
        private=True,
    )
    intended: str = column("Present, Deleted or Absent.", default="Present", private=True)
    generation: int = column("Counts changes of what is intended.", default=1, private=True)
    chain_changes: bool = column("Whether its files are being changed.", default=False, private=True)
    overlay: bool = column("Whether its file is a new one, still to be made.", default=False, private=True)
    abandoned: str | None = column("The file it was on before, to be removed.", default=None, private=True)
    former_snapshot: str | None = column("The snapshot it was on top of.", default=None, private=True)

    def tallies(self) -> dict[str, int]:
        """Its size on its storage: a data volume's is free once it is deleted, as ZStack counts."""
        if self.type == "Data" and self.status == "Deleted":
            return {}
        return promised(self.primary_storage_uuid, self.host_uuid, self.size)


class CreateDataVolume(CreateMessage, java=JAVA, returns=Volume, role="operator"):
    """Create a data volume. Its file is made on the host of the first VM that it is attached to."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    disk_offering_uuid: str = arg("Its size.", ref=DiskOffering)


class CreateDataVolumeFromVolumeTemplate(CreateMessage, java=JAVA, returns=Volume, role="operator"):
    """Create a data volume with the content of an image. On local storage, say on which host."""

    image_uuid: str = arg("What it is made from.", ref=Image)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    primary_storage_uuid: str = arg("Where it is put.", ref=PrimaryStorage)
    host_uuid: str | None = arg("The host that gets its file.", default=None, ref=Host)


class AttachDataVolumeToVm(Message, java=JAVA, returns=Volume, role="operator",
                           raises=(AttachVolumeFailed, WrongVmState)):  # fmt: skip
    """Give a VM a data volume; a running guest gets it at once."""

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)
    volume_uuid: str = arg("The volume.", ref=Volume)


class DetachDataVolumeFromVm(Message, java=JAVA, returns=Volume, role="operator",
                             raises=(DetachVolumeFailed, WrongVmState)):  # fmt: skip
    """Take a data volume from its VM. In a running guest unmount it first: what is mounted is torn away.

    The guest's kernel is asked to give the device up, and most do so whatever is mounted on it: what it still held in
    memory is lost, and programs get I/O errors. One that does not give it up keeps it, and the call fails.
    """

    uuid: str = arg("The volume.", ref=Volume)


class GetDataVolumeAttachableVm(Message, java=JAVA, sync=True, role="read-only"):
    """List the VMs that AttachDataVolumeToVm would give a volume to."""

    volume_uuid: str = arg("The volume.", ref=Volume)


class DeleteDataVolume(
    DeleteMessage,
    in_use="deleted",
    along=("VolumeSnapshot",),
    java=JAVA,
    role="operator",
):
    """Delete a data volume, detaching it first. The deletion policy of volumes decides whether it comes back."""

    uuid: str = arg("The volume.")


class RecoverDataVolume(Message, java=JAVA, returns=Volume, role="operator", raises=(QuotaExceeded,)):
    """Take a deleted data volume back, attached to no VM."""

    uuid: str = arg("The volume.", ref=Volume)


class ExpungeDataVolume(Message, java=JAVA, role="operator"):
    """Remove a deleted data volume for good, now."""

    uuid: str = arg("The volume.", ref=Volume)


class ResizeDataVolume(Message, java=JAVA, returns=Volume, role="operator",
                       raises=(WrongVmState, QuotaExceeded)):  # fmt: skip
    """Make a data volume larger, under its guest if it has one."""

    uuid: str = arg("The volume.", ref=Volume)
    size: int = arg("Its new virtual size in bytes.", minimum=1, maximum=LARGEST_BYTES)


class ResizeRootVolume(Message, java=JAVA, returns=Volume, role="operator",
                       raises=(WrongVmState, QuotaExceeded)):  # fmt: skip
    """Make the root volume of a VM larger, under its guest if that runs."""

    uuid: str = arg("The volume.", ref=Volume)
    size: int = arg("Its new virtual size in bytes.", minimum=1, maximum=LARGEST_BYTES)


class UpdateVolume(Message, java=JAVA, returns=Volume, role="operator"):
    """Change name or description of a volume."""

    uuid: str = arg("The volume.", ref=Volume)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class ChangeVolumeState(Message, java=JAVA, returns=Volume, role="operator"):
    """Let a data volume be attached to VMs, or no more."""

    uuid: str = arg("The volume.", ref=Volume)
    state_event: str = arg("What to do.", choices=("enable", "disable"))


class QueryVolume(QueryMessage, java=JAVA, resource=Volume):
    """Find volumes."""
