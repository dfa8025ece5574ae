"""Backups of real guests' disks: increments over snapshots and power cycles, and volumes made of them."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from appliance.lab import LabHost
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import IMAGES, STORAGE, Stage, until
from tests.e2e.test_snapshots import data, has_disk, snap, words, write

__all__ = ["data"]

pytestmark = pytest.mark.lab

MIB = 1 << 20


@pytest_asyncio.fixture(loop_scope="session")
async def nothing_left(cloud: Stage) -> AsyncIterator[None]:
    """No backup, and nothing staged for one, on any host afterwards."""
    yield
    while left := await cloud.session.query("VolumeBackup"):
        below = {each.get("parentUuid") for each in left}
        for each in left:
            if each["uuid"] not in below:
                await cloud.session.call("DeleteVolumeBackup", uuid=each["uuid"], timeout_seconds=60)
    for machine in cloud.machines:
        found = await cloud.files(machine, STORAGE, IMAGES)
        assert not [path for path in found if "volumeBackups" in path]


async def back_up(cloud: Stage, volume_uuid: str, **more: Any) -> dict[str, Any]:
    reply = await cloud.session.call(
        "CreateVolumeBackup", volume_uuid=volume_uuid, backup_storage_uuid=cloud.backup, name="b",
        timeout_seconds=120, **more,
    )  # fmt: skip
    return dict(reply["inventory"])


def outside(machine: LabHost, path: str) -> Path:
    """Where a file of a host is on this machine."""
    return machine.folder / "disk" / path.lstrip("/")


async def info(cloud: Stage, host: LabHost | int, path: str) -> dict[str, Any]:
    return dict(json.loads(await cloud.run(host, "qemu-img", "info", "-U", "--output=json", path)))


async def bitmaps(cloud: Stage, guest: Guest) -> list[str]:
    """The names of all bitmaps that the files of a running guest's volumes keep, as QEMU says."""
    asked = json.dumps({"execute": "query-named-block-nodes", "arguments": {"flat": True}})
    nodes = json.loads(await cloud.virsh(guest.host, "qemu-monitor-command", guest.uuid, asked))["return"]
    files = [node for node in nodes if node["drv"] == "qcow2"]
    return [bitmap["name"] for node in files for bitmap in node.get("dirty-bitmaps", [])]


async def restored(cloud: Stage, backup: dict[str, Any], host: int) -> dict[str, Any]:
    reply = await cloud.session.call(
        "CreateDataVolumeFromVolumeBackup", backup_uuid=backup["uuid"], name="again",
        primary_storage_uuid=cloud.primary, host_uuid=await cloud.host_uuid(host), timeout_seconds=120,
    )  # fmt: skip
    return dict(reply["inventory"])


async def equal(cloud: Stage, guest: Guest, volume_uuid: str, other: LabHost, path: str) -> str:
    """What `qemu-img compare` says of a volume, all its files together, and a file of another host."""
    (volume,) = await cloud.session.query("Volume", uuid=volume_uuid)
    flat = f"{STORAGE}/flat-{volume_uuid}.qcow2"
    copy = ["qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", str(volume["installPath"]), flat]
    await cloud.run(guest.host, *copy)
    try:
        there = outside(guest.host, flat)
        compare = ["qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", str(there), str(outside(other, path))]
        done = await asyncio.to_thread(subprocess.run, compare, capture_output=True, text=True, check=False)
        return str(done.stdout)
    finally:
        await cloud.run(guest.host, "rm", "-f", flat)


async def gone(cloud: Stage, volume: dict[str, Any]) -> None:
    await cloud.session.call("DeleteDataVolume", uuid=volume["uuid"], timeout_seconds=90)
    await cloud.session.call("ExpungeDataVolume", uuid=volume["uuid"], timeout_seconds=60)


@pytest.mark.timeout(400)
async def test_increments_hold_what_was_written_and_make_the_same_bytes_elsewhere(
    cloud: Stage, vm: VmFactory, nothing_left: None, data: dict[str, Any]
) -> None:
    call, uuid = cloud.session.call, data["uuid"]
    one = await (await vm("backed-up", host=2)).booted()
    await call("AttachDataVolumeToVm", vm_instance_uuid=one.uuid, volume_uuid=uuid, timeout_seconds=60)
    await until(lambda: has_disk(one), what="the volume in the guest")
    await one.ssh("dd if=/dev/urandom of=/dev/vdb bs=1M seek=100 count=24 conv=notrunc 2>/dev/null; sync")
    await write(one, 0, "first")
    whole = await back_up(cloud, uuid)
    assert (whole["mode"], int(whole["size"]) > 24 * MIB) == ("full", True)
    await write(one, 1, "second")
    more = await back_up(cloud, uuid)
    assert (more["mode"], more.get("modeReason")) == ("incremental", None)
    assert int(more["size"]) < 2 * MIB
    assert "backing-filename" not in await info(cloud, 1, str(more["installPath"]))

    between = await snap(cloud, uuid, "between")
    copied = await call("BackupVolumeSnapshot", uuid=between, timeout_seconds=120)
    (ref,) = copied["inventory"]["backupStorageRefs"]
    assert ref["installPath"] in await cloud.files(cloud.machines[0], IMAGES)
    await write(one, 2, "third")
    over = await back_up(cloud, uuid)
    assert (over["mode"], over.get("modeReason"), int(over["size"]) < 2 * MIB) == ("incremental", None, True)
    assert await bitmaps(cloud, one) == [over["uuid"]]
    await write(one, 3, "fourth")
    await one.stop()
    rest = await back_up(cloud, uuid)
    assert (rest["mode"], rest.get("modeReason"), int(rest["size"]) < 2 * MIB) == ("incremental", None, True)
    (volume,) = await cloud.session.query("Volume", uuid=uuid)
    kept = (await info(cloud, one.host, str(volume["installPath"])))["format-specific"]["data"]["bitmaps"]
    assert [each["name"] for each in kept] == [rest["uuid"]]

    there = await restored(cloud, rest, host=1)
    first = cloud.machines[0]
    assert "Images are identical" in await equal(cloud, one, uuid, first, str(there["installPath"]))
    await gone(cloud, there)

    earlier = await restored(cloud, more, host=2)
    await call("DetachDataVolumeFromVm", uuid=uuid, timeout_seconds=60)
    await call(
        "AttachDataVolumeToVm", vm_instance_uuid=one.uuid, volume_uuid=earlier["uuid"], timeout_seconds=60
    )
    told = len(one.serial())
    await (await one.start()).booted(after=told)
    assert await words(one) == ["first", "second", "", ""]
    await one.stop()
    await gone(cloud, earlier)

    await call("AttachDataVolumeToVm", vm_instance_uuid=one.uuid, volume_uuid=uuid, timeout_seconds=60)
    await call("RevertVolumeFromVolumeBackup", uuid=whole["uuid"], timeout_seconds=120)
    told = len(one.serial())
    await (await one.start()).booted(after=told)
    assert await words(one) == ["first", "", "", ""]
    again = await back_up(cloud, uuid)
    assert again["mode"] == "full"


@pytest.mark.timeout(300)
async def test_a_vm_goes_back_to_the_moment_of_its_backup(
    cloud: Stage, vm: VmFactory, nothing_left: None, data: dict[str, Any]
) -> None:
    call = cloud.session.call
    one = await (await vm("whole", host=1)).booted()
    root = str(one.inventory["rootVolumeUuid"])
    await call(
        "AttachDataVolumeToVm", vm_instance_uuid=one.uuid, volume_uuid=data["uuid"], timeout_seconds=60
    )
    await until(lambda: has_disk(one), what="the volume in the guest")
    await write(one, 0, "first")
    await one.ssh("echo kept >/root/kept; sync")
    asked: dict[str, Any] = {
        "root_volume_uuid": root,
        "backup_storage_uuid": cloud.backup,
        "timeout_seconds": 120,
    }
    assert len((await call("CreateVmBackup", name="b", **asked))["inventories"]) == 2
    await one.ssh("echo more >/root/more; sync")
    await write(one, 1, "second")
    made = (await call("CreateVmBackup", name="b", **asked))["inventories"]
    assert {each["mode"] for each in made} == {"incremental"}
    # One for each volume, of this backup and of none before.
    kept = await bitmaps(cloud, one)
    assert (len(kept), set(kept) <= {each["uuid"] for each in made}) == (2, True)

    # A guest that is cut off has not written down all that it noted.
    for pid in await cloud.pids(one.host, f"guest={one.uuid}"):
        await cloud.run(one.host, "kill", "-9", str(pid), check=False)
    await until(lambda: stopped(one), what="the end of the guest")
    told = len(one.serial())
    await (await one.start()).booted(after=told)
    await one.ssh("rm /root/kept /root/more; sync")
    await write(one, 0, "wrong")
    after = await back_up(cloud, root)
    assert (after["mode"], "modeReason" in after) == ("full", True)

    await one.stop()
    for each in made:
        await call("RevertVolumeFromVolumeBackup", uuid=each["uuid"], timeout_seconds=120)
    told = len(one.serial())
    await (await one.start()).booted(after=told)
    assert (await one.ssh("cat /root/kept /root/more")).split() == ["kept", "more"]
    assert (await words(one))[:2] == ["first", "second"]


@pytest.mark.timeout(300)
async def test_a_vm_moves_after_its_backup_and_its_disk_goes_on_elsewhere(
    cloud: Stage, vm: VmFactory, nothing_left: None
) -> None:
    call = cloud.session.call
    one = await (await vm("moves", host=1)).booted()
    root = str(one.inventory["rootVolumeUuid"])
    await back_up(cloud, root)
    await one.ssh("echo kept >/root/kept; sync")
    await call(
        "MigrateVm", vm_instance_uuid=one.uuid, host_uuid=await cloud.host_uuid(2), timeout_seconds=120
    )
    await one.refresh()
    await one.ssh("echo more >/root/more; sync")
    moved = await back_up(cloud, root)
    await one.stop()
    last = await back_up(cloud, root)
    assert last["mode"] == "incremental", last
    there = await restored(cloud, last, host=1)
    same = await equal(cloud, one, root, cloud.machines[0], str(there["installPath"]))
    assert "Images are identical" in same, (moved, last)
    await gone(cloud, there)
    asked: dict[str, Any] = {"backup_uuid": moved["uuid"], "name": "was", "timeout_seconds": 120}
    image = (await call("CreateRootVolumeTemplateFromVolumeBackup", **asked))["inventory"]["uuid"]
    other = await (await vm("again", host=1, image=image)).booted()
    assert (await other.ssh("cat /root/kept /root/more")).split() == ["kept", "more"]
    await other.destroy()
    await call("DeleteImage", uuid=image)
    await call("ExpungeImage", image_uuid=image, timeout_seconds=60)


async def stopped(guest: Guest) -> bool:
    return (await guest.refresh()).state == "Stopped"
