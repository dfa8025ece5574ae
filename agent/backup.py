"""Backups of volumes: whole, or what was written since the last one, and volumes made of them again."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from agent.convert import convert
from agent.domain_xml import DiskPlug
from agent.hypervisor_backup import LiveDisk
from agent.image import read_header
from agent.paths import Paths
from agent.protocol import BackedUp, BackedUpDisk, BackupDisk, BackUpVolumes, JoinBackups
from agent.refused import Refused
from agent.run import clean_environment, run
from agent.storage import StorageRoots, disk_refused, is_regular, make_folders, part_of, publish

COPY_SECONDS = 6 * 3600.0
READ_BYTES = 32 << 20
"""Of an increment so much is copied at a time."""
SOCKET_LOOKS, LOOK_SECONDS = 500, 0.02

Report = Callable[[int, int], object]


class BackupCalls(Protocol):
    """What is asked of domains here."""

    async def having(self, vm_uuid: str, volume_uuid: str) -> DiskPlug | None: ...
    async def back_up(self, vm_uuid: str, disks: Sequence[LiveDisk], report: Report) -> dict[str, str]: ...


class Backups:
    """Makes backups below storage roots, and joins them."""

    def __init__(self, paths: Paths, storage: StorageRoots, domains: BackupCalls) -> None:
        self._run = paths.run
        self._storage = storage
        self._domains = domains

    async def back_up(self, request: BackUpVolumes, report: Report) -> BackedUp:
        """Have a file of each volume's content. Raises `Refused`; no file is left then."""
        for disk in request.disks:
            self._check(disk)
        parts = [part_of(self._storage.resolve(disk.target)) for disk in request.disks]
        try:
            for part in parts:
                await asyncio.to_thread(make_folders, part.parent)
                await asyncio.to_thread(part.unlink, missing_ok=True)
            reasons = await self._write(request, report)
            made = {}
            for disk, part in zip(request.disks, parts, strict=True):
                made[disk.volume_uuid] = await self._publish(disk, part, reasons[disk.volume_uuid])
            return BackedUp(disks=made)
        except OSError as failed:
            raise disk_refused(failed, parts[0]) from failed
        finally:
            for part in parts:
                part.unlink(missing_ok=True)

    def _check(self, disk: BackupDisk) -> None:
        self._storage.resolve(disk.path)
        for name in (disk.bitmap, disk.since):
            if name and not name.isalnum():
                raise Refused("backup.name", f"{name!r} is no name of a backup")

    async def _write(self, request: BackUpVolumes, report: Report) -> dict[str, str | None]:
        """Fill the parts; volume uuid to why it is no increment, None where it is one."""
        found = {
            disk.volume_uuid: await self._domains.having(request.vm_uuid, disk.volume_uuid)
            for disk in (request.disks if request.vm_uuid else ())
        }
        plugs = {uuid: plug for uuid, plug in found.items() if plug is not None}
        if not plugs:
            return await self._all_at_rest(request, report)
        if len(plugs) < len(request.disks):
            raise Refused("backup.mixed", f"VM {request.vm_uuid} runs without some of these volumes")
        live = [
            LiveDisk(
                plug=plugs[disk.volume_uuid],
                target=str(part_of(self._storage.resolve(disk.target))),
                bitmap=disk.bitmap,
                since=disk.since,
            )
            for disk in request.disks
        ]
        broken = await self._domains.back_up(request.vm_uuid, live, report)
        return {
            disk.volume_uuid: (broken.get(plugs[disk.volume_uuid].serial) if disk.since else "")
            for disk in request.disks
        }

    async def _all_at_rest(self, request: BackUpVolumes, report: Report) -> dict[str, str | None]:
        """One after the other, told as one whole of their sizes."""
        disks, reserved = request.disks, request.reserved_bytes
        reasons: dict[str, str | None] = {}
        paths = [self._storage.resolve(disk.path) for disk in disks]
        sizes = [(await asyncio.to_thread(read_header, path, "qcow2")).size_bytes for path in paths]
        for number, disk in enumerate(disks):
            before = sum(sizes[:number])
            tell = partial(_after, report, before, sum(sizes))
            reasons[disk.volume_uuid] = await self._at_rest(disk, sizes[number], tell, reserved)
        return reasons

    async def _at_rest(self, disk: BackupDisk, size: int, report: Report, reserved: int) -> str | None:
        path, part = self._storage.resolve(disk.path), part_of(self._storage.resolve(disk.target))
        bitmaps = await _bitmaps(path)
        reason = _against(disk, bitmaps)
        if reason is None:
            await self._changed(path, part, disk.since)
        else:
            await convert(path, "qcow2", part, size, report, reserved_bytes=reserved)
        if not disk.bitmap:
            return reason
        if disk.bitmap in bitmaps:
            await _bitmap(path, "--remove", disk.bitmap)
        await _bitmap(path, "--add", disk.bitmap)
        for name in bitmaps.keys() - {disk.bitmap}:
            await _bitmap(path, "--remove", name)
        return reason

    async def _changed(self, path: Path, part: Path, since: str) -> None:
        """Copy what a bitmap says was written: read through a file on top, which keeps what it reads."""
        await run("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(path), "-F", "qcow2", str(part))
        async with self._shown(path, since) as extents:
            reads = "\n".join(
                f"read {at} {min(READ_BYTES, start + length - at)}"
                for start, length in extents
                for at in range(start, start + length, READ_BYTES)
            )
        if reads:
            said = await run(
                "qemu-io",
                "-f",
                "qcow2",
                "-C",
                str(part),
                stdin=f"{reads}\nquit\n",
                timeout_seconds=COPY_SECONDS,
            )
            if "failed" in said or "error" in said.lower():
                raise Refused("backup.failed", f"{path} cannot be read: {said[-300:]}")

    @asynccontextmanager
    async def _shown(self, path: Path, bitmap: str) -> AsyncIterator[list[tuple[int, int]]]:
        """The places that a bitmap of a file names, each with its length."""
        door = self._run / f"backup-{path.stem}.sock"
        door.unlink(missing_ok=True)
        process = await asyncio.create_subprocess_exec(
            "qemu-nbd", "-r", "-f", "qcow2", "-B", bitmap, "-k", str(door), str(path),
            stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env=clean_environment(),
        )  # fmt: skip
        try:
            for _ in range(SOCKET_LOOKS):
                if door.exists() or process.returncode is not None:
                    break
                await asyncio.sleep(LOOK_SECONDS)
            source = (
                f"driver=nbd,server.type=unix,server.path={door},x-dirty-bitmap=qemu:dirty-bitmap:{bitmap}"
            )
            said = await run("qemu-img", "map", "--output=json", "--image-opts", source)
            # A dirty place is shown as one without data: it is how NBD's flags happen to be read.
            yield [(each["start"], each["length"]) for each in json.loads(said) if not each["data"]]
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            door.unlink(missing_ok=True)

    async def _publish(self, disk: BackupDisk, part: Path, reason: str | None) -> BackedUpDisk:
        """Give a backup its name, standing on nothing, and say what it is."""
        target = self._storage.resolve(disk.target)
        await run("qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-b", "", str(part))
        header = await asyncio.to_thread(read_header, part, "qcow2")
        md5 = await asyncio.to_thread(_md5, part)
        await asyncio.to_thread(publish, part, target)
        return BackedUpDisk(
            incremental=reason is None,
            size_bytes=target.stat().st_size,
            virtual_bytes=header.size_bytes,
            md5=md5,
            reason=reason or "",
        )

    async def join(self, request: JoinBackups) -> None:
        """Make one file of a chain of backups. Raises `Refused`."""
        path = self._storage.resolve(request.path)
        files = [self._storage.resolve(file) for file in request.files]
        if is_regular(path):
            return
        part = part_of(path)
        try:
            for file, md5 in zip(files, request.md5, strict=True):
                await asyncio.to_thread(read_header, file, "qcow2")
                if await asyncio.to_thread(_md5, file) != md5:
                    raise Refused(
                        "backup.damaged", f"{file} is not what was written there; use another backup"
                    )
            await asyncio.to_thread(make_folders, path.parent)
            part.unlink(missing_ok=True)
            await run(
                "qemu-img",
                "convert",
                "-q",
                "-O",
                "qcow2",
                _stack(files),
                str(part),
                timeout_seconds=COPY_SECONDS,
            )
            await asyncio.to_thread(publish, part, path)
        except OSError as failed:
            raise disk_refused(failed, path) from failed
        finally:
            part.unlink(missing_ok=True)


def _after(report: Report, before: int, total: int, done: int, _: int) -> None:
    """Report what is done after other things."""
    report(before + done, total)


def _stack(files: Sequence[Path]) -> str:
    """A chain of files that say nothing of each other, as qemu-img takes it."""
    node: dict[str, Any] | None = None
    for file in files:
        node = {
            "driver": "qcow2",
            "file": {"driver": "file", "filename": str(file)},
            "backing": node,
        }
    return f"json:{json.dumps(node)}"


async def _bitmaps(path: Path) -> dict[str, list[str]]:
    """The bitmaps in a file, each with its flags."""
    said = await run("qemu-img", "info", "--output=json", "-f", "qcow2", str(path))
    data: dict[str, Any] = json.loads(said).get("format-specific", {}).get("data", {})
    return {each["name"]: each["flags"] for each in data.get("bitmaps", [])}


async def _bitmap(path: Path, *change: str) -> None:
    await run("qemu-img", "bitmap", "-f", "qcow2", *change[:1], str(path), *change[1:])


def _against(disk: BackupDisk, bitmaps: dict[str, list[str]]) -> str | None:
    """Why a volume's file cannot tell what was written since a backup; None when it can. Empty: nobody asked."""
    if not disk.since:
        return ""
    if disk.since_path != disk.path:
        return "the volume has been on another file since its last backup"
    if disk.since not in bitmaps:
        return f"{disk.path} does not note what was written since its last backup"
    if "in-use" in bitmaps[disk.since]:
        return f"{disk.path} was not closed properly, and may not have noted all that was written"
    return None


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
