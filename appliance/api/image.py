"""Images: what can be asked about the templates that VMs are made from."""

from __future__ import annotations

from typing import ClassVar

from appliance.api.errors import ImageFailed
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Embed, Join, Resource, Timestamp, column
from appliance.api.storage import BackupStorage

JAVA = "org.zstack.header.image"
MEDIA = ("RootVolumeTemplate", "DataVolumeTemplate", "ISO")
PLATFORMS = ("Linux", "Windows", "Other", "Paravirtualization", "WindowsVirtio")


class Image(Resource, java=JAVA):
    """A template or ISO on a backup storage."""

    embeds: ClassVar[tuple[Embed, ...]] = (Embed("backupStorageRefs", "ImageBackupStorageRef", "image_uuid"),)
    joins = (
        Join("backupStorageRef", "ImageBackupStorageRef", theirs="image_uuid", hidden=True),
        Join("volume", "Volume", theirs="root_image_uuid"),
    )
    aliases = (("backupStorage", "backupStorageRef.backupStorage"),)

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What is in it.", default=None)
    state: str = column("Enabled or Disabled.", default="Enabled")
    status: str = column("Creating, Downloading, Ready, Error or Deleted.", default="Downloading")
    size: int = column("Virtual size in bytes.", default=0, owner="observed")
    actual_size: int = column(
        "Bytes that it takes on the backup storage: holes take none.", default=0, owner="observed"
    )
    length: int = column("Bytes of its file, holes and all.", default=0, owner="observed", private=True)
    md5_sum: str | None = column("MD5 of the file.", default=None, owner="observed")
    url: str = column("Where it came from; a password in it is starred.")
    source_url: str | None = column(
        "The same with its password, until it is here.", default=None, private=True
    )
    media_type: str = column("RootVolumeTemplate, DataVolumeTemplate or ISO.", default="RootVolumeTemplate")
    guest_os_type: str | None = column("What runs in it.", default=None)
    type: str = column("Always zstack.", default="zstack")
    platform: str = column("Linux, Windows, WindowsVirtio, Other or Paravirtualization.", default="Linux")
    format: str = column("qcow2, raw, iso or simulator.")
    source_format: str | None = column(
        "What it was made of, if that was converted.", default=None, private=True
    )
    system: bool = column("Whether it belongs to the appliance.", default=False)
    create_date: Timestamp = column("When it was added.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class ImageBackupStorageRef(Resource, java=JAVA):
    """An image's copy on one backup storage. A Deleted one has its bytes until it is intended absent."""

    joins = (
        Join("image", "Image", "image_uuid"),
        Join("backupStorage", "BackupStorage", "backup_storage_uuid"),
    )
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("image_uuid", "backup_storage_uuid"),)

    uuid: str = column("Identity.", private=True)
    image_uuid: str = column("The image.", indexed=True)
    backup_storage_uuid: str = column("The storage.", indexed=True)
    install_path: str = column("The file.")
    status: str = column("Creating, Downloading, Ready, Error or Deleted.", default="Downloading")
    create_date: Timestamp = column("When it was added.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    intended: str = column("Ready or Absent.", default="Ready", private=True)

    @property
    def whole(self) -> bool:
        """Whether the file is there, and is to stay."""
        return self.intended == "Ready" and self.status in {"Ready", "Deleted"}


class ImageCache(Resource):
    """A host's copy of an image, which disks there build on. It stays for as long as one does."""

    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("host_uuid", "install_path"),)

    uuid: str = column("Identity.")
    image_uuid: str = column("The image, which may be gone.", indexed=True)
    host_uuid: str = column("The host.", indexed=True)
    install_path: str = column("The file.")
    intended: str = column("Present or Absent.", default="Present")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class AddImage(CreateMessage, java=JAVA, returns=Image, role="operator", raises=(ImageFailed,)):
    """Bring an image to a backup storage and check it.

    `url` is `http(s)://…`, `file:///…` (a file on the backup storage's machine, in a folder it allows), or
    `upload://NAME`: the job then waits for the bytes at `PUT /zstack/upload/{image uuid}`. HEAD says there by
    `Upload-Offset` how many have arrived, and a PUT with that header goes on from there.

    On the command line (`zstui call`, `zstui shell`) it is `upload:///path/of/a/file`, a file of the machine where
    that is typed: it is sent along, and `zstui upload` goes on where that was cut off.
    """

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What is in it.", default=None, max_length=2048)
    url: str = arg("Where it comes from.", max_length=2048)
    media_type: str = arg(
        "What it is.",
        default="RootVolumeTemplate",
        choices=("RootVolumeTemplate", "ISO", "DataVolumeTemplate"),
    )
    guest_os_type: str | None = arg("What runs in it.", default=None, max_length=255)
    system: bool = arg("Whether it belongs to the appliance.", default=False)
    format: str = arg(
        "What the file is; it is never guessed. Of a vmdk a qcow2 image is made.",
        choices=("qcow2", "raw", "vmdk", "iso", "simulator"),
    )
    platform: str = arg("Decides the virtual devices.", default="Linux", choices=PLATFORMS)
    backup_storage_uuids: list[str] = arg("Where it goes.", ref=BackupStorage)
    type: str | None = arg("Kind of image.", default=None)


class DeleteImage(DeleteMessage, in_use="deleted", java=JAVA, role="operator"):
    """Delete an image. The deletion policy of images decides whether it can still be recovered.

    Disks made from it keep the copy they stand on.
    """

    uuid: str = arg("The image.")
    backup_storage_uuids: list[str] = arg(
        "Only from these; from all when absent.", default=[], ref=BackupStorage, nonempty=True
    )


class RecoverImage(Message, java=JAVA, returns=Image, role="operator"):
    """Take a deleted image back, ready."""

    image_uuid: str = arg("The image.", ref=Image)
    backup_storage_uuids: list[str] = arg(
        "Only on these; on all that it was deleted from when absent.", default=[], ref=BackupStorage
    )


class ExpungeImage(Message, java=JAVA, role="operator"):
    """Remove the bytes of a deleted image for good, now."""

    image_uuid: str | None = arg("The image; mandatory.", default=None, ref=Image)
    backup_storage_uuids: list[str] = arg(
        "Only on these; on all that it was deleted from when absent.", default=[], ref=BackupStorage
    )


class ExportImageFromBackupStorage(
    Message, java="org.zstack.header.storage.backup", sync=True, role="operator"
):
    """Say where an image can be downloaded: `imageUrl`, a path of this appliance, and the MD5 of what is there.

    It takes the session or access token of a call, and a `Range` of bytes. `zstui export IMAGE FILE` does all of it.
    """

    image_uuid: str = arg("The image.", ref=Image)
    backup_storage_uuid: str | None = arg(
        "Where from; any that has it when absent.", default=None, ref=BackupStorage
    )


class UpdateImage(Message, java=JAVA, returns=Image, role="operator"):
    """Change name, description, guest or platform of an image."""

    uuid: str = arg("The image.", ref=Image)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)
    guest_os_type: str | None = arg("What runs in it.", default=None, max_length=255)
    media_type: str | None = arg("What it is.", default=None, choices=MEDIA)
    format: str | None = arg("What the file is.", default=None, choices=("raw", "qcow2", "iso"))
    system: bool | None = arg("Whether it belongs to the appliance.", default=None)
    platform: str | None = arg("Decides the virtual devices.", default=None, choices=PLATFORMS)


class ChangeImageState(Message, java=JAVA, returns=Image, role="operator"):
    """Let VMs be made from an image, or no more."""

    uuid: str = arg("The image.", ref=Image)
    state_event: str = arg("What to do.", choices=("enable", "disable"))


class QueryImage(QueryMessage, java=JAVA, resource=Image):
    """Find images."""
