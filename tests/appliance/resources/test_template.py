"""Images made of volumes and snapshots: with their content, on backup storage, and nothing left on the way."""

from __future__ import annotations

import asyncio

import pytest

from appliance.hosts.simulator import SimulatedHost
from tests.appliance.resources.test_image import second_storage, statuses
from tests.appliance.resources.test_move import slowly
from tests.appliance.resources.test_snapshot import snap
from tests.appliance.resources.test_volume import attached, disk
from tests.simulated_cloud import Body, Cloud

__all__ = ["disk"]

ROOT = "CreateRootVolumeTemplateFromRootVolume"
SNAPSHOT = "CreateRootVolumeTemplateFromVolumeSnapshot"
DATA = "CreateDataVolumeTemplateFromVolume"


async def stopped(cloud: Cloud) -> Body:
    vm = await cloud.vm()
    return await cloud.call("StopVmInstance", uuid=vm["uuid"])


def left(cloud: Cloud) -> list[str]:
    """What is still being made, or on its way, on any host."""
    found = [path for host in cloud.hosts for path in host.things.files if "templateWorkspace" in path]
    for host in cloud.hosts:
        lanes = host.things.lanes
        found += [*lanes.arrived, *lanes.offered, *lanes.opened]
    return found


async def settled(cloud: Cloud) -> None:
    """Nothing is being made any more, and nothing is left of it."""
    await cloud.until(cloud.rows, lambda rows: rows["VolumeReading"] == [])
    await cloud.idle()
    assert left(cloud) == []


@pytest.mark.parametrize("name", [ROOT, DATA])
async def test_an_image_is_made_of_a_root_volume(cloud: Cloud, name: str) -> None:
    vm = await stopped(cloud)
    which = "rootVolumeUuid" if name == ROOT else "volumeUuid"
    image = await cloud.call(name, name="golden", **{which: vm["rootVolumeUuid"]})
    kind = "RootVolumeTemplate" if name == ROOT else "DataVolumeTemplate"
    assert (image["mediaType"], image["format"], image["platform"]) == (kind, "qcow2", "Linux")
    assert image["url"] == f"volume://{vm['rootVolumeUuid']}"
    assert statuses(image) == ("Ready", "Ready")
    (ref,) = image["backupStorageRefs"]
    assert ref["backupStorageUuid"] == cloud.uuids["backup"]
    assert image["size"] > 0
    assert image["md5Sum"]
    await settled(cloud)
    assert any(ref["installPath"] in host.things.files for host in cloud.hosts)
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["state"] == "Running"
    if name == ROOT:
        assert (await cloud.vm(imageUuid=image["uuid"]))["state"] == "Running"


async def test_an_image_of_a_snapshot_is_made_while_its_vm_runs(cloud: Cloud) -> None:
    vm = await cloud.vm()
    kept = await snap(cloud, vm["rootVolumeUuid"])
    image = await cloud.call(SNAPSHOT, name="golden", snapshotUuid=kept["uuid"], platform="Windows")
    assert (image["url"], image["platform"]) == (f"volumeSnapshot://{kept['uuid']}", "Windows")
    await settled(cloud)
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Running"


async def test_an_image_is_made_on_every_storage_that_is_named(cloud: Cloud) -> None:
    vm, other = await stopped(cloud), (await second_storage(cloud))["uuid"]
    image = await cloud.call(
        ROOT,
        name="both",
        rootVolumeUuid=vm["rootVolumeUuid"],
        backupStorageUuids=[cloud.uuids["backup"], other],
    )
    assert statuses(image) == ("Ready", "Ready", "Ready")
    await settled(cloud)


async def test_who_may_be_made_an_image_of_and_who_not(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    root, kept = vm["rootVolumeUuid"], await snap(cloud, data["uuid"])
    async with cloud.untouched():
        for name, fields in ((ROOT, {"rootVolumeUuid": root}), (DATA, {"volumeUuid": data["uuid"]})):
            error = await cloud.refused(name, name="x", **fields)
            assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "VM.1010")
            assert "allowed states are [Stopped]" in error["cause"]["details"]
        error = await cloud.refused(ROOT, name="x", rootVolumeUuid=data["uuid"])
        assert (error["code"], "is not a root volume" in error["details"]) == ("SYS.1007", True)
        error = await cloud.refused(SNAPSHOT, name="x", snapshotUuid=kept["uuid"])
        assert (error["code"], "is not one of a root volume" in error["details"]) == ("SYS.1007", True)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("ChangeVolumeState", uuid=data["uuid"], stateEvent="disable")
    async with cloud.untouched():
        error = await cloud.refused(DATA, name="x", volumeUuid=data["uuid"])
        assert "is not Enabled, it's Disabled" in error["details"]


async def test_without_a_backup_storage_none_is_made(cloud: Cloud) -> None:
    vm = await stopped(cloud)
    await cloud.call(
        "DetachBackupStorageFromZone", backupStorageUuid=cloud.uuids["backup"], zoneUuid=cloud.uuids["zone"]
    )
    async with cloud.untouched():
        error = await cloud.refused(ROOT, name="x", rootVolumeUuid=vm["rootVolumeUuid"])
        assert error["code"] == "SYS.1006"
        assert "no backup storage" in error["details"]


async def begun(cloud: Cloud, vm: Body, reached: asyncio.Event) -> str:
    """An image that is being made, and so far that a host carries something out; its job."""
    _, job = await cloud.begin(ROOT, name="golden", rootVolumeUuid=vm["rootVolumeUuid"])
    assert job is not None
    async with asyncio.timeout(10):
        await reached.wait()
    return job


async def test_while_a_volume_is_read_it_stays_as_it_is(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = await stopped(cloud)
    job = await begun(cloud, vm, slowly(cloud, monkeypatch, "FlattenVolume"))
    for name, fields in (
        ("DestroyVmInstance", {"uuid": vm["uuid"]}),
        ("ResizeRootVolume", {"uuid": vm["rootVolumeUuid"], "size": 1 << 40}),
        (ROOT, {"rootVolumeUuid": vm["rootVolumeUuid"], "name": "x"}),
    ):
        await cloud.call("CancelLongJob", uuid=await cloud.waits(name, **fields))
    start = await cloud.waits("StartVmInstance", uuid=vm["uuid"])
    error = await cloud.refused("DeleteHost", uuid=vm["lastHostUuid"])
    assert error["code"] == "SYS.1006"
    await cloud.call("CancelLongJob", uuid=job)
    assert not (await cloud.ended(job))["success"]
    assert (await cloud.ended(start))["inventory"]["state"] == "Running"


@pytest.mark.parametrize("verb", ["FlattenVolume", "CopyFiles", "AdoptFiles"])
async def test_making_an_image_is_cancelled_and_leaves_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    vm = await stopped(cloud)
    await cloud.idle()
    async with cloud.untouched():
        job = await begun(cloud, vm, slowly(cloud, monkeypatch, verb))
        await cloud.call("CancelLongJob", uuid=job)
        body = await cloud.ended(job)
        assert "cancelled" in body["error"]["details"]
        await settled(cloud)


@pytest.mark.parametrize("verb", ["FlattenVolume", "OpenLane", "CopyFiles", "AdoptFiles", "DropFile"])
async def test_an_image_is_made_though_the_appliance_is_killed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    vm = await stopped(cloud)
    job = await begun(cloud, vm, slowly(cloud, monkeypatch, verb))
    await cloud.kill()
    await cloud.start()
    body = await cloud.ended(job)
    assert body["success"], body
    assert statuses(body["inventory"]) == ("Ready", "Ready")
    await settled(cloud)
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["state"] == "Running"


async def test_what_a_host_refuses_leaves_no_image(cloud: Cloud) -> None:
    vm = await stopped(cloud)
    path = (await cloud.one("QueryVolume", vm["rootVolumeUuid"]))["installPath"]
    host: SimulatedHost = cloud.host_of(vm["uuid"])
    size = host.things.files.pop(path)
    error = await cloud.refused(ROOT, name="x", rootVolumeUuid=vm["rootVolumeUuid"])
    assert error["code"] == "IMG.1000"
    assert "is not there" in error["details"]
    host.things.files[path] = size
    assert [image["name"] for image in await cloud.query("QueryImage")] == ["image"]
    await settled(cloud)
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["state"] == "Running"
