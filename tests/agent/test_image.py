"""Image files, judged from outside."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from agent.image import inspect, observe_image
from agent.paths import Paths
from agent.protocol import EnsureStorage, ObserveImage
from agent.refused import Refused
from agent.storage import StorageRoots


async def test_an_image_is_as_long_as_its_file_and_takes_what_its_disk_holds_of_it(tmp_path: Path) -> None:
    """Whoever copies an image must know how many bytes will come, and who counts room how many are there."""
    storage = StorageRoots(Paths(tmp_path / "state", tmp_path / "run"))
    storage.ensure(EnsureStorage(storage_uuid="a" * 32, root=str(tmp_path / "images")))
    path = tmp_path / "images" / "sparse.raw"
    with path.open("wb") as file:
        file.write(struct.pack(">I", 1))
        file.truncate(1_000_001)
    facts = await observe_image(storage, ObserveImage(path=str(path), format="raw"))
    assert facts.actual_bytes == 1_000_001
    assert 0 < facts.taken_bytes == path.stat().st_blocks * 512 < 100_000


def qcow2(path: Path) -> bytes:
    """A qcow2 file with 3 MiB of data; its content."""
    raw = path.with_suffix(".raw")
    raw.write_bytes(bytes(1 << 20) + os.urandom(3 << 20) + bytes(4 << 20))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(path)], check=True)
    return path.read_bytes()


def check(path: Path) -> int:
    return subprocess.run(["qemu-img", "check", "-f", "qcow2", str(path)], check=False).returncode


async def test_a_qcow2_file_that_was_cut_off_is_no_image(tmp_path: Path) -> None:
    """Its header is as good as ever: a guest would find out."""
    whole, path = qcow2(tmp_path / "whole.qcow2"), tmp_path / "cut.qcow2"
    assert await inspect(tmp_path / "whole.qcow2", "qcow2") == 8 << 20
    for length in (len(whole) - 70_000, len(whole) // 2, 300_000):
        path.write_bytes(whole[:length])
        with pytest.raises(
            Refused, match=rf"cut\.qcow2 \({length} bytes\) is damaged or cut off: .* errors"
        ) as why:
            await inspect(path, "qcow2")
        assert (why.value.refusal.code, why.value.refusal.transient) == ("image.corrupt", False)


async def test_clusters_that_nothing_uses_are_no_fault(tmp_path: Path) -> None:
    """As a QEMU that was killed leaves them."""
    content, path = qcow2(tmp_path / "whole.qcow2"), tmp_path / "leaking.qcow2"
    cluster = 1 << 16
    grown = bytearray(content.ljust(-(-len(content) // cluster) * cluster + cluster, b"\0"))
    (table,) = struct.unpack(">Q", grown[48:56])
    (block,) = struct.unpack(">Q", grown[table : table + 8])
    at = block + 2 * (len(grown) // cluster - 1)  # the count of the cluster that was added
    grown[at : at + 2] = struct.pack(">H", 1)
    path.write_bytes(grown)
    assert check(path) == 3  # leaks
    assert await inspect(path, "qcow2") == 8 << 20
