"""Snapshots: a volume's file kept as it is with a new one on top, and files in between taken into the last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from agent.image import backing_of, read_header
from agent.protocol import EnsureOverlay, OverlayMade, RebaseVolume
from agent.refused import Refused
from agent.run import run
from agent.storage import StorageRoots, disk_refused, is_regular, make_folders, part_of, publish, taken_bytes
from agent.volume import check_size

REBASE_SECONDS = 3600.0

UnderGuest: TypeAlias = "Callable[[EnsureOverlay, asyncio.Task[None]], Awaitable[str | None]]"
"""Has a guest write to a file once that is there; why the guest was not quiesced, None when no guest has the volume."""


class Overlays:
    """Makes and merges chains of qcow2 files below storage roots."""

    def __init__(self, storage: StorageRoots) -> None:
        self._storage = storage

    async def ensure(self, request: EnsureOverlay, under_guest: UnderGuest) -> OverlayMade:
        """Have an empty file on top of another, and the guest write to it. Raises `Refused`.

        The way to the guest is found while the file is made.
        """
        path, backing = self._storage.resolve(request.path), self._storage.resolve(request.backing)
        check_size(request.size_bytes)
        making = asyncio.create_task(self._made(path, backing, request.size_bytes))
        try:
            why = await under_guest(request, making) if request.vm_uuid else None
        finally:
            await asyncio.wait({making})
            unmade = None if making.cancelled() else making.exception()
        if unmade is not None:
            raise unmade
        return OverlayMade(
            backing_bytes=taken_bytes(backing), quiesced=None if why is None else not why, reason=why or ""
        )

    async def rebase(
        self, request: RebaseVolume, under_guest: Callable[[RebaseVolume], Awaitable[bool]]
    ) -> None:
        """Have a file build on one that is below it, or on none. Raises `Refused`."""
        path = self._storage.resolve(request.path)
        wanted = str(self._storage.resolve(request.backing)) if request.backing else None
        if await asyncio.to_thread(backing_of, path) == wanted:
            return
        if not (request.vm_uuid and await under_guest(request)):
            below = ("-b", wanted, "-F", request.backing_format) if wanted else ("-b", "")
            await run(
                "qemu-img", "rebase", "-q", "-f", "qcow2", *below, str(path), timeout_seconds=REBASE_SECONDS
            )
        _check_backing(path, await asyncio.to_thread(backing_of, path), wanted)

    def backings(self, paths: list[str]) -> dict[str, str]:
        """Path to the file it builds on, for each path at which there is a sound one that does."""
        found = {}
        for asked in paths:
            path = self._storage.resolve(asked)
            below = _seen_backing(path) if is_regular(path) else None
            if below is not None:
                found[asked] = below
        return found

    async def _made(self, path: Path, backing: Path, size_bytes: int) -> None:
        """There is a file at a path that builds on another, made by this or before."""
        await asyncio.to_thread(read_header, backing, "qcow2")
        if is_regular(path):
            _check_backing(path, await asyncio.to_thread(backing_of, path), str(backing))
            return
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


def _seen_backing(path: Path) -> str | None:
    """A look refuses no damage."""
    try:
        return backing_of(path)
    except Refused:
        return None


def _check_backing(path: Path, there: str | None, wanted: str | None) -> None:
    if there != wanted:
        raise Refused("volume.other_backing", f"{path} is there and builds on {there!r}, not on {wanted!r}")
