"""Running VMs moved to another host: whole with all they have, or not at all; whoever fails on the way."""

from __future__ import annotations

import asyncio

import pytest

from agent.protocol import MOVE_BROKE_OFF, MOVE_UNSAFE_WORDS, serial_of
from appliance.api.host import Host
from appliance.hosts.simulated_agent import SimulatedRefusal
from appliance.hosts.simulator import SimulatedHost
from tests.appliance.resources.test_move import ends, files_of, free_on, slowly, uuid_of
from tests.appliance.resources.test_snapshot import snap
from tests.appliance.resources.test_volume import attached, disk
from tests.simulated_cloud import Body, Cloud

__all__ = ["disk"]


async def furnished(cloud: Cloud, disk: str) -> tuple[Body, Body, SimulatedHost, SimulatedHost]:
    """A running VM with a data volume, each of two snapshots; where it is, and the other host."""
    vm, data = await attached(cloud, disk)
    for uuid in (vm["rootVolumeUuid"], data["uuid"]):
        for name in ("one", "two"):
            await snap(cloud, uuid, name)
    return await cloud.one("QueryVmInstance", vm["uuid"]), data, *ends(cloud, vm)


async def begin(cloud: Cloud, vm: Body, target: SimulatedHost) -> str:
    body, job = await cloud.begin(
        "MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=await uuid_of(cloud, target)
    )
    assert job is not None, body
    return job


async def settled(cloud: Cloud) -> None:
    """Neither host has anything left of a move."""
    await cloud.idle()
    rows = await cloud.rows()
    assert (rows["VmMove"], rows["VolumeMove"]) == ([], [])
    assert not any(host.things.lanes.opened or host.things.lanes.offered for host in cloud.hosts)


async def is_whole(cloud: Cloud, vm: Body, data: Body, on: SimulatedHost, off: SimulatedHost) -> None:
    """A VM is on one host with everything, and the other has nothing of it."""
    await settled(cloud)
    now = await cloud.one("QueryVmInstance", vm["uuid"])
    assert (now["state"], now["hostUuid"]) == ("Running", await uuid_of(cloud, on))
    assert vm["uuid"] not in off.domains
    domain = on.domains[vm["uuid"]]
    assert (domain.power, domain.starts) == ("on", 1)
    for uuid in (vm["rootVolumeUuid"], data["uuid"]):
        row = await cloud.one("QueryVolume", uuid)
        assert row["status"] == "Ready"
        assert domain.writes[serial_of(uuid)] == row["installPath"]
        assert len(files_of(on, uuid)) == 3
        assert files_of(off, uuid) == {}
        for each in await cloud.query("QueryVolumeSnapshot", volumeUuid=uuid):
            assert each["primaryStorageInstallPath"] in files_of(on, uuid)
    for nic in now["vmNics"]:
        assert nic["uuid"] in on.things.nics
        assert nic["uuid"] not in off.things.nics
        assert (nic["ip"], nic["mac"]) == (vm["vmNics"][0]["ip"], vm["vmNics"][0]["mac"])


async def test_a_running_vm_goes_with_all_that_it_has(cloud: Cloud, disk: str) -> None:
    vm, data, source, target = await furnished(cloud, disk)
    there = {uuid: files_of(source, uuid) for uuid in (vm["rootVolumeUuid"], data["uuid"])}
    free = await free_on(cloud)
    moved = await cloud.call("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=await uuid_of(cloud, target))
    assert (moved["state"], moved["hostUuid"]) == ("Running", await uuid_of(cloud, target))
    assert moved["lastHostUuid"] == moved["hostUuid"]
    await is_whole(cloud, vm, data, target, source)
    assert {uuid: files_of(target, uuid) for uuid in there} == there
    after = await free_on(cloud)
    assert free[source.address] < after[source.address]
    assert sum(after.values()) == sum(free.values())
    # And it goes on as any other there.
    await cloud.call("RebootVmInstance", uuid=vm["uuid"])
    await snap(cloud, data["uuid"], "three")
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    assert target.domains[vm["uuid"]].power == "off"
    started = await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert started["hostUuid"] == await uuid_of(cloud, target)


async def test_it_goes_where_there_is_room_when_nobody_says_where(cloud: Cloud) -> None:
    vm = await cloud.vm()
    source, target = ends(cloud, vm)
    (candidate,) = (await cloud.answer("GetVmMigrationCandidateHosts", vmInstanceUuid=vm["uuid"]))[
        "inventories"
    ]
    assert candidate["managementIp"] == target.address
    moved = await cloud.call("MigrateVm", vmInstanceUuid=vm["uuid"])
    assert moved["hostUuid"] == candidate["uuid"]
    back = await cloud.call("MigrateVm", vmInstanceUuid=vm["uuid"])
    assert back["hostUuid"] == await uuid_of(cloud, source)


async def test_its_room_is_taken_while_it_is_on_its_way(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = await cloud.vm()
    _, target = ends(cloud, vm)
    uuid = await uuid_of(cloud, target)
    before = await cloud.one("QueryHost", uuid)
    going = slowly(cloud, monkeypatch, "MigrateDomain")
    job = await begin(cloud, vm, target)
    await going.wait()
    during = await cloud.one("QueryHost", uuid)
    assert during["availableMemoryCapacity"] == before["availableMemoryCapacity"] - vm["memorySize"]
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Migrating"
    for name, fields in (
        ("StopVmInstance", {"uuid": vm["uuid"]}),
        ("DestroyVmInstance", {"uuid": vm["uuid"]}),
        ("MigrateVm", {"vmInstanceUuid": vm["uuid"]}),
        ("CreateVolumeSnapshot", {"volumeUuid": vm["rootVolumeUuid"], "name": "late"}),
    ):
        await cloud.call("CancelLongJob", uuid=await cloud.waits(name, **fields))
    error = await cloud.refused("GetVmMigrationCandidateHosts", vmInstanceUuid=vm["uuid"])
    assert "moved to another host" in error["details"]
    assert (await cloud.ended(job))["success"]
    await settled(cloud)
    assert (await cloud.one("QueryHost", uuid))["availableMemoryCapacity"] == during[
        "availableMemoryCapacity"
    ]


async def test_one_that_would_break_says_so_before_it_is_tried_until_it_was_off(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = await cloud.vm()
    source, target = ends(cloud, vm)

    def breaks(request: object) -> object:
        raise SimulatedRefusal(MOVE_BROKE_OFF, "Connection reset by peer")

    monkeypatch.setattr(source, "_migrate", breaks)
    error = await cloud.refused("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=await uuid_of(cloud, target))
    assert "Connection reset by peer" in error["details"]
    await settled(cloud)
    monkeypatch.undo()
    row = await cloud.one("QueryVmInstance", vm["uuid"])
    assert (row["state"], row["cannotMove"]) == ("Running", MOVE_UNSAFE_WORDS)
    async with cloud.untouched():
        error = await cloud.refused("MigrateVm", vmInstanceUuid=vm["uuid"])
        assert error["details"].endswith(MOVE_UNSAFE_WORDS)
    answer = await cloud.answer("GetVmMigrationCandidateHosts", vmInstanceUuid=vm["uuid"])
    assert answer["inventories"] == []
    assert {each["reason"] for each in answer["excluded"]} == {MOVE_UNSAFE_WORDS}
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    assert "cannotMove" not in await cloud.call("StartVmInstance", uuid=vm["uuid"])
    await cloud.call("MigrateVm", vmInstanceUuid=vm["uuid"])


async def test_only_a_running_vm_and_only_to_another_host_with_room(cloud: Cloud) -> None:
    vm = await cloud.vm()
    source, target = ends(cloud, vm)
    here, there = await uuid_of(cloud, source), await uuid_of(cloud, target)
    async with cloud.untouched():
        error = await cloud.refused("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=here)
        assert error["details"] == f"VM[uuid:{vm['uuid']}] is already on the host[uuid:{here}]"
    await cloud.call("ChangeHostState", uuid=there, stateEvent="disable")
    async with cloud.untouched():
        error = await cloud.refused("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=there)
        assert "no host is Enabled and Connected" in error["details"]
    await cloud.call("ChangeHostState", uuid=there, stateEvent="enable")
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    async with cloud.untouched():
        error = await cloud.refused("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=there)
        assert error["cause"]["code"] == "VM.1010"
        assert "state[Stopped]" in error["cause"]["details"]


async def test_cpus_that_its_guest_would_find_changed(cloud: Cloud) -> None:
    vm = await cloud.vm()
    _, target = ends(cloud, vm)
    there = await uuid_of(cloud, target)

    async def is_now(**changes: str) -> None:
        await cloud.database.write(lambda tx: tx.update(tx.get(Host, there), **changes))

    await is_now(cpu_model="Other CPU @ 1 GHz")
    await cloud.call("UpdateGlobalConfig", category="kvm", name="vm.cpuMode", value="host-passthrough")
    async with cloud.untouched():
        error = await cloud.refused("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=there)
    assert "Other CPU @ 1 GHz" in error["details"]
    await cloud.call("UpdateGlobalConfig", category="kvm", name="vm.cpuMode", value="none")
    await is_now(accelerator="tcg")
    async with cloud.untouched():
        error = await cloud.refused("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=there)
    assert "runs its guests with tcg" in error["details"]


@pytest.mark.parametrize("verb", ["EnsureNic", "OpenLane", "CopyFiles", "EnsureOverlay", "MigrateDomain"])
async def test_a_step_that_fails_leaves_it_where_it_is(cloud: Cloud, disk: str, verb: str) -> None:
    vm, data, source, target = await furnished(cloud, disk)
    free = await free_on(cloud)
    for host in cloud.hosts:
        host.faults.by_verb[verb] = 1.0
    body = await cloud.answer("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=await uuid_of(cloud, target))
    assert not body["success"]
    for host in cloud.hosts:
        host.faults.by_verb.clear()
    await is_whole(cloud, vm, data, source, target)
    assert await free_on(cloud) == free
    moved = await cloud.call("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=await uuid_of(cloud, target))
    assert moved["hostUuid"] == await uuid_of(cloud, target)


@pytest.mark.parametrize("verb", ["CopyFiles", "AdoptFiles", "OpenLane", "MigrateDomain"])
async def test_it_stays_when_its_move_is_cancelled(
    cloud: Cloud, disk: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, data, source, target = await furnished(cloud, disk)
    reached = slowly(cloud, monkeypatch, verb)
    job = await begin(cloud, vm, target)
    await reached.wait()
    await cloud.call("CancelLongJob", uuid=job)
    assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"
    await is_whole(cloud, vm, data, source, target)


async def test_one_that_is_there_already_has_moved_whatever_was_cancelled(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, data, source, target = await furnished(cloud, disk)
    reached = slowly(cloud, monkeypatch, "MigrateDomain")
    # libvirt may be past its point of no return.
    monkeypatch.setattr("appliance.hosts.simulated_lane.Sending.check", lambda _: None)
    job = await begin(cloud, vm, target)
    await reached.wait()
    await cloud.call("CancelLongJob", uuid=job)
    assert (await cloud.ended(job))["success"]
    await is_whole(cloud, vm, data, target, source)


async def test_a_limit_that_changes_is_told_to_a_move_under_way(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, data, source, target = await furnished(cloud, disk)
    monkeypatch.setattr("appliance.reconcile.lane.LIMIT_LOOK_SECONDS", 0.02)
    reached = slowly(cloud, monkeypatch, "MigrateDomain")
    job = await begin(cloud, vm, target)
    await reached.wait()
    await cloud.call(
        "UpdateGlobalConfig", category="localStorage", name="migration.bytesPerSecond", value="700000"
    )
    assert (await cloud.ended(job))["success"]
    assert list(source.things.lanes.limits.values()) == [700_000]
    await is_whole(cloud, vm, data, target, source)


@pytest.mark.parametrize("which", ["source", "target"])
@pytest.mark.parametrize("verb", ["CopyFiles", "MigrateDomain", "CloseLane"])
async def test_a_host_that_goes_away_is_waited_for(
    cloud: Cloud, disk: str, verb: str, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, data, source, target = await furnished(cloud, disk)
    lost = source if which == "source" else target
    reached = slowly(cloud, monkeypatch, verb)
    job = await begin(cloud, vm, target)
    await reached.wait()
    lost.reachable = False
    lost.cut("the cable was pulled")
    await asyncio.sleep(0.6)
    lost.reachable = True
    for host in ("host1", "host2"):
        await cloud.answer("ReconnectHost", uuid=cloud.uuids[host])
    ended = await cloud.ended(job)
    on, off = (target, source) if ended["success"] else (source, target)
    await is_whole(cloud, vm, data, on, off)


async def test_it_is_migrating_again_as_soon_as_its_host_is_back(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, _, source, target = await furnished(cloud, disk)
    reached = slowly(cloud, monkeypatch, "MigrateDomain")
    await begin(cloud, vm, target)
    await reached.wait()
    # What the move asks next takes long: the VM's state waits for its host, and not for that.
    for host in cloud.hosts:
        monkeypatch.setattr(host.delays, "of", lambda verb: 3600.0 if verb == "CloseLane" else 0.0)
    source.reachable = False
    source.cut("its agent was killed")
    await cloud.vm_becomes(vm["uuid"], "Unknown")
    source.reachable = True
    await cloud.answer("ReconnectHost", uuid=await uuid_of(cloud, source))
    await cloud.vm_becomes(vm["uuid"], "Migrating")


@pytest.mark.parametrize(
    "verb", ["OpenLane", "CopyFiles", "EnsureOverlay", "MigrateDomain", "CloseLane", "DropFile"]
)
async def test_an_appliance_that_dies_on_the_way_finds_it_in_one_place(
    cloud: Cloud, disk: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, data, source, target = await furnished(cloud, disk)
    reached = slowly(cloud, monkeypatch, verb)
    job = await begin(cloud, vm, target)
    await reached.wait()
    await cloud.kill()
    monkeypatch.undo()
    await cloud.start()
    assert (await cloud.ended(job))["success"]
    await is_whole(cloud, vm, data, target, source)


@pytest.mark.parametrize(
    ("verb", "step"), [("CopyFiles", "copy to new host"), ("MigrateDomain", "move memory and disks")]
)
async def test_what_goes_on_is_said_as_long_as_no_byte_is_told_of(
    cloud: Cloud, disk: str, verb: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by an appliance that finds it under way."""
    vm, data, source, target = await furnished(cloud, disk)
    for again in (False, True):
        reached = slowly(cloud, monkeypatch, verb)
        if again:
            await cloud.kill()
            await cloud.start()
        else:
            job = await begin(cloud, vm, target)
        await reached.wait()
        assert (await cloud.one("QueryLongJob", job))["step"] == step
        if verb == "MigrateDomain":
            break  # the simulator's is there when the next appliance looks
    assert (await cloud.ended(job))["success"]
    await is_whole(cloud, vm, data, target, source)


async def test_a_guest_that_halts_on_the_way_is_stopped_where_it_was(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, data, source, target = await furnished(cloud, disk)
    reached = slowly(cloud, monkeypatch, "CopyFiles")
    job = await begin(cloud, vm, target)
    await reached.wait()
    source.power_off(vm["uuid"], "guest_shutdown")
    error = (await cloud.ended(job))["error"]
    assert "powered it off" in str(error)
    await settled(cloud)
    now = await cloud.one("QueryVmInstance", vm["uuid"])
    assert (now["state"], now["lastHostUuid"]) == ("Stopped", await uuid_of(cloud, source))
    assert files_of(target, data["uuid"]) == {}
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["hostUuid"] == await uuid_of(cloud, source)
