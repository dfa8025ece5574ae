"""Snapshots: taken, gone back to and deleted, of volumes that run, rest and are nobody's, whole or not at all."""

from __future__ import annotations

from uuid import uuid4

import pytest

from agent.protocol import serial_of
from appliance.hosts.simulated_things import OVERLAY_BYTES
from appliance.hosts.simulator import SimulatedHost
from tests.appliance.resources.test_volume import attach, attached, disk, free, volume
from tests.simulated_cloud import Body, Cloud

__all__ = ["disk"]


async def snap(cloud: Cloud, uuid: str, name: str = "s") -> Body:
    return await cloud.call("CreateVolumeSnapshot", volumeUuid=uuid, name=name)


async def path_of(cloud: Cloud, uuid: str) -> str:
    return str((await cloud.one("QueryVolume", uuid))["installPath"])


def writes(host: SimulatedHost, vm: Body, uuid: str) -> str:
    return host.domains[vm["uuid"]].writes[serial_of(uuid)]


def chain(host: SimulatedHost, path: str) -> list[str]:
    """A file and all below it."""
    found = [path]
    while (below := host.things.backings.get(found[-1])) is not None:
        found.append(below)
    return found


def below(host: SimulatedHost, words: str) -> set[str]:
    return {path for path in host.things.files if words in path}


@pytest.mark.parametrize("which", ["root", "data"])
@pytest.mark.parametrize("running", [True, False])
async def test_a_snapshot_keeps_the_file_and_the_guest_writes_to_another(
    cloud: Cloud, disk: str, which: str, running: bool
) -> None:
    vm, data = await attached(cloud, disk)
    uuid = vm["rootVolumeUuid"] if which == "root" else data["uuid"]
    host, first, before = cloud.host_of(vm["uuid"]), await path_of(cloud, uuid), await free(cloud)
    if not running:
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
    made = await snap(cloud, uuid, "one")
    assert (made["status"], made["latest"], made["volumeType"].lower()) == ("Ready", True, which)
    assert (made["primaryStorageInstallPath"], made["size"]) == (first, OVERLAY_BYTES)
    assert "parentUuid" not in made
    second = await path_of(cloud, uuid)
    assert second.endswith(f"/vol-{uuid}/snapshots/{made['uuid']}.qcow2")
    assert chain(host, second)[:2] == [second, first]
    assert await free(cloud) == before - OVERLAY_BYTES
    if running:
        assert writes(host, vm, uuid) == second
        assert host.domains[vm["uuid"]].starts == 1
    two = await snap(cloud, uuid, "two")
    assert (two["parentUuid"], two["treeUuid"]) == (made["uuid"], made["treeUuid"])
    assert not (await cloud.one("QueryVolumeSnapshot", made["uuid"]))["latest"]
    third = await path_of(cloud, uuid)
    assert chain(host, third)[:3] == [third, second, first]
    for call in ("StopVmInstance", "StartVmInstance") if running else ("StartVmInstance",):
        await cloud.call(call, uuid=vm["uuid"])
    assert writes(host, vm, uuid) == third


async def test_a_volume_of_nobody_is_kept_too(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    host, made = cloud.host_of(vm["uuid"]), await snap(cloud, data["uuid"])
    path = await path_of(cloud, data["uuid"])
    assert chain(host, path) == [path, data["installPath"]]
    await attach(cloud, vm, data)
    assert writes(host, vm, data["uuid"]) == path
    await cloud.answer("DeleteVolumeSnapshot", uuid=made["uuid"])
    assert chain(host, path) == [path]
    assert below(host, data["uuid"]) == {path}


async def test_a_volume_goes_back_and_forth(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    uuid, host = data["uuid"], cloud.host_of(vm["uuid"])
    one = await snap(cloud, uuid, "one")
    two = await snap(cloud, uuid, "two")
    error = await cloud.refused("RevertVolumeFromSnapshot", uuid=one["uuid"])
    assert (error["cause"]["code"], error["details"].endswith("[Stopped]")) == ("VM.1010", True)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    old = await path_of(cloud, uuid)
    assert (await cloud.answer("RevertVolumeFromSnapshot", uuid=one["uuid"]))["success"]
    new = await path_of(cloud, uuid)
    assert chain(host, new) == [new, data["installPath"]]
    assert old not in host.things.files
    three = await snap(cloud, uuid, "three")
    assert three["parentUuid"] == one["uuid"]
    (tree,) = (await cloud.answer("GetVolumeSnapshotTree", volumeUuid=uuid))["inventories"]
    assert tree["tree"]["inventory"]["uuid"] == one["uuid"]
    children = tree["tree"]["children"]
    assert [leaf["inventory"]["uuid"] for leaf in children] == [two["uuid"], three["uuid"]]
    assert {leaf["parentUuid"] for leaf in children} == {one["uuid"]}
    await cloud.answer("RevertVolumeFromSnapshot", uuid=two["uuid"])
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    path = writes(host, vm, uuid)
    assert chain(host, path)[1:] == [two["primaryStorageInstallPath"], one["primaryStorageInstallPath"]]


@pytest.mark.parametrize("running", [True, False])
async def test_deleting_a_snapshot_takes_those_above_along_and_keeps_the_content(
    cloud: Cloud, disk: str, running: bool
) -> None:
    vm, data = await attached(cloud, disk)
    uuid, host, before = data["uuid"], cloud.host_of(vm["uuid"]), await free(cloud)
    one, two, three = [await snap(cloud, uuid, name) for name in ("one", "two", "three")]
    if not running:
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
    path = await path_of(cloud, uuid)
    assert (await cloud.answer("DeleteVolumeSnapshot", uuid=two["uuid"]))["success"]
    assert chain(host, path) == [path, data["installPath"]]
    left = await cloud.query("QueryVolumeSnapshot", volumeUuid=uuid)
    assert [(each["uuid"], each["latest"]) for each in left] == [(one["uuid"], True)]
    assert two["primaryStorageInstallPath"] not in host.things.files
    assert three["primaryStorageInstallPath"] not in host.things.files
    assert (await cloud.answer("DeleteVolumeSnapshot", uuid=one["uuid"]))["success"]
    assert await cloud.query("QueryVolumeSnapshotTree", volumeUuid=uuid) == []
    assert (chain(host, path), below(host, uuid)) == ([path], {path})
    assert await free(cloud) == before


async def test_of_a_root_volume_is_left_what_builds_on_its_image(cloud: Cloud) -> None:
    vm = await cloud.vm()
    uuid, host = vm["rootVolumeUuid"], cloud.host_of(vm["uuid"])
    first = await path_of(cloud, uuid)
    (cache,) = chain(host, first)[1:]
    made = await snap(cloud, uuid)
    await snap(cloud, uuid)
    await cloud.answer("DeleteVolumeSnapshot", uuid=made["uuid"])
    path = await path_of(cloud, uuid)
    assert chain(host, path) == [path, cache]
    assert below(host, uuid) == {path}


async def test_a_branch_that_the_volume_is_not_on_goes_alone(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    uuid, host = data["uuid"], cloud.host_of(vm["uuid"])
    one, two = await snap(cloud, uuid, "one"), await snap(cloud, uuid, "two")
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.answer("RevertVolumeFromSnapshot", uuid=one["uuid"])
    path = await path_of(cloud, uuid)
    await cloud.answer("DeleteVolumeSnapshot", uuid=two["uuid"])
    assert chain(host, path) == [path, data["installPath"]]
    assert (await cloud.one("QueryVolumeSnapshot", one["uuid"]))["latest"]


@pytest.mark.parametrize("running", [True, False])
async def test_a_snapshot_that_its_host_refuses_leaves_nothing(
    cloud: Cloud, disk: str, running: bool
) -> None:
    vm, data = await attached(cloud, disk)
    uuid, host = data["uuid"], cloud.host_of(vm["uuid"])
    one = await snap(cloud, uuid, "one")
    if not running:
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
    path, files = await path_of(cloud, uuid), dict(host.things.files)
    host.faults.by_verb["EnsureOverlay"] = 1.0
    calls = [("CreateVolumeSnapshot", {"volumeUuid": uuid, "name": "no"})]
    if not running:
        calls.append(("RevertVolumeFromSnapshot", {"uuid": one["uuid"]}))
    for call, fields in calls:
        error = await cloud.refused(call, **fields)
        assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "AGENT.1000")
        await cloud.idle()
        left = await cloud.query("QueryVolumeSnapshot", volumeUuid=uuid)
        assert [(each["uuid"], each["latest"], each["status"]) for each in left] == [
            (one["uuid"], True, "Ready")
        ]
        assert (await path_of(cloud, uuid), host.things.files) == (path, files)
    host.faults.by_verb["EnsureOverlay"] = 0.0
    await snap(cloud, uuid)


async def test_a_snapshot_survives_the_appliance_and_is_not_cancelled(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    host.delays.by_verb["EnsureOverlay"] = 0.3
    _, job = await cloud.begin("CreateVolumeSnapshot", volumeUuid=data["uuid"], name="s")
    assert job is not None
    error = await cloud.refused("CancelLongJob", uuid=job)
    assert "cannot be cancelled" in error["details"]
    for call in ("DetachDataVolumeFromVm", "ResizeDataVolume"):
        fields = {"size": 1 << 40} if call == "ResizeDataVolume" else {}
        _, waiting = await cloud.begin(call, uuid=data["uuid"], **fields)
        assert (await cloud.one("QueryLongJob", waiting))["state"] == "Queued"
        await cloud.call("CancelLongJob", uuid=waiting)
    await cloud.kill()
    await cloud.start()
    made = (await cloud.ended(job))["inventory"]
    assert (made["status"], made["size"]) == ("Ready", OVERLAY_BYTES)
    assert writes(host, vm, data["uuid"]) == await path_of(cloud, data["uuid"])


@pytest.mark.parametrize("back", [True, False])
async def test_a_guest_that_somebody_starts_by_hand_writes_to_the_new_file(
    cloud: Cloud, disk: str, back: bool
) -> None:
    vm, data = await attached(cloud, disk)
    host, uuid = cloud.host_of(vm["uuid"]), data["uuid"]
    made = await snap(cloud, uuid)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    if back:
        await cloud.answer("RevertVolumeFromSnapshot", uuid=made["uuid"])
    else:
        await snap(cloud, uuid)
    host.power_on(vm["uuid"])
    await cloud.vm_becomes(vm["uuid"], "Running")
    assert writes(host, vm, uuid) == await path_of(cloud, uuid)


async def begun_and_destroyed(cloud: Cloud, vm: Body, *calls: tuple[str, Body]) -> list[str]:
    """The jobs of calls that their host has not heard of when the VM is destroyed, which is done then."""
    host = cloud.host_of(vm["uuid"])
    host.reachable = False
    host.cut("pulled")
    begun = [(await cloud.begin(name, **fields))[1] for name, fields in calls]
    _, job = await cloud.begin("DestroyVmInstance", uuid=vm["uuid"])
    host.reachable = True
    assert job is not None
    assert (await cloud.ended(job))["success"]
    return [str(each) for each in begun]


@pytest.mark.parametrize("of", ["root", "data"])
@pytest.mark.parametrize("end", ["RecoverVmInstance", "ExpungeVmInstance"])
async def test_a_snapshot_that_was_begun_is_taken_and_answered_though_its_vm_is_destroyed(
    cloud: Cloud, disk: str, end: str, of: str
) -> None:
    vm, data = await attached(cloud, disk)
    host, root = cloud.host_of(vm["uuid"]), vm["rootVolumeUuid"]
    first = await path_of(cloud, root)
    uuid = root if of == "root" else data["uuid"]
    (job,) = await begun_and_destroyed(cloud, vm, ("CreateVolumeSnapshot", {"volumeUuid": uuid, "name": "s"}))
    answer = await cloud.ended(job)
    (made,) = await cloud.query("QueryVolumeSnapshot", volumeUuid=uuid)
    assert (answer["inventory"]["uuid"], made["status"]) == (made["uuid"], "Ready")
    assert chain(host, await path_of(cloud, uuid))[1] == made["primaryStorageInstallPath"]
    assert "quiesced" not in made  # no guest wrote any more
    second = await path_of(cloud, root)
    await cloud.answer(end, uuid=vm["uuid"])
    if end == "ExpungeVmInstance":
        assert below(host, root) == set()
        return
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    if of == "root":
        assert chain(host, second)[:2] == [second, first]
    assert writes(host, vm, root) == second


@pytest.mark.parametrize("of", ["root", "data"])
async def test_a_snapshot_of_what_goes_with_its_vm_is_cancelled_and_of_what_stays_is_taken(
    cloud: Cloud, disk: str, of: str
) -> None:
    vm, data = await attached(cloud, disk)
    await cloud.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    root = vm["rootVolumeUuid"]
    uuid = root if of == "root" else data["uuid"]
    (job,) = await begun_and_destroyed(cloud, vm, ("CreateVolumeSnapshot", {"volumeUuid": uuid, "name": "s"}))
    body, found = await cloud.ended(job), await cloud.query("QueryVolumeSnapshot")
    if of == "root":
        error = body["error"]
        assert (error["code"], error["details"]) == ("JOB.1000", "the VM was deleted, and the volume with it")
        assert found == []
    else:
        (made,) = found
        assert body["inventory"]["uuid"] == made["uuid"]
        assert (made["volumeUuid"], made["status"]) == (data["uuid"], "Ready")
    assert below(cloud.hosts[0], root) == set()


async def test_a_snapshot_that_is_refused_while_its_vm_ends_leaves_nothing_and_holds_nobody_up(
    cloud: Cloud, disk: str
) -> None:
    vm, data = await attached(cloud, disk)
    host, path = cloud.host_of(vm["uuid"]), await path_of(cloud, data["uuid"])
    host.faults.by_verb["EnsureOverlay"] = 1.0
    (job,) = await begun_and_destroyed(
        cloud, vm, ("CreateVolumeSnapshot", {"volumeUuid": data["uuid"], "name": "s"})
    )
    assert (await cloud.ended(job))["error"]["code"] == "SYS.1006"
    assert await cloud.query("QueryVolumeSnapshot") == []
    assert await path_of(cloud, data["uuid"]) == path


async def test_a_snapshot_that_is_deleted_while_its_vm_ends_is_told_to_go_later(cloud: Cloud) -> None:
    vm = await cloud.vm()
    made = await snap(cloud, vm["rootVolumeUuid"])
    (job,) = await begun_and_destroyed(cloud, vm, ("DeleteVolumeSnapshot", {"uuid": made["uuid"]}))
    assert "the snapshot goes once the volume is in use again" in (await cloud.ended(job))["error"]["details"]
    await cloud.answer("RecoverVmInstance", uuid=vm["uuid"])
    await cloud.until(lambda: cloud.query("QueryVolumeSnapshot"), lambda found: not found)


async def test_a_volume_that_was_to_go_back_has_gone_though_its_vm_is_destroyed(cloud: Cloud) -> None:
    vm = await cloud.vm()
    host, root = cloud.host_of(vm["uuid"]), vm["rootVolumeUuid"]
    made = await snap(cloud, root)
    written = await path_of(cloud, root)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    (job,) = await begun_and_destroyed(cloud, vm, ("RevertVolumeFromSnapshot", {"uuid": made["uuid"]}))
    assert (await cloud.ended(job))["success"]
    assert below(host, root) == {await path_of(cloud, root), made["primaryStorageInstallPath"]}
    assert written not in host.things.files


@pytest.mark.parametrize("why", ["", "its guest agent did not answer within 10 s"])
async def test_whether_a_guest_held_its_writes_back_is_told(cloud: Cloud, why: str) -> None:
    vm = await cloud.vm()
    cloud.host_of(vm["uuid"]).domains[vm["uuid"]].mute = why
    made = await snap(cloud, vm["rootVolumeUuid"])
    assert made["quiesced"] == (not why)
    kind = "SnapshotNotQuiesced" if why else "SnapshotQuiesced"
    (event,) = await cloud.query("QueryEvent", resourceUuid=made["uuid"])
    assert (event["name"], why in event["text"]) == (kind, True)


async def test_snapshots_go_with_their_volume(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    for uuid in (vm["rootVolumeUuid"], data["uuid"]):
        await snap(cloud, uuid)
        await snap(cloud, uuid)
    for category in ("vm", "volume"):
        await cloud.call("UpdateGlobalConfig", category=category, name="deletionPolicy", value="Direct")
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    assert below(host, data["uuid"]) == set()
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    assert below(host, vm["rootVolumeUuid"]) == set()
    assert await cloud.query("QueryVolumeSnapshot") == []
    assert await cloud.query("QueryVolumeSnapshotTree") == []


async def test_what_speaks_against_snapshots(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    nowhere = await volume(cloud, disk)
    gone = await volume(cloud, disk)
    await cloud.answer("DeleteDataVolume", uuid=gone["uuid"])
    async with cloud.untouched():
        for uuid, text in (
            (nowhere["uuid"], "is NotInstantiated, and has no content yet"),
            (gone["uuid"], "is in status of deleted"),
        ):
            error = await cloud.refused("CreateVolumeSnapshot", volumeUuid=uuid, name="s")
            assert (error["code"], text in error["details"]) == ("SYS.1006", True)
        assert (await cloud.answer("DeleteVolumeSnapshot", uuid="f" * 32))["success"]
        error = await cloud.refused("GetVolumeSnapshotTree")
        assert error["code"] == "SYS.1007"
    made = await snap(cloud, data["uuid"])
    changed = await cloud.call("UpdateVolumeSnapshot", uuid=made["uuid"], name="n", description="d")
    assert (changed["name"], changed["description"], changed["backupStorageRefs"]) == ("n", "d", [])
    assert vm["state"] == "Running"


async def test_it_has_the_uuid_and_the_tags_that_it_was_given(cloud: Cloud, disk: str) -> None:
    _, data = await attached(cloud, disk)
    uuid = uuid4().hex
    made = await cloud.call(
        "CreateVolumeSnapshot", volumeUuid=data["uuid"], name="s", resourceUuid=uuid, userTags=["nightly"]
    )
    assert (made["uuid"], uuid in (await cloud.one("QueryVolume", data["uuid"]))["installPath"]) == (
        uuid,
        True,
    )
    (tag,) = await cloud.query("QueryUserTag", resourceUuid=uuid)
    assert (tag["tag"], tag["resourceType"]) == ("nightly", "VolumeSnapshotVO")
    error = await cloud.refused("CreateVolumeSnapshot", volumeUuid=data["uuid"], name="t", resourceUuid=uuid)
    assert (error["code"], "exists already" in error["details"]) == ("SYS.1007", True)
