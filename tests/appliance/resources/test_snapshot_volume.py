"""Data volumes made of snapshots: as large as their volume is now, standing alone, or not there at all."""

from __future__ import annotations

import asyncio

import pytest

from tests.appliance.resources.test_move import slowly
from tests.appliance.resources.test_snapshot import snap
from tests.appliance.resources.test_template import settled
from tests.appliance.resources.test_volume import attached, disk, free
from tests.simulated_cloud import Body, Cloud

__all__ = ["disk"]

MAKE = "CreateDataVolumeFromVolumeSnapshot"


async def kept(cloud: Cloud, disk: str) -> tuple[Body, Body, Body]:
    """A running VM, its data volume, and a snapshot of that."""
    vm, data = await attached(cloud, disk)
    return vm, data, await snap(cloud, data["uuid"])


@pytest.mark.parametrize("which", ["root", "data"])
async def test_a_volume_of_a_snapshot_stands_alone_and_can_be_attached(
    cloud: Cloud, disk: str, which: str
) -> None:
    vm, _, snapshot = await kept(cloud, disk)
    if which == "root":
        snapshot = await snap(cloud, vm["rootVolumeUuid"])
    host, before = cloud.host_of(vm["uuid"]), await free(cloud)
    made = await cloud.call(MAKE, name="then", volumeSnapshotUuid=snapshot["uuid"])
    source = await cloud.one("QueryVolume", snapshot["volumeUuid"])
    assert (made["status"], made["type"], made["size"]) == ("Ready", "Data", source["size"])
    assert "rootImageUuid" not in made
    assert host.things.files[made["installPath"]] == source["size"]
    assert made["installPath"] not in host.things.backings
    assert await free(cloud) == before - source["size"]
    await settled(cloud)
    attach = await cloud.call("AttachDataVolumeToVm", volumeUuid=made["uuid"], vmInstanceUuid=vm["uuid"])
    assert attach["vmInstanceUuid"] == vm["uuid"]


async def test_a_volume_that_has_grown_since_is_made_as_large_as_it_is_now(cloud: Cloud, disk: str) -> None:
    vm, data, snapshot = await kept(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    await cloud.call("ResizeDataVolume", uuid=data["uuid"], size=2 * data["size"])
    assert host.things.files[snapshot["primaryStorageInstallPath"]] == data["size"]
    made = await cloud.call(MAKE, name="then", volumeSnapshotUuid=snapshot["uuid"])
    assert made["size"] == host.things.files[made["installPath"]] == 2 * data["size"]


async def test_meanwhile_the_snapshot_stays(cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, data, snapshot = await kept(cloud, disk)
    reached = slowly(cloud, monkeypatch, "FlattenVolume")
    _, job = await cloud.begin(MAKE, name="then", volumeSnapshotUuid=snapshot["uuid"])
    assert job is not None
    async with asyncio.timeout(10):
        await reached.wait()
    deletion = await cloud.waits("DeleteVolumeSnapshot", uuid=snapshot["uuid"])
    assert (await cloud.ended(job))["success"]
    assert (await cloud.ended(deletion))["success"]
    assert data["uuid"] in {volume["uuid"] for volume in await cloud.query("QueryVolume")}


@pytest.mark.parametrize("kill", [False, True])
async def test_it_is_cancelled_or_goes_on_after_a_kill(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch, *, kill: bool
) -> None:
    _, _, snapshot = await kept(cloud, disk)
    await cloud.idle()
    rows = await cloud.rows()
    reached = slowly(cloud, monkeypatch, "FlattenVolume")
    _, job = await cloud.begin(MAKE, name="then", volumeSnapshotUuid=snapshot["uuid"])
    assert job is not None
    async with asyncio.timeout(10):
        await reached.wait()
    if kill:
        await cloud.kill()
        await cloud.start()
        assert (await cloud.ended(job))["inventory"]["status"] == "Ready"
    else:
        files = {host.address: set(host.things.files) for host in cloud.hosts}
        await cloud.call("CancelLongJob", uuid=job)
        assert "cancelled" in (await cloud.ended(job))["error"]["details"]
        await cloud.idle()
        assert {host.address: set(host.things.files) for host in cloud.hosts} == files
        assert await cloud.rows() == rows
    await settled(cloud)


async def test_a_storage_that_the_host_has_not_is_refused(cloud: Cloud, disk: str) -> None:
    _, _, snapshot = await kept(cloud, disk)
    other = await cloud.call(
        "AddLocalPrimaryStorage", name="other", url="/zstack_other", zoneUuid=cloud.uuids["zone"]
    )
    async with cloud.untouched():
        error = await cloud.refused(
            MAKE, name="x", volumeSnapshotUuid=snapshot["uuid"], primaryStorageUuid=other["uuid"]
        )
        assert error["code"] in {"SYS.1006", "SYS.1007"}
