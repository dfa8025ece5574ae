"""Volumes made flat: one qcow2 file with the content of a chain of them, building on nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from agent.convert import convert
from agent.image import backing_of, read_header
from agent.protocol import Done, DropFile, FlattenVolume
from agent.refused import Refused
from agent.storage import StorageRoots, disk_refused, is_regular, make_folders, part_of, publish

Report = Callable[[int, int], None]


class Flattenings:
    """Makes flat files, each once at a time, and ends that when the file is to go."""

    def __init__(self, storage: StorageRoots) -> None:
        self._storage = storage
        self._under_way: dict[Path, asyncio.Task[None]] = {}

    async def flatten(self, request: FlattenVolume, report: Report) -> Done:
        """Have the flat file. Raises `Refused`; nothing is left then."""
        path, source = self._storage.resolve(request.path), self._storage.resolve(request.source)
        before = self._under_way.get(path)
        if before is not None:
            raise Refused("flatten.busy", f"{path} is being made already", transient=True)
        if is_regular(path):
            return Done()
        task = self._under_way[path] = asyncio.create_task(
            self._make(path, source, report, request.reserved_bytes)
        )
        try:
            # Shielded: who drops the file must be able to wait until nothing of this acts any more.
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            if asyncio.current_task().cancelling():  # type: ignore[union-attr] # this runs in a task
                raise
            raise Refused("flatten.ended", f"{path} is not wanted any more", transient=True) from None
        finally:
            del self._under_way[path]
        return Done()

    async def drop(self, request: DropFile) -> None:
        """Remove a file, and first end what makes it. Raises `Refused`."""
        path = self._storage.resolve(request.path)
        task = self._under_way.get(path)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        await asyncio.to_thread(self._storage.drop_file, request.path)

    async def _make(self, path: Path, source: Path, report: Report, reserved_bytes: int) -> None:
        size = await asyncio.to_thread(self._look, source)
        part = part_of(path)
        try:
            await asyncio.to_thread(make_folders, path.parent)
            part.unlink(missing_ok=True)
            await convert(source, "qcow2", part, size, report, reserved_bytes=reserved_bytes)
            await asyncio.to_thread(publish, part, path)
        except OSError as failed:
            raise disk_refused(failed, path) from failed
        finally:
            part.unlink(missing_ok=True)

    def _look(self, source: Path) -> int:
        """The size of a volume whose whole chain is below storage roots. Raises `Refused`.

        Only qcow2 files build on others, and theirs are named so.
        """
        below = backing_of(source)
        while below is not None:
            path = self._storage.resolve(below)
            below = backing_of(path) if path.suffix == ".qcow2" else None
        return read_header(source, "qcow2").size_bytes
