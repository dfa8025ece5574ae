"""What jobs say of bytes: all that they move, known before it moves, whichever part of it is on its way."""

from __future__ import annotations

import pytest

from tests.appliance.resources.test_move import begin, ends, files_of, rooted, slowly
from tests.appliance.resources.test_snapshot import snap
from tests.appliance.resources.test_vm_move import begin as begin_vm
from tests.appliance.resources.test_volume import attached, disk
from tests.appliance.resources.test_volume_backup import back_up
from tests.simulated_cloud import Body, Cloud

__all__ = ["disk"]


async def said(cloud: Cloud, job: str) -> tuple[int, int, int]:
    """Bytes done, and in all, and per cent."""
    (row,) = await cloud.query("QueryLongJob", uuid=job)
    return row.get("doneBytes", 0), row.get("totalBytes", 0), row["progress"]


async def image_bytes(cloud: Cloud, vm: Body) -> int:
    return int((await cloud.one("QueryImage", vm["imageUuid"]))["actualSize"])


async def test_a_volumes_move_counts_its_image_and_its_files_together(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, source, target = await rooted(cloud)
    root = vm["rootVolumeUuid"]
    image = await image_bytes(cloud, vm)
    files = sum(source.things.files[path] for path in files_of(source, root))
    copying = slowly(cloud, monkeypatch, "CopyFiles")
    job = await begin(cloud, root, target)
    await copying.wait()
    assert await said(cloud, job) == (image, image + files, 100 * image // (image + files))
    assert (await cloud.ended(job))["success"]
    assert await said(cloud, job) == (image + files, image + files, 100)


async def test_a_running_vms_move_counts_image_snapshots_disks_and_memory_together(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, data = await attached(cloud, disk)
    await snap(cloud, data["uuid"], "one")
    source, target = ends(cloud, vm)
    image = await image_bytes(cloud, vm)
    volumes = (vm["rootVolumeUuid"], data["uuid"])
    files = sum(source.things.files[path] for uuid in volumes for path in files_of(source, uuid))
    whole = image + files + vm["memorySize"]
    copying = slowly(cloud, monkeypatch, "CopyFiles")
    job = await begin_vm(cloud, vm, target)
    await copying.wait()
    assert await said(cloud, job) == (image, whole, 100 * image // whole)
    assert (await cloud.ended(job))["success"]
    assert await said(cloud, job) == (whole, whole, 100)


async def test_a_backup_counts_what_is_written_and_what_is_carried_of_each_volume(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, data = await attached(cloud, disk)
    writing = slowly(cloud, monkeypatch, "BackUpVolumes")
    body, job = await cloud.begin(
        "CreateVmBackup",
        rootVolumeUuid=vm["rootVolumeUuid"],
        backupStorageUuid=cloud.uuids["backup"],
        name="b",
    )
    assert job is not None, body
    await writing.wait()
    image = await image_bytes(cloud, vm)
    volumes = (vm["rootVolumeUuid"], data["uuid"])
    sizes = [(await cloud.one("QueryVolume", uuid))["size"] for uuid in volumes]
    # Each is read whole, and carried with the image that it builds on.
    assert await said(cloud, job) == (0, 2 * sum(sizes) + image, 0)
    assert (await cloud.ended(job))["success"]
    assert await said(cloud, job) == (2 * sum(sizes), 2 * sum(sizes), 100)


async def test_a_restore_counts_every_backup_that_it_brings(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = await attached(cloud, disk)
    chain = [await back_up(cloud, data["uuid"]) for _ in range(3)]
    assert [each["mode"] for each in chain] == ["full", "incremental", "incremental"]
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    bringing = slowly(cloud, monkeypatch, "CopyFiles")
    body, job = await cloud.begin("RevertVolumeFromVolumeBackup", uuid=chain[-1]["uuid"])
    assert job is not None, body
    await bringing.wait()
    whole = sum(each["size"] for each in chain)
    assert await said(cloud, job) == (0, whole, 0)
    assert (await cloud.ended(job))["success"]
    assert await said(cloud, job) == (whole, whole, 100)


async def test_an_image_made_of_a_volume_counts_the_reading_and_the_carrying(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = await attached(cloud, disk)
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    carrying = slowly(cloud, monkeypatch, "CopyFiles")
    body, job = await cloud.begin(
        "CreateDataVolumeTemplateFromVolume",
        volumeUuid=data["uuid"],
        name="t",
        backupStorageUuids=[cloud.uuids["backup"]],
    )
    assert job is not None, body
    await carrying.wait()
    assert await said(cloud, job) == (data["size"], 2 * data["size"], 50)
    assert (await cloud.ended(job))["success"]
