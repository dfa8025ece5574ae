"""Calls on what is moved, or read for an image, wait until that has ended: none is refused, and no move is torn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from appliance.api.job import LongJob
from appliance.api.resource import Timestamp
from appliance.hosts.simulator import SimulatedHost
from appliance.reconcile import jobs, volume
from appliance.resources import queued
from tests.appliance.resources.test_move import ends, files_of, slowly, uuid_of
from tests.appliance.resources.test_volume import attached, disk
from tests.simulated_cloud import GIB, Body, Cloud

__all__ = ["disk"]

WAYS = {"MigrateVm": "MigrateDomain", "LocalStorageMigrateVolume": "CopyFiles",
        "CreateRootVolumeTemplateFromRootVolume": "FlattenVolume"}  # fmt: skip
"""What keeps calls on a VM waiting, and the request that its host is at meanwhile."""


@dataclass(frozen=True)
class Going:
    """A VM that something is under way with."""

    vm: Body
    job: str
    source: SimulatedHost
    target: SimulatedHost


async def going(cloud: Cloud, patch: pytest.MonkeyPatch, way: str) -> Going:
    """A VM that is moved, or read, and so far that its host is at it."""
    vm = await cloud.vm()
    source, target = ends(cloud, vm)
    if way != "MigrateVm":
        vm = await cloud.call("StopVmInstance", uuid=vm["uuid"])
    there, root = await uuid_of(cloud, target), vm["rootVolumeUuid"]
    fields: Body = {
        "MigrateVm": {"vmInstanceUuid": vm["uuid"], "hostUuid": there},
        "LocalStorageMigrateVolume": {"volumeUuid": root, "destHostUuid": there},
        "CreateRootVolumeTemplateFromRootVolume": {"rootVolumeUuid": root, "name": "golden"},
    }[way]
    reached = slowly(cloud, patch, WAYS[way])
    _, job = await cloud.begin(way, **fields)
    assert job is not None
    await reached.wait()
    return Going(vm, job, source, target)


@pytest.mark.parametrize("way", WAYS)
async def test_calls_on_a_vm_wait_for_what_is_under_way_in_their_order(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    it = await going(cloud, monkeypatch, way)
    names = (
        ("RebootVmInstance", "StopVmInstance")
        if way == "MigrateVm"
        else ("StartVmInstance", "StopVmInstance")
    )
    waiting = [await cloud.waits(name, uuid=it.vm["uuid"]) for name in names]
    assert (await cloud.ended(it.job))["success"]
    for job in waiting:
        body = await cloud.ended(job)
        assert body["success"], body
    now = await cloud.one("QueryVmInstance", it.vm["uuid"])
    goes = way != "CreateRootVolumeTemplateFromRootVolume"
    assert now["state"] == "Stopped"
    assert now["lastHostUuid"] == await uuid_of(cloud, it.target if goes else it.source)


@pytest.mark.parametrize("way", WAYS)
async def test_a_vm_is_destroyed_after_that_and_before_all_else(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    it = await going(cloud, monkeypatch, way)
    stop = await cloud.waits("StopVmInstance", uuid=it.vm["uuid"])
    first, second = [await cloud.waits("DestroyVmInstance", uuid=it.vm["uuid"]) for _ in range(2)]
    for job in (it.job, first, second):
        body = await cloud.ended(job)
        assert body["success"], body
    assert (await cloud.ended(stop))["error"]["details"] == "another call on the VM took its place"
    await cloud.idle()
    assert (await cloud.one("QueryVmInstance", it.vm["uuid"]))["state"] == "Destroyed"
    if way != "CreateRootVolumeTemplateFromRootVolume":
        assert files_of(it.source, it.vm["rootVolumeUuid"]) == {}
        assert files_of(it.target, it.vm["rootVolumeUuid"])


@pytest.mark.parametrize("way", WAYS)
async def test_the_turn_comes_when_it_is_cancelled(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    it = await going(cloud, monkeypatch, way)
    waiting = await cloud.waits("StopVmInstance", uuid=it.vm["uuid"])
    await cloud.call("CancelLongJob", uuid=it.job)
    await cloud.ended(it.job)  # which may have been over before
    body = await cloud.ended(waiting)
    assert body["success"], body


@pytest.mark.parametrize("way", WAYS)
async def test_what_waits_for_it_outlives_the_appliance(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    it = await going(cloud, monkeypatch, way)
    waiting = await cloud.waits("StopVmInstance", uuid=it.vm["uuid"])
    await cloud.kill()
    await cloud.start()
    assert (await cloud.ended(it.job))["success"]
    body = await cloud.ended(waiting)
    assert body["success"], body
    assert (await cloud.one("QueryVmInstance", it.vm["uuid"]))["state"] == "Stopped"


@pytest.mark.parametrize("way", WAYS)
async def test_a_waiting_call_can_be_cancelled(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    it = await going(cloud, monkeypatch, way)
    waiting = await cloud.waits("DestroyVmInstance", uuid=it.vm["uuid"])
    assert (await cloud.call("CancelLongJob", uuid=waiting))["state"] == "Canceled"
    assert (await cloud.ended(it.job))["success"]
    await cloud.idle()
    state = "Running" if way == "MigrateVm" else "Stopped"
    assert (await cloud.one("QueryVmInstance", it.vm["uuid"]))["state"] == state


async def test_a_guest_that_powers_itself_off_on_the_way_keeps_nobody_waiting(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = await going(cloud, monkeypatch, "MigrateVm")
    waiting = await cloud.waits("StopVmInstance", uuid=it.vm["uuid"])
    it.source.power_off(it.vm["uuid"], "guest_shutdown")
    assert not (await cloud.ended(it.job))["success"]
    body = await cloud.ended(waiting)
    assert body["success"], body
    assert (await cloud.call("StartVmInstance", uuid=it.vm["uuid"]))["state"] == "Running"


async def stuck(cloud: Cloud, patch: pytest.MonkeyPatch) -> tuple[Going, str]:
    """A move whose new host is lost, and a call that waited for it before that."""
    it = await going(cloud, patch, "MigrateVm")
    waiting = await cloud.waits("RebootVmInstance", uuid=it.vm["uuid"])
    it.target.reachable = False
    it.target.cut("the cable")
    await cloud.until(
        lambda: cloud.query("QueryHost", managementIp=it.target.address),
        lambda found: found[0]["status"] == "Disconnected",
    )
    return it, waiting


async def test_what_waits_for_a_host_that_is_away_is_said_at_once_and_who_waits_already_goes_on_waiting(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, waiting = await stuck(cloud, monkeypatch)
    error = await cloud.refused("StopVmInstance", uuid=it.vm["uuid"])
    assert "moved to another host; wait for that, or cancel its job" in error["details"]
    assert (await cloud.one("QueryLongJob", waiting))["state"] == "Queued"
    it.target.reachable = True
    await cloud.call("ReconnectHost", uuid=await uuid_of(cloud, it.target))
    body = await cloud.ended(waiting)
    assert body["success"], body


async def test_nobody_waits_for_ever(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queued, "LOOK_SECONDS", 0.05)
    _, waiting = await stuck(cloud, monkeypatch)
    await asyncio.sleep(0.2)
    assert (await cloud.one("QueryLongJob", waiting))["state"] == "Queued"
    monkeypatch.setattr(jobs, "DEADLINE_SECONDS", 0.1)
    error = (await cloud.ended(waiting))["error"]
    assert error["code"] == "SYS.1001"
    assert error["details"].startswith("given up after waiting: VM ")


async def test_calls_on_a_free_volume_wait_until_it_has_moved(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, data = await attached(cloud, disk)
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    _, target = ends(cloud, vm)
    reached = slowly(cloud, monkeypatch, "CopyFiles")
    there = {"volumeUuid": data["uuid"], "destHostUuid": await uuid_of(cloud, target)}
    _, job = await cloud.begin("LocalStorageMigrateVolume", **there)
    await reached.wait()
    kept = await cloud.waits("CreateVolumeSnapshot", volumeUuid=data["uuid"], name="kept")
    deleted = await cloud.waits("DeleteDataVolume", uuid=data["uuid"])
    for each in (str(job), kept, deleted):
        body = await cloud.ended(each)
        assert body["success"], body
    assert (await cloud.one("QueryVolume", data["uuid"]))["status"] == "Deleted"
    assert len(files_of(target, data["uuid"])) == 2


async def test_a_job_on_a_free_volume_waits_for_its_host_until_its_deadline_and_so_does_who_waits_for_it(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume, "UNREACHABLE_SECONDS", 0.05)
    vm, data = await attached(cloud, disk)
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    host = cloud.host_of(vm["uuid"])
    host.reachable = False
    host.cut("the cable")
    await cloud.until(
        lambda: cloud.one("QueryHost", vm["hostUuid"]), lambda found: found["status"] == "Disconnected"
    )
    _, resize = await cloud.begin("ResizeDataVolume", uuid=data["uuid"], size=2 * GIB)
    kept = await cloud.waits("CreateVolumeSnapshot", volumeUuid=data["uuid"], name="kept")
    await cloud.until(lambda: cloud.one("QueryLongJob", str(resize)), lambda job: "waitsFor" in job)
    await cloud.database.write(lambda tx: tx.update(tx.get(LongJob, str(resize)), deadline=Timestamp(tx.now)))
    error = (await cloud.ended(str(resize)))["error"]
    assert "given up after waiting" in error["details"]
    host.reachable = True
    await cloud.call("ReconnectHost", uuid=vm["hostUuid"])
    body = await cloud.ended(kept)
    assert body["success"], body
