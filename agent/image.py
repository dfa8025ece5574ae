"""What an image file is, judged from its own header before any other program may open it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from agent.protocol import ImageFacts, ObserveImage
from agent.refused import Refused
from agent.run import run
from agent.storage import StorageRoots, disk_refused, is_regular, taken_bytes
from agent.vmdk import vmdk_size

FORMATS = ("qcow2", "raw", "iso")
SOURCE_FORMATS = ("", *FORMATS, "vmdk")
"""What images may be made of; empty is what they are."""
MAX_VIRTUAL_BYTES = 64 << 40
QCOW2_MAGIC = b"QFI\xfb"
ISO_MAGIC = b"CD001"
ISO_MAGIC_AT = 0x8001
# qcow2 incompatible features: dirty, corrupt, external data file, compression type, extended L2.
DIRTY, CORRUPT, DATA_FILE, COMPRESSION, EXTENDED_L2 = (1 << bit for bit in range(5))
MIN_CLUSTER_BITS, MAX_CLUSTER_BITS = 9, 21
MAX_BACKING_NAME_BYTES = 1023
DATA_FILE_EXTENSION, BACKING_FORMAT_EXTENSION = 0x44415441, 0xE2792ACA
BACKING_FORMATS = ("qcow2", "raw")
RAW_ENDINGS = (".raw", ".iso")
HASH_BYTES = 4 << 20
CHECK_SECONDS = 120.0
CHECKED = (0, 1, 2, 3)
"""What `qemu-img check` ends with when it says how it went: sound, given up, corrupt, sound with leaks."""


@dataclass(frozen=True)
class Header:
    """What the header of an image says: its virtual size, and the file it builds on, if any, with its format."""

    size_bytes: int
    backing: str | None = None
    backing_format: str = ""


class _QemuInfo(msgspec.Struct):
    format: str
    virtual_size: int = msgspec.field(name="virtual-size")
    backing: str | None = msgspec.field(name="backing-filename", default=None)


class _QemuCheck(msgspec.Struct):
    corruptions: int = 0
    check_errors: int = msgspec.field(name="check-errors", default=0)


async def observe_image(storage: StorageRoots, request: ObserveImage) -> ImageFacts:
    """Say what a file below a storage root is. Raises `Refused` unless it stands alone and is sound."""
    path = storage.resolve(request.path)
    size_bytes = await inspect(path, request.format)
    return image_facts(path, request.format, size_bytes, await asyncio.to_thread(md5_of, path))


def image_facts(path: Path, image_format: str, size_bytes: int, md5: str) -> ImageFacts:
    """What is known of an image, with what its file is on this disk."""
    return ImageFacts(
        format=image_format,
        size_bytes=size_bytes,
        actual_bytes=path.stat().st_size,
        taken_bytes=taken_bytes(path),
        md5=md5,
    )


async def inspect(path: Path, image_format: str) -> int:
    """The virtual size of a self-contained image of the stated format, in bytes. Raises `Refused`.

    First the header, by us; only what passes is shown to qemu-img, which runs within limits. Clusters that a qcow2
    image has and does not use are no fault.
    """
    if image_format == "vmdk":
        header = Header(await asyncio.to_thread(vmdk_size, path))
    else:
        header = await asyncio.to_thread(read_header, path, image_format)
    if header.backing is not None:
        raise Refused(
            "image.backing_file",
            f"{path} builds on another file ({header.backing[:200]!r}); flatten it with qemu-img convert",
        )
    qemu_format = "raw" if image_format == "iso" else image_format
    printed = await run(
        *("prlimit", "--cpu=10", "--as=1073741824", "--fsize=0"),
        *("qemu-img", "info", "--output=json", "-U", "-f", qemu_format, str(path)),
        timeout_seconds=20.0,
    )
    seen = msgspec.json.decode(printed, type=_QemuInfo)
    if seen.backing is not None or seen.format != qemu_format:
        raise Refused("image.not_an_image", f"{path} is not a self-contained {image_format} image")
    if image_format == "qcow2":
        await _check_tables(path)
    return seen.virtual_size


async def _check_tables(path: Path) -> None:
    """Refuse a qcow2 file whose tables lead out of it or contradict each other. Its data is not read."""
    printed = await run(
        *("prlimit", f"--cpu={CHECK_SECONDS:.0f}", "--as=2147483648", "--fsize=0"),
        *("qemu-img", "check", "--output=json", "-U", "-f", "qcow2", str(path)),
        timeout_seconds=CHECK_SECONDS,
        accepted=CHECKED,
        mute=True,  # a line for each cluster that is wrong: their number says enough
    )
    # Nothing is printed where not even the check can be done.
    seen = msgspec.json.decode(printed, type=_QemuCheck) if printed.strip() else _QemuCheck(check_errors=1)
    wrong = seen.corruptions + seen.check_errors
    if wrong:
        length = (await asyncio.to_thread(path.stat)).st_size
        raise Refused(
            "image.corrupt",
            f"{path} ({length} bytes) is damaged or cut off: qemu-img check finds {wrong} errors; "
            "compare its length and checksum with the original's and send it again, or repair the original with "
            "qemu-img check -r all",
        )


def read_header(path: Path, image_format: str) -> Header:
    """The header of an image of a stated format; its content is never guessed. Raises `Refused`."""
    if image_format not in FORMATS:
        raise Refused("image.format", f"{image_format!r} is none of the formats {', '.join(FORMATS)}")
    if not is_regular(path):
        raise Refused("file.missing", f"{path} is not there as a regular file")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return _header(file, path, image_format)
    except OSError as failed:
        raise disk_refused(failed, path) from failed


def backing_of(path: Path) -> str | None:
    """The file that a qcow2 file builds on, None for none. Raises `Refused` where no format is stated for it.

    QEMU would judge a file below by its content then, which may be a guest's to write.
    """
    header = read_header(path, "qcow2")
    if header.backing is not None and header.backing_format not in BACKING_FORMATS:
        raise Refused(
            "image.backing_format",
            f"{path} builds on {header.backing[:200]!r} as {header.backing_format[:20]!r}; a format that is stated "
            f"is {' or '.join(BACKING_FORMATS)}",
        )
    return header.backing


def md5_of(path: Path, report: Callable[[int], None] | None = None) -> str:
    """The MD5 of a file as hex. `report` hears how many bytes have been read."""
    seen = hashlib.md5(usedforsecurity=False)
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(HASH_BYTES):
            seen.update(chunk)
            done += len(chunk)
            if report is not None:
                report(done)
    return seen.hexdigest()


def _header(file: BinaryIO, path: Path, image_format: str) -> Header:
    length = os.fstat(file.fileno()).st_size
    if length == 0:
        raise Refused("image.not_an_image", f"{path} is empty")
    if image_format == "qcow2":
        return _qcow2_header(file, path, length)
    head = file.read(4)
    if head == QCOW2_MAGIC:
        raise Refused("image.not_an_image", f"{path} is declared {image_format} and is qcow2; declare it so")
    if image_format == "iso":
        file.seek(ISO_MAGIC_AT)
        if file.read(5) != ISO_MAGIC:
            raise Refused("image.not_an_image", f"{path} is declared iso and has no ISO 9660 volume")
    _check_size(length, path)
    return Header(length)


def _qcow2_header(file: BinaryIO, path: Path, length: int) -> Header:
    head = file.read(112).ljust(112, b"\0")
    magic, version, backing_at, backing_bytes, cluster_bits, size = struct.unpack(">4sIQIIQ", head[:32])
    crypt, l1_entries, l1_at, refcount_at = struct.unpack(">IIQQ", head[32:56])
    if magic != QCOW2_MAGIC or length < 72:
        raise Refused("image.not_an_image", f"{path} is declared qcow2 and is not")
    if version not in (2, 3):
        raise Refused("image.version", f"{path} is qcow2 version {version}; versions 2 and 3 are accepted")
    if crypt:
        raise Refused("image.encrypted", f"{path} is encrypted; decrypt it with qemu-img convert")
    if not MIN_CLUSTER_BITS <= cluster_bits <= MAX_CLUSTER_BITS:
        raise Refused("image.not_an_image", f"{path} has clusters of 2^{cluster_bits} bytes")
    _check_size(size, path)
    cluster = 1 << cluster_bits
    # Each L1 entry stands for one cluster full of 8-byte entries, so this many reach the whole image.
    needed = -(-size // (cluster * (cluster // 8)))
    if l1_entries > max(needed * 4, 1024) or l1_at % cluster or refcount_at % cluster:
        raise Refused("image.not_an_image", f"{path} has tables where none can be")
    header_bytes = _check_features(head, path) if version == 3 else 72
    backing_format = _extensions(file, path, header_bytes, backing_at or cluster)
    return Header(size, _backing(file, path, backing_at, backing_bytes), backing_format)


def _check_size(size: int, path: Path) -> None:
    if size > MAX_VIRTUAL_BYTES:
        raise Refused(
            "image.too_big", f"{path} is {size} bytes large; at most {MAX_VIRTUAL_BYTES} are accepted"
        )


def _check_features(head: bytes, path: Path) -> int:
    """Refuse what we do not know; return the header's length."""
    (incompatible,) = struct.unpack(">Q", head[72:80])
    refcount_order, header_bytes = struct.unpack(">II", head[96:104])
    if incompatible & DATA_FILE:
        raise Refused("image.data_file", f"{path} keeps its data in another file; convert it with qemu-img")
    if incompatible & CORRUPT:
        raise Refused("image.corrupt", f"{path} is marked corrupt; repair it with qemu-img check -r all")
    unknown = incompatible & ~(DIRTY | COMPRESSION | EXTENDED_L2)
    if unknown:
        raise Refused("image.features", f"{path} needs qcow2 features {unknown:#x} that are not known here")
    if refcount_order > 6 or header_bytes < 104 or header_bytes > 4096 or header_bytes % 8:
        raise Refused("image.not_an_image", f"{path} has a header that cannot be")
    return int(header_bytes)


def _extensions(file: BinaryIO, path: Path, start: int, end: int) -> str:
    """The format that the header's extensions state for the file below, empty for none.

    Refuses one that names a data file, even where the feature bit is not set.
    """
    position, backing_format = start, ""
    while position + 8 <= min(end, 1 << MAX_CLUSTER_BITS):
        file.seek(position)
        kind, length = struct.unpack(">II", file.read(8).ljust(8, b"\0"))
        if kind == 0:
            break
        if kind == BACKING_FORMAT_EXTENSION:
            backing_format = file.read(min(length, MAX_BACKING_NAME_BYTES)).decode(errors="replace")
        if kind == DATA_FILE_EXTENSION:
            raise Refused(
                "image.data_file", f"{path} names another file for its data; convert it with qemu-img"
            )
        position += 8 + (length + 7) // 8 * 8
    return backing_format


def _backing(file: BinaryIO, path: Path, at: int, length: int) -> str | None:
    if at == 0 and length == 0:
        return None
    if at == 0 or length == 0 or length > MAX_BACKING_NAME_BYTES:
        raise Refused("image.backing_file", f"{path} names a backing file in a way that cannot be")
    file.seek(at)
    return file.read(length).decode(errors="replace")
