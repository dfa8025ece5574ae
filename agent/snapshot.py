"""Snapshots: a volume's file kept as it is with a new one on top, and files in between taken into the last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from agent.image import read_header
from agent.protocol import EnsureOverlay, OverlayMade, RebaseVolume
from agent.refused import Refused
from agent.run import run
from agent.storage import StorageRoots, disk_refused, is_regular, make_folders, part_of, publish, taken_bytes
from agent.volume import check_size

REBASE_SECONDS = 3600.0


class Overlays:
    """Makes and merges chains of qcow2 files below storage roots."""

    def __init__(self, storage: StorageRoots) -> None:
        self._storage = storage

    async def ensure(
        self, request: EnsureOverlay, under_guest: Callable[[EnsureOverlay], Awaitable[bool]]
    ) -> OverlayMade:
        """Have an empty file on top of another, and the guest write to it. Raises `Refused`."""
        path, backing = self._storage.resolve(request.path), self._storage.resolve(request.backing)
        check_size(request.size_bytes)
        await asyncio.to_thread(read_header, backing, "qcow2")
        if is_regular(path):
            _check_backing(path, await asyncio.to_thread(_backing_of, path), str(backing))
        else:
            await self._create(path, backing, request.size_bytes)
        quiesced = bool(request.vm_uuid) and await under_guest(request)
        return OverlayMade(backing_bytes=taken_bytes(backing), quiesced=quiesced)

    async def rebase(
        self, request: RebaseVolume, under_guest: Callable[[RebaseVolume], Awaitable[bool]]
    ) -> None:
        """Have a file build on one that is below it, or on none. Raises `Refused`."""
        path = self._storage.resolve(request.path)
        wanted = str(self._storage.resolve(request.backing)) if request.backing else None
        if await asyncio.to_thread(_backing_of, path) == wanted:
            return
        if not (request.vm_uuid and await under_guest(request)):
            below = ("-b", wanted, "-F", request.backing_format) if wanted else ("-b", "")
            await run(
                "qemu-img", "rebase", "-q", "-f", "qcow2", *below, str(path), timeout_seconds=REBASE_SECONDS
            )
        _check_backing(path, await asyncio.to_thread(_backing_of, path), wanted)

    def backings(self, paths: list[str]) -> dict[str, str]:
        """Path to the file it builds on, for each path at which there is a sound one that does."""
        found = {}
        for asked in paths:
            path = self._storage.resolve(asked)
            below = _seen_backing(path) if is_regular(path) else None
            if below is not None:
                found[asked] = below
        return found

    async def _create(self, path: Path, backing: Path, size_bytes: int) -> None:
        part = part_of(path)
        try:
            await asyncio.to_thread(make_folders, path.parent)
            part.unlink(missing_ok=True)
            # -u: a guest may be writing to the file below, which is not opened then.
            below = ("-u", "-b", str(backing), "-F", "qcow2")
            await run("qemu-img", "create", "-q", "-f", "qcow2", *below, str(part), str(size_bytes))
            await asyncio.to_thread(publish, part, path)
        except OSError as failed:
            raise disk_refused(failed, path) from failed
        finally:
            part.unlink(missing_ok=True)


def _backing_of(path: Path) -> str | None:
    return read_header(path, "qcow2").backing


def _seen_backing(path: Path) -> str | None:
    """A look refuses no damage."""
    try:
        return _backing_of(path)
    except Refused:
        return None


def _check_backing(path: Path, there: str | None, wanted: str | None) -> None:
    if there != wanted:
        raise Refused("volume.other_backing", f"{path} is there and builds on {there!r}, not on {wanted!r}")
