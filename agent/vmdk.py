"""What a VMDK file is, judged from its own header: one that is whole in itself, or refused."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

from agent.refused import Refused
from agent.storage import disk_refused, is_regular

MAGIC = b"KDMV"
SECTOR = 512
MAX_DESCRIPTOR_SECTORS = 128
NO_PARENT = b"ffffffff"
KINDS = (b"monolithicSparse", b"streamOptimized")
ACCESSES = (b"RW", b"RDONLY", b"NOACCESS")
EXTENT = re.compile(rb'RW \d+ SPARSE "[^"/]*"')
"""The line of an extent that is the file itself. QEMU passes over these lines in a file of its own; others need not."""


def vmdk_size(path: Path) -> int:
    """The virtual size of a sparse VMDK in one file, in bytes. Raises `Refused` for every other kind.

    The others name files on their host, which a guest's image must never reach.
    """
    if not is_regular(path):
        raise Refused("file.missing", f"{path} is not there as a regular file")
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - no link
            head = file.read(SECTOR).ljust(SECTOR, b"\0")
            magic, version, _, capacity, _, at, length = struct.unpack("<4sIIQQQQ", head[:44])
            if magic != MAGIC or capacity == 0:
                raise Refused(
                    "image.not_an_image",
                    f"{path} is declared vmdk and is no disk in one file; make one of it with qemu-img convert",
                )
            if version not in (1, 2, 3):
                raise Refused(
                    "image.version", f"{path} is VMDK version {version}; versions 1 to 3 are accepted"
                )
            sectors = os.fstat(file.fileno()).st_size // SECTOR
            if not 0 < length <= MAX_DESCRIPTOR_SECTORS or not 0 < at < sectors:
                raise Refused("image.not_an_image", f"{path} does not describe itself")
            file.seek(at * SECTOR)
            _check_description(file.read(length * SECTOR), path)
    except OSError as failed:
        raise disk_refused(failed, path) from failed
    return int(capacity) * SECTOR


def _check_description(text: bytes, path: Path) -> None:
    """Refuse one that builds on another file, or is spread over several."""
    found = {}
    extents, within = 0, True
    for line in text.rstrip(b"\0").splitlines():
        name, equals, value = line.partition(b"=")
        if equals:
            found[name.strip().lower()] = value.strip().strip(b'"')
        if line.split(b" ")[0] in ACCESSES:
            extents += 1
            within = within and EXTENT.fullmatch(line.strip()) is not None
    if found.get(b"parentcid", NO_PARENT).lower() != NO_PARENT or b"parentfilenamehint" in found:
        raise Refused(
            "image.backing_file", f"{path} builds on another file; flatten it with qemu-img convert"
        )
    if found.get(b"createtype") not in KINDS or extents != 1 or not within:
        raise Refused(
            "image.data_file", f"{path} keeps its data in other files; make one of them with qemu-img convert"
        )
