"""Flat files made of chains, by the real qemu-img."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from agent.flatten import Flattenings
from agent.image import read_header
from agent.paths import Paths
from agent.protocol import DropFile, EnsureStorage, FlattenVolume
from agent.refused import Refused
from agent.storage import StorageRoots

MIB = 1 << 20


class Disk:
    """A storage folder with chains in it."""

    def __init__(self, folder: Path) -> None:
        self.storage = StorageRoots(Paths(folder / "state", folder / "run"))
        self.root = folder / "disk"
        self.storage.ensure(EnsureStorage(storage_uuid="a" * 32, root=str(self.root)))
        self.flattenings = Flattenings(self.storage)
        self.told: list[tuple[int, int]] = []

    def chain(self, *patterns: int, size: int = 64 * MIB, base: str = "base.raw") -> Path:
        """A chain on a raw image of 1 MiB of the first pattern, and one more MiB of each other in its file."""
        below, kind = self.root / base, "raw"
        img("create", "-q", "-f", "raw", str(below), str(size))
        io("raw", f"write -P {patterns[0]} 0 1M", below)
        for number, pattern in enumerate(patterns[1:], 1):
            above = self.root / f"{number}.qcow2"
            img("create", "-q", "-f", "qcow2", "-b", str(below), "-F", kind, str(above), str(size))
            io("qcow2", f"write -P {pattern} {number}M 1M", above)
            below, kind = above, "qcow2"
        return below

    async def flatten(self, source: Path, path: Path) -> None:
        await self.flattenings.flatten(
            FlattenVolume(path=str(path), source=str(source)),
            lambda done, total: self.told.append((done, total)),
        )


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def img(*words: str) -> str:
    done = subprocess.run(["qemu-img", *words], check=True, timeout=30, capture_output=True, text=True)
    return done.stdout


def io(image_format: str, command: str, path: Path) -> None:
    subprocess.run(["qemu-io", "-f", image_format, "-c", command, str(path)], check=True, timeout=30,
                   capture_output=True)  # fmt: skip


async def test_a_flat_file_has_the_content_of_the_whole_chain_and_stands_alone(disk: Disk) -> None:
    source, flat = disk.chain(7, 8, 9), disk.root / "made" / "flat.qcow2"
    for _ in range(2):
        await disk.flatten(source, flat)
    assert "Images are identical" in img("compare", "-f", "qcow2", "-F", "qcow2", str(source), str(flat))
    img("check", "-q", "-f", "qcow2", str(flat))
    assert read_header(flat, "qcow2").backing is None
    assert flat.stat().st_blocks * 512 < 5 * MIB
    assert disk.told[-1] == (64 * MIB, 64 * MIB)
    assert not flat.with_name("flat.qcow2.part").exists()


async def test_dropping_the_file_ends_its_making_and_leaves_nothing(disk: Disk) -> None:
    source, flat = disk.chain(7, 8), disk.root / "made" / "flat.qcow2"
    io("qcow2", "write -P 5 0 64M", source)
    making = asyncio.create_task(disk.flatten(source, flat))
    async with asyncio.timeout(10):
        while not flat.with_name("flat.qcow2.part").exists():
            await asyncio.sleep(0)
    await disk.flattenings.drop(DropFile(path=str(flat)))
    with pytest.raises(Refused) as ended:
        await making
    assert ended.value.refusal.code == "flatten.ended"
    assert not flat.parent.exists()
    await disk.flatten(source, flat)
    assert flat.exists()


async def test_a_chain_that_leaves_the_storage_is_refused(disk: Disk, tmp_path: Path) -> None:
    img("create", "-q", "-f", "raw", str(tmp_path / "outside.raw"), "1M")
    stray = disk.root / "stray.qcow2"
    img("create", "-q", "-f", "qcow2", "-b", str(tmp_path / "outside.raw"), "-F", "raw", str(stray), "1M")
    with pytest.raises(Refused) as refused:
        await disk.flatten(stray, disk.root / "flat.qcow2")
    assert refused.value.refusal.code == "path.outside"
    assert not (disk.root / "flat.qcow2").exists()


async def test_a_volume_that_somebody_writes_to_is_refused_and_named(disk: Disk) -> None:
    source = disk.chain(7, 8)
    writer = await asyncio.create_subprocess_exec(
        "qemu-io", "-f", "qcow2", str(source), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write(b"write 0 512\n")
    await writer.stdout.readuntil(b"wrote")
    with pytest.raises(Refused) as refused:
        await disk.flatten(source, disk.root / "flat.qcow2")
    writer.stdin.write(b"quit\n")
    await writer.communicate()
    assert refused.value.refusal.code == "program.failed"
    assert str(source) in refused.value.refusal.message
    assert not (disk.root / "flat.qcow2").exists()
