"""How much is left, what is kept from VMs, and what kinds of things there are."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulated_cloud import GIB, Cloud

TOTAL_CPU = 64 * 2600
TOTAL_MEMORY = 1 << 40


async def test_cpu_and_memory_of_hosts(cloud: Cloud) -> None:
    uuids = cloud.uuids
    one = {
        "totalCpu": TOTAL_CPU, "availableCpu": TOTAL_CPU - 512,
        "totalMemory": TOTAL_MEMORY, "availableMemory": TOTAL_MEMORY - (512 << 20), "success": True,
    }  # fmt: skip
    assert await cloud.answer("GetCpuMemoryCapacity", hostUuids=[uuids["host1"]]) == one
    both = {name: value if value is True else 2 * value for name, value in one.items()}
    for fields in (
        {"all": "true"},
        {"zoneUuids": [uuids["zone"]]},
        {"clusterUuids": [uuids["cluster"]], "hostUuids": [uuids["host1"]]},
    ):
        assert await cloud.answer("GetCpuMemoryCapacity", **fields) == both
    await cloud.vm(hostUuid=uuids["host1"])
    after = await cloud.answer("GetCpuMemoryCapacity", hostUuids=[uuids["host1"]])
    assert one["availableMemory"] - after["availableMemory"] == GIB // 4
    assert one["availableCpu"] - after["availableCpu"] == 10
    refused = await cloud.refused("GetCpuMemoryCapacity", zoneUuids=["f" * 32])
    assert refused["code"] == "SYS.1003"


async def test_capacity_of_storage(cloud: Cloud) -> None:
    uuids = cloud.uuids
    vm = await cloud.vm(hostUuid=uuids["host1"])
    size = vm["allVolumes"][0]["size"]
    wanted = {
        "totalCapacity": 2 << 44, "availableCapacity": (2 << 44) - size, "totalPhysicalCapacity": 2 << 44,
        "availablePhysicalCapacity": 2 << 44, "success": True,
    }  # fmt: skip
    for fields in (
        {"all": True}, {"zoneUuids": [uuids["zone"]]}, {"clusterUuids": [uuids["cluster"]]},
        {"primaryStorageUuids": [uuids["primary"]], "clusterUuids": [uuids["cluster"]]},
    ):  # fmt: skip
        assert await cloud.answer("GetPrimaryStorageCapacity", **fields) == wanted
    for fields in ({"all": True}, {"zoneUuids": [uuids["zone"]]}, {"backupStorageUuids": [uuids["backup"]]}):
        found = await cloud.answer("GetBackupStorageCapacity", **fields)
        assert found == {"totalCapacity": 1 << 44, "availableCapacity": 1 << 44, "success": True}
    disks = await cloud.answer("GetLocalStorageHostDiskCapacity", primaryStorageUuid=uuids["primary"])
    left = {each["hostUuid"]: each["availableCapacity"] for each in disks["inventories"]}
    assert left == {uuids["host1"]: (1 << 44) - size, uuids["host2"]: 1 << 44}
    (disk,) = (
        await cloud.answer(
            "GetLocalStorageHostDiskCapacity", primaryStorageUuid=uuids["primary"], hostUuid=uuids["host2"]
        )
    )["inventories"]
    assert disk == {
        "hostUuid": uuids["host2"], "totalCapacity": 1 << 44, "availableCapacity": 1 << 44,
        "totalPhysicalCapacity": 1 << 44, "availablePhysicalCapacity": 1 << 44,
    }  # fmt: skip


async def test_questions_about_nothing_are_refused(cloud: Cloud) -> None:
    for name, lists in {
        "GetCpuMemoryCapacity": "zoneUuids, clusterUuids, hostUuids",
        "GetPrimaryStorageCapacity": "zoneUuids, clusterUuids, primaryStorageUuids",
        "GetBackupStorageCapacity": "zoneUuids, backupStorageUuids",
    }.items():
        error = await cloud.refused(name)
        assert (error["code"], error["details"]) == (
            "SYS.1007", f"one of {lists} must be a nonempty list, or all must be true",
        )  # fmt: skip
    zone = cloud.uuids["zone"]
    simulated = await cloud.make("sim", "AddSimulatorPrimaryStorage", url="/simulated", zoneUuid=zone)
    error = await cloud.refused("GetLocalStorageHostDiskCapacity", primaryStorageUuid=simulated)
    assert (error["code"], "is a SimulatorPrimaryStorage, not a LocalStorage" in error["details"]) == (
        "SYS.1007", True,
    )  # fmt: skip
    unattached = await cloud.make("local", "AddLocalPrimaryStorage", url="/other", zoneUuid=zone)
    host = cloud.uuids["host1"]
    error = await cloud.refused(
        "GetLocalStorageHostDiskCapacity", primaryStorageUuid=unattached, hostUuid=host
    )
    assert (error["code"], error["details"]) == (
        "SYS.1007", f"local primary storage[uuid:{unattached}] doesn't have the host[uuid:{host}]",
    )  # fmt: skip


async def left(cloud: Cloud, host: str) -> tuple[int, int]:
    found = await cloud.one("QueryHost", cloud.uuids[host])
    return TOTAL_MEMORY - found["availableMemoryCapacity"], TOTAL_CPU - found["availableCpuCapacity"]


async def test_what_is_kept_from_vms_takes_effect_at_once(cloud: Cloud) -> None:
    assert await left(cloud, "host1") == (512 << 20, 512)
    await cloud.call("UpdateGlobalConfig", category="kvm", name="reservedMemory", value="2G")
    await cloud.call("UpdateGlobalConfig", category="kvm", name="reservedCpu", value="1000")
    assert await left(cloud, "host1") == await left(cloud, "host2") == (2 * GIB, 1000)

    async def tag(kind: str, key: str, text: str) -> str:
        on = {"resourceType": kind, "resourceUuid": cloud.uuids[key]}
        return (await cloud.call("CreateSystemTag", **on, tag=text))["uuid"]  # type: ignore[no-any-return]

    await tag("ZoneVO", "zone", "host::reservedMemory::3G")
    assert await left(cloud, "host1") == (3 * GIB, 1000)
    cluster = await tag("ClusterVO", "cluster", "host::reservedCpu::2000")
    await tag("ClusterVO", "cluster", "host::reservedMemory::4G")
    assert await left(cloud, "host2") == (4 * GIB, 2000)
    host = await tag("HostVO", "host1", "reservedCpu::3000")
    assert await left(cloud, "host1") == (4 * GIB, 3000)
    await cloud.call("UpdateSystemTag", uuid=host, tag="reservedCpu::4000")
    assert await left(cloud, "host1") == (4 * GIB, 4000)
    await cloud.call("DeleteTag", uuid=host)
    await cloud.call("DeleteTag", uuid=cluster)
    assert await left(cloud, "host1") == await left(cloud, "host2") == (4 * GIB, 1000)
    for host_key in ("host1", "host2"):
        await tag("HostVO", host_key, "reservedMemory::1T")
    error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
    assert (error["code"], "no host has enough memory" in error["details"]) == ("HOST_ALLOCATION.1000", True)


async def test_no_cpu_is_taken_that_is_kept(cloud: Cloud) -> None:
    await cloud.call("UpdateGlobalConfig", category="kvm", name="reservedCpu", value=str(TOTAL_CPU - 9))
    error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
    assert (error["code"], "no host has enough CPU" in error["details"]) == ("HOST_ALLOCATION.1000", True)
    await cloud.call("UpdateGlobalConfig", category="kvm", name="reservedCpu", value=str(TOTAL_CPU - 10))
    assert (await cloud.vm())["state"] == "Running"
    error = await cloud.refused("UpdateGlobalConfig", category="kvm", name="reservedCpu", value="much")
    assert (error["code"], error["details"]) == ("SYS.1007", "much is not a number")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("GetHypervisorTypes", {"hypervisorTypes": ["KVM", "Simulator"]}),
        (
            "GetHostAllocatorStrategies",
            {
                "hostAllocatorStrategies": [
                    "LeastVmPreferredHostAllocatorStrategy", "DefaultHostAllocatorStrategy",
                    "DesignatedHostAllocatorStrategy", "LastHostPreferredAllocatorStrategy",
                ]
            },
        ),
        ("GetPrimaryStorageTypes", {"primaryStorageTypes": ["LocalStorage", "SimulatorPrimaryStorage"]}),
        (
            "GetPrimaryStorageAllocatorStrategies",
            {"primaryStorageAllocatorStrategies": ["DefaultPrimaryStorageAllocationStrategy"]},
        ),
        ("GetBackupStorageTypes", {"backupStorageTypes": ["SftpBackupStorage", "SimulatorBackupStorage"]}),
        ("GetL2NetworkTypes", {"l2NetworkTypes": ["L2NoVlanNetwork", "L2VlanNetwork"]}),
        ("GetL3NetworkTypes", {"l3NetworkTypes": ["L3BasicNetwork"]}),
        ("GetNetworkServiceTypes", {"serviceAndProviderTypes": {"DHCP": ["Flat"], "Userdata": ["Flat"]}}),
        (
            "GetVolumeFormat",
            {
                "formats": [
                    {"format": format_, "masterHypervisorType": of, "supportingHypervisorTypes": [of]}
                    for format_, of in (("qcow2", "KVM"), ("raw", "KVM"), ("simulator", "Simulator"))
                ]
            },
        ),
    ],
)  # fmt: skip
async def test_what_there_is_a_choice_of(empty_cloud: Cloud, name: str, wanted: dict[str, Any]) -> None:
    assert await empty_cloud.answer(name) == {**wanted, "success": True}


async def test_the_management_node_is_the_appliance(empty_cloud: Cloud) -> None:
    (node,) = await empty_cloud.query("QueryManagementNode")
    assert node["uuid"] == empty_cloud.database.owner
    assert {"hostName", "joinDate", "heartBeat"} < node.keys()
    await empty_cloud.stop()
    await empty_cloud.start()
    (again,) = await empty_cloud.query("QueryManagementNode")
    assert (again["uuid"], again["joinDate"]) == (node["uuid"], node["joinDate"])


async def test_words_and_address_of_a_host(cloud: Cloud) -> None:
    uuid = cloud.uuids["host1"]
    changed = await cloud.call("UpdateHost", uuid=uuid, name="renamed", description="d")
    assert (changed["name"], changed["description"], changed["managementIp"]) == ("renamed", "d", "10.0.0.1")
    error = await cloud.refused("UpdateHost", uuid=uuid, managementIp="10.0.0.2")
    assert (error["code"], error["details"]) == (
        "SYS.1007", "there has been a host having managementIp[10.0.0.2]",
    )  # fmt: skip
