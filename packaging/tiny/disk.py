"""The disk of the tiny image: an MBR, a FAT partition with the boot loader, and the root partition."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from debs import run
from tree import EPOCH

SECTOR = 512
MIB = 1 << 20
BOOT_START, BOOT_SIZE = 1 * MIB, 24 * MIB
ROOT_START = BOOT_START + BOOT_SIZE
DISK_SIZE = 128 * MIB
ROOT_SIZE = DISK_SIZE - ROOT_START

FAT16_LBA, LINUX, ACTIVE = 0x0E, 0x83, 0x80
FAT_SERIAL = "7a737475"
DISK_SERIAL = b"zstu"

MENU = """DEFAULT linux
PROMPT 0
TIMEOUT 0
LABEL linux
  KERNEL /vmlinuz
  INITRD /initrd.gz
  APPEND {command_line}
"""


def _partition(kind: int, start: int, size: int, status: int = 0) -> bytes:
    """Return one entry of the partition table; cylinders are left at their 'too far' mark, LBA counts."""
    far = b"\xfe\xff\xff"
    return struct.pack("<B3sB3sII", status, far, kind, far, start // SECTOR, size // SECTOR)


def partition_table(boot_code: bytes) -> bytes:
    """Return the first sector of the disk; boot_code is syslinux's mbr.bin of at most 440 bytes."""
    entries = _partition(FAT16_LBA, BOOT_START, BOOT_SIZE, ACTIVE) + _partition(LINUX, ROOT_START, ROOT_SIZE)
    return boot_code[:440].ljust(440, b"\0") + DISK_SERIAL + b"\0\0" + entries.ljust(64, b"\0") + b"\x55\xaa"


def write_boot_partition(disk: Path, files: dict[str, bytes], scratch: Path) -> None:
    """Make the FAT file system with these files in the disk and install syslinux there."""
    drive = f"{disk}@@{BOOT_START}"
    clock = {"SOURCE_DATE_EPOCH": str(EPOCH), "MTOOLS_SKIP_CHECK": "1", "TZ": "UTC"}
    run(
        [
            "mformat",
            "-i",
            drive,
            "-T",
            str(BOOT_SIZE // SECTOR),
            "-h",
            "16",
            "-s",
            "63",
            "-H",
            str(BOOT_START // SECTOR),
            "-N",
            FAT_SERIAL,
            "-v",
            "ZSTUI",
            "::",
        ],
        **clock,
    )
    for name, data in sorted(files.items()):
        source = scratch / name
        source.write_bytes(data)
        os.utime(source, (EPOCH, EPOCH))
        run(["mcopy", "-m", "-i", drive, source, f"::{name}"], **clock)
    run(["syslinux", "--install", "--offset", str(BOOT_START), disk], **clock)


def splice(disk: Path, part: Path, start: int) -> None:
    """Copy a partition's file into the disk at start (bytes), leaving holes where it is empty."""
    with disk.open("r+b") as target, part.open("rb") as source:
        while block := source.read(MIB):
            if block.strip(b"\0"):
                target.seek(start)
                target.write(block)
            start += len(block)


def to_qcow2(disk: Path, out: Path) -> None:
    """Write the disk as a compressed qcow2; out appears whole or not at all."""
    unfinished = out.with_suffix(".part")
    run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compat=1.1", disk, unfinished])
    unfinished.replace(out)
