"""Data volumes deleted, taken back and removed for good, by hand and by time, and what ends with their VM."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appliance.api.recycle_bin import RecycleBinItem
from appliance.api.resource import Timestamp
from appliance.api.vm import VmInstance
from appliance.reconcile.janitor import expunge_due
from tests.appliance.resources.test_volume import attach, attached, disk, disks, free, serials, volume
from tests.simulated_cloud import GIB, Cloud, SimulatorCloud

__all__ = ["disk"]


async def policy(cloud: Cloud, value: str, *, of: str = "volume") -> None:
    await cloud.call("UpdateGlobalConfig", category=of, name="deletionPolicy", value=value)


def data_files(cloud: Cloud) -> list[str]:
    return [path for host in cloud.hosts for path in host.things.files if "dataVolumes" in path]


async def age(cloud: Cloud, uuid: str, seconds: float) -> list[str]:
    """Let a deletion be so old, and the janitor look."""

    def write(tx: Any) -> list[str]:
        item = tx.first(RecycleBinItem, resource_uuid=uuid)
        assert item is not None
        tx.update(item, deletion_date=Timestamp(item.deletion_date - seconds))
        if item.expunge_date is not None:
            tx.update(item, expunge_date=Timestamp(item.expunge_date - seconds))
        return expunge_due(tx, "volume")

    found: list[str] = await cloud.database.write(write)
    return found


async def test_a_deleted_volume_gives_its_room_back_and_can_be_recovered(cloud: Cloud, disk: str) -> None:
    await cloud.vm()
    before = await free(cloud)
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    took = await free(cloud)
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    gone = await cloud.one("QueryVolume", data["uuid"])
    assert (gone["status"], "vmInstanceUuid" in gone) == ("Deleted", False)
    assert disks(host, vm) == serials(vm["rootVolumeUuid"])
    assert await free(cloud) == took + GIB
    assert host.things.files[data["installPath"]] == GIB
    error = await cloud.refused("DeleteDataVolume", uuid=data["uuid"])
    assert error["details"] == f"volume[uuid:{data['uuid']}] is already in status of deleted"
    for call in ("ResizeDataVolume", "ChangeVolumeState"):
        fields = {"size": 4 * GIB} if call == "ResizeDataVolume" else {"stateEvent": "disable"}
        error = await cloud.refused(call, uuid=data["uuid"], **fields)
        assert "in status of deleted" in error["details"]
    back = await cloud.call("RecoverDataVolume", uuid=data["uuid"])
    assert (back["status"], await free(cloud)) == ("Ready", took)
    await attach(cloud, vm, data)
    error = await cloud.refused("RecoverDataVolume", uuid=data["uuid"])
    said = "is not in status of deleted. This is operation is to recover a deleted data volume"
    assert (error["code"], said in error["details"]) == ("SYS.1006", True)
    error = await cloud.refused("ExpungeDataVolume", uuid=data["uuid"])
    assert error["details"] == f"the volume[uuid:{data['uuid']}] is not deleted yet, can't expunge it"
    assert before - took == GIB + vm["allVolumes"][0]["size"]


async def test_a_volume_that_was_nowhere_is_nowhere_again(cloud: Cloud, disk: str) -> None:
    data = await volume(cloud, disk)
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    back = await cloud.call("RecoverDataVolume", uuid=data["uuid"])
    assert (back["status"], "installPath" in back) == ("NotInstantiated", False)


async def test_expunging_leaves_nothing(cloud: Cloud, disk: str) -> None:
    vm = await cloud.vm()
    async with cloud.untouched():
        data = await attach(cloud, vm, await volume(cloud, disk, userTags=["x"]))
        nowhere = await volume(cloud, disk)
        for each in (data, nowhere):
            await cloud.answer("DeleteDataVolume", uuid=each["uuid"])
            body = await cloud.answer("ExpungeDataVolume", uuid=each["uuid"])
            assert body["success"], body
            assert await cloud.query("QueryVolume", uuid=each["uuid"]) == []
        await cloud.database.write(lambda tx: _same_generation(tx, vm["uuid"]))


def _same_generation(tx: Any, uuid: str) -> None:
    """How often a VM's intent has changed is no trace."""
    tx.update(tx.get(VmInstance, uuid), generation=1)


@pytest.mark.parametrize("power", ["running", "stopped", "free"])
async def test_direct_deletes_the_file_too(cloud: Cloud, disk: str, power: str) -> None:
    vm, data = await attached(cloud, disk)
    if power == "stopped":
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
    if power == "free":
        await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    await policy(cloud, "Direct")
    body = await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    assert body["success"], body
    assert await cloud.query("QueryVolume", uuid=data["uuid"]) == []
    assert await cloud.query("QueryLocalStorageResourceRef", resourceUuid=data["uuid"]) == []
    assert data_files(cloud) == []
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == (
        "Stopped" if power == "stopped" else "Running"
    )


async def test_what_is_no_data_volume_or_not_there(cloud: Cloud) -> None:
    vm = await cloud.vm()
    error = await cloud.refused("DeleteDataVolume", uuid=vm["rootVolumeUuid"])
    assert error["code"] == "SYS.1007"
    assert error["details"] == f"volume[uuid:{vm['rootVolumeUuid']}] is Root volume, can't be deleted"
    assert (await cloud.answer("DeleteDataVolume", uuid="f" * 32))["success"]


async def test_time_expunges_and_never_means_never(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    assert await age(cloud, data["uuid"], 86000) == []
    await policy(cloud, "Never")
    assert await age(cloud, data["uuid"], 315e6) == []
    await policy(cloud, "Delay")
    assert await age(cloud, data["uuid"], 86401) == [data["uuid"]]
    await cloud.until(lambda: cloud.query("QueryVolume", uuid=data["uuid"]), lambda found: not found)
    assert data_files(cloud) == []
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Running"


async def test_a_host_that_is_away_is_expunged_when_it_is_back(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    host.reachable = False
    host.cut("away")
    await cloud.until(
        lambda: cloud.one("QueryHost", vm["hostUuid"]), lambda found: found["status"] != "Connected"
    )
    _, job = await cloud.begin("ExpungeDataVolume", uuid=data["uuid"])
    assert job is not None
    error = await cloud.refused("RecoverDataVolume", uuid=data["uuid"])
    assert "being removed" in error["details"]
    host.reachable = True
    await cloud.answer("ReconnectHost", uuid=vm["hostUuid"])
    assert (await cloud.ended(job))["success"]
    assert data_files(cloud) == []


@pytest.mark.parametrize("vm_policy", ["Delay", "Direct"])
async def test_a_destroyed_vm_leaves_its_volumes(cloud: Cloud, disk: str, vm_policy: str) -> None:
    await policy(cloud, vm_policy, of="vm")
    vm, data = await attached(cloud, disk)
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    kept = await cloud.one("QueryVolume", data["uuid"])
    assert (kept["status"], "vmInstanceUuid" in kept) == ("Ready", False)
    assert len(data_files(cloud)) == 1
    if vm_policy == "Delay":
        back = await cloud.call("RecoverVmInstance", uuid=vm["uuid"])
        assert [each["uuid"] for each in back["allVolumes"]] == [vm["rootVolumeUuid"]]
        await cloud.call("StartVmInstance", uuid=vm["uuid"])
        assert disks(cloud.host_of(vm["uuid"]), vm) == serials(vm["rootVolumeUuid"])
        await attach(cloud, vm, data)


@pytest.mark.parametrize(("volume_policy", "left"), [("Delay", ["Deleted"]), ("Direct", [])])
async def test_volumes_are_deleted_with_their_vm_where_that_is_wanted(
    cloud: Cloud, disk: str, volume_policy: str, left: list[str]
) -> None:
    await cloud.call("UpdateGlobalConfig", category="vm", name="dataVolume.deleteOnVmDestroy", value="true")
    await policy(cloud, volume_policy)
    vm, data = await attached(cloud, disk)
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    await cloud.idle()
    assert [each["status"] for each in await cloud.query("QueryVolume", uuid=data["uuid"])] == left
    assert len(data_files(cloud)) == len(left)


async def test_a_vm_destroyed_while_a_volume_comes_leaves_that_as_it_was(cloud: Cloud, disk: str) -> None:
    vm, data = await cloud.vm(), await volume(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    host.delays.by_verb["DefineDomain"] = 0.3
    fields = {"vmInstanceUuid": vm["uuid"], "volumeUuid": data["uuid"]}
    _, job = await cloud.begin("AttachDataVolumeToVm", **fields)
    assert job is not None
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"
    await cloud.idle()
    kept = await cloud.one("QueryVolume", data["uuid"])
    assert {**kept, "lastOpDate": 0} == {**data, "lastOpDate": 0}
    assert data_files(cloud) == []


async def test_a_host_or_storage_with_volumes_is_kept(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    host = vm["hostUuid"]
    await policy(cloud, "Direct", of="vm")
    await cloud.answer("DestroyVmInstance", uuid=vm["uuid"])
    error = await cloud.refused("DeleteHost", uuid=host)
    assert "holds 1 data volume (data)" in error["details"]
    fields = {"primaryStorageUuid": cloud.uuids["primary"], "clusterUuid": cloud.uuids["cluster"]}
    error = await cloud.refused("DetachPrimaryStorageFromCluster", **fields)
    assert f"volume data[uuid:{data['uuid']}] is on it" in error["details"]
    await policy(cloud, "Direct")
    await cloud.answer("DeleteDataVolume", uuid=data["uuid"])
    await cloud.call("DetachPrimaryStorageFromCluster", **fields)
    await cloud.answer("DeleteHost", uuid=host)


# --- from an image ------------------------------------------------------------------------------------


async def template(cloud: Cloud) -> str:
    return await cloud.make(
        "template", "AddImage", url="http://images/data.qcow2", format="qcow2",
        backupStorageUuids=[cloud.uuids["backup"]], mediaType="DataVolumeTemplate",
    )  # fmt: skip


def made_from(cloud: Cloud, image: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "data", "imageUuid": image, "primaryStorageUuid": cloud.uuids["primary"],
        "hostUuid": cloud.uuids["host2"], **changes,
    }  # fmt: skip


async def test_a_volume_is_made_from_an_image_on_the_host_named(cloud: Cloud) -> None:
    image, before = await template(cloud), await free(cloud)
    data = await cloud.call("CreateDataVolumeFromVolumeTemplate", **made_from(cloud, image))
    assert (data["status"], data["type"], data["rootImageUuid"]) == ("Ready", "Data", image)
    (host,) = [host for host in cloud.hosts if data["installPath"] in host.things.files]
    assert host.address == "10.0.0.2"
    assert await free(cloud) == before - data["size"]
    vm = await cloud.vm(hostUuid=cloud.uuids["host2"])
    await attach(cloud, vm, data)
    assert disks(host, vm) == serials(vm["rootVolumeUuid"], data["uuid"])


async def test_a_volume_that_cannot_be_made_from_its_image_is_not_kept(cloud: Cloud) -> None:
    image = await template(cloud)
    await cloud.call("CreateDataVolumeFromVolumeTemplate", **made_from(cloud, image))
    (host,) = [host for host in cloud.hosts if host.address == "10.0.0.2"]
    host.faults.by_verb["EnsureVolume"] = 1.0
    async with cloud.untouched():
        error = await cloud.refused("CreateDataVolumeFromVolumeTemplate", **made_from(cloud, image))
        assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "AGENT.1000")
    host.faults.by_verb["EnsureVolume"] = 0.0
    host.delays.by_verb["EnsureVolume"] = 0.3
    async with cloud.untouched():
        _, job = await cloud.begin("CreateDataVolumeFromVolumeTemplate", **made_from(cloud, image))
        assert job is not None
        await cloud.call("CancelLongJob", uuid=job)
        assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"


async def test_what_speaks_against_making_a_volume_from_an_image(cloud: Cloud) -> None:
    image = await template(cloud)
    async with cloud.untouched():
        for changes, code, text in (
            (
                {"imageUuid": cloud.uuids["image"]},
                "SYS.1007",
                "is not DataVolumeTemplate, it's RootVolumeTemplate",
            ),
            ({"hostUuid": None}, "SYS.1007", "hostUuid must say which host"),
            ({"hostUuid": "f" * 32}, "SYS.1003", "not found"),
        ):
            fields = {name: value for name, value in made_from(cloud, image, **changes).items() if value}
            error = await cloud.refused("CreateDataVolumeFromVolumeTemplate", **fields)
            assert (error["code"], text in error["details"]) == (code, True), error


# --- simulated hosts ----------------------------------------------------------------------------------


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[SimulatorCloud]:
    """A cloud whose hosts die with its appliance."""
    cloud = SimulatorCloud(tmp_path / "data")
    await cloud.start()
    await cloud.build()
    yield cloud
    await cloud.stop()


async def test_volumes_on_simulated_hosts_outlive_the_appliance(simulator: SimulatorCloud) -> None:
    cloud = simulator
    offering = await cloud.make("disk", "CreateDiskOffering", diskSize=GIB)
    vm, data = await attached(cloud, offering)
    loose = await attach(cloud, vm, await volume(cloud, offering))
    loose = await cloud.call("DetachDataVolumeFromVm", uuid=loose["uuid"])
    assert (data["format"], data["status"]) == ("simulator", "Ready")
    await cloud.stop()
    await cloud.start()
    await cloud.vm_becomes(vm["uuid"], "Running")
    await cloud.idle()
    host = cloud.host_of(vm["uuid"])
    assert disks(host, vm) == serials(vm["rootVolumeUuid"], data["uuid"])
    assert {host.things.files[each["installPath"]] for each in (data, loose)} == {GIB}
    assert not [effect for effect in host.effects if effect[0] == "DefineDomain"]
