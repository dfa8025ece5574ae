"""What of several steps is told as one whole: it never goes back, and what it takes is known from the beginning."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from agent.backup import Backups
from agent.download import Downloads
from agent.hypervisor_backup import LiveDisk
from agent.paths import Paths
from agent.protocol import BackupDisk, BackUpVolumes, EnsureStorage, FetchImage
from agent.storage import StorageRoots

MIB = 1 << 20


class Told:
    def __init__(self) -> None:
        self.readings: list[tuple[int, int]] = []

    def __call__(self, done: int, total: int) -> None:
        self.readings.append((done, total))

    def is_one_whole_of(self, total: int) -> None:
        done = [done for done, _ in self.readings]
        assert {total for _, total in self.readings} == {total}
        assert done == sorted(done)
        assert done[-1] == total


class Nobody:
    """No domain runs."""

    async def having(self, vm_uuid: str, volume_uuid: str) -> None:
        return None

    async def back_up(self, vm_uuid: str, disks: Sequence[LiveDisk], report: object) -> dict[str, str]:
        raise AssertionError(vm_uuid)


def storage_at(tmp_path: Path) -> tuple[Paths, StorageRoots, Path]:
    paths = Paths(state=tmp_path / "state", run=tmp_path / "run")
    for folder in (paths.state, paths.run):
        folder.mkdir()
    storage = StorageRoots(paths)
    root = tmp_path / "storage"
    storage.ensure(EnsureStorage(storage_uuid="a" * 32, root=str(root)))
    return paths, storage, root


async def test_an_image_that_is_fetched_and_converted(tmp_path: Path) -> None:
    _, storage, root = storage_at(tmp_path)
    source = root / "source.raw"
    source.write_bytes(b"x" * (9 * MIB))
    told = Told()
    request = FetchImage(
        image_uuid="i",
        url=f"file://{source}",
        path=str(root / "i.qcow2"),
        format="qcow2",
        source_format="raw",
        from_storage=True,
    )
    await Downloads(storage).fetch(request, told)
    told.is_one_whole_of(18 * MIB)


def disk(path: Path, size: str) -> None:
    """A volume's file of which 3 MiB are written."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, size], check=True, timeout=30)
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "write 0 3M", path], check=True, timeout=30, capture_output=True
    )


async def test_volumes_that_are_backed_up_at_rest(tmp_path: Path) -> None:
    paths, storage, root = storage_at(tmp_path)
    disks = []
    for name, size in (("a", 5), ("b", 7)):
        path = root / f"{name}.qcow2"
        disk(path, f"{size}M")
        disks.append(
            BackupDisk(volume_uuid=name * 32, path=str(path), target=str(root / f"{name}.backup"), bitmap="")
        )
    told = Told()
    await Backups(paths, storage, Nobody()).back_up(BackUpVolumes(disks=disks), told)
    told.is_one_whole_of(12 * MIB)
