"""Bytes of images that go through the appliance: sent to it by whoever adds one, and given out again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass

from appliance.api.errors import ImageFailed, InvalidArgument, OperationFailed, ResourceNotFound
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.resource import Timestamp
from appliance.api.storage import BackupStorage
from appliance.hosts.fleet import Fleet, Target
from appliance.plans.naming import uploaded_image
from appliance.reconcile import jobs
from appliance.reconcile.capacity import kept_free
from appliance.reconcile.context import target_of
from appliance.reconcile.meter import Meter, expect
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

UPLOAD = "upload"
"""The part of a job that its caller sends."""
PUT_OFF_SECONDS = 60.0
"""So often the deadline of a job that bytes still arrive for is put off."""


@dataclass(frozen=True)
class Stored:
    """An image's file on a backup storage."""

    image: Image
    target: Target
    path: str
    ref_uuid: str
    """Of what says that it is there, or is to be."""


class ImageTransfers:
    """Takes images in and gives them out, each from any of its bytes on."""

    def __init__(self, database: Database, fleet: Fleet, poke: Callable[[str, str], None]) -> None:
        self._database = database
        self._fleet = fleet
        self._poke = poke

    async def arrived(self, image_uuid: str) -> int:
        """How many bytes of an image that waits for them are there. Raises `ResourceNotFound`."""
        place = await self._database.read(lambda snapshot: _waiting(snapshot, image_uuid))
        return await self._fleet.dialer.arrived(place.target, place.path)

    async def take(
        self, image_uuid: str, content: AsyncIterator[bytes], length: int | None, start: int
    ) -> None:
        """Take bytes of an image that waits for them, from one on to the last. What has come stays when they stop."""
        if length is None:
            raise InvalidArgument("an upload needs a Content-Length")
        place = await self._database.read(lambda snapshot: _waiting(snapshot, image_uuid))
        reserved = await self._database.read(lambda snapshot: kept_free(snapshot, "backupStorage"))
        found = await self._database.read(lambda snapshot: jobs.running(snapshot, image_uuid))
        meter = Meter(self._database, found, "receive image", UPLOAD)
        # What is of another format is read twice when it has come: copied where it is, and converted.
        later = {place.ref_uuid: 2 * (start + length)} if place.image.source_format else {}
        await expect(self._database, found, {UPLOAD: start + length, **later})
        async with meter.running():
            counted = self._counted(image_uuid, content, start, start + length, meter)
            await self._fleet.dialer.upload(
                place.target, place.path, counted, start + length, start, reserved_bytes=reserved
            )
        self._poke("Image", image_uuid)

    async def give(
        self, image_uuid: str, backup_storage_uuid: str | None, start: int
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of an image from one on. Raises `ApiError`, also in the middle."""
        place = await self.stored(image_uuid, backup_storage_uuid)
        return self._fleet.dialer.download(place.target, place.path, start)

    async def stored(self, image_uuid: str, backup_storage_uuid: str | None) -> Stored:
        """Where an image is. Raises `OperationFailed` when it can be had nowhere now."""
        return await self._database.read(lambda snapshot: stored(snapshot, image_uuid, backup_storage_uuid))

    async def _counted(
        self, image_uuid: str, content: AsyncIterator[bytes], done: int, total: int, meter: Meter
    ) -> AsyncIterator[bytes]:
        put_off = 0.0
        async for chunk in content:
            if self._database.now() - put_off > PUT_OFF_SECONDS:
                put_off = self._database.now()
                await self._database.write(lambda tx: _put_off(tx, image_uuid))
            yield chunk
            done += len(chunk)
            meter(done, total)


def stored(snapshot: Snapshot, image_uuid: str, backup_storage_uuid: str | None) -> Stored:
    """Where an image is, on the storage named or on any. Raises `OperationFailed`."""
    image = snapshot.find(Image, image_uuid)
    if image is None:
        raise ResourceNotFound(f"there is no image[uuid:{image_uuid}]")
    for ref in snapshot.all(ImageBackupStorageRef, image_uuid=image_uuid):
        storage = snapshot.get(BackupStorage, ref.backup_storage_uuid)
        wanted = backup_storage_uuid in (None, storage.uuid)
        if wanted and ref.intended == ref.status == "Ready" and storage.status == "Connected":
            return Stored(image, target_of(storage), ref.install_path, ref.uuid)
    where = f" on backup storage[uuid:{backup_storage_uuid}]" if backup_storage_uuid else ""
    raise OperationFailed(
        f"image {image.name}[uuid:{image.uuid}] is not Ready{where}, or what has it is not Connected"
    )


def _waiting(snapshot: Snapshot, image_uuid: str) -> Stored:
    """Where the bytes of an image are to go that nobody has sent yet, or not all of them."""
    image = snapshot.find(Image, image_uuid)
    ref = snapshot.first(ImageBackupStorageRef, image_uuid=image_uuid)
    waits = image is not None and image.url.startswith("upload://") and image.status == "Downloading"
    if image is None or ref is None or not waits or ref.intended == "Absent":
        raise ResourceNotFound(f"no image[uuid:{image_uuid}] waits for an upload")
    if snapshot.count(ImageBackupStorageRef, image_uuid=image_uuid) > 1:
        raise ImageFailed("bytes can be sent to one backup storage only; add the image to one")
    storage = snapshot.get(BackupStorage, ref.backup_storage_uuid)
    return Stored(image, target_of(storage), uploaded_image(ref.install_path, image.source_format), ref.uuid)


def _put_off(tx: Transaction, image_uuid: str) -> None:
    for job in jobs.running(tx, image_uuid):
        tx.update(job, deadline=Timestamp(tx.now + jobs.DEADLINE_SECONDS))
