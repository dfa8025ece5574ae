"""Templates: what can be asked about images that are made of volumes, and of snapshots of them."""

from __future__ import annotations

from appliance.api.errors import ImageFailed, WrongVmState
from appliance.api.image import JAVA, PLATFORMS, Image
from appliance.api.message import CreateMessage, arg
from appliance.api.resource import Resource, Timestamp, column
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.storage import BackupStorage
from appliance.api.volume import Volume


class VolumeReading(Resource, java=JAVA):
    """A volume, or a snapshot of it, is being read on its host for something that is made of it."""

    uuid: str = column("That of the image or the volume that is made.")
    volume_uuid: str = column("The volume that is read.", indexed=True)
    vm_instance_uuid: str | None = column(
        "The VM that may not run meanwhile, as it would write to that.", default=None, indexed=True
    )
    host_uuid: str = column("The host that has it.", indexed=True)
    path: str = column("The topmost of its files that is read.")
    flat_path: str = column("The file that is made on the host.")
    phase: str = column("reading, or read: then the volume is free again.", default="reading")
    create_date: Timestamp = column("When it began.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class CreateRootVolumeTemplateFromRootVolume(CreateMessage, java=JAVA, returns=Image, role="operator",
                                             raises=(ImageFailed, WrongVmState)):  # fmt: skip
    """Make an image of a root volume: all that its VM has on it, on backup storage. The VM must be stopped."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What is in it.", default=None, max_length=2048)
    guest_os_type: str | None = arg(
        "What runs in it; what does in the volume's image when absent.", default=None
    )
    backup_storage_uuids: list[str] = arg(
        "Where it goes; to the one with most room in the volume's zone when absent.",
        default=[], ref=BackupStorage, nonempty=True,
    )  # fmt: skip
    root_volume_uuid: str = arg("The volume.", ref=Volume)
    platform: str | None = arg(
        "Decides the virtual devices; that of the volume's image when absent.",
        default=None,
        choices=PLATFORMS,
    )
    system: bool = arg("Whether it belongs to the appliance.", default=False)


class CreateRootVolumeTemplateFromVolumeSnapshot(CreateMessage, java=JAVA, returns=Image, role="operator",
                                                 raises=(ImageFailed,)):  # fmt: skip
    """Make an image of a root volume as it was when a snapshot was taken. The VM may run."""

    snapshot_uuid: str = arg("The snapshot.", ref=VolumeSnapshot)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What is in it.", default=None, max_length=2048)
    guest_os_type: str | None = arg(
        "What runs in it; what does in the volume's image when absent.", default=None
    )
    backup_storage_uuids: list[str] = arg(
        "Where it goes; to the one with most room in the volume's zone when absent.",
        default=[], ref=BackupStorage, nonempty=True,
    )  # fmt: skip
    platform: str | None = arg(
        "Decides the virtual devices; that of the volume's image when absent.",
        default=None,
        choices=PLATFORMS,
    )
    system: bool = arg("Whether it belongs to the appliance.", default=False)


class CreateDataVolumeTemplateFromVolume(CreateMessage, java=JAVA, returns=Image, role="operator",
                                         raises=(ImageFailed, WrongVmState)):  # fmt: skip
    """Make an image of a volume, to make data volumes from. A VM that has it must be stopped."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What is in it.", default=None, max_length=2048)
    volume_uuid: str = arg("The volume.", ref=Volume)
    backup_storage_uuids: list[str] = arg(
        "Where it goes; to the one with most room in the volume's zone when absent.",
        default=[], ref=BackupStorage, nonempty=True,
    )  # fmt: skip
