"""Volumes made flat: one qcow2 file with the content of a chain of them, building on nothing."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.download import KEPT_FREE_BYTES
from agent.image import read_header
from agent.protocol import Done, DropFile, FlattenVolume
from agent.refused import Refused
from agent.run import clean_environment, run
from agent.storage import StorageRoots, disk_refused, is_regular, make_folders, part_of, publish

READ_BYTES = 4096
SAID_BYTES = 600
MEASURE_SECONDS = 600.0
_PERCENT = re.compile(rb"\((\d+(?:\.\d+)?)/100%\)")

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
        task = self._under_way[path] = asyncio.create_task(self._make(path, source, report))
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

    async def _make(self, path: Path, source: Path, report: Report) -> None:
        size = await asyncio.to_thread(self._look, source)
        part = part_of(path)
        try:
            await asyncio.to_thread(make_folders, path.parent)
            part.unlink(missing_ok=True)
            await _check_room(source, path.parent)
            await _convert(source, part, size, report)
            await asyncio.to_thread(publish, part, path)
        except OSError as failed:
            raise disk_refused(failed, path) from failed
        finally:
            part.unlink(missing_ok=True)

    def _look(self, source: Path) -> int:
        """The size of a volume whose whole chain is below storage roots. Raises `Refused`.

        Only qcow2 files build on others, and theirs are named so.
        """
        header = read_header(source, "qcow2")
        below = header.backing
        while below is not None:
            path = self._storage.resolve(below)
            below = read_header(path, "qcow2").backing if path.suffix == ".qcow2" else None
        return header.size_bytes


class _Measure(msgspec.Struct):
    required: int


async def _check_room(source: Path, folder: Path) -> None:
    """Refuse to fill a disk that guests write to."""
    measure = ("qemu-img", "measure", "--output=json", "-f", "qcow2", "-O", "qcow2", str(source))
    needed = msgspec.json.decode(await run(*measure, timeout_seconds=MEASURE_SECONDS), type=_Measure).required
    counted = os.statvfs(folder)
    free = counted.f_bavail * counted.f_frsize - KEPT_FREE_BYTES
    if needed > free:
        raise Refused(
            "storage.full",
            f"a flat copy of {source} takes {needed} bytes, {max(free, 0)} are free; make room on this storage",
        )


async def _convert(source: Path, part: Path, size: int, report: Report) -> None:
    """Let qemu-img write the content of a chain to a new file. Raises `Refused`."""
    words = ("qemu-img", "convert", "-p", "-f", "qcow2", "-O", "qcow2", str(source), str(part))
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env=clean_environment(),
        )  # fmt: skip
    except FileNotFoundError as missing:
        raise Refused("program.missing", "qemu-img is not installed on the host; install it") from missing
    try:
        async with asyncio.TaskGroup() as group:
            complaint = group.create_task(_complaint(process))
            group.create_task(_hear(process, size, report))
        status = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0:
        said = complaint.result().decode(errors="replace").strip()[-SAID_BYTES:]
        full = "No space left on device" in said
        raise Refused(
            "storage.full" if full else "program.failed",
            f"qemu-img convert of {source}: {said or f'exit status {status}'}",
        )


async def _complaint(process: asyncio.subprocess.Process) -> bytes:
    return await process.stderr.read() if process.stderr is not None else b""


async def _hear(process: asyncio.subprocess.Process, size: int, report: Report) -> None:
    """Tell how far qemu-img says that it is."""
    while process.stdout is not None and (said := await process.stdout.read(READ_BYTES)):
        found = _PERCENT.findall(said)
        if found:
            report(int(size * float(found[-1]) / 100), size)
