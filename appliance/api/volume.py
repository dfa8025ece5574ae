"""Volumes: what can be asked about the disks of VMs."""

from __future__ import annotations

from appliance.api.message import Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column

JAVA = "org.zstack.header.volume"


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
    host_uuid: str | None = column("The host that has the file.", default=None, private=True, indexed=True)


class UpdateVolume(Message, java=JAVA, returns=Volume, role="operator"):
    """Change name or description of a volume."""

    uuid: str = arg("The volume.", ref=Volume)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class ChangeVolumeState(Message, java=JAVA, returns=Volume, role="operator"):
    """Let a data volume be attached to VMs, or no more."""

    uuid: str = arg("The volume.", ref=Volume)
    state_event: str = arg("What to do.", choices=("enable", "disable"))


class GetVolumeFormat(Message, java=JAVA, sync=True, role="reader"):
    """Say which formats volumes and images have, and which hypervisors take each."""


class QueryVolume(QueryMessage, java=JAVA, resource=Volume):
    """Find volumes."""
