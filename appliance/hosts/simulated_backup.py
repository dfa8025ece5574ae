"""Backups of simulated volumes: files as large as those, and what a host tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.protocol import BackedUp, BackedUpDisk, BackupDisk, BackUpVolumes, JoinBackups
from appliance.hosts.simulated_agent import SimulatedRefusal

if TYPE_CHECKING:
    from appliance.hosts.simulated_things import Things

MD5 = "0" * 32


def back_up(things: Things, request: BackUpVolumes) -> BackedUp:
    """Have a file of each volume's content."""
    for disk in request.disks:
        things.resolve(disk.target)
        if disk.path not in things.files:
            raise SimulatedRefusal("program.failed", f"Could not open '{disk.path}': No such file")
        things.refuse_full(
            disk.target, 0 if request.vm_uuid else things.files[disk.path], request.reserved_bytes
        )
    return BackedUp(disks={disk.volume_uuid: _made(things, disk) for disk in request.disks})


def _made(things: Things, disk: BackupDisk) -> BackedUpDisk:
    size = things.files[disk.path]
    incremental = bool(disk.since) and things.bitmaps.get(disk.path) == disk.since
    if disk.bitmap:
        things.bitmaps[disk.path] = disk.bitmap
    things.files[disk.target] = size
    return BackedUpDisk(
        incremental=incremental,
        size_bytes=size,
        virtual_bytes=size,
        md5=MD5,
        reason="" if incremental or not disk.since else f"{disk.path} does not note what was written",
    )


def join(things: Things, request: JoinBackups) -> None:
    """Make one file of a chain of backups."""
    things.resolve(request.path)
    for file, md5 in zip(request.files, request.md5, strict=True):
        if md5 != MD5:
            raise SimulatedRefusal(
                "backup.damaged", f"{file} is not what was written there; use another backup"
            )
        if file not in things.files:
            raise SimulatedRefusal("file.missing", f"{file} is not there as a regular file")
    things.files.setdefault(request.path, things.files[request.files[-1]])
