"""Volumes moved to another host: whole with their snapshots, or not at all; and who may not be moved, and why."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from agent.protocol import FilesCopied
from appliance.hosts.simulator import SimulatedHost
from tests.appliance.resources.test_snapshot import snap
from tests.appliance.resources.test_volume import attached, disk, volume
from tests.simulated_cloud import Body, Cloud

__all__ = ["disk"]


async def loose(cloud: Cloud, disk: str) -> tuple[Body, SimulatedHost, SimulatedHost]:
    """A data volume with two snapshots that no VM has, the host that has it, and another."""
    vm, data = await attached(cloud, disk)
    for name in ("one", "two"):
        await snap(cloud, data["uuid"], name)
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    source, target = ends(cloud, vm)
    return await cloud.one("QueryVolume", data["uuid"]), source, target


async def rooted(cloud: Cloud) -> tuple[Body, SimulatedHost, SimulatedHost]:
    """A stopped VM whose root volume has a snapshot, the host that it was on, and another."""
    vm = await cloud.vm()
    await snap(cloud, vm["rootVolumeUuid"], "one")
    source, target = ends(cloud, vm)
    return await cloud.call("StopVmInstance", uuid=vm["uuid"]), source, target


def ends(cloud: Cloud, vm: Body) -> tuple[SimulatedHost, SimulatedHost]:
    source = cloud.host_of(vm["uuid"])
    (target,) = [host for host in cloud.hosts if host is not source]
    return source, target


async def move(cloud: Cloud, uuid: str, target: SimulatedHost) -> Body:
    return await cloud.answer(
        "LocalStorageMigrateVolume", volumeUuid=uuid, destHostUuid=await uuid_of(cloud, target)
    )


async def begin(cloud: Cloud, uuid: str, target: SimulatedHost) -> str:
    """Ask for a move; its job."""
    body, job = await cloud.begin(
        "LocalStorageMigrateVolume", volumeUuid=uuid, destHostUuid=await uuid_of(cloud, target)
    )
    assert job is not None, body
    return job


async def refused(cloud: Cloud, uuid: str, host_uuid: str) -> tuple[str, str]:
    error = await cloud.refused("LocalStorageMigrateVolume", volumeUuid=uuid, destHostUuid=host_uuid)
    return error["code"], error["details"]


async def uuid_of(cloud: Cloud, host: SimulatedHost) -> str:
    (found,) = await cloud.query("QueryHost", managementIp=host.address)
    return str(found["uuid"])


def files_of(host: SimulatedHost, uuid: str) -> dict[str, str | None]:
    """A volume's files on a host, each to what it builds on."""
    things = host.things
    return {path: things.backings.get(path) for path in things.files if uuid in path}


async def free_on(cloud: Cloud) -> dict[str, int]:
    """Bytes that volumes leave of the storage on each host."""
    at = {host["uuid"]: host["managementIp"] for host in await cloud.query("QueryHost")}
    return {
        at[ref["host_uuid"]]: ref["available_capacity"] for ref in (await cloud.rows())["LocalStorageHostRef"]
    }


def slowly(cloud: Cloud, patch: pytest.MonkeyPatch, verb: str) -> asyncio.Event:
    """Have a request take half a second; set once a host has got it."""
    reached = asyncio.Event()

    def of(each: str) -> float:
        if each == verb:
            reached.set()
        return 0.5 if each == verb else 0.0

    for host in cloud.hosts:
        patch.setattr(host.delays, "of", of)
    return reached


async def has_ended(cloud: Cloud) -> None:
    """The source has been cleared, too."""
    await cloud.idle()
    assert (await cloud.rows())["VolumeMove"] == []
    assert not any(host.things.lanes.opened or host.things.lanes.offered for host in cloud.hosts)
    assert not any(host.things.lanes.arrived for host in cloud.hosts)


async def test_a_slow_move_says_how_far_it_has_come_and_how_fast_it_goes(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, source, target = await loose(cloud, disk)
    monkeypatch.setattr("appliance.hosts.simulated_agent.TELL_SECONDS", 0.1)
    source.delays.by_verb["CopyFiles"] = 3.0
    job = await begin(cloud, data["uuid"], target)
    seen: list[tuple[int, int]] = []
    async with asyncio.timeout(10):
        while (found := await cloud.one("QueryLongJob", job))["state"] == "Running":
            if found.get("bytesPerSecond"):
                seen.append((found["doneBytes"], found["bytesPerSecond"]))
            await asyncio.sleep(0.05)
    assert found["state"] == "Succeeded"
    assert len({done for done, _ in seen}) > 2, "it goes on before one's eyes"
    assert all(0 < done <= found["totalBytes"] for done, _ in seen)


async def test_a_data_volume_goes_with_all_its_snapshots(cloud: Cloud, disk: str) -> None:
    data, source, target = await loose(cloud, disk)
    there = files_of(source, data["uuid"])
    assert len(there) == 3
    ref = (await move(cloud, data["uuid"], target))["inventory"]
    assert (ref["resourceUuid"], ref["hostUuid"]) == (data["uuid"], await uuid_of(cloud, target))
    await has_ended(cloud)
    assert files_of(source, data["uuid"]) == {}
    assert files_of(target, data["uuid"]) == there
    after = await cloud.one("QueryVolume", data["uuid"])
    assert (after["status"], after["installPath"]) == ("Ready", data["installPath"])
    (snapshot, _) = await cloud.query("QueryVolumeSnapshot", volumeUuid=data["uuid"])
    assert (await cloud.answer("DeleteVolumeSnapshot", uuid=snapshot["uuid"]))["success"]
    assert (await move(cloud, data["uuid"], source))["success"]


async def test_a_stopped_vm_goes_with_its_root_volume_and_starts_there(cloud: Cloud) -> None:
    vm, source, target = await rooted(cloud)
    uuid = vm["rootVolumeUuid"]
    there, before = files_of(source, uuid), await free_on(cloud)
    assert (await move(cloud, uuid, target))["success"]
    await has_ended(cloud)
    assert (files_of(source, uuid), files_of(target, uuid)) == ({}, there)
    assert (vm["uuid"] in source.domains, source.things.nics) == (False, {})
    after = await free_on(cloud)
    assert (after[source.address] > before[source.address], sum(after.values())) == (
        True,
        sum(before.values()),
    )
    running = await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert running["hostUuid"] == await uuid_of(cloud, target)
    assert target.domains[vm["uuid"]].power == "on"
    assert (await cloud.answer("DestroyVmInstance", uuid=vm["uuid"]))["success"]


async def test_each_rule_says_why_and_the_way_out(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    source, target = ends(cloud, vm)
    here, there = await uuid_of(cloud, source), await uuid_of(cloud, target)
    root = vm["rootVolumeUuid"]
    async with cloud.untouched():
        assert await refused(cloud, root, there) == (
            "SYS.1006",
            f"the volume[uuid:{root}] is the root volume of the VM[uuid:{vm['uuid']}], which is Running and not "
            f"Stopped, please stop it before migration",
        )
        assert await refused(cloud, data["uuid"], here) == (
            "SYS.1007", f"the volume[uuid:{data['uuid']}] is already on the host[uuid:{here}]"
        )  # fmt: skip
        assert await refused(cloud, data["uuid"], there) == (
            "SYS.1007",
            f"the data volume[uuid:{data['uuid']}, name:data] is still attached to the VM[uuid:{vm['uuid']}]. "
            f"Please detach it before migration",
        )
    new = await volume(cloud, disk)
    code, words = await refused(cloud, new["uuid"], there)
    assert (code, words) == (
        "SYS.1007",
        f"the volume[uuid:{new['uuid']}] is not on any local primary storage: its file is made when it is first "
        f"attached to a VM, on the host of that VM, so there is nothing to move",
    )
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    code, words = await refused(cloud, root, there)
    assert (code, f"data volumes attached: data[uuid:{data['uuid']}]" in words) == ("SYS.1006", True)
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    target.reachable = False
    target.cut("away")
    await cloud.until(lambda: cloud.one("QueryHost", there), lambda host: host["status"] != "Connected")
    code, words = await refused(cloud, data["uuid"], there)
    assert (code, words.startswith("host host")) == ("SYS.1006", True)


async def test_where_a_volume_could_go(cloud: Cloud, disk: str) -> None:
    data, _, target = await loose(cloud, disk)
    ask = "LocalStorageGetVolumeMigratableHosts"
    found = (await cloud.answer(ask, volumeUuid=data["uuid"]))["inventories"]
    assert [host["managementIp"] for host in found] == [target.address]
    there = await uuid_of(cloud, target)
    await cloud.call("ChangeHostState", uuid=there, stateEvent="disable")
    answer = await cloud.answer(ask, volumeUuid=data["uuid"])
    assert answer["inventories"] == []
    assert {"hostUuid": there, "reason": "is Disabled; enable it first"} in answer["excluded"]


async def test_a_volume_that_has_to_stay_could_go_nowhere_and_hears_the_rule(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    _, target = ends(cloud, vm)
    there, root = await uuid_of(cloud, target), vm["rootVolumeUuid"]

    async def is_kept(uuid: str) -> str:
        answer = await cloud.answer("LocalStorageGetVolumeMigratableHosts", volumeUuid=uuid)
        _, words = await refused(cloud, uuid, there)
        assert answer["inventories"] == []
        assert answer["excluded"] == [{"hostUuid": there, "reason": words}]
        return words

    assert "please stop it" in await is_kept(root)
    assert "Please detach it" in await is_kept(data["uuid"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    assert "detach them" in await is_kept(root)
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    found = await cloud.answer("LocalStorageGetVolumeMigratableHosts", volumeUuid=root)
    assert [host["uuid"] for host in found["inventories"]] == [there]


@pytest.mark.parametrize("verb", ["OfferLane", "OpenLane", "CopyFiles", "AdoptFiles", "UndefineDomain"])
async def test_a_host_that_refuses_leaves_everything_where_it_was(cloud: Cloud, verb: str) -> None:
    vm, source, target = await rooted(cloud)
    uuid = vm["rootVolumeUuid"]
    there, before = files_of(source, uuid), await free_on(cloud)
    for host in cloud.hosts:
        host.faults.by_verb[verb] = 1.0
    job = await begin(cloud, uuid, target)
    await cloud.until(cloud.rows, lambda rows: any(m["intended"] == "Absent" for m in rows["VolumeMove"]))
    for host in cloud.hosts:
        host.faults.by_verb.clear()
    body = await cloud.ended(job)
    assert (body["success"], body["error"]["code"]) == (False, "SYS.1006")
    await has_ended(cloud)
    assert (files_of(source, uuid), files_of(target, uuid)) == (there, {})
    assert await free_on(cloud) == before
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["hostUuid"] == await uuid_of(cloud, source)


async def test_a_move_can_be_cancelled_and_meanwhile_nothing_else_is_done(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, source, target = await rooted(cloud)
    uuid = vm["rootVolumeUuid"]
    there = files_of(source, uuid)
    copying = slowly(cloud, monkeypatch, "CopyFiles")
    job = await begin(cloud, uuid, target)
    await copying.wait()
    for name, fields in (
        ("StartVmInstance", {"uuid": vm["uuid"]}),
        ("DestroyVmInstance", {"uuid": vm["uuid"]}),
        ("CreateVolumeSnapshot", {"volumeUuid": uuid, "name": "late"}),
        ("ResizeRootVolume", {"uuid": uuid, "size": 2**40}),
        ("LocalStorageMigrateVolume", {"volumeUuid": uuid, "destHostUuid": await uuid_of(cloud, target)}),
    ):
        await cloud.call("CancelLongJob", uuid=await cloud.waits(name, **fields))
    code = (await cloud.refused("DeleteHost", uuid=await uuid_of(cloud, target)))["code"]
    assert code == "SYS.1006"
    await cloud.call("CancelLongJob", uuid=job)
    assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"
    await has_ended(cloud)
    assert (files_of(source, uuid), files_of(target, uuid)) == (there, {})


async def cut_off(
    cloud: Cloud, uuid: str, target: SimulatedHost, lost: SimulatedHost, patch: pytest.MonkeyPatch
) -> str:
    """Ask for a move, and cut an end of it off in the middle of the copy; its job."""
    copying = slowly(cloud, patch, "CopyFiles")
    job = await begin(cloud, uuid, target)
    await copying.wait()
    lost.reachable = False
    lost.cut("the cable")
    return job


@pytest.mark.parametrize("which", ["source", "target"])
async def test_a_host_that_goes_away_is_waited_for(
    cloud: Cloud, disk: str, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, source, target = await loose(cloud, disk)
    lost = source if which == "source" else target
    job = await cut_off(cloud, data["uuid"], target, lost, monkeypatch)
    await asyncio.sleep(1)
    lost.reachable = True
    assert (await cloud.ended(job))["success"]
    await has_ended(cloud)
    assert len(files_of(target, data["uuid"])) == 3


@pytest.mark.parametrize("which", ["source", "target"])
async def test_one_that_is_cancelled_says_that_it_waits_for_a_host_that_is_away(
    cloud: Cloud, disk: str, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, source, target = await loose(cloud, disk)
    lost = source if which == "source" else target
    job = await cut_off(cloud, data["uuid"], target, lost, monkeypatch)
    await cloud.call("CancelLongJob", uuid=job)
    row = await cloud.until(lambda: cloud.one("QueryLongJob", job), lambda row: bool(row.get("waitsFor")))
    assert row["waitsFor"].startswith("its host, to be cancelled there: ")
    assert (row["state"], row["step"]) == ("Running", "undo")
    lost.reachable = True
    assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"
    await has_ended(cloud)


async def test_what_arrived_with_other_content_is_told_of(
    cloud: Cloud, disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, source, target = await loose(cloud, disk)
    wrong = data["installPath"]
    monkeypatch.setattr(
        "appliance.hosts.simulated_lane.FilesCopied", functools.partial(FilesCopied, anew=[wrong])
    )
    assert (await move(cloud, data["uuid"], target))["success"]
    (told,) = await cloud.query("QueryEvent", name="CopiedOnceMore")
    assert (told["level"], told["resourceType"]) == ("warning", "LongJob")
    assert told["text"] == (
        f"host {target.address} had other content than host {source.address} in {wrong}, which was copied once more "
        f"and is equal now; check the disk there"
    )


@pytest.mark.parametrize(
    "verb", ["UndefineDomain", "OfferLane", "OpenLane", "CopyFiles", "AdoptFiles", "CloseLane", "DropFile"]
)
async def test_an_appliance_killed_in_the_middle_goes_on(
    cloud: Cloud, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm, source, target = await rooted(cloud)
    uuid = vm["rootVolumeUuid"]
    there = files_of(source, uuid)
    reached = slowly(cloud, monkeypatch, verb)
    await begin(cloud, uuid, target)
    await reached.wait()
    await cloud.kill()
    await cloud.start()
    await cloud.until(cloud.rows, lambda rows: rows["VolumeMove"] == [])
    await has_ended(cloud)
    assert (files_of(source, uuid), files_of(target, uuid)) == ({}, there)
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["hostUuid"] == await uuid_of(cloud, target)


async def test_an_image_goes_along_no_faster_than_what_is_on_it(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that is only fetched as fast as ever."""
    limits, copy = [], cloud.dialer.copy

    async def seen(*ends: Any, **rest: Any) -> None:
        limits.append(rest["bytes_per_second"])
        await copy(*ends, **rest)

    monkeypatch.setattr(cloud.dialer, "copy", seen)
    at = {host.address: host for host in cloud.hosts}
    vm = await cloud.vm(hostUuid=await uuid_of(cloud, at["10.0.0.1"]))  # where the backup storage is
    other = await cloud.make(
        "other", "AddImage", url="http://images/other.qcow2", format="qcow2",
        backupStorageUuids=[cloud.uuids["backup"]],
    )  # fmt: skip
    await cloud.call(
        "UpdateGlobalConfig", category="localStorage", name="migration.bytesPerSecond", value=str(3 << 20)
    )
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    assert (await move(cloud, vm["rootVolumeUuid"], at["10.0.0.2"]))["success"]
    assert limits == [3 << 20]
    await cloud.vm(name="new", imageUuid=other, hostUuid=await uuid_of(cloud, at["10.0.0.2"]))
    assert limits == [3 << 20, 0]
