"""The recycle bin: what is in it, what that takes, until when, and what a VM gets back out of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from appliance.api.recycle_bin import RecycleBinItem
from appliance.store.snapshot import Snapshot
from tests.appliance.resources.test_volume import attach, attached, disk, volume
from tests.simulated_cloud import GIB, Body, Cloud
from tests.tenants import Tenants

__all__ = ["disk"]

DAY = 86400
TEN_YEARS = 3660 * DAY


async def item(cloud: Cloud, resource_uuid: str) -> Body:
    (found,) = await cloud.query("QueryRecycleBinItem", resourceUuid=resource_uuid)
    return found


async def measured(cloud: Cloud, resource_uuid: str) -> Body:
    return await cloud.until(lambda: item(cloud, resource_uuid), lambda found: "reclaimableSize" in found)


async def config(cloud: Cloud, category: str, name: str, value: str) -> None:
    await cloud.call("UpdateGlobalConfig", category=category, name=name, value=value)


async def row(cloud: Cloud, resource_uuid: str) -> RecycleBinItem:
    def look(snapshot: Snapshot) -> RecycleBinItem:
        (found,) = snapshot.all(RecycleBinItem, resource_uuid=resource_uuid)
        return found

    return await cloud.database.read(look)


async def deleted(cloud: Cloud, disk: str) -> dict[str, str]:
    """One of everything in the bin, by its category."""
    vm = await cloud.vm()
    data = await volume(cloud, disk)
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    await cloud.answer("DeleteImage", uuid=cloud.uuids["image"])
    return {"vm": vm["uuid"], "volume": data["uuid"], "image": cloud.uuids["image"]}


def later(cloud: Cloud, seconds: float) -> None:
    """Move the clock."""
    cloud.database.now = lambda: time.time() + seconds


async def test_the_bin_says_what_is_in_it_what_that_takes_and_until_when(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    root = (await cloud.one("QueryVolume", vm["rootVolumeUuid"]))["size"]
    ip = vm["vmNics"][0]["ip"]
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    await cloud.answer("DeleteImage", uuid=cloud.uuids["image"])
    found = await measured(cloud, vm["uuid"])
    assert found["resourceType"] == "VmInstanceVO"
    assert (found["name"], found["status"], found["reclaimableSize"]) == ("vm", "Deleted", root)
    assert (found["dataVolumeUuids"], found["ips"]) == ([data["uuid"]], [ip])
    assert found["hostUuid"] == vm["hostUuid"]
    assert (await measured(cloud, data["uuid"]))["reclaimableSize"] == GIB
    image = await item(cloud, cloud.uuids["image"])
    stored = (await cloud.one("QueryImage", cloud.uuids["image"]))["actualSize"]
    assert (image["backupStorageUuid"], image["reclaimableSize"]) == (cloud.uuids["backup"], stored)
    for uuid in (vm["uuid"], data["uuid"], cloud.uuids["image"]):
        kept = await row(cloud, uuid)
        assert kept.expunge_date == pytest.approx(kept.deletion_date + DAY)
        assert kept.deletion_date == pytest.approx(time.time(), abs=20)
    await cloud.call("UpdateVmInstance", uuid=vm["uuid"], name="other")
    assert (await item(cloud, vm["uuid"]))["name"] == "other"
    await cloud.call("RecoverVmInstance", uuid=vm["uuid"])
    await cloud.call("RecoverDataVolume", uuid=data["uuid"])
    await cloud.call("RecoverImage", imageUuid=cloud.uuids["image"])
    assert await cloud.query("QueryRecycleBinItem") == []


async def test_a_host_that_is_away_says_later_what_its_disks_take(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    host = cloud.host_of(vm["uuid"])
    host.reachable = False
    host.cut("pulled")
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    assert "reclaimableSize" not in await item(cloud, data["uuid"])
    host.reachable = True
    assert (await measured(cloud, data["uuid"]))["reclaimableSize"] == GIB


@pytest.mark.parametrize("category", ["vm", "volume", "image"])
async def test_settings_count_from_the_moment_they_change(cloud: Cloud, disk: str, category: str) -> None:
    uuid = (await deleted(cloud, disk))[category]
    await config(cloud, category, "expungePeriod", "7200")
    kept = await row(cloud, uuid)
    assert kept.expunge_date == pytest.approx(kept.deletion_date + 7200)
    await config(cloud, category, "deletionPolicy", "Never")
    assert (await row(cloud, uuid)).expunge_date is None
    later(cloud, TEN_YEARS)
    await config(cloud, category, "deletionPolicy", "Delay")
    kept = await row(cloud, uuid)
    assert kept.expunge_date == pytest.approx(time.time() + TEN_YEARS + 7200, abs=20)
    later(cloud, 0)
    await config(cloud, category, "expungePeriod", "0")
    await cloud.until(lambda: cloud.query("QueryRecycleBinItem", resourceUuid=uuid), lambda found: not found)


@pytest.mark.parametrize("policy", ["Never", "Delay"])
async def test_never_is_kept_though_the_clock_is_moved_ten_years(
    cloud: Cloud, disk: str, policy: str
) -> None:
    for category in ("vm", "volume", "image"):
        await config(cloud, category, "deletionPolicy", policy)
    uuids = await deleted(cloud, disk)
    later(cloud, TEN_YEARS)
    for category in uuids:
        await config(cloud, category, "expungeInterval", "0")  # which has the janitor look

    def left() -> Any:
        return cloud.query("QueryRecycleBinItem")

    if policy == "Delay":
        await cloud.until(left, lambda found: not found)
        error = await cloud.refused("RecoverVmInstance", uuid=uuids["vm"])
        assert error["code"] == "SYS.1003"
        return
    looked = cloud.core._janitor._looked_at
    async with asyncio.timeout(20):
        while not all(at > time.time() + DAY for at in looked.values()):
            await asyncio.sleep(0.01)
    assert {each["resourceUuid"] for each in await left()} == set(uuids.values())
    assert (await cloud.call("RecoverVmInstance", uuid=uuids["vm"]))["state"] == "Stopped"
    assert (await cloud.call("RecoverDataVolume", uuid=uuids["volume"]))["status"] == "NotInstantiated"
    assert (await cloud.call("RecoverImage", imageUuid=uuids["image"]))["status"] == "Ready"


async def test_a_vm_has_its_volumes_and_its_address_again(cloud: Cloud, disk: str) -> None:
    vm, first = await attached(cloud, disk)
    second = await attach(cloud, vm, await volume(cloud, disk))
    before = await cloud.one("QueryVmInstance", vm["uuid"])
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    back = await cloud.call("RecoverVmInstance", uuid=vm["uuid"], attachDataVolumes=True)
    again = {each["uuid"]: each.get("deviceId") for each in back["allVolumes"]}
    assert again == {each["uuid"]: each.get("deviceId") for each in before["allVolumes"]}
    assert back["vmNics"][0]["ip"] == before["vmNics"][0]["ip"]
    started = await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert started["vmNics"][0]["ip"] == before["vmNics"][0]["ip"]
    assert {first["uuid"], second["uuid"]} < {each["uuid"] for each in started["allVolumes"]}


async def test_volumes_deleted_with_their_vm_come_back_with_it(cloud: Cloud, disk: str) -> None:
    await config(cloud, "vm", "dataVolume.deleteOnVmDestroy", "true")
    vm, data = await attached(cloud, disk)
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    assert (await cloud.one("QueryVolume", data["uuid"]))["status"] == "Deleted"
    await cloud.call("RecoverVmInstance", uuid=vm["uuid"], attachDataVolumes=True)
    back = await cloud.one("QueryVolume", data["uuid"])
    assert (back["status"], back["vmInstanceUuid"]) == ("Ready", vm["uuid"])
    assert await cloud.query("QueryRecycleBinItem") == []


async def test_what_somebody_else_has_by_now_is_left_out_and_told(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    ip = vm["vmNics"][0]["ip"]
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    other = await cloud.vm(hostUuid=vm["hostUuid"], systemTags=[f"staticIp::{cloud.uuids['l3']}::{ip}"])
    await attach(cloud, other, data)
    back = await cloud.call("RecoverVmInstance", uuid=vm["uuid"], attachDataVolumes=True)
    assert [each["uuid"] for each in back["allVolumes"]] == [vm["rootVolumeUuid"]]
    assert "ip" not in back["vmNics"][0]
    (told,) = await cloud.query("QueryEvent", name="VolumeNotReattached")
    assert f"has been attached to vm[uuid:{other['uuid']}]" in told["text"]
    assert len(await cloud.query("QueryEvent", name="FormerIpTaken")) == 1
    started = await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert started["vmNics"][0]["ip"] not in ("", ip)


async def test_nothing_is_taken_again_that_was_not_asked_for(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    back = await cloud.call("RecoverVmInstance", uuid=vm["uuid"], takeFormerIps=False)
    assert "ip" not in back["vmNics"][0]
    assert "vmInstanceUuid" not in await cloud.one("QueryVolume", data["uuid"])


async def test_what_is_due_on_a_host_that_is_away_goes_when_that_is_back(cloud: Cloud) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    host.reachable = False
    host.cut("pulled")
    await config(cloud, "vm", "expungePeriod", "0")
    await cloud.until(lambda: item(cloud, vm["uuid"]), lambda found: found["status"] == "Expunging")
    error = await cloud.refused("RecoverVmInstance", uuid=vm["uuid"])
    assert error["cause"]["code"] == "VM.1010"
    host.reachable = True
    await cloud.until(lambda: cloud.query("QueryVmInstance", uuid=vm["uuid"]), lambda found: not found)
    assert await cloud.query("QueryRecycleBinItem") == []
    assert not [path for path in host.things.files if "rootVolumes/" in path]


async def test_an_account_sees_its_own_bin(tenants: Tenants) -> None:
    a, b = await tenants.account("a"), await tenants.account("b")
    disk = await tenants.cloud.make("disk", "CreateDiskOffering", diskSize=GIB)
    await tenants.cloud.call(
        "ShareResource", resourceUuids=[disk], accountUuids=[a.account_uuid], toPublic=False
    )
    data = await a.make("CreateDataVolume", name="d", diskOfferingUuid=disk)
    await a.call("DeleteDataVolume", uuid=data)
    found = await tenants.cloud.query("QueryRecycleBinItem", resourceUuid=data)
    assert await a.seen("QueryRecycleBinItem") == {found[0]["uuid"]}
    assert await b.seen("QueryRecycleBinItem") == set()


def cached(cloud: Cloud) -> list[str]:
    return [path for host in cloud.hosts for path in host.things.files if "/imagecache/" in path]


async def test_an_image_with_children_stays_below_them_and_goes_with_the_last(cloud: Cloud) -> None:
    for category in ("vm", "image"):
        await config(cloud, category, "deletionPolicy", "Delay")
    one, two = await cloud.vm(hostUuid=cloud.uuids["host1"]), await cloud.vm(hostUuid=cloud.uuids["host1"])
    (base,) = cached(cloud)
    await cloud.answer("DeleteImage", uuid=cloud.uuids["image"])
    await cloud.answer("ExpungeImage", imageUuid=cloud.uuids["image"])
    await cloud.answer("DestroyVmInstance", uuid=one["uuid"])
    await cloud.answer("ExpungeVmInstance", uuid=one["uuid"])
    await cloud.answer("DestroyVmInstance", uuid=two["uuid"])
    await cloud.idle()
    assert cached(cloud) == [base]
    await cloud.call("RecoverVmInstance", uuid=two["uuid"])
    assert (await cloud.call("StartVmInstance", uuid=two["uuid"]))["state"] == "Running"
    host = cloud.host_of(two["uuid"])
    await cloud.answer("DestroyVmInstance", uuid=two["uuid"])
    host.reachable = False
    host.cut("pulled")
    await cloud.begin("ExpungeVmInstance", uuid=two["uuid"])
    host.reachable = True
    await cloud.until(lambda: asyncio.sleep(0, cached(cloud)), lambda found: not found)
    await cloud.idle()
    assert [path for each in cloud.hosts for path in each.things.files] == []


async def test_a_copy_of_an_image_stays_while_there_is_the_image(cloud: Cloud) -> None:
    vm = await cloud.vm()
    before = cached(cloud)
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    await cloud.answer("ExpungeVmInstance", uuid=vm["uuid"])
    await cloud.idle()
    assert cached(cloud) == before != []
