"""What a VM could have, and where it could go."""

from __future__ import annotations

import pytest

from appliance.api.host import Host
from appliance.api.storage import LocalStorageHostRef, PrimaryStorage
from appliance.api.volume import Volume
from appliance.store.transaction import Transaction
from tests.simulated_cloud import GIB, Body, Cloud


async def candidates(cloud: Cloud, vm: Body) -> list[str]:
    answer = await cloud.answer("GetVmMigrationCandidateHosts", vmInstanceUuid=vm["uuid"])
    return [host["uuid"] for host in answer["inventories"]]


async def why_not(cloud: Cloud, vm: Body, host_uuid: str) -> str:
    answer = await cloud.answer("GetVmMigrationCandidateHosts", vmInstanceUuid=vm["uuid"])
    (reason,) = [each["reason"] for each in answer["excluded"] if each["hostUuid"] == host_uuid]
    return str(reason)


async def test_a_host_that_runs_guests_otherwise_is_no_candidate(cloud: Cloud) -> None:
    vm = await cloud.vm()
    (other,) = {cloud.uuids["host1"], cloud.uuids["host2"]} - {vm["hostUuid"]}
    await cloud.database.write(lambda tx: tx.update(tx.get(Host, other), accelerator="other"))
    assert await candidates(cloud, vm) == []
    assert (await why_not(cloud, vm, other)).startswith("runs its guests with other, and VM[uuid:")
    error = await cloud.refused("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=other)
    assert "runs its guests with other" in error["details"]


async def test_a_vm_goes_where_its_local_disk_finds_room(cloud: Cloud) -> None:
    vm = await cloud.vm()
    (other,) = {cloud.uuids["host1"], cloud.uuids["host2"]} - {vm["hostUuid"]}
    assert await candidates(cloud, vm) == [other]
    primary = cloud.uuids["primary"]

    def fill(tx: Transaction) -> None:
        ref = tx.first(LocalStorageHostRef, primary_storage_uuid=primary, host_uuid=other)
        assert ref is not None
        tx.update(ref, available_capacity=GIB + (60 << 20))

    await cloud.database.write(fill)
    assert await candidates(cloud, vm) == []
    assert (
        await why_not(cloud, vm, other)
        == "has 60 MiB of primary storage left above the reserve, and 64 MiB are needed; make room there"
    )


async def test_a_vm_whose_disk_is_everywhere_goes_where_there_is_room(cloud: Cloud) -> None:
    vm = await cloud.vm()
    (other,) = {cloud.uuids["host1"], cloud.uuids["host2"]} - {vm["hostUuid"]}
    primary = cloud.uuids["primary"]
    await cloud.database.write(lambda tx: tx.update(tx.get(PrimaryStorage, primary), type="NFS"))
    assert await candidates(cloud, vm) == [other]
    await cloud.call("ChangeHostState", uuid=other, stateEvent="disable")
    assert await candidates(cloud, vm) == []
    await cloud.call("ChangeHostState", uuid=other, stateEvent="enable")
    nearly_all = (await cloud.one("QueryHost", other))["availableMemoryCapacity"] - GIB // 8
    large = await cloud.make("l", "CreateInstanceOffering", cpuNum=1, cpuSpeed=1, memorySize=nearly_all)
    await cloud.vm(hostUuid=other, instanceOfferingUuid=large)
    assert await candidates(cloud, vm) == []
    assert "128 MiB of memory left, and" in await why_not(cloud, vm, other)


async def test_only_a_running_vm_could_move(cloud: Cloud) -> None:
    vm = await cloud.vm()
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    error = await cloud.refused("GetVmMigrationCandidateHosts", vmInstanceUuid=vm["uuid"])
    assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "VM.1010")
    assert error["details"].endswith("allowed states are [Running]")


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"status": "NotInstantiated", "primary_storage_uuid": None, "host_uuid": None}, True),
        ({"state": "Disabled"}, False),
        ({"status": "Deleted"}, False),
        ({"type": "Root"}, False),
        ({"primary_storage_uuid": "f" * 32}, False),
        ({"host_uuid": "f" * 32}, False),
    ],
)
async def test_data_volumes_of_nobody_within_reach(
    cloud: Cloud, changes: dict[str, str | None], fits: bool
) -> None:
    vm = await cloud.vm()
    fields = {
        "primary_storage_uuid": cloud.uuids["primary"], "host_uuid": vm["hostUuid"], "type": "Data",
        "status": "Ready", **changes,
    }  # fmt: skip
    volume = Volume(uuid="a" * 32, name="data", size=GIB, **fields)  # type: ignore[arg-type]  # by name
    await cloud.database.write(lambda tx: tx.insert(volume))
    answer = await cloud.answer("GetVmAttachableDataVolume", vmInstanceUuid=vm["uuid"])
    assert [each["uuid"] for each in answer["inventories"]] == ([volume.uuid] if fits else [])


async def test_tags_of_either_kind_are_found(cloud: Cloud) -> None:
    vm = await cloud.vm(userTags=["blue"], systemTags=["hostname::web"])
    where = [{"name": "resourceUuid", "op": "=", "value": vm["uuid"]}]
    for asked, tag in (
        ({}, "blue"),
        ({"systemTag": "false"}, "blue"),
        ({"systemTag": "true"}, "hostname::web"),
    ):
        body = await cloud.answer("QueryTag", conditions=where, replyWithCount=True, **asked)
        assert ([each["tag"] for each in body["inventories"]], body["total"]) == ([tag], 1)
    only = {"conditions": where, "systemTag": True, "fields": ["inherent"]}
    assert (await cloud.answer("QueryTag", **only))["inventories"] == [{"inherent": False}]
    error = await cloud.refused("QueryTag", conditions=[{"name": "inherent", "op": "=", "value": "false"}])
    assert error["details"] == (
        "condition name[inherent] is invalid, no such field on inventory class"
        "[org.zstack.header.tag.UserTagInventory]"
    )
