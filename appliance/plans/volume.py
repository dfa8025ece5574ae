"""What is left to do for the file of a volume, attached or not, given what its host has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from agent.protocol import DropFile, EnsureVolume, GrowVolume
from appliance.plans.step import Ask, CopyImage, Step

GROW_SECONDS = 120.0


@dataclass(frozen=True)
class VolumeIntent:
    """A volume as its host should have it."""

    volume: EnsureVolume
    image_uuid: str | None = None
    """What it is made from, if anything."""
    whole: bool = False
    """Whether its file has ever been there: then it is not made again when it is not."""
    present: bool = True


def plan(intent: VolumeIntent, sizes: Mapping[str, int], cached: Collection[str]) -> list[Step]:
    """The steps left for a volume that no VM has."""
    if intent.present:
        return list(made(intent, sizes, cached))
    path = intent.volume.path
    return [Ask("delete volume", DropFile(path=path))] if path in sizes else []


def made(
    intent: VolumeIntent, sizes: Mapping[str, int], cached: Collection[str], *, vm_uuid: str = ""
) -> Iterator[Step]:
    """Until a volume's file is there, and as large as it should be.

    `sizes` are the virtual sizes by path of the files that are there, 0 of a damaged one: that is no time to
    grow it.
    """
    volume = intent.volume
    there = sizes.get(volume.path)
    if there is None and not intent.whole:
        if volume.backing is not None and volume.backing not in cached and intent.image_uuid is not None:
            yield CopyImage("copy image to host", intent.image_uuid, volume.backing)
        yield Ask("create volume", volume)
    elif there is not None and 0 < there < volume.size_bytes:
        request = GrowVolume(
            volume_uuid=volume.volume_uuid, path=volume.path, size_bytes=volume.size_bytes, vm_uuid=vm_uuid
        )
        yield Ask("grow volume", request, GROW_SECONDS)
