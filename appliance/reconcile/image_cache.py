"""The copies of images on hosts: remembered before they are made, removed when nothing builds on them any more."""

from __future__ import annotations

from agent.protocol import Done, DropFile
from appliance.api.errors import ApiError
from appliance.api.host import Host
from appliance.api.image import Image, ImageCache
from appliance.api.move import VolumeMove
from appliance.api.resource import Resource
from appliance.api.snapshot import VolumeSnapshotTree
from appliance.api.tag import SystemTag
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeRestore
from appliance.plans.boot import ISO
from appliance.reconcile.asking import Asker
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.loop import AGAIN, DONE, Backoff, Next
from appliance.reconcile.observe import host_at
from appliance.reconcile.volume_rows import images_below
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def remember(tx: Transaction, image_uuid: str, machine: str, path: str) -> None:
    """A host, by its `address:port`, is about to have a copy of an image."""
    host = host_at(tx, machine)
    if host is None or tx.exists(ImageCache, host_uuid=host.uuid, install_path=path):
        return
    tx.insert(ImageCache(uuid=tx.new_uuid(), image_uuid=image_uuid, host_uuid=host.uuid, install_path=path))


def is_leaving(snapshot: Snapshot, host_uuid: str) -> bool:
    """Whether a copy is just being removed from a host: until then nothing may come there that builds on it."""
    return snapshot.exists(ImageCache, host_uuid=host_uuid, intended="Absent")


def copies_without(snapshot: Snapshot, gone: Resource) -> list[str]:
    """The uuids of the copies that something which is gone now may have been the last to need."""
    images: set[str | None] = set()
    match gone:
        case Image():
            images = {gone.uuid}
        case Volume() | VolumeSnapshotTree():
            images = {gone.root_image_uuid}
        case VolumeMove():
            volume = snapshot.find(Volume, gone.volume_uuid)
            images = set(images_below(snapshot, volume)) if volume is not None else set()
        case SystemTag(tag=tag) if tag.startswith(ISO):
            images = {tag.removeprefix(ISO)}
        case VolumeRestore():
            return unneeded(snapshot)  # its volume builds on no image any more
    found = [uuid for uuid in images if uuid is not None]
    return [copy.uuid for copy in snapshot.all(ImageCache, image_uuid=found)] if found else []


def unneeded(snapshot: Snapshot) -> list[str]:
    """The copies that may have to go: those of images that are gone."""
    return [copy.uuid for copy in snapshot.all(ImageCache) if snapshot.find(Image, copy.image_uuid) is None]


def _is_used(snapshot: Snapshot, copy: ImageCache) -> bool:
    """Whether something builds on a copy, or may yet: deleted volumes and those on their way count as well."""
    if snapshot.exists(Image, uuid=copy.image_uuid) or snapshot.exists(
        SystemTag, tag=f"{ISO}{copy.image_uuid}"
    ):
        return True
    volumes = snapshot.all(Volume, root_image_uuid=copy.image_uuid)
    trees = snapshot.all(VolumeSnapshotTree, root_image_uuid=copy.image_uuid)
    volumes += [snapshot.get(Volume, tree.volume_uuid) for tree in trees]
    moves = (snapshot.first(VolumeMove, volume_uuid=volume.uuid) for volume in volumes)
    return any(volume.host_uuid in (None, copy.host_uuid) for volume in volumes) or any(
        move is not None and copy.host_uuid in (move.host_uuid, move.source_host_uuid) for move in moves
    )


class ImageCacheWorker:
    """Removes one copy, once its image is gone and nothing builds on it."""

    def __init__(self, context: Context, uuid: str) -> None:
        self._context = context
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._backoff = Backoff()

    async def advance(self) -> Next:
        """One pass."""
        found = await self._context.database.write(self._decide)
        if found is None:
            return DONE
        copy, host = found
        target, request = target_of(host), DropFile(path=copy.install_path)
        try:
            if await self._asker.settle_unanswered(target, request):
                return AGAIN
            reply = await self._asker.ask(target, request, resource=copy.uuid, generation=1)
        except ApiError:
            return self._backoff.next()  # its host is away, or busy: the row stays until the file is gone
        if isinstance(reply, Done):
            await self._context.database.write(self._forget)
        return DONE

    def _decide(self, tx: Transaction) -> tuple[ImageCache, Host] | None:
        """The copy to remove, and from where; from then on nothing new may come to build on it."""
        copy = tx.find(ImageCache, self._uuid)
        if copy is None or (copy.intended == "Present" and _is_used(tx, copy)):
            return None
        host = tx.find(Host, copy.host_uuid)
        if host is None:
            tx.delete(copy)  # what a host keeps that is ours no more is its operator's
            return None
        return tx.update(copy, intended="Absent"), host

    def _forget(self, tx: Transaction) -> None:
        copy = tx.find(ImageCache, self._uuid)
        if copy is not None:
            tx.delete(copy)
