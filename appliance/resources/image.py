"""What requests about images mean."""

from __future__ import annotations

import re
from typing import Any

from appliance.api.errors import Cancelled, InvalidArgument, OperationFailed
from appliance.api.image import (
    AddImage,
    ChangeImageState,
    DeleteImage,
    ExportImageFromBackupStorage,
    ExpungeImage,
    Image,
    ImageBackupStorageRef,
    RecoverImage,
    UpdateImage,
)
from appliance.api.redaction import hidden
from appliance.api.simulator import BACKUP_TYPE, FORMAT
from appliance.api.storage import BackupStorage
from appliance.plans import naming
from appliance.reconcile import jobs
from appliance.reconcile.image import restate
from appliance.reconcile.image_transfer import stored
from appliance.reconcile.recycle_bin import bin_image, note_expunging, rename, take_out
from appliance.resources.creating import add, given, uuid_for
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles, reads
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(AddImage)
def add_image(tx: Transaction, request: AddImage, caller: Caller) -> Promise:
    """Rows; the image's worker fetches and checks the bytes."""
    if not re.match(r"(https?|file|upload)://.", request.url):
        raise InvalidArgument(
            f"url[{hidden(request.url)}] must begin with http://, https://, file:// or upload://"
        )
    if not request.backup_storage_uuids:
        raise InvalidArgument("field[backupStorageUuids] must be a nonempty list")
    if request.media_type == "ISO" and request.format not in {"iso", "raw", FORMAT}:
        raise InvalidArgument(f"format[{request.format}] does not fit mediaType[ISO]; say iso")
    image = add(
        tx,
        request,
        Image(
            uuid=uuid_for(tx, request, Image),
            name=request.name,
            description=request.description,
            url=hidden(request.url),
            source_url=request.url if hidden(request.url) != request.url else None,
            media_type=request.media_type,
            guest_os_type=request.guest_os_type,
            platform=request.platform,
            format="qcow2" if request.format == "vmdk" else request.format,
            source_format="vmdk" if request.format == "vmdk" else None,
            system=request.system,
        ),
    )
    add_copies(tx, image, request.backup_storage_uuids)
    return promise(tx, request, image, caller)


def add_copies(tx: Transaction, image: Image, storage_uuids: list[str]) -> None:
    """Intend an image to be on backup storages, which must be there and fit."""
    for storage_uuid in dict.fromkeys(storage_uuids):
        storage = tx.get(BackupStorage, storage_uuid)
        check_format(storage, image.format)
        if storage.state != "Enabled" or storage.status != "Connected":
            raise OperationFailed(
                f"backup storage {storage.name}[uuid:{storage.uuid}] is {storage.state} and {storage.status}"
            )
        tx.insert(
            ImageBackupStorageRef(
                uuid=tx.new_uuid(),
                image_uuid=image.uuid,
                backup_storage_uuid=storage.uuid,
                install_path=naming.stored_image(
                    storage.url, tx.owner_of(image.uuid), image.uuid, image.format, image.media_type
                ),
            )
        )


def check_format(storage: BackupStorage, image_format: str) -> None:
    """Refuse an image of real bytes on a simulated storage, and one without any on a real one."""
    simulated = storage.type == BACKUP_TYPE
    if (image_format == FORMAT) != simulated:
        raise InvalidArgument(
            f"format[{image_format}] does not fit backup storage {storage.name}[uuid:{storage.uuid}], which is a "
            f"{storage.type}; images there are of format {FORMAT if simulated else 'qcow2, raw, vmdk or iso'}"
        )


@reads(ExportImageFromBackupStorage)
def export_image(snapshot: Snapshot, request: ExportImageFromBackupStorage, caller: Caller) -> dict[str, Any]:
    """A path of ours, if the image can be had now."""
    place = stored(snapshot, request.image_uuid, request.backup_storage_uuid)
    if place.image.format == FORMAT:
        raise OperationFailed(f"image[uuid:{request.image_uuid}] is simulated, and has no bytes")
    where = f"?backupStorageUuid={request.backup_storage_uuid}" if request.backup_storage_uuid else ""
    return {
        "imageUrl": f"/zstack/export/{request.image_uuid}{where}",
        "exportMd5Sum": place.image.md5_sum,
        "size": place.image.length,
    }


@handles(UpdateImage)
def update_image(tx: Transaction, request: UpdateImage, caller: Caller) -> Image:
    """The row's words."""
    image = tx.get(Image, request.uuid)
    if request.format is not None and request.format != image.format:
        raise OperationFailed(
            f"image {image.name} was checked as {image.format}; add it again to change that"
        )
    names = ("name", "description", "guest_os_type", "platform", "media_type", "system")
    image = tx.update(image, **given(request, *names))
    rename(tx, image)
    return image


@handles(ChangeImageState)
def change_image_state(tx: Transaction, request: ChangeImageState, caller: Caller) -> Image:
    """Enabled or Disabled: no VM is made from a disabled image."""
    state = "Enabled" if request.state_event == "enable" else "Disabled"
    return tx.update(tx.get(Image, request.uuid), state=state)


@handles(DeleteImage)
def delete_image(tx: Transaction, request: DeleteImage, caller: Caller) -> Promise | None:
    """Into the recycle bin, on the backup storages named or on all; the bytes go when the policy says Direct."""
    image = tx.find(Image, request.uuid)
    if image is None:
        return None
    refs = _refs(tx, image, request.backup_storage_uuids)
    if any(not ref.whole for ref in refs):
        if len(refs) < tx.count(ImageBackupStorageRef, image_uuid=image.uuid):
            raise OperationFailed(
                f"image {image.name}[uuid:{image.uuid}] is {image.status}; delete it from all of its backup "
                "storages, or wait until it is Ready"
            )
        jobs.doom_all(tx, image.uuid, Cancelled("the image was deleted"))
    direct = tx.setting("image", "deletionPolicy") == "Direct"
    for ref in refs:
        if direct or not ref.whole:
            tx.update(ref, status="Deleted", intended="Absent")
            note_expunging(tx, image.uuid, backup_storage_uuid=ref.backup_storage_uuid)
        elif ref.status != "Deleted":  # the days of a deleted one are counted from its first deletion
            tx.update(ref, status="Deleted")
            bin_image(tx, image, ref)
    image = restate(tx, image)
    gone = any(ref.intended == "Absent" for ref in _refs(tx, image, request.backup_storage_uuids))
    return promise(tx, request, image, caller) if gone else None


@handles(RecoverImage)
def recover_image(tx: Transaction, request: RecoverImage, caller: Caller) -> Image:
    """Out of the recycle bin, as it was."""
    image = tx.get(Image, request.image_uuid)
    for ref in _deleted(tx, image, request.backup_storage_uuids):
        tx.update(ref, status="Ready")
        take_out(tx, image.uuid, backup_storage_uuid=ref.backup_storage_uuid)
    return restate(tx, image)


@handles(ExpungeImage)
def expunge_image(tx: Transaction, request: ExpungeImage, caller: Caller) -> Promise:
    """Intended absent, whatever the policy."""
    if request.image_uuid is None:
        raise InvalidArgument(
            f"field[imageUuid] of message[{ExpungeImage.java}] is mandatory, can not be null"
        )
    image = tx.get(Image, request.image_uuid)
    for ref in _deleted(tx, image, request.backup_storage_uuids):
        tx.update(ref, intended="Absent")
        note_expunging(tx, image.uuid, backup_storage_uuid=ref.backup_storage_uuid)
    return promise(tx, request, image, caller)


def _refs(tx: Transaction, image: Image, storage_uuids: list[str]) -> list[ImageBackupStorageRef]:
    """An image's copies on the backup storages named, or all. Raises InvalidArgument where it has none."""
    refs = {ref.backup_storage_uuid: ref for ref in tx.all(ImageBackupStorageRef, image_uuid=image.uuid)}
    for uuid in storage_uuids:
        if uuid not in refs:
            raise InvalidArgument(
                f"the image[uuid:{image.uuid}, name:{image.name}] is not on the backup storage[uuid:{uuid}]"
            )
    return [refs[uuid] for uuid in dict.fromkeys(storage_uuids or refs)]


def _deleted(tx: Transaction, image: Image, storage_uuids: list[str]) -> list[ImageBackupStorageRef]:
    """The copies in the recycle bin. Raises InvalidArgument, or OperationFailed when there is none."""
    refs = _refs(tx, image, storage_uuids)
    binned = [ref for ref in refs if ref.whole and ref.status == "Deleted"]
    if storage_uuids and len(binned) < len(refs):
        ref = next(ref for ref in refs if ref not in binned)
        raise InvalidArgument(
            f"the image[uuid:{image.uuid}, name:{image.name}]'s status[{ref.status}] is not Deleted on the "
            f"backup storage[uuid:{ref.backup_storage_uuid}]"
        )
    if not binned:
        raise OperationFailed(
            f"the image[uuid:{image.uuid}, name:{image.name}] is not deleted on any backup storage"
        )
    return binned
