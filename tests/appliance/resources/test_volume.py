"""Data volumes: made, given to VMs, taken from them and made larger, running or stopped, whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from agent.protocol import serial_of
from appliance.hosts.simulator import SimulatedHost
from tests.simulated_cloud import GIB, Body, Cloud


@pytest.fixture
async def disk(cloud: Cloud) -> str:
    """A disk offering of 1 GiB."""
    return await cloud.make("disk", "CreateDiskOffering", diskSize=GIB)


async def volume(cloud: Cloud, disk: str, **fields: Any) -> Body:
    return await cloud.call("CreateDataVolume", **{"name": "data", "diskOfferingUuid": disk, **fields})


async def attach(cloud: Cloud, vm: Body, data: Body) -> Body:
    return await cloud.call("AttachDataVolumeToVm", vmInstanceUuid=vm["uuid"], volumeUuid=data["uuid"])


async def attached(cloud: Cloud, disk: str, **fields: Any) -> tuple[Body, Body]:
    vm = await cloud.vm(**fields)
    return vm, await attach(cloud, vm, await volume(cloud, disk))


async def free(cloud: Cloud) -> int:
    (storage,) = await cloud.query("QueryPrimaryStorage")
    return int(storage["availableCapacity"])


def disks(host: SimulatedHost, vm: Body) -> list[str]:
    return sorted(host.domains[vm["uuid"]].disks)


def serials(*volumes: str) -> list[str]:
    return sorted(map(serial_of, volumes))


def verbs(host: SimulatedHost, vm: Body) -> list[str]:
    return [verb for verb, resource, _ in host.effects if resource == vm["uuid"]]


async def test_a_new_volume_is_nowhere_until_it_is_attached(cloud: Cloud, disk: str) -> None:
    before = await free(cloud)
    data = await volume(cloud, disk, description="d", systemTags=[], userTags=["mine"])
    assert (data["type"], data["status"], data["state"]) == ("Data", "NotInstantiated", "Enabled")
    assert (data["size"], data["diskOfferingUuid"]) == (GIB, disk)
    assert {"primaryStorageUuid", "installPath", "vmInstanceUuid", "deviceId"} & data.keys() == set()
    assert await free(cloud) == before
    assert await cloud.query("QueryLocalStorageResourceRef", resourceUuid=data["uuid"]) == []


async def test_a_size_is_rounded_up_to_whole_sectors(cloud: Cloud) -> None:
    odd = await cloud.make("odd", "CreateDiskOffering", diskSize=1000)
    data = await volume(cloud, odd)
    assert data["size"] == 1024
    await attach(cloud, await cloud.vm(), data)


async def test_a_running_guest_gets_a_volume_at_once_and_lets_it_go(cloud: Cloud, disk: str) -> None:
    vm = await cloud.vm()
    host, before = cloud.host_of(vm["uuid"]), await free(cloud)
    began = len(verbs(host, vm))
    data = await attach(cloud, vm, await volume(cloud, disk))
    assert (data["status"], data["vmInstanceUuid"], data["deviceId"]) == ("Ready", vm["uuid"], 1)
    assert data["installPath"].startswith("/zstack_ps/dataVolumes/")
    assert data["installPath"].endswith(f"/vol-{data['uuid']}/{data['uuid']}.qcow2")
    assert verbs(host, vm)[began:] == ["EnsureVolume", "DefineDomain"]
    assert disks(host, vm) == serials(vm["rootVolumeUuid"], data["uuid"])
    assert host.domains[vm["uuid"]].starts == 1
    assert await free(cloud) == before - GIB
    (ref,) = await cloud.query("QueryLocalStorageResourceRef", resourceUuid=data["uuid"])
    assert (ref["hostUuid"], ref["size"]) == (vm["hostUuid"], GIB)
    kept = await cloud.one("QueryVmInstance", vm["uuid"])
    assert {each["uuid"] for each in kept["allVolumes"]} == {vm["rootVolumeUuid"], data["uuid"]}

    loose = await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    assert (loose["status"], "vmInstanceUuid" in loose, "deviceId" in loose) == ("Ready", False, False)
    assert disks(host, vm) == serials(vm["rootVolumeUuid"])
    assert host.things.files[data["installPath"]] == GIB
    assert await free(cloud) == before - GIB
    assert (await attach(cloud, vm, data))["deviceId"] == 1


async def test_a_volume_outlives_stop_and_start(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    for call in ("StopVmInstance", "StartVmInstance", "RebootVmInstance"):
        await cloud.call(call, uuid=vm["uuid"])
    assert disks(host, vm) == serials(vm["rootVolumeUuid"], data["uuid"])
    host.crash_and_boot()
    await cloud.idle()


async def test_a_stopped_vm_has_a_volume_from_its_next_start_on(cloud: Cloud, disk: str) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    data = await attach(cloud, vm, await volume(cloud, disk))
    assert (data["status"], host.things.files[data["installPath"]]) == ("Ready", GIB)
    assert disks(host, vm) == serials(vm["rootVolumeUuid"])
    loose = await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    assert (loose["status"], "vmInstanceUuid" in loose) == ("Ready", False)
    body, job = await cloud.begin("AttachDataVolumeToVm", vmInstanceUuid=vm["uuid"], volumeUuid=data["uuid"])
    assert (job, body["inventory"]["deviceId"]) == (None, 1)
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert disks(host, vm) == serials(vm["rootVolumeUuid"], data["uuid"])


async def test_a_vm_that_somebody_starts_by_hand_has_no_volume_that_was_taken_from_it(
    cloud: Cloud, disk: str
) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    host.power_on(vm["uuid"], tell=False)
    assert disks(host, vm) == serials(vm["rootVolumeUuid"])


async def test_a_vm_is_made_with_data_volumes(cloud: Cloud, disk: str) -> None:
    before = await free(cloud)
    vm = await cloud.vm(dataDiskOfferingUuids=[disk, disk])
    volumes = {each["deviceId"]: each for each in vm["allVolumes"]}
    assert [volumes[place]["type"] for place in range(3)] == ["Root", "Data", "Data"]
    assert {each["status"] for each in vm["allVolumes"]} == {"Ready"}
    assert volumes[1]["name"] == "DATA-for-vm"
    host = cloud.host_of(vm["uuid"])
    assert disks(host, vm) == serials(*(each["uuid"] for each in vm["allVolumes"]))
    assert await free(cloud) == before - 2 * GIB - volumes[0]["size"]


async def test_of_a_vm_that_cannot_be_made_no_volume_is_kept(cloud: Cloud, disk: str) -> None:
    await cloud.vm()
    await cloud.vm()  # the image is on both hosts now
    for host in cloud.hosts:
        host.faults.by_verb["StartDomain"] = 1.0
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(dataDiskOfferingUuids=[disk]))
        assert error["code"] == "VM.1000"
        await cloud.idle()


async def test_a_volume_that_cannot_be_plugged_is_nowhere_again(cloud: Cloud, disk: str) -> None:
    vm, data = await cloud.vm(), await volume(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    host.domains[vm["uuid"]].full = True
    before, things = await free(cloud), cloud.things()
    fields = {"vmInstanceUuid": vm["uuid"], "volumeUuid": data["uuid"]}
    error = await cloud.refused("AttachDataVolumeToVm", **fields)
    assert (error["code"], error["cause"]["code"]) == ("VM.1005", "AGENT.1000")
    await cloud.idle()
    kept = await cloud.one("QueryVolume", data["uuid"])
    assert {**kept, "lastOpDate": 0} == {**data, "lastOpDate": 0}
    assert (await free(cloud), cloud.things()) == (before, things)
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Running"
    host.domains[vm["uuid"]].full = False
    await attach(cloud, vm, data)


async def test_a_volume_with_content_that_cannot_be_plugged_keeps_it(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    loose = await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    host.domains[vm["uuid"]].full = True
    await cloud.refused("AttachDataVolumeToVm", vmInstanceUuid=vm["uuid"], volumeUuid=data["uuid"])
    await cloud.idle()
    kept = await cloud.one("QueryVolume", data["uuid"])
    assert {**kept, "lastOpDate": 0} == {**loose, "lastOpDate": 0}
    assert host.things.files[data["installPath"]] == GIB


async def test_a_guest_that_does_not_let_go_keeps_its_volume(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    host.domains[vm["uuid"]].clinging = True
    for call, code in (("DetachDataVolumeFromVm", "VM.1006"), ("DeleteDataVolume", "SYS.1006")):
        error = await cloud.refused(call, uuid=data["uuid"])
        assert (error["code"], error["cause"]["code"]) == (code, "AGENT.1000")
        await cloud.idle()
        kept = await cloud.one("QueryVolume", data["uuid"])
        assert (kept["vmInstanceUuid"], kept["status"]) == (vm["uuid"], "Ready")
        assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Running"
    host.domains[vm["uuid"]].clinging = False
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])


async def test_an_attachment_taken_back_leaves_nothing(cloud: Cloud, disk: str) -> None:
    vm, data = await cloud.vm(), await volume(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    host.delays.by_verb["DefineDomain"] = 0.3
    fields = {"vmInstanceUuid": vm["uuid"], "volumeUuid": data["uuid"]}
    _, job = await cloud.begin("AttachDataVolumeToVm", **fields)
    assert job is not None
    await cloud.call("CancelLongJob", uuid=job)
    assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"
    await cloud.idle()
    assert disks(host, vm) == serials(vm["rootVolumeUuid"])
    assert (await cloud.one("QueryVolume", data["uuid"]))["status"] == "NotInstantiated"
    assert not [path for path in host.things.files if "dataVolumes" in path]


@pytest.mark.parametrize("verb", ["EnsureVolume", "DefineDomain"])
async def test_an_attachment_survives_the_appliance(cloud: Cloud, disk: str, verb: str) -> None:
    vm, data = await cloud.vm(), await volume(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    host.delays.by_verb[verb] = 0.3
    fields = {"vmInstanceUuid": vm["uuid"], "volumeUuid": data["uuid"]}
    _, job = await cloud.begin("AttachDataVolumeToVm", **fields)
    assert job is not None
    await cloud.kill()
    await cloud.start()
    assert (await cloud.ended(job))["inventory"]["status"] == "Ready"
    assert disks(host, vm) == serials(vm["rootVolumeUuid"], data["uuid"])


async def test_a_volume_that_a_guest_lost_behind_our_back_is_put_back(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    host.domains[vm["uuid"]].disks.discard(serial_of(data["uuid"]))
    cloud.core.loop.poke("VmInstance", vm["uuid"])
    await cloud.idle()
    assert disks(host, vm) == serials(vm["rootVolumeUuid"], data["uuid"])


async def test_a_vm_does_not_start_without_the_content_of_its_volume(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    del host.things.files[data["installPath"]]
    error = await cloud.refused("StartVmInstance", uuid=vm["uuid"])
    assert (error["code"], data["installPath"] in error["details"]) == ("VM.1001", True)
    assert data["installPath"] not in host.things.files


async def test_what_speaks_against_attaching(cloud: Cloud, disk: str) -> None:
    vm = await cloud.vm(hostUuid=cloud.uuids["host1"])
    other, far = await attached(cloud, disk, hostUuid=cloud.uuids["host2"])
    far = await cloud.call("DetachDataVolumeFromVm", uuid=far["uuid"])
    taken = await attach(cloud, other, await volume(cloud, disk))
    off, gone, full = [await volume(cloud, disk) for _ in range(3)]
    await cloud.call("ChangeVolumeState", uuid=off["uuid"], stateEvent="disable")
    await cloud.answer("DeleteDataVolume", uuid=gone["uuid"])
    words = {
        off["uuid"]: f"data volume[uuid:{off['uuid']}] is Disabled, can't attach",
        gone["uuid"]: f"data volume[uuid:{gone['uuid']}] is in status of deleted",
        taken["uuid"]: f"data volume[uuid:{taken['uuid']}] has been attached to vm[uuid:{other['uuid']}]",
        far["uuid"]: "they are on different hosts",
    }
    candidates = await cloud.answer("GetVmAttachableDataVolume", vmInstanceUuid=vm["uuid"])
    assert [each["uuid"] for each in candidates["inventories"]] == [full["uuid"]]
    async with cloud.untouched():
        for uuid, text in words.items():
            error = await cloud.refused("AttachDataVolumeToVm", vmInstanceUuid=vm["uuid"], volumeUuid=uuid)
            assert (error["code"], text in error["details"]) == ("SYS.1006", True), error
            found = await cloud.answer("GetDataVolumeAttachableVm", volumeUuid=uuid)
            assert [each["uuid"] for each in found["inventories"]] == (
                [other["uuid"]] if uuid == far["uuid"] else []
            )
        root = vm["rootVolumeUuid"]
        error = await cloud.refused("AttachDataVolumeToVm", vmInstanceUuid=vm["uuid"], volumeUuid=root)
        assert (error["code"], "is Root Volume" in error["details"]) == ("SYS.1007", True)
        error = await cloud.refused("DetachDataVolumeFromVm", uuid=root)
        assert error["code"] == "SYS.1007"
        error = await cloud.refused("DetachDataVolumeFromVm", uuid=full["uuid"])
        assert "is not attached to any vm" in error["details"]
    found = await cloud.answer("GetDataVolumeAttachableVm", volumeUuid=full["uuid"])
    assert {each["uuid"] for each in found["inventories"]} == {vm["uuid"], other["uuid"]}


async def test_a_vm_has_so_many_volumes_and_no_more(cloud: Cloud, disk: str) -> None:
    await cloud.call("UpdateGlobalConfig", category="kvm", name="dataVolume.maxNum", value="1")
    vm, _ = await attached(cloud, disk)
    data = await volume(cloud, disk)
    async with cloud.untouched():
        fields = {"vmInstanceUuid": vm["uuid"], "volumeUuid": data["uuid"]}
        error = await cloud.refused("AttachDataVolumeToVm", **fields)
        assert "dataVolume.maxNum allows 1" in error["details"]
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(dataDiskOfferingUuids=[disk, disk]))
        assert error["code"] == "SYS.1007"


async def test_volumes_of_a_guest_without_virtio_change_while_it_is_off(cloud: Cloud, disk: str) -> None:
    vm, data = await cloud.vm(), await volume(cloud, disk)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("UpdateVmInstance", uuid=vm["uuid"], platform="Windows")
    await attach(cloud, vm, data)
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    for call, fields in {
        "DetachDataVolumeFromVm": {"uuid": data["uuid"]},
        "AttachDataVolumeToVm": {
            "vmInstanceUuid": vm["uuid"], "volumeUuid": (await volume(cloud, disk))["uuid"],
        },
    }.items():  # fmt: skip
        error = await cloud.refused(call, **fields)
        assert "IDE disks can only be changed while it is off" in error["details"]
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])


async def test_a_volume_needs_room_where_its_vm_is(cloud: Cloud) -> None:
    huge = await cloud.make("huge", "CreateDiskOffering", diskSize=1 << 50)
    vm, data = await cloud.vm(), await volume(cloud, huge)
    async with cloud.untouched():
        fields = {"vmInstanceUuid": vm["uuid"], "volumeUuid": data["uuid"]}
        error = await cloud.refused("AttachDataVolumeToVm", **fields)
        assert f"{1 << 50} are needed" in error["details"]
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(dataDiskOfferingUuids=[huge]))
        assert error["code"] == "HOST_ALLOCATION.1000"


async def test_states_that_allow_no_change_of_volumes(cloud: Cloud, disk: str) -> None:
    vm, data = await cloud.vm(), await volume(cloud, disk)
    await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
    fields = {"vmInstanceUuid": vm["uuid"], "volumeUuid": data["uuid"]}
    error = await cloud.refused("AttachDataVolumeToVm", **fields)
    assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "VM.1010")
    found = await cloud.answer("GetDataVolumeAttachableVm", volumeUuid=data["uuid"])
    assert found["inventories"] == []


@pytest.mark.parametrize("running", [True, False])
async def test_a_volume_grows_with_its_vm_running_or_not(cloud: Cloud, disk: str, running: bool) -> None:
    vm, data = await attached(cloud, disk)
    host = cloud.host_of(vm["uuid"])
    if not running:
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
    before = await free(cloud)
    grown = await cloud.call("ResizeDataVolume", uuid=data["uuid"], size=2 * GIB)
    assert (grown["size"], host.things.files[data["installPath"]]) == (2 * GIB, 2 * GIB)
    root = await cloud.call("ResizeRootVolume", uuid=vm["rootVolumeUuid"], size=3 * GIB)
    assert (root["size"], host.things.files[root["installPath"]]) == (3 * GIB, 3 * GIB)
    assert await free(cloud) == before - GIB - (3 * GIB - vm["allVolumes"][0]["size"])
    (ref,) = await cloud.query("QueryLocalStorageResourceRef", resourceUuid=data["uuid"])
    assert ref["size"] == 2 * GIB
    if not running:
        await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert disks(host, vm) == serials(vm["rootVolumeUuid"], data["uuid"])


async def test_a_volume_of_nobody_grows_where_it_is(cloud: Cloud, disk: str) -> None:
    data = await volume(cloud, disk)
    assert (await cloud.call("ResizeDataVolume", uuid=data["uuid"], size=GIB + 1))["size"] == GIB + 512
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    data = await attach(cloud, vm, data)
    await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    await cloud.call("ResizeDataVolume", uuid=data["uuid"], size=2 * GIB)
    assert host.things.files[data["installPath"]] == 2 * GIB


@pytest.mark.parametrize("state", ["attached", "stopped", "free"])
async def test_a_volume_that_cannot_grow_is_as_it_was(cloud: Cloud, disk: str, state: str) -> None:
    vm, data = await attached(cloud, disk)
    if state == "stopped":
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
    if state == "free":
        await cloud.call("DetachDataVolumeFromVm", uuid=data["uuid"])
    host, before = cloud.host_of(vm["uuid"]), await free(cloud)
    host.faults.by_verb["GrowVolume"] = 1.0
    error = await cloud.refused("ResizeDataVolume", uuid=data["uuid"], size=2 * GIB)
    assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "AGENT.1000")
    await cloud.idle()
    assert (await cloud.one("QueryVolume", data["uuid"]))["size"] == GIB
    assert await free(cloud) == before


async def test_what_speaks_against_growing(cloud: Cloud, disk: str) -> None:
    vm, data = await attached(cloud, disk)
    root = vm["rootVolumeUuid"]
    async with cloud.untouched():
        for call, uuid, size, code in (
            ("ResizeDataVolume", data["uuid"], GIB, "SYS.1006"),
            ("ResizeDataVolume", data["uuid"], 512, "SYS.1006"),
            ("ResizeDataVolume", data["uuid"], 1 << 46, "SYS.1006"),
            ("ResizeDataVolume", data["uuid"], 1 << 47, "SYS.1007"),
            ("ResizeDataVolume", root, 2 * GIB, "SYS.1007"),
            ("ResizeRootVolume", data["uuid"], 2 * GIB, "SYS.1007"),
            ("ResizeRootVolume", root, 1, "SYS.1006"),
        ):
            error = await cloud.refused(call, uuid=uuid, size=size)
            assert error["code"] == code, (call, size, error)
