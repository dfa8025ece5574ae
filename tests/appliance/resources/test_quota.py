"""Quotas: given from the global configs, changed by the admin, checked when something is made."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulated_cloud import GIB
from tests.tenants import Caller, Tenants


@pytest.fixture
async def account(tenants: Tenants) -> Caller:
    """An account that may use what the cloud has."""
    uuids = tenants.cloud.uuids
    shared = [uuids["image"], uuids["offering"], uuids["l3"], uuids["l2"]]
    await tenants.cloud.call("ShareResource", resourceUuids=shared, toPublic=True)
    return await tenants.account("a")


async def limit(account: Caller, name: str, value: int) -> None:
    changed = await account.cloud.call(
        "UpdateQuota", identityUuid=account.account_uuid, name=name, value=value
    )
    assert (changed["name"], changed["value"], changed["identityType"]) == (name, value, "AccountVO")


def exceeded(account: Caller, name: str, value: int) -> tuple[str, str]:
    return (
        "ID.1003",
        f"quota exceeding. The account[uuid: {account.account_uuid}] exceeds a quota[name: {name}, value: {value}]",
    )


@pytest.mark.parametrize(
    ("name", "enough", "too_little"),
    [("vm.num", 1, 0), ("vm.cpuNum", 1, 0), ("vm.memorySize", GIB // 4, GIB // 4 - 1),
     ("volume.capacity", 64 << 20, (64 << 20) - 1)],
)  # fmt: skip
async def test_a_vm_is_made_within_the_quota_and_not_beyond(
    account: Caller, name: str, enough: int, too_little: int
) -> None:
    cloud = account.cloud
    fields = cloud.vm_fields()
    await limit(account, name, too_little)
    async with cloud.untouched():
        assert await account.refused("CreateVmInstance", **fields) == exceeded(account, name, too_little)
    await limit(account, name, enough)
    vm = await account.call("CreateVmInstance", **fields)
    async with cloud.untouched():
        assert await account.refused("CreateVmInstance", **fields) == exceeded(account, name, enough)
    await limit(account, name, 0)
    await account.call("StopVmInstance", uuid=vm["uuid"])
    await account.call("StartVmInstance", uuid=vm["uuid"])
    await cloud.vm(name="admins")


async def test_data_volumes_are_made_within_the_quota(account: Caller) -> None:
    cloud = account.cloud
    disk = (await cloud.call("CreateDiskOffering", name="disk", diskSize=GIB))["uuid"]
    await cloud.call("ShareResource", resourceUuids=[disk], toPublic=True)
    fields = {"name": "data", "diskOfferingUuid": disk}
    await limit(account, "volume.data.num", 1)
    data = await account.call("CreateDataVolume", **fields)
    assert await account.refused("CreateDataVolume", **fields) == exceeded(account, "volume.data.num", 1)
    more = cloud.vm_fields(dataDiskOfferingUuids=[disk])
    assert await account.refused("CreateVmInstance", **more) == exceeded(account, "volume.data.num", 1)
    await account.call("DeleteDataVolume", uuid=data["uuid"])
    await account.call("CreateDataVolume", **fields)
    await limit(account, "volume.data.num", 9)
    await limit(account, "volume.capacity", 2 * GIB)
    other = await account.call("CreateDataVolume", **fields)
    async with cloud.untouched():
        error = await account.refused("ResizeDataVolume", uuid=other["uuid"], size=2 * GIB)
        assert error == exceeded(account, "volume.capacity", 2 * GIB)
    await cloud.call("ResizeDataVolume", uuid=other["uuid"], size=2 * GIB)


async def test_a_destroyed_vm_counts_no_more(account: Caller) -> None:
    await limit(account, "vm.num", 1)
    vm = await account.call("CreateVmInstance", **account.cloud.vm_fields())
    await account.call("DestroyVmInstance", uuid=vm["uuid"])
    await account.call("CreateVmInstance", **account.cloud.vm_fields())


async def test_networks_count(account: Caller) -> None:
    l2 = account.cloud.uuids["l2"]
    await limit(account, "l3.num", 1)
    await account.call("CreateL3Network", name="one", l2NetworkUuid=l2)
    async with account.cloud.untouched():
        assert await account.refused("CreateL3Network", name="two", l2NetworkUuid=l2) == exceeded(
            account, "l3.num", 1
        )
    # One quota that is used up says nothing about another.
    await account.call("CreateVmInstance", **account.cloud.vm_fields())


async def test_who_has_more_than_the_quota_may_do_what_adds_nothing_to_it(account: Caller) -> None:
    cloud = account.cloud
    disk = (await cloud.call("CreateDiskOffering", name="disk", diskSize=GIB))["uuid"]
    await cloud.call("ShareResource", resourceUuids=[disk], toPublic=True)
    vm = await account.call("CreateVmInstance", **cloud.vm_fields())
    data = await account.call("CreateDataVolume", name="data", diskOfferingUuid=disk)
    for name in ("vm.num", "vm.cpuNum", "vm.memorySize", "volume.data.num", "volume.capacity"):
        await limit(account, name, 0)
    await account.call("CreateVolumeSnapshot", name="root", volumeUuid=vm["rootVolumeUuid"])
    await account.call("AttachDataVolumeToVm", vmInstanceUuid=vm["uuid"], volumeUuid=data["uuid"])
    await account.call("CreateVolumeSnapshot", name="data", volumeUuid=data["uuid"])
    await limit(account, "volume.capacity", 100 * GIB)
    # More of what is not counted there: the number of volumes stays as it is.
    await account.call("ResizeDataVolume", uuid=data["uuid"], size=2 * GIB)
    async with cloud.untouched():
        fields = {"name": "more", "diskOfferingUuid": disk}
        assert await account.refused("CreateDataVolume", **fields) == exceeded(account, "volume.data.num", 0)


async def test_many_at_once_cannot_slip_past_a_quota(account: Caller) -> None:
    import asyncio

    await limit(account, "vm.num", 2)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                account.answer("CreateVmInstance", **account.cloud.vm_fields(name=f"v{number}"))
            )
            for number in range(6)
        ]
    bodies: list[dict[str, Any]] = [task.result() for task in tasks]
    assert sum(body["success"] for body in bodies) == 2
    assert {body["error"]["code"] for body in bodies if not body["success"]} == {"ID.1003"}


async def test_what_a_new_account_gets_is_a_global_config(tenants: Tenants) -> None:
    cloud = tenants.cloud
    before = await tenants.account("before")
    changed = await cloud.call("UpdateGlobalConfig", category="quota", name="vm.num", value="3")
    assert (changed["value"], changed["defaultValue"]) == ("3", "20")
    after = await tenants.account("after")
    for account, value in ((before, 20), (after, 3)):
        (quota,) = await cloud.query("QueryQuota", identityUuid=account.account_uuid, name="vm.num")
        assert quota["value"] == value
        assert len(await account.seen("QueryQuota", field="name")) == 11
        assert await account.seen("QueryQuota", field="identityUuid") == {account.account_uuid}
    error = await cloud.refused("UpdateGlobalConfig", category="quota", name="vm.num", value="many")
    assert error["details"] == "many is not a number"


async def test_changing_a_quota_says_what_is_wrong(account: Caller) -> None:
    cloud, uuid = account.cloud, account.account_uuid
    error = await cloud.refused("UpdateQuota", identityUuid=uuid, name="vm.nmu", value=1)
    assert error["code"] == "SYS.1007"
    assert error["details"].startswith(f"cannot find Quota[name: vm.nmu] for the account[uuid: {uuid}]")
    error = await cloud.refused("UpdateQuota", identityUuid=uuid, name="vm.num", value=-1)
    assert error["details"] == "value[-1] must not be below 0"
