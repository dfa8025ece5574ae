"""Volumes that stand beside the tree of snapshots that they left: moved whole, each tree on its own image."""

from __future__ import annotations

import pytest

from appliance.hosts.simulator import SimulatedHost
from tests.appliance.resources import test_move
from tests.appliance.resources.test_move import ends, has_ended, move, uuid_of
from tests.appliance.resources.test_snapshot import snap
from tests.appliance.resources.test_vm_move import settled
from tests.appliance.resources.test_volume_backup import back_up
from tests.simulated_cloud import Body, Cloud


async def restored(cloud: Cloud) -> tuple[Body, SimulatedHost, SimulatedHost]:
    """A stopped VM whose root volume has a snapshot, and is what a backup held; its host, and the other."""
    vm = await cloud.vm()
    kept = await back_up(cloud, vm["rootVolumeUuid"])
    await snap(cloud, vm["rootVolumeUuid"], "before")
    source, target = ends(cloud, vm)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("RevertVolumeFromVolumeBackup", uuid=kept["uuid"])
    await cloud.idle()
    return vm, source, target


def files_of(host: SimulatedHost, uuid: str) -> dict[str, str | None]:
    """A volume's files on a host, each to what it builds on; not its backups."""
    found = test_move.files_of(host, uuid)
    return {path: below for path, below in found.items() if "volumeBackups" not in path}


def cached(host: SimulatedHost) -> list[str]:
    """The copies of images that a host has."""
    return [path for path in host.things.files if "imagecache" in path]


async def expunge(cloud: Cloud, image_uuid: str) -> None:
    await cloud.answer("DeleteImage", uuid=image_uuid)
    await cloud.answer("ExpungeImage", imageUuid=image_uuid)
    await cloud.idle()


@pytest.mark.parametrize("image", ["there", "gone"])
async def test_a_restored_volume_goes_with_the_tree_that_it_left(cloud: Cloud, image: str) -> None:
    vm, source, target = await restored(cloud)
    root = vm["rootVolumeUuid"]
    (base,) = cached(source)
    if image == "gone":
        await expunge(cloud, cloud.uuids["image"])
        assert cached(source) == [base]  # a snapshot builds on it
    there = files_of(source, root)
    assert sorted(str(below) for below in there.values()) == sorted(["None", base])
    answer = await move(cloud, root, target)
    assert answer["success"], answer
    await has_ended(cloud)
    assert (files_of(source, root), files_of(target, root)) == ({}, there)
    assert cached(target) == [base]
    (snapshot,) = await cloud.query("QueryVolumeSnapshot", volumeUuid=root)
    await cloud.call("RevertVolumeFromSnapshot", uuid=snapshot["uuid"])
    assert (await cloud.one("QueryVolume", root))["rootImageUuid"] == cloud.uuids["image"]
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["hostUuid"] == await uuid_of(cloud, target)
    # It is on the image again, and loses nothing of that when nothing else is below it.
    assert (await cloud.answer("DeleteVolumeSnapshot", uuid=snapshot["uuid"]))["success"]
    assert list(files_of(target, root).values()) == [base]
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    await cloud.answer("ExpungeVmInstance", uuid=vm["uuid"])
    await cloud.idle()
    assert cached(target) == ([base] if image == "there" else [])


async def test_a_running_vm_goes_with_the_tree_that_its_root_volume_left(cloud: Cloud) -> None:
    vm, source, target = await restored(cloud)
    root, (base,) = vm["rootVolumeUuid"], cached(source)
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    there = files_of(source, root)
    moved = await cloud.call("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=await uuid_of(cloud, target))
    assert moved["hostUuid"] == await uuid_of(cloud, target)
    await settled(cloud)
    assert (files_of(source, root), files_of(target, root), cached(target)) == ({}, there, [base])


async def test_what_is_kept_after_a_restore_is_a_tree_of_its_own(cloud: Cloud) -> None:
    vm, _, _ = await restored(cloud)
    root = vm["rootVolumeUuid"]
    after = await snap(cloud, root, "after")
    trees = (await cloud.answer("GetVolumeSnapshotTree", volumeUuid=root))["inventories"]
    shown = {tree["tree"]["inventory"]["name"]: tree["current"] for tree in trees}
    assert shown == {"before": False, "after": True}
    (before,) = await cloud.query("QueryVolumeSnapshot", name="before")
    host = cloud.host_of(vm["uuid"])
    host.faults.by_verb["EnsureOverlay"] = 1.0
    assert (await cloud.refused("RevertVolumeFromSnapshot", uuid=before["uuid"]))["code"] == "SYS.1006"
    host.faults.by_verb.clear()
    await cloud.idle()
    assert "rootImageUuid" not in await cloud.one("QueryVolume", root)
    await cloud.call("RevertVolumeFromSnapshot", uuid=before["uuid"])
    trees = (await cloud.answer("GetVolumeSnapshotTree", volumeUuid=root))["inventories"]
    shown = {tree["tree"]["inventory"]["name"]: tree["current"] for tree in trees}
    assert shown == {"before": True, "after": False}
    await cloud.call("RevertVolumeFromSnapshot", uuid=after["uuid"])
    assert "rootImageUuid" not in await cloud.one("QueryVolume", root)


async def test_a_volume_on_a_raw_image_that_is_gone_goes_on_building_on_it(cloud: Cloud) -> None:
    backups = [cloud.uuids["backup"]]
    url = "http://images/tiny.raw"
    image = await cloud.make("raw", "AddImage", url=url, format="raw", backupStorageUuids=backups)
    vm = await cloud.vm(imageUuid=image)
    root = vm["rootVolumeUuid"]
    source, target = ends(cloud, vm)
    kept = await snap(cloud, root, "one")
    await expunge(cloud, image)
    (base,) = [path for path in cached(source) if path.endswith(".raw")]
    assert (await cloud.answer("DeleteVolumeSnapshot", uuid=kept["uuid"]))["success"]
    assert list(files_of(source, root).values()) == [base]
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    assert (await move(cloud, root, target))["success"]
    await has_ended(cloud)
    assert list(files_of(target, root).values()) == [base]
