"""What a move leaves on its source: nothing once the call has ended, or later, whatever is killed, and said so."""

from __future__ import annotations

import pytest

from appliance.hosts.simulator import SimulatedHost
from tests.appliance.resources.test_move import begin, ends, files_of, has_ended, rooted, slowly, uuid_of
from tests.appliance.resources.test_vm_move import begin as begin_vm
from tests.simulated_cloud import Body, Cloud


async def moving(cloud: Cloud, kind: str) -> tuple[str, str, SimulatedHost, SimulatedHost]:
    """A move that has begun: its root volume and its job, the host it leaves, and the other."""
    if kind == "volume":
        vm, source, target = await rooted(cloud)
        return vm["rootVolumeUuid"], await begin(cloud, vm["rootVolumeUuid"], target), source, target
    vm = await cloud.vm()
    source, target = ends(cloud, vm)
    return vm["rootVolumeUuid"], await begin_vm(cloud, vm, target), source, target


async def left(cloud: Cloud) -> list[Body]:
    """The events that something was left for now."""
    return await cloud.query("QueryEvent", name="SourceLeftForNow")


async def has_left(cloud: Cloud) -> None:
    """The rows of the move say that the new host has it."""
    await cloud.until(
        cloud.rows, lambda rows: any(m["phase"] == "moved" for m in (*rows["VolumeMove"], *rows["VmMove"]))
    )


@pytest.mark.parametrize("kind", ["volume", "vm"])
async def test_the_call_ends_when_its_source_is_clear(
    cloud: Cloud, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.reconcile.loop.Backoff.next", lambda _: pytest.fail("nothing fails"))
    uuid, job, source, _ = await moving(cloud, kind)
    dropping = slowly(cloud, monkeypatch, "DropFile")
    await has_left(cloud)
    await dropping.wait()
    assert files_of(source, uuid) != {}
    assert (await cloud.one("QueryVolume", uuid))["status"] == "Ready"
    assert (await cloud.ended(job))["success"]
    assert files_of(source, uuid) == {}
    assert await left(cloud) == []


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("kind", ["volume", "vm"])
async def test_a_source_that_is_away_then_is_cleared_when_it_is_back(
    cloud: Cloud, kind: str, killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid, job, source, target = await moving(cloud, kind)
    dropping = slowly(cloud, monkeypatch, "DropFile")
    await has_left(cloud)
    await dropping.wait()
    source.reachable = False
    source.cut("its power was pulled")
    ended = await cloud.ended(job)
    assert ended["success"], ended
    assert ended["inventory"]["hostUuid"] == await uuid_of(cloud, target)
    assert files_of(source, uuid) != {}
    (event,) = await left(cloud)
    assert "is removed when that can be done" in event["text"]
    if killed:
        await cloud.kill()
        monkeypatch.undo()
        await cloud.start()
    source.reachable = True
    await cloud.until(cloud.rows, lambda rows: not rows["VolumeMove"] and not rows["VmMove"])
    await has_ended(cloud)
    assert files_of(source, uuid) == {}


@pytest.mark.parametrize("how", ["MigrateVm", "LocalStorageMigrateVolume"])
async def test_no_host_that_a_vm_was_on_keeps_logs_of_it(cloud: Cloud, how: str) -> None:
    vm = await cloud.vm()
    source, target = ends(cloud, vm)
    there = await uuid_of(cloud, target)
    assert (source.logs, target.logs) == ({vm["uuid"]: b""}, {})
    source.logs[vm["uuid"]] = b"it boots"
    if how == "MigrateVm":
        await cloud.call(how, vmInstanceUuid=vm["uuid"], hostUuid=there)
    else:
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
        await cloud.call(how, volumeUuid=vm["rootVolumeUuid"], destHostUuid=there)
        await cloud.call("StartVmInstance", uuid=vm["uuid"])
    # What a guest has said goes with it while it runs.
    said = b"it boots" if how == "MigrateVm" else b""
    assert (source.logs, target.logs) == ({}, {vm["uuid"]: said})
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    assert list(target.logs) == [vm["uuid"]]  # it can be recovered
    await cloud.answer("ExpungeVmInstance", uuid=vm["uuid"])
    assert target.logs == {}


async def test_a_vm_that_is_destroyed_for_good_leaves_no_logs(cloud: Cloud) -> None:
    await cloud.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    assert host.logs == {}
