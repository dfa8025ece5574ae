"""Backups of volumes: written, carried, added to, restored, deleted, given up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.appliance.resources.test_volume import attached, disk, free
from tests.simulated_cloud import GIB, Body, Cloud

__all__ = ["disk"]


def stored(cloud: Cloud) -> set[str]:
    """The backups that any machine has, staged ones included."""
    return {path for host in cloud.hosts for path in host.things.files if "volumeBackups" in path}


def left_of_lanes(cloud: Cloud) -> list[str]:
    """Lanes that a machine has, and what came on them and got no name."""
    lanes = [host.things.lanes for host in cloud.hosts]
    return [name for each in lanes for name in (*each.offered, *each.opened, *each.arrived)]


async def back_up(cloud: Cloud, volume_uuid: str, **more: Any) -> Body:
    fields = {"volumeUuid": volume_uuid, "backupStorageUuid": cloud.uuids["backup"], "name": "b", **more}
    return await cloud.call("CreateVolumeBackup", **fields)


@pytest.mark.parametrize("place", ["host1", "host2"])
async def test_increments_add_to_what_is_there(cloud: Cloud, disk: str, place: str) -> None:
    vm, data = await attached(cloud, disk, hostUuid=cloud.uuids[place])
    first = await back_up(cloud, data["uuid"])
    second = await back_up(cloud, data["uuid"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    third = await back_up(cloud, data["uuid"], mode="full")
    assert [each["mode"] for each in (first, second, third)] == ["full", "incremental", "full"]
    assert (second["parentUuid"], "parentUuid" in third) == (first["uuid"], False)
    assert (second["status"], second["volumeSize"], second["size"]) == ("Ready", GIB, GIB)
    await cloud.idle()
    wanted = {each["installPath"] for each in (first, second, third)}
    assert stored(cloud) == wanted
    error = await cloud.refused("DeleteVolumeBackup", uuid=first["uuid"])
    assert "adds to; delete that first" in error["details"]
    error = await cloud.refused("DeleteBackupStorage", uuid=cloud.uuids["backup"])
    assert "holds" in error["details"]
    for each in (second, first, third):
        assert (await cloud.answer("DeleteVolumeBackup", uuid=each["uuid"]))["success"]
    assert stored(cloud) == set()
    assert (await cloud.answer("DeleteVolumeBackup", uuid=first["uuid"]))["success"]
    assert (await back_up(cloud, data["uuid"]))["mode"] == "full"


async def test_a_vm_is_backed_up_with_all_its_volumes(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    made = await cloud.answer(
        "CreateVmBackup",
        rootVolumeUuid=vm["rootVolumeUuid"],
        backupStorageUuid=cloud.uuids["backup"],
        name="b",
    )
    assert made["success"], made
    assert {each["volumeUuid"] for each in made["inventories"]} == {vm["rootVolumeUuid"], data["uuid"]}
    assert {each["groupUuid"] for each in made["inventories"]} == {made["inventory"]["uuid"]}
    assert {each["status"] for each in made["inventories"]} == {"Ready"}
    again = await back_up(cloud, data["uuid"])
    assert again["mode"] == "incremental"
    error = await cloud.refused(
        "CreateVmBackup", rootVolumeUuid=data["uuid"], backupStorageUuid=cloud.uuids["backup"], name="b"
    )
    assert error["code"] == "SYS.1007"


@pytest.mark.parametrize("message", ["CreateVolumeBackup", "CreateVmBackup", "BackupDataVolume"])
async def test_an_increment_waits_until_what_it_adds_to_has_arrived(
    cloud: Cloud, disk: str, message: str
) -> None:
    vm, data = await attached(cloud, disk)
    earlier = await back_up(cloud, data["uuid"])
    place = {"backupStorageUuid": cloud.uuids["backup"]}
    cloud.host_of(vm["uuid"]).delays.by_verb["CopyFiles"] = 3600
    _, job = await cloud.begin("CreateVolumeBackup", volumeUuid=data["uuid"], name="first", **place)
    assert job is not None

    async def carried() -> list[Body]:
        return [each for each in (await cloud.rows())["VolumeBackup"] if each["phase"] == "carrying"]

    await cloud.until(carried, bool)
    asked = {
        "CreateVolumeBackup": {"volumeUuid": data["uuid"], "name": "second"},
        "CreateVmBackup": {"rootVolumeUuid": vm["rootVolumeUuid"], "name": "second"},
        "BackupDataVolume": {"uuid": data["uuid"]},
    }[message]
    before = await cloud.rows()
    await cloud.waits(message, **asked, **place)
    assert (await cloud.rows())["VolumeBackup"] == before["VolumeBackup"]
    _, whole = await cloud.begin(
        "CreateVolumeBackup", volumeUuid=data["uuid"], name="whole", mode="full", **place
    )
    assert (await cloud.one("QueryLongJob", str(whole)))["state"] == "Running"
    assert earlier["mode"] == "full"


async def test_zstacks_own_message_backs_a_data_volume_up(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    assert (await cloud.call("BackupDataVolume", uuid=data["uuid"]))["uuid"] == data["uuid"]
    (made,) = await cloud.query("QueryVolumeBackup", volumeUuid=data["uuid"])
    assert (made["status"], made["backupStorageUuid"]) == ("Ready", cloud.uuids["backup"])
    error = await cloud.refused("BackupDataVolume", uuid=vm["rootVolumeUuid"])
    assert error["code"] == "SYS.1007"


@pytest.mark.parametrize("place", ["host1", "host2"])
async def test_a_backup_becomes_a_volume_on_any_host_though_its_own_is_gone(
    cloud: Cloud, disk: str, place: str
) -> None:
    vm, data = await attached(cloud, disk, hostUuid=cloud.uuids["host1"])
    await back_up(cloud, data["uuid"])
    last = await back_up(cloud, data["uuid"])
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    await cloud.answer("ExpungeDataVolume", uuid=data["uuid"])
    before = await free(cloud)
    made = await cloud.call(
        "CreateDataVolumeFromVolumeBackup", backupUuid=last["uuid"], name="again",
        primaryStorageUuid=cloud.uuids["primary"], hostUuid=cloud.uuids[place],
    )  # fmt: skip
    assert (made["status"], made["size"], made["type"]) == ("Ready", GIB, "Data")
    assert await free(cloud) == before - GIB
    (there,) = [host for host in cloud.hosts if made["installPath"] in host.things.files]
    assert there.address.endswith(place[-1])
    assert not [path for host in cloud.hosts for path in host.things.files if ".qcow2." in path]
    if place == "host1":
        await cloud.call("AttachDataVolumeToVm", volumeUuid=made["uuid"], vmInstanceUuid=vm["uuid"])
    error = await cloud.refused("RevertVolumeFromVolumeBackup", uuid=last["uuid"])
    assert "CreateDataVolumeFromVolumeBackup makes a new one" in error["details"]


async def test_a_root_volume_goes_back_to_its_backup(cloud: Cloud) -> None:
    vm = await cloud.vm()
    root = vm["rootVolumeUuid"]
    kept = await back_up(cloud, root)
    await cloud.call("CreateVolumeSnapshot", volumeUuid=root, name="s")
    error = await cloud.refused("RevertVolumeFromVolumeBackup", uuid=kept["uuid"])
    assert "stop it first" in error["details"]
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    before = await cloud.one("QueryVolume", root)
    back = await cloud.call("RevertVolumeFromVolumeBackup", uuid=kept["uuid"])
    assert back["installPath"] != before["installPath"]
    await cloud.idle()
    files = {path for host in cloud.hosts for path in host.things.files}
    assert back["installPath"] in files
    assert before["installPath"] not in files
    (snapshot,) = await cloud.query("QueryVolumeSnapshot", volumeUuid=root)
    assert (snapshot["latest"], snapshot["primaryStorageInstallPath"] in files) == (False, True)
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["state"] == "Running"
    host = cloud.host_of(vm["uuid"])
    assert back["installPath"] in host.domains[vm["uuid"]].writes.values()
    assert (await back_up(cloud, root))["mode"] == "full"
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("RevertVolumeFromSnapshot", uuid=snapshot["uuid"])
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    await cloud.answer("ExpungeVmInstance", uuid=vm["uuid"])
    left = [
        path for each in cloud.hosts for path in each.things.files if root in path and "Backups" not in path
    ]
    assert left == []


@pytest.mark.parametrize("verb", ["BackUpVolumes", "OpenLane", "CopyFiles", "AdoptFiles"])
async def test_a_backup_that_fails_leaves_nothing(cloud: Cloud, disk: str, verb: str) -> None:
    vm, data = await attached(cloud, disk, hostUuid=cloud.uuids["host2"])
    takes = verb in ("OpenLane", "AdoptFiles")
    host = cloud.dialer.hosts["10.0.0.1:22"] if takes else cloud.host_of(vm["uuid"])
    async with cloud.untouched():
        host.faults.by_verb[verb] = 1.0
        error = await cloud.refused(
            "CreateVolumeBackup", volumeUuid=data["uuid"], backupStorageUuid=cloud.uuids["backup"], name="b"
        )
        assert error["code"] == "SYS.1006"
        host.faults.by_verb.clear()


@pytest.mark.parametrize("verb", ["BackUpVolumes", "CopyFiles"])
async def test_a_backup_that_is_being_undone_can_be_deleted(cloud: Cloud, disk: str, verb: str) -> None:
    vm, data = await attached(cloud, disk, hostUuid=cloud.uuids["host2"])
    storage, host = cloud.dialer.hosts["10.0.0.1:22"], cloud.host_of(vm["uuid"])
    host.faults.by_verb[verb] = 1.0
    storage.faults.by_verb["CloseLane"] = 1.0
    _, made = await cloud.begin(
        "CreateVolumeBackup", volumeUuid=data["uuid"], backupStorageUuid=cloud.uuids["backup"], name="b"
    )
    (kept,) = await cloud.until(lambda: cloud.query("QueryVolumeBackup", status="Deleting"), bool)
    _, gone = await cloud.begin("DeleteVolumeBackup", uuid=kept["uuid"])
    assert made is not None
    assert gone is not None
    await cloud.kill()
    storage.faults.by_verb.clear()
    await cloud.start()
    assert (await cloud.ended(gone))["success"]
    assert (await cloud.ended(made))["error"]["code"] == "SYS.1006"
    assert (stored(cloud), left_of_lanes(cloud)) == (set(), [])


@pytest.mark.parametrize("dies", [True, False])
async def test_a_vm_backup_that_is_cancelled_while_it_is_written_leaves_nothing(
    cloud: Cloud, disk: str, dies: bool
) -> None:
    vm, _ = await attached(cloud, disk)
    cloud.host_of(vm["uuid"]).delays.by_verb["BackUpVolumes"] = 0.5
    async with cloud.untouched():
        _, job = await cloud.begin(
            "CreateVmBackup",
            rootVolumeUuid=vm["rootVolumeUuid"],
            backupStorageUuid=cloud.uuids["backup"],
            name="b",
        )
        assert job is not None
        await asyncio.sleep(0.2)
        await cloud.call("CancelLongJob", uuid=job)
        if dies:
            await cloud.kill()
            await cloud.start()
        assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"
        await cloud.idle()
        assert (stored(cloud), left_of_lanes(cloud)) == (set(), [])


@pytest.mark.parametrize("verb", ["CopyFiles", "OpenLane", "AdoptFiles", "JoinBackups"])
async def test_a_restore_that_fails_leaves_nothing(cloud: Cloud, disk: str, verb: str) -> None:
    vm, data = await attached(cloud, disk, hostUuid=cloud.uuids["host2"])
    backup = await back_up(cloud, data["uuid"])
    await cloud.idle()
    host = cloud.dialer.hosts["10.0.0.1:22"] if verb == "CopyFiles" else cloud.host_of(vm["uuid"])
    async with cloud.untouched():
        host.faults.by_verb[verb] = 1.0
        error = await cloud.refused(
            "CreateDataVolumeFromVolumeBackup", backupUuid=backup["uuid"], name="again",
            primaryStorageUuid=cloud.uuids["primary"], hostUuid=cloud.uuids["host2"],
        )  # fmt: skip
        assert error["code"] == "SYS.1006"
        host.faults.by_verb.clear()


async def test_a_volume_without_content_has_no_backup(cloud: Cloud, disk: str) -> None:
    data = await cloud.make("data", "CreateDataVolume", diskOfferingUuid=disk)
    async with cloud.untouched():
        error = await cloud.refused(
            "CreateVolumeBackup", volumeUuid=data, backupStorageUuid=cloud.uuids["backup"], name="b"
        )
    assert "no content to back up" in error["details"]


async def test_a_backup_survives_the_end_of_the_appliance(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk, hostUuid=cloud.uuids["host2"])
    host = cloud.host_of(vm["uuid"])
    host.reachable = False
    host.cut("pulled")
    _, job = await cloud.begin(
        "CreateVolumeBackup", volumeUuid=data["uuid"], backupStorageUuid=cloud.uuids["backup"], name="b"
    )
    await cloud.kill()
    host.reachable = True
    await cloud.start()
    assert job is not None
    assert (await cloud.ended(job))["inventory"]["status"] == "Ready"
    await cloud.idle()
    assert len(stored(cloud)) == 1


async def test_a_snapshot_has_copies_on_backup_storages(cloud: Cloud, disk: str) -> None:
    _, data = await attached(cloud, disk)
    await back_up(cloud, data["uuid"])
    kept = await cloud.call("CreateVolumeSnapshot", volumeUuid=data["uuid"], name="s")
    there = await cloud.call("BackupVolumeSnapshot", uuid=kept["uuid"])
    (ref,) = there["backupStorageRefs"]
    assert ref["backupStorageUuid"] == cloud.uuids["backup"]
    assert ref["installPath"] in stored(cloud)
    error = await cloud.refused("BackupVolumeSnapshot", uuid=kept["uuid"])
    assert "already" in error["details"]
    (copy,) = await cloud.query("QueryVolumeBackup", volumeSnapshotUuid=kept["uuid"])
    assert (copy["status"], copy["mode"], copy["size"]) == ("Ready", "full", GIB)
    storages = [cloud.uuids["backup"]]
    gone = await cloud.call(
        "DeleteVolumeSnapshotFromBackupStorage", uuid=kept["uuid"], backupStorageUuids=storages
    )
    assert gone["backupStorageRefs"] == []
    assert ref["installPath"] not in stored(cloud)
    error = await cloud.refused(
        "DeleteVolumeSnapshotFromBackupStorage", uuid=kept["uuid"], backupStorageUuids=storages
    )
    assert error["code"] == "SYS.1007"
    await cloud.call("BackupVolumeSnapshot", uuid=kept["uuid"], backupStorageUuid=storages[0])
    await cloud.answer("DeleteVolumeSnapshot", uuid=kept["uuid"])
    (copy,) = await cloud.query("QueryVolumeBackup", volumeSnapshotUuid=kept["uuid"])
    made = await cloud.call(
        "CreateDataVolumeFromVolumeBackup", backupUuid=copy["uuid"], name="again",
        primaryStorageUuid=cloud.uuids["primary"], hostUuid=cloud.uuids["host1"],
    )  # fmt: skip
    assert made["status"] == "Ready"


async def test_a_vms_disk_goes_on_elsewhere_as_an_image(cloud: Cloud) -> None:
    vm = await cloud.vm(hostUuid=cloud.uuids["host1"])
    await back_up(cloud, vm["rootVolumeUuid"])
    last = await back_up(cloud, vm["rootVolumeUuid"])
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    await cloud.answer("ExpungeVmInstance", uuid=vm["uuid"])
    image = await cloud.call("CreateRootVolumeTemplateFromVolumeBackup", backupUuid=last["uuid"], name="was")
    assert (image["status"], image["url"]) == ("Ready", f"volumeBackup://{last['uuid']}")
    other = await cloud.vm(imageUuid=image["uuid"], hostUuid=cloud.uuids["host2"])
    assert other["state"] == "Running"
    host = cloud.dialer.hosts["10.0.0.1:22"]
    async with cloud.untouched():
        host.faults.by_verb["JoinBackups"] = 1.0
        await cloud.refused("CreateRootVolumeTemplateFromVolumeBackup", backupUuid=last["uuid"], name="no")
        host.faults.by_verb.clear()


async def test_what_is_made_has_the_tags_that_it_was_asked_for_with(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)

    async def tagged(uuid: str) -> list[tuple[str, str]]:
        return [
            (tag["tag"], tag["resourceType"]) for tag in await cloud.query("QueryUserTag", resourceUuid=uuid)
        ]

    kept = await back_up(cloud, data["uuid"], userTags=["nightly"])
    assert await tagged(kept["uuid"]) == [("nightly", "VolumeBackupVO")]
    backups = {"backupStorageUuid": cloud.uuids["backup"], "name": "b", "userTags": ["all"]}
    made = await cloud.answer("CreateVmBackup", rootVolumeUuid=vm["rootVolumeUuid"], **backups)
    for each in made["inventories"]:
        assert await tagged(each["uuid"]) == [("all", "VolumeBackupVO")]
    place = {"primaryStorageUuid": cloud.uuids["primary"], "hostUuid": cloud.uuids["host1"]}
    ask = {"backupUuid": kept["uuid"], "name": "again", "userTags": ["one", "two", "one"]}
    volume = await cloud.call("CreateDataVolumeFromVolumeBackup", **ask, **place)
    assert await tagged(volume["uuid"]) == [("one", "VolumeVO"), ("two", "VolumeVO")]
    image = await cloud.call("CreateRootVolumeTemplateFromVolumeBackup", **ask)
    assert await tagged(image["uuid"]) == [("one", "ImageVO"), ("two", "ImageVO")]
    async with cloud.untouched():
        for name, more in (
            ("CreateRootVolumeTemplateFromVolumeBackup", {}),
            ("CreateDataVolumeFromVolumeBackup", place),
        ):
            error = await cloud.refused(name, **{**ask, "systemTags": ["no::such"]}, **more)
            assert "no system tag matches" in error["details"]
