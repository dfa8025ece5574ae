"""Backups under a real QEMU: repeated, ended and broken ones leave one bitmap, and no checkpoint."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from msgspec.structs import replace

from agent.backup import Backups
from agent.hypervisor_backup import LiveDisk
from agent.paths import Paths
from agent.protocol import BackedUpDisk, BackupDisk, BackUpVolumes, DefineDomain, DestroyDomain, StartDomain
from agent.refused import Refused
from agent.run import run
from agent.storage import StorageRoots
from tests.agent.libvirt_host import LibvirtHost
from tests.agent.test_domain import Rig, rig

__all__ = ["rig"]

pytestmark = pytest.mark.lab

FIRST, SECOND = "1" * 32, "2" * 32


@pytest.fixture(scope="module")
def host() -> Iterator[LibvirtHost]:
    with LibvirtHost() as host:
        yield host


def bitmaps(path: str) -> list[str]:
    """The names of the bitmaps in a file that nobody uses."""
    said = subprocess.run(["qemu-img", "info", "--output=json", path], capture_output=True, check=True).stdout
    data = json.loads(said)["format-specific"]["data"]
    return [each["name"] for each in data.get("bitmaps", [])]


async def test_every_backup_leaves_each_disk_one_bitmap(rig: Rig, tmp_path: Path) -> None:
    data, uuid = Path(rig.spec.disks[0].path).with_name("data.qcow2"), rig.spec.vm_uuid
    await run("qemu-img", "create", "-q", "-f", "qcow2", str(data), "1M")
    disks = [
        replace(rig.spec.disks[0], volume_uuid=uuid4().hex),
        replace(rig.spec.disks[0], volume_uuid=uuid4().hex, path=str(data), device_id=1),
    ]
    paths = Paths(state=tmp_path / "state", run=tmp_path / "run")
    paths.run.mkdir(exist_ok=True)
    backups = Backups(paths, StorageRoots(paths), rig.domains)
    await rig.domains.define(DefineDomain(spec=replace(rig.spec, disks=disks)))
    await rig.domains.start(StartDomain(vm_uuid=uuid))
    names = [each * 32 for each in "12345"]
    # A backup that is to be whole says nothing of the one before.
    for name, since in zip(names, ["", names[0], names[1], "", names[3]], strict=True):
        asked = [
            BackupDisk(
                volume_uuid=disk.volume_uuid, path=disk.path, target=f"{disk.path}.{name}", bitmap=name,
                since=since, since_path=disk.path,
            )
            for disk in disks
        ]  # fmt: skip
        made = await backups.back_up(BackUpVolumes(disks=asked, vm_uuid=uuid), lambda done, total: None)
        assert {each.incremental for each in made.disks.values()} == {bool(since)}
    await rig.domains.destroy(DestroyDomain(vm_uuid=uuid))
    assert [bitmaps(disk.path) for disk in disks] == [names[-1:], names[-1:]]


async def test_a_backup_made_again_is_whole_and_leaves_one_bitmap(rig: Rig, tmp_path: Path) -> None:
    disk = replace(rig.spec.disks[0], volume_uuid=uuid4().hex)
    paths = Paths(state=tmp_path / "state", run=tmp_path / "run")
    paths.run.mkdir(exist_ok=True)
    backups = Backups(paths, StorageRoots(paths), rig.domains)
    await rig.domains.define(DefineDomain(spec=replace(rig.spec, disks=[disk])))
    await rig.domains.start(StartDomain(vm_uuid=rig.spec.vm_uuid))
    storage = Path(disk.path).parent

    async def back_up(name: str, since: str = "") -> BackedUpDisk:
        what = BackupDisk(
            volume_uuid=disk.volume_uuid, path=disk.path, target=str(storage / f"{name}.qcow2"), bitmap=name,
            since=since, since_path=disk.path,
        )  # fmt: skip
        request = BackUpVolumes(disks=[what], vm_uuid=rig.spec.vm_uuid)
        return (await backups.back_up(request, lambda done, total: None)).disks[disk.volume_uuid]

    assert (await back_up(FIRST)).incremental is False
    again = await back_up(SECOND, since=FIRST)
    assert (again.incremental, again.reason) == (True, "")
    # Its answer was lost, and it is asked for anew.
    again = await back_up(SECOND, since=FIRST)
    assert again.incremental is False
    assert FIRST in again.reason
    plug = await rig.domains.having(rig.spec.vm_uuid, disk.volume_uuid)
    assert plug is not None
    wrong = LiveDisk(plug=plug, target="/no/such/folder/x.qcow2", bitmap="3" * 32, since=SECOND)
    with pytest.raises(Refused) as refused:
        await rig.domains.back_up(rig.spec.vm_uuid, [wrong], lambda done, total: None)
    assert refused.value.refusal.code == "backup.failed"
    assert (await back_up("4" * 32, since=SECOND)).incremental is True
    await rig.domains.destroy(DestroyDomain(vm_uuid=rig.spec.vm_uuid))
    assert bitmaps(disk.path) == ["4" * 32]
