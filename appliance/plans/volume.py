"""What is left to do for the file of a volume, attached or not, given what its host has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agent.protocol import (
    DropFile,
    EnsureOverlay,
    EnsureVolume,
    FlattenVolume,
    GrowVolume,
    RebaseVolume,
    VmSeen,
    serial_of,
)
from appliance.plans.step import Ask, CopyImage, Step

GROW_SECONDS = 120.0
SNAPSHOT_SECONDS = 180.0
MERGE_SECONDS = 3600.0
COPY_SECONDS = 7 * 86400.0


@dataclass(frozen=True)
class VolumeIntent:
    """A volume as its host should have it."""

    volume: EnsureVolume
    image_uuid: str | None = None
    """What it is made from, if anything."""
    bases: Mapping[str, str] = field(default_factory=dict)
    """Copies of images that its files, those of snapshots too, may build on: their paths to the images."""
    copy_of: str | None = None
    """The file of a snapshot whose content it is to have, if it is made of one."""
    whole: bool = False
    """Whether its file has ever been there: then it is not made again when it is not."""
    present: bool = True
    below: str | None = None
    """The file of the snapshot that it is on top of, if any."""
    fresh: bool = False
    """Whether its file is a new one on top of that."""
    dropped: tuple[str, ...] = ()
    """Files of snapshots that go, once it does not build on them any more."""
    beside: tuple[str, ...] = ()
    """Files of snapshots that stay for as long as it does."""

    @property
    def files(self) -> tuple[str, ...]:
        """All its files."""
        return (self.volume.path, *self.dropped, *self.beside)


def plan(intent: VolumeIntent, seen: VmSeen) -> list[Step]:
    """The steps left for a volume that no VM has."""
    if intent.present:
        return [*made(intent, seen), *merged(intent, seen)]
    return [Ask("delete volume", DropFile(path=path)) for path in intent.files if path in seen.volumes]


def made(intent: VolumeIntent, seen: VmSeen, *, vm_uuid: str = "") -> Iterator[Step]:
    """Until a volume's file is there, and as large as it should be, and written to.

    The size of a damaged file is seen as 0: that is no time to grow it.
    """
    volume = intent.volume
    there = seen.volumes.get(volume.path)
    if intent.fresh and intent.below is not None:
        writes = seen.writes.get(serial_of(volume.volume_uuid), volume.path)
        if there is None or writes != volume.path:
            yield from begun(intent, vm_uuid=vm_uuid)
    elif there is None and not intent.whole and intent.copy_of is not None:
        yield Ask("copy snapshot", FlattenVolume(path=volume.path, source=intent.copy_of), COPY_SECONDS)
    elif there is None and not intent.whole:
        if volume.backing is not None and volume.backing not in seen.cached and intent.image_uuid is not None:
            yield CopyImage("copy image to host", intent.image_uuid, volume.backing)
        yield Ask("create volume", volume)
    elif there is not None and 0 < there < volume.size_bytes:
        request = GrowVolume(
            volume_uuid=volume.volume_uuid, path=volume.path, size_bytes=volume.size_bytes, vm_uuid=vm_uuid
        )
        yield Ask("grow volume", request, GROW_SECONDS)


def begun(intent: VolumeIntent, *, vm_uuid: str = "") -> Iterator[Ask]:
    """The new file on top of what a snapshot keeps, and its guest writing to that."""
    volume = intent.volume
    if intent.fresh and intent.below is not None:
        overlay = EnsureOverlay(
            volume_uuid=volume.volume_uuid,
            path=volume.path,
            backing=intent.below,
            size_bytes=volume.size_bytes,
            vm_uuid=vm_uuid,
        )
        yield Ask("begin a new file", overlay, SNAPSHOT_SECONDS)


def merged(intent: VolumeIntent, seen: VmSeen, *, vm_uuid: str = "") -> Iterator[Step]:
    """Until a volume builds on nothing that goes, and that is gone."""
    volume = intent.volume
    going = [path for path in intent.dropped if path in seen.volumes]
    wanted = intent.below or volume.backing
    if (
        going
        and not intent.fresh
        and seen.volumes.get(volume.path)
        and seen.backings.get(volume.path) != wanted
    ):
        request = RebaseVolume(
            volume_uuid=volume.volume_uuid,
            path=volume.path,
            backing=wanted,
            backing_format="qcow2" if intent.below else volume.backing_format,
            vm_uuid=vm_uuid,
        )
        yield Ask("merge snapshots", request, MERGE_SECONDS)
    for path in going:
        yield Ask("delete snapshot", DropFile(path=path))
