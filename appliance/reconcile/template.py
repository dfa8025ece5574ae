"""An image made of a volume: a flat file on the volume's host, carried from there to each backup storage."""

from __future__ import annotations

from dataclasses import dataclass

from agent.protocol import FlattenVolume, ImageFacts, ObserveImage
from appliance.api.errors import OperationFailed
from appliance.api.host import Host
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.job import LongJob
from appliance.api.storage import BackupStorage
from appliance.api.template import VolumeReading
from appliance.api.volume import Volume
from appliance.hosts.fleet import Target
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker
from appliance.reconcile.bulk import bulk
from appliance.reconcile.carriage import Carriage, close_end, key_of
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.meter import expect
from appliance.reconcile.reading import (
    READ_SECONDS,
    drop_flat,
    end_reading,
    flatten,
    forget_reading,
)
from appliance.store.snapshot import Snapshot

SCHEMES = ("volume://", "volumeSnapshot://")
"""Of the URLs of images that were made so."""


@dataclass(frozen=True)
class Origin:
    """What an image is made of, on which host, and the copies of it that are not as intended."""

    reading: VolumeReading
    host: Target | None
    refs: tuple[ImageBackupStorageRef, ...]
    jobs: tuple[LongJob, ...]

    @property
    def wanted(self) -> bool:
        """Whether a copy is still to be made of it."""
        return any(ref.intended == "Ready" for ref in self.refs)


def origin_of(snapshot: Snapshot, image_uuid: str) -> Origin | None:
    """What an image is made of, until nothing of that is left."""
    reading = snapshot.find(VolumeReading, image_uuid)
    if reading is None or snapshot.find(Image, image_uuid) is None:  # then it is a volume that is made
        return None
    host = snapshot.find(Host, reading.host_uuid)
    refs = [ref for ref in snapshot.all(ImageBackupStorageRef, image_uuid=image_uuid) if not ref.whole]
    return Origin(
        reading=reading,
        host=target_of(host) if host is not None else None,
        refs=tuple(refs),
        jobs=tuple(jobs.running(snapshot, image_uuid)),
    )


def is_made(image: Image) -> bool:
    """Whether an image was made of a volume."""
    return image.url.startswith(SCHEMES)


class Templates:
    """Makes one image of its volume, and removes what that leaves on the way."""

    def __init__(self, context: Context, asker: Asker) -> None:
        self._context = context
        self._asker = asker

    async def bring(self, origin: Origin, ref: ImageBackupStorageRef, storage: BackupStorage,
                    image: Image) -> ImageFacts:  # fmt: skip
        """Have the image on a backup storage. Raises what `Link.ask` raises."""
        host, place = _there(origin), ref.install_path
        if origin.reading.phase == "reading":
            await self._flatten(origin, host)
        key = await self._context.database.read(lambda snapshot: key_of(snapshot, storage))
        carriage = Carriage(
            context=self._context,
            asker=self._asker,
            uuid=ref.uuid,
            source=host,
            storage=target_of(storage),
            host_key=key,
            generation=1,
            wanted=lambda snapshot: _still_wanted(snapshot, ref.uuid),
        )
        await carriage.bring(origin.reading.flat_path, place, origin.jobs)
        request = ObserveImage(path=place, format=image.format)
        link = self._context.fleet.link(target_of(storage))
        return await link.ask(request, ImageFacts, timeout_seconds=READ_SECONDS)

    async def clear(self, origin: Origin) -> None:
        """Take from the volume's host what the image was made by. Raises what `Link.ask` raises."""
        uuid, host = origin.reading.uuid, origin.host
        if host is not None:
            for ref in origin.refs:
                await close_end(self._asker, host, ref.uuid, 2)
            await drop_flat(self._context, self._asker, host, origin.reading.flat_path, uuid, 2)
        await self._context.database.write(lambda tx: forget_reading(tx, uuid))

    async def close(self, storage: Target, ref: ImageBackupStorageRef) -> None:
        """End what may still come to a backup storage. Raises what `Link.ask` raises."""
        await close_end(self._asker, storage, ref.uuid, 2)

    async def _flatten(self, origin: Origin, host: Target) -> None:
        reading = origin.reading
        took = await bulk(self._context, host, reading.volume_uuid)
        sizes = {
            reading.flat_path: await self._context.database.read(lambda snapshot: _size_of(snapshot, reading))
        }
        await expect(self._context.database, origin.jobs, sizes | {ref.uuid: took for ref in origin.refs})
        await flatten(
            self._context,
            self._asker,
            host,
            FlattenVolume(path=reading.flat_path, source=reading.path),
            resource=reading.uuid,
            generation=1,
            jobs=origin.jobs,
            title="read volume",
            wanted=lambda snapshot: _image_wanted(snapshot, reading.uuid),
        )
        await self._context.database.write(lambda tx: end_reading(tx, reading.uuid))


def _size_of(snapshot: Snapshot, reading: VolumeReading) -> int:
    return snapshot.get(Volume, reading.volume_uuid).size


def _there(origin: Origin) -> Target:
    if origin.host is None:
        raise OperationFailed(f"the host of volume[uuid:{origin.reading.volume_uuid}] was deleted")
    return origin.host


def _still_wanted(snapshot: Snapshot, ref_uuid: str) -> bool:
    ref = snapshot.find(ImageBackupStorageRef, ref_uuid)
    return ref is not None and ref.intended == "Ready"


def _image_wanted(snapshot: Snapshot, image_uuid: str) -> bool:
    return snapshot.exists(ImageBackupStorageRef, image_uuid=image_uuid, intended="Ready")
