"""Backups: what a volume holds, written to a file that can be carried away, and volumes made of such files again."""

from __future__ import annotations

from typing import ClassVar

from agent.protocol.request import Request
from agent.protocol.values import Struct


class BackupDisk(Struct, frozen=True):
    """A volume to back up to the file `target`.

    `bitmap` is the name under which the volume's file notes from this moment on what is written; empty, the file is
    left as it is. `since` is that of
    an earlier backup, empty for none: then only what was written after that is taken, if `since_path`, which was
    the volume's file at that time, and the notes in it can still tell.
    """

    volume_uuid: str
    path: str
    target: str
    bitmap: str
    since: str = ""
    since_path: str = ""


class BackedUpDisk(Struct, frozen=True):
    """A backup in its file: all of a volume, or an increment that says nothing of what it is to be put on.

    `reason` is why it is no increment though one was asked for.
    """

    incremental: bool
    size_bytes: int
    virtual_bytes: int
    md5: str
    reason: str = ""


class BackedUp(Struct, frozen=True):
    """The backups of volumes, by their uuids: all of the same moment."""

    disks: dict[str, BackedUpDisk]


class BackUpVolumes(Request, tag=True, frozen=True):
    """Write what volumes hold at one moment to files: under their guest while the VM named runs with them.

    Sends progress in bytes. Refused as `backup.failed` with libvirt's reason, and as `backup.mixed` when the guest
    has only some of them. Without a guest, refused as `storage.full` where it would leave less than `reserved_bytes`
    free.
    """

    reply: ClassVar[type[Struct]] = BackedUp
    disks: list[BackupDisk]
    vm_uuid: str = ""
    reserved_bytes: int = 0


class JoinBackups(Request, tag=True, frozen=True):
    """Make a qcow2 file that builds on nothing out of a whole backup and the increments after it, in this order.

    The last one's size counts. Refused as `backup.damaged` where a file has another MD5 than is given for it.
    """

    files: list[str]
    md5: list[str]
    path: str
