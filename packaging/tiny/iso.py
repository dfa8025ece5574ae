"""The installer of the tiny image: an ISO that boots on a BIOS, copies the image to the first disk and restarts."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

from debs import Contents, run
from tree import EPOCH

LABEL = "ZSTUI-TINY"
BOOT_LOADER = "/usr/lib/ISOLINUX/isolinux.bin"
BOOT_MODULE = "/usr/lib/syslinux/modules/bios/ldlinux.c32"

MENU = """DEFAULT install
PROMPT 0
TIMEOUT 0
LABEL install
  KERNEL /vmlinuz
  INITRD /initrd.gz
  APPEND {command_line}
"""


def packed(disk: Path, out: Path) -> None:
    """Write the disk gzip-packed, the same bytes for the same disk."""
    with (
        disk.open("rb") as source,
        out.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as target,
    ):
        shutil.copyfileobj(source, target, 1 << 20)


def write_iso(contents: Contents, files: dict[str, bytes], disk: Path, out: Path, scratch: Path) -> None:
    """Write the ISO with these files and the packed disk; out appears whole or not at all."""
    folder = scratch / "iso"
    folder.mkdir()
    loader = {"isolinux.bin": contents.read(BOOT_LOADER), "ldlinux.c32": contents.read(BOOT_MODULE)}
    for name, data in {**files, **loader}.items():
        (folder / name).write_bytes(data)
    packed(disk, folder / "disk.gz")
    for path in folder.iterdir():
        path.chmod(0o644)
        os.utime(path, (EPOCH, EPOCH))
    unfinished = out.with_suffix(".part")
    run(
        ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", LABEL, "-o", unfinished, "-b", "isolinux.bin",
         "-c", "boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", folder],
        SOURCE_DATE_EPOCH=str(EPOCH),
    )  # fmt: skip
    unfinished.replace(out)
