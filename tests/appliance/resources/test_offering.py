"""Offerings: made, changed, disabled, deleted, and honoured when a VM is made."""

from __future__ import annotations

import pytest

from tests.simulated_cloud import GIB, Cloud

LEAST = "LeastVmPreferredHostAllocatorStrategy"


async def test_an_instance_offering_from_create_to_delete(empty_cloud: Cloud) -> None:
    cloud = empty_cloud
    made = await cloud.call(
        "CreateInstanceOffering",
        name="small",
        description="d",
        cpuNum=2,
        cpuSpeed=1000,
        memorySize=GIB,
        sortKey=3,
    )
    assert {name: made[name] for name in ("cpuNum", "cpuSpeed", "memorySize", "sortKey", "state", "type")} == {
        "cpuNum": 2, "cpuSpeed": 1000, "memorySize": GIB, "sortKey": 3, "state": "Enabled", "type": "UserVm",
    }  # fmt: skip
    assert made["allocatorStrategy"] == LEAST
    uuid = made["uuid"]
    changed = await cloud.call("UpdateInstanceOffering", uuid=uuid, name="large")
    assert (changed["name"], changed["description"]) == ("large", "d")
    for event, state in (("disable", "Disabled"), ("enable", "Enabled")):
        assert (await cloud.call("ChangeInstanceOfferingState", uuid=uuid, stateEvent=event))[
            "state"
        ] == state
    await cloud.call("DeleteInstanceOffering", uuid=uuid)
    assert await cloud.query("QueryInstanceOffering") == []


async def test_a_disk_offering_from_create_to_delete(empty_cloud: Cloud) -> None:
    cloud = empty_cloud
    made = await cloud.call("CreateDiskOffering", name="disk", diskSize=str(10 * GIB), userTags=["blue"])
    assert (made["diskSize"], made["state"], made["sortKey"]) == (10 * GIB, "Enabled", 0)
    assert made["allocatorStrategy"] == "DefaultPrimaryStorageAllocationStrategy"
    uuid = made["uuid"]
    changed = await cloud.call("UpdateDiskOffering", uuid=uuid, description="slow")
    assert (changed["name"], changed["description"]) == ("disk", "slow")
    for event, state in (("disable", "Disabled"), ("enable", "Enabled")):
        assert (await cloud.call("ChangeDiskOfferingState", uuid=uuid, stateEvent=event))["state"] == state
    assert [each["uuid"] for each in await cloud.query("QueryDiskOffering", name="disk")] == [uuid]
    await cloud.call("DeleteDiskOffering", uuid=uuid)
    await cloud.call("DeleteDiskOffering", uuid=uuid)
    assert await cloud.query("QueryDiskOffering") == await cloud.query("QueryUserTag") == []


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        (
            "CreateInstanceOffering",
            {"allocatorStrategy": "Roulette"},
            "allocatorStrategy[Roulette] is not one of",
        ),
        ("CreateInstanceOffering", {"type": "VirtualRouter"}, "type[VirtualRouter] is no kind of VM"),
        ("CreateInstanceOffering", {"cpuNum": 0}, "cpuNum"),
        ("CreateInstanceOffering", {"cpuNum": 1025}, "cpuNum"),
        ("CreateInstanceOffering", {"cpuSpeed": 2**31}, "cpuSpeed"),
        ("CreateInstanceOffering", {"memorySize": 0}, "memorySize"),
        ("CreateDiskOffering", {"diskSize": 0}, "diskSize"),
        ("CreateDiskOffering", {"diskSize": 2**63}, "diskSize"),
        (
            "CreateDiskOffering",
            {"allocationStrategy": "Roulette"},
            "allocationStrategy[Roulette] is not one of",
        ),
        ("CreateDiskOffering", {"type": "other"}, "type"),
    ],
)
async def test_figures_that_make_no_sense_are_refused(
    empty_cloud: Cloud, name: str, fields: dict[str, object], says: str
) -> None:
    whole = {"name": "x", "cpuNum": 1, "cpuSpeed": 1, "memorySize": 1, "diskSize": 1, **fields}
    async with empty_cloud.untouched():
        error = await empty_cloud.refused(name, **whole)
    assert (error["code"], says in error["details"]) == ("SYS.1007", True), error


async def test_what_names_no_offering_is_refused(empty_cloud: Cloud) -> None:
    for kind in ("Instance", "Disk"):
        error = await empty_cloud.refused(f"Update{kind}Offering", uuid="f" * 32, name="x")
        assert error["code"] == "SYS.1003"
        assert error["details"] == (
            f"invalid field[uuid], resource[uuid:{'f' * 32}, type:{kind}OfferingVO] not found"
        )
        error = await empty_cloud.refused(f"Change{kind}OfferingState", uuid="f" * 32, stateEvent="burn")
        assert (error["code"], "stateEvent" in error["details"]) == ("SYS.1007", True)


async def test_no_vm_is_made_with_a_disabled_offering(cloud: Cloud) -> None:
    uuid = cloud.uuids["offering"]
    await cloud.vm()
    await cloud.call("ChangeInstanceOfferingState", uuid=uuid, stateEvent="disable")
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
    assert error["code"] == "SYS.1006"
    assert error["details"] == f"instance offering[uuid:{uuid}] is Disabled, can't create vm from it"
    await cloud.call("ChangeInstanceOfferingState", uuid=uuid, stateEvent="enable")
    assert (await cloud.vm())["state"] == "Running"


async def test_the_offering_says_how_a_host_is_chosen(cloud: Cloud) -> None:
    host1, host2 = cloud.uuids["host1"], cloud.uuids["host2"]
    small = {"cpuNum": 1, "cpuSpeed": 10, "memorySize": GIB}
    big = await cloud.make("big", "CreateInstanceOffering", cpuNum=1, cpuSpeed=10, memorySize=100 * GIB)
    offerings = {
        name: await cloud.make(name, "CreateInstanceOffering", **small, allocatorStrategy=name)
        for name in (LEAST, "DefaultHostAllocatorStrategy", "DesignatedHostAllocatorStrategy")
    }
    # One large VM on host 1, three tiny ones on host 2: fewest VMs is 1, most memory is 2.
    await cloud.vm(instanceOfferingUuid=big, hostUuid=host1)
    for _ in range(3):
        await cloud.vm(hostUuid=host2)
    chosen = {
        name: (await cloud.vm(instanceOfferingUuid=uuid))["hostUuid"] for name, uuid in offerings.items()
    }
    assert chosen == {
        LEAST: host1, "DefaultHostAllocatorStrategy": host2, "DesignatedHostAllocatorStrategy": host2,
    }  # fmt: skip
    vm = await cloud.vm(instanceOfferingUuid=offerings[LEAST], hostUuid=host2)
    assert (vm["hostUuid"], vm["allocatorStrategy"]) == (host2, LEAST)


async def test_a_disk_offering_is_of_zstacks_type(cloud: Cloud) -> None:
    for given in ({}, {"type": "zstack"}):
        made = await cloud.call("CreateDiskOffering", name="d", diskSize=GIB, **given)
        assert made["type"] == "zstack"
    error = await cloud.refused("CreateDiskOffering", name="d", diskSize=GIB, type="other")
    assert error["code"] == "SYS.1007"
