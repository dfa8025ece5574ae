"""Images brought from backup storage to the cache of a host, each once however many VMs wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent.protocol import FetchImage, ImageFacts
from appliance.api.errors import HostUnreachable, ImageFailed
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.job import LongJob
from appliance.api.storage import BackupStorage
from appliance.hosts.fleet import Target
from appliance.reconcile.capacity import kept_free
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.image_cache import remember
from appliance.reconcile.meter import Meter
from appliance.store.snapshot import Snapshot

COPY_SECONDS = 3600.0


class ImageCopies:
    """Copies under way, by host and image."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._under_way: dict[tuple[str, str], asyncio.Lock] = {}

    async def bring(
        self,
        image_uuid: str,
        host: Target,
        cache_path: str,
        found: Sequence[LongJob],
        *,
        bytes_per_second: int = 0,
    ) -> None:
        """Bring an image to a host's cache, from another machine at most so fast (0: no limit).

        Raises `ImageFailed` when no storage can give it, `HostUnreachable` when one may in a moment.
        """
        key = (host.key, cache_path)
        lock = self._under_way.setdefault(key, asyncio.Lock())
        waited = lock.locked()
        async with lock:
            if waited:
                return  # whoever was first has brought it, or failed: the caller looks again
            await self._context.database.write(lambda tx: remember(tx, image_uuid, host.key, cache_path))
            meter = Meter(self._context.database, found, "copy image to host", cache_path)
            async with meter.running():
                await self._copy(image_uuid, host, cache_path, bytes_per_second, meter)

    async def _copy(
        self, image_uuid: str, host: Target, cache_path: str, bytes_per_second: int, meter: Meter
    ) -> None:
        image, ref, storage = await self._context.database.read(lambda s: _source(s, image_uuid))
        reserved = await self._context.database.read(lambda s: kept_free(s, "primaryStorage"))
        source = target_of(storage)
        if source.key == host.key:
            request = FetchImage(
                image_uuid=image_uuid, url=f"file://{ref.install_path}", path=cache_path, format=image.format,
                from_storage=True, reserved_bytes=reserved,
            )  # fmt: skip
            link = self._context.fleet.link(host)
            await link.ask(request, ImageFacts, timeout_seconds=COPY_SECONDS, on_progress=meter)
            return
        await self._context.fleet.dialer.copy(
            source,
            ref.install_path,
            host,
            cache_path,
            size=image.length,
            md5=image.md5_sum or "-",
            bytes_per_second=bytes_per_second,
            reserved_bytes=reserved,
            on_progress=meter,
        )


def _source(snapshot: Snapshot, image_uuid: str) -> tuple[Image, ImageBackupStorageRef, BackupStorage]:
    image = snapshot.find(Image, image_uuid)
    if image is None:
        raise ImageFailed(f"image[uuid:{image_uuid}] is gone, and the host has no copy of it")
    refs = [ref for ref in snapshot.all(ImageBackupStorageRef, image_uuid=image_uuid) if ref.whole]
    found = [(ref, snapshot.find(BackupStorage, ref.backup_storage_uuid)) for ref in refs]
    for ref, storage in found:
        if storage is not None and storage.status == "Connected":
            return image, ref, storage
    for _, storage in found:
        # As after each start of the appliance: jobs that were under way go on, and need not fail for this.
        if storage is not None and storage.status == "Connecting":
            raise HostUnreachable(f"backup storage {storage.name}[uuid:{storage.uuid}] is still connecting")
    raise ImageFailed(f"no connected backup storage has image {image.name}[uuid:{image_uuid}]")
