"""Calls that overtake each other: each ends with what is true, and the last intent holds."""

from __future__ import annotations

import asyncio

import pytest

from appliance.api.host import Host
from appliance.hosts.fleet import Target
from tests.simulated_cloud import PATIENCE_SECONDS, Body, Cloud

NEW: Body = {"name": "new", "username": "root", "password": "x"}


async def overtaken(cloud: Cloud, first: tuple[str, Body], second: tuple[str, Body]) -> tuple[Body, Body]:
    """What comes of two calls of which the second is made while the first is under way."""
    _, job = await cloud.begin(first[0], **first[1])
    assert job is not None
    (found,) = await cloud.query("QueryLongJob", uuid=job)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(host._tasks for host in cloud.hosts):
            await asyncio.sleep(0)
    fields = {
        name: found["targetResourceUuid"] if value == "THAT" else value for name, value in second[1].items()
    }
    after = await cloud.answer(second[0], **fields)
    return await cloud.ended(job), after


@pytest.fixture
def slow(cloud: Cloud) -> Cloud:
    for host in [*cloud.hosts, cloud.dialer.host(Target("10.0.0.9"))]:
        host.delays.usual = 0.05
    return cloud


async def test_a_host_deleted_while_it_is_connected(slow: Cloud) -> None:
    async with slow.untouched():
        fields = {**NEW, "managementIp": "10.0.0.9", "clusterUuid": slow.uuids["cluster"]}
        added, deleted = await overtaken(slow, ("AddKVMHost", fields), ("DeleteHost", {"uuid": "THAT"}))
        assert deleted["success"]
        assert added["error"]["code"] == "JOB.1000"


async def test_a_reconnect_asked_for_during_another_ends_with_its_own(slow: Cloud) -> None:
    uuid = slow.uuids["host1"]
    _, first = await slow.begin("ReconnectHost", uuid=uuid)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not any(host._tasks for host in slow.hosts):
            await asyncio.sleep(0)
    _, second = await slow.begin("ReconnectHost", uuid=uuid)
    assert first is not None
    assert second is not None
    assert (await slow.ended(second))["success"]
    host = await slow.database.read(lambda snapshot: snapshot.get(Host, uuid))
    assert (host.status, host.connected_id) == ("Connected", host.connect_id)
    assert (await slow.ended(first))["success"]


async def test_a_backup_storage_deleted_while_it_is_connected(slow: Cloud) -> None:
    async with slow.untouched():
        fields = {**NEW, "hostname": "10.0.0.9", "url": "/bs2"}
        added, deleted = await overtaken(
            slow, ("AddSftpBackupStorage", fields), ("DeleteBackupStorage", {"uuid": "THAT"})
        )
        assert deleted["success"]
        assert added["error"]["code"] == "JOB.1000"


async def test_an_image_deleted_while_it_is_fetched(slow: Cloud) -> None:
    async with slow.untouched():
        fields = {
            "name": "i",
            "url": "http://x/y",
            "format": "qcow2",
            "backupStorageUuids": [slow.uuids["backup"]],
        }
        added, deleted = await overtaken(slow, ("AddImage", fields), ("DeleteImage", {"uuid": "THAT"}))
        assert deleted["success"]
        assert added["error"]["code"] == "JOB.1000"


async def test_a_network_detached_while_it_is_attached(slow: Cloud) -> None:
    l2 = await slow.make(
        "l2b", "CreateL2VlanNetwork", zoneUuid=slow.uuids["zone"], physicalInterface="eth1", vlan=7
    )
    async with slow.untouched():
        pair = {"l2NetworkUuid": l2, "clusterUuid": slow.uuids["cluster"]}
        attached, detached = await overtaken(
            slow, ("AttachL2NetworkToCluster", pair), ("DetachL2NetworkFromCluster", pair)
        )
        assert detached["success"]
        assert attached["error"]["code"] == "JOB.1000"


async def test_a_storage_detached_while_it_is_attached(slow: Cloud) -> None:
    primary = await slow.make("p2", "AddLocalPrimaryStorage", url="/ps2", zoneUuid=slow.uuids["zone"])
    async with slow.untouched():
        pair = {"primaryStorageUuid": primary, "clusterUuid": slow.uuids["cluster"]}
        attached, detached = await overtaken(
            slow, ("AttachPrimaryStorageToCluster", pair), ("DetachPrimaryStorageFromCluster", pair)
        )
        assert detached["success"]
        assert attached["error"]["code"] == "JOB.1000"


@pytest.mark.parametrize("policy", ["Direct", "Delay"])
async def test_a_vm_destroyed_while_it_is_created(slow: Cloud, policy: str) -> None:
    for _ in range(2):
        await slow.vm()
    await slow.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value=policy)
    async with slow.untouched():
        fields = slow.vm_fields(name="brief")
        created, destroyed = await overtaken(
            slow, ("CreateVmInstance", fields), ("DestroyVmInstance", {"uuid": "THAT"})
        )
        assert destroyed["success"]
        assert created["error"]["code"] == "JOB.1000"


async def test_a_stop_overtakes_a_start(slow: Cloud) -> None:
    uuid = (await slow.vm())["uuid"]
    await slow.call("StopVmInstance", uuid=uuid)
    started, stopped = await overtaken(
        slow, ("StartVmInstance", {"uuid": uuid}), ("DestroyVmInstance", {"uuid": uuid})
    )
    assert started["error"]["code"] == "JOB.1000"
    assert stopped["success"]
    assert (await slow.one("QueryVmInstance", uuid))["state"] == "Destroyed"
    assert not any(uuid in host.domains for host in slow.hosts)


async def test_a_vm_that_is_being_created_out_of_reach_is_not_stopped(slow: Cloud) -> None:
    """Its state is Unknown, which would allow it; it would be taken for whole without a disk."""
    # The image's storage is measured after the image came: it is not to be cut off in the middle of that.
    await slow.idle()
    _, job = await slow.begin("CreateVmInstance", **slow.vm_fields())
    assert job is not None
    (found,) = await slow.query("QueryLongJob", uuid=job)
    for host in slow.hosts:
        host.reachable = False
        host.cut("cut off")
    uuid = found["targetResourceUuid"]
    await slow.vm_becomes(uuid, "Unknown")
    error = await slow.refused("StopVmInstance", uuid=uuid)
    assert "still being created" in error["cause"]["details"]
    for host in slow.hosts:
        host.reachable = True
    assert (await slow.ended(job))["success"]
    assert (await slow.one("QueryVmInstance", uuid))["state"] == "Running"
