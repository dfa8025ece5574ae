"""Volumes: qcow2 files that appear under their name complete or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from agent.image import backing_of, read_header
from agent.protocol import EnsureVolume, GrowVolume
from agent.refused import Refused
from agent.run import run
from agent.storage import StorageRoots, disk_refused, is_regular, make_folders, part_of, publish, taken_bytes


class Volumes:
    """Makes volumes below storage roots, and says how large they are."""

    def __init__(self, storage: StorageRoots) -> None:
        self._storage = storage

    async def ensure(self, request: EnsureVolume) -> None:
        """Make the volume exist with this size and backing. Raises `Refused` when another is there."""
        path = self._storage.resolve(request.path)
        backing = self._storage.resolve(request.backing) if request.backing else None
        check_size(request.size_bytes)
        if is_regular(path):
            await asyncio.to_thread(_check_existing, path, request, backing)
            return
        if path.exists():
            raise Refused("path.folder", f"{path} is not a file; remove it on the host")
        if backing is not None:
            await asyncio.to_thread(_check_backing, backing, request)
        await self._create(path, request, backing)

    async def _create(self, path: Path, request: EnsureVolume, backing: Path | None) -> None:
        part = part_of(path)
        try:
            await asyncio.to_thread(make_folders, path.parent)
            part.unlink(missing_ok=True)
            parent = ("-b", str(backing), "-F", request.backing_format) if backing else ()
            await run("qemu-img", "create", "-q", "-f", "qcow2", *parent, str(part), str(request.size_bytes))
            await asyncio.to_thread(publish, part, path)
        except OSError as failed:
            raise disk_refused(failed, path) from failed
        finally:
            part.unlink(missing_ok=True)

    async def grow(self, request: GrowVolume, under_guest: Callable[[GrowVolume], Awaitable[bool]]) -> None:
        """Make the volume as large as asked: by `under_guest` if that says that a guest has it, else by itself.

        Raises `Refused` when there is none, or one that is larger.
        """
        path = self._storage.resolve(request.path)
        check_size(request.size_bytes)
        header = await asyncio.to_thread(read_header, path, "qcow2")
        if header.size_bytes == request.size_bytes:
            return
        if header.size_bytes > request.size_bytes:
            raise _shrinking(path, header.size_bytes, request.size_bytes)
        if request.vm_uuid and await under_guest(request):
            return
        await run("qemu-img", "resize", "-q", "-f", "qcow2", str(path), str(request.size_bytes))

    def sizes(self, paths: list[str]) -> dict[str, int]:
        """Path to virtual size in bytes, for each path at which a file is; 0 when it is no sound volume.

        A look refuses no damage: a VM whose disk is damaged can still be stopped and removed.
        """
        return {asked: _size(path) for asked in paths if (path := self._existing(asked)) is not None}

    def taken(self, paths: list[str]) -> dict[str, int]:
        """Path to bytes that its file takes on its disk, for each path at which a file is."""
        found = {}
        for asked in paths:
            path = self._existing(asked)
            if path is not None:
                with suppress(FileNotFoundError):  # gone since
                    found[asked] = taken_bytes(path)
        return found

    def complete(self, paths: list[str]) -> list[str]:
        """The paths at which a complete file is: files get their name only when they are."""
        return [asked for asked in paths if self._existing(asked) is not None]

    def _existing(self, asked: str) -> Path | None:
        """The file at a path; None when there is none."""
        path = self._storage.resolve(asked)
        return path if is_regular(path) else None


def _size(path: Path) -> int:
    try:
        return read_header(path, "qcow2").size_bytes
    except Refused:
        return 0


def check_size(size_bytes: int) -> None:
    """Refuse a size that no disk has."""
    if size_bytes <= 0 or size_bytes % 512:
        raise Refused("volume.size", f"{size_bytes} bytes is not a whole number of sectors")


def _shrinking(path: Path, there: int, asked: int) -> Refused:
    return Refused(
        "volume.larger", f"{path} is there with {there} bytes, more than {asked}; a volume never shrinks"
    )


def _check_existing(path: Path, request: EnsureVolume, backing: Path | None) -> None:
    header = read_header(path, "qcow2")
    if header.size_bytes < request.size_bytes:
        raise Refused(
            "volume.smaller",
            f"{path} is there with {header.size_bytes} bytes, fewer than {request.size_bytes}; resize it",
        )
    if header.size_bytes > request.size_bytes:
        raise _shrinking(path, header.size_bytes, request.size_bytes)
    wanted, there = str(backing) if backing else None, backing_of(path)
    if there != wanted:
        raise Refused("volume.other_backing", f"{path} is there and builds on {there!r}, not on {wanted!r}")


def _check_backing(backing: Path, request: EnsureVolume) -> None:
    header = read_header(backing, request.backing_format)
    if header.backing is not None:
        raise Refused("image.backing_file", f"{backing} itself builds on {header.backing!r}; flatten it")
    if header.size_bytes > request.size_bytes:
        raise Refused(
            "volume.smaller",
            f"{request.size_bytes} bytes are too few for a copy of {backing}, which has {header.size_bytes}",
        )
