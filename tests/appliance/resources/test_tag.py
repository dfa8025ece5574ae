"""Tags: on every kind of resource, kept to the letter, found by queries, and gone with what they are on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from appliance.api.resource import RESOURCES
from appliance.api.tag import PATTERNS, SystemTag, UserTag, can_be_tagged, pattern_of, tagged_kind
from appliance.resources.tag_checks import TWIN
from tests.simulated_cloud import Cloud

PASSWORD = "0" * 128

MADE = {
    "ZoneVO": ("QueryZone", "zone"),
    "ClusterVO": ("QueryCluster", "cluster"),
    "HostVO": ("QueryHost", "host1"),
    "PrimaryStorageVO": ("QueryPrimaryStorage", "primary"),
    "BackupStorageVO": ("QueryBackupStorage", "backup"),
    "ImageVO": ("QueryImage", "image"),
    "L2NetworkVO": ("QueryL2Network", "l2"),
    "L3NetworkVO": ("QueryL3Network", "l3"),
    "IpRangeVO": ("QueryIpRange", "range"),
    "InstanceOfferingVO": ("QueryInstanceOffering", "offering"),
    "DiskOfferingVO": ("QueryDiskOffering", "disk"),
    "VmInstanceVO": ("QueryVmInstance", "vm"),
    "VmNicVO": ("QueryVmNic", "nic"),
    "VolumeVO": ("QueryVolume", "root"),
    "VolumeSnapshotVO": ("QueryVolumeSnapshot", "snapshot"),
    "VolumeBackupVO": ("QueryVolumeBackup", "copy"),
    "AccountVO": ("QueryAccount", "account"),
    "UserVO": ("QueryUser", "user"),
    "UserGroupVO": ("QueryUserGroup", "group"),
    "PolicyVO": ("QueryPolicy", "policy"),
}
"""The query and the uuid of one resource of each kind."""

NEVER_DELETED = {"NetworkServiceProviderVO": "there is one, for ever", "UsedIpVO": "nothing queries it"}


@pytest.fixture
async def whole(cloud: Cloud) -> Cloud:
    """A cloud with one of everything."""
    await cloud.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    await cloud.make("disk", "CreateDiskOffering", diskSize=1 << 20)
    await cloud.make("account", "CreateAccount", password=PASSWORD)
    await cloud.make("user", "CreateUser", password=PASSWORD)
    await cloud.make("group", "CreateUserGroup")
    said = [{"effect": "Allow", "actions": ["vm:.*"]}]
    await cloud.make("policy", "CreatePolicy", statements=said)
    vm = await cloud.vm(userTags=["born with it", "born with it"], systemTags=["hostname::h", "hostname::h"])
    cloud.uuids |= {"vm": vm["uuid"], "nic": vm["vmNics"][0]["uuid"], "root": vm["rootVolumeUuid"]}
    await cloud.make("snapshot", "CreateVolumeSnapshot", volumeUuid=vm["rootVolumeUuid"])
    where = {"volumeUuid": vm["rootVolumeUuid"], "backupStorageUuid": cloud.uuids["backup"]}
    await cloud.make("copy", "CreateVolumeBackup", **where)
    return cloud


async def take_down(cloud: Cloud) -> None:
    """Delete everything, what uses something before what it uses."""
    uuids = cloud.uuids
    await cloud.call("DestroyVmInstance", uuid=uuids["vm"])
    await cloud.call("DeleteVolumeBackup", uuid=uuids["copy"])
    await cloud.call("DeleteImage", uuid=uuids["image"])
    await cloud.call("ExpungeImage", imageUuid=uuids["image"])
    await cloud.call("DeleteInstanceOffering", uuid=uuids["offering"])
    await cloud.call("DeleteDiskOffering", uuid=uuids["disk"])
    await cloud.call("DeleteIpRange", uuid=uuids["range"])
    await cloud.call("DeleteL3Network", uuid=uuids["l3"])
    await cloud.call("DetachL2NetworkFromCluster", l2NetworkUuid=uuids["l2"], clusterUuid=uuids["cluster"])
    await cloud.call("DeleteL2Network", uuid=uuids["l2"])
    await cloud.call("DetachBackupStorageFromZone", backupStorageUuid=uuids["backup"], zoneUuid=uuids["zone"])
    await cloud.call("DeleteBackupStorage", uuid=uuids["backup"])
    await cloud.call(
        "DetachPrimaryStorageFromCluster", primaryStorageUuid=uuids["primary"], clusterUuid=uuids["cluster"]
    )
    await cloud.call("DeletePrimaryStorage", uuid=uuids["primary"])
    await cloud.call("DeleteHost", uuid=uuids["host1"])
    await cloud.call("DeleteHost", uuid=uuids["host2"])
    await cloud.call("DeleteCluster", uuid=uuids["cluster"])
    await cloud.call("DeleteZone", uuid=uuids["zone"])
    for name, key in (("Policy", "policy"), ("UserGroup", "group"), ("User", "user"), ("Account", "account")):
        await cloud.call(f"Delete{name}", uuid=uuids[key])


async def tags_of(cloud: Cloud, uuid: str) -> list[str]:
    """The texts of a resource's tags, system tags first."""
    found = [*await cloud.query("QuerySystemTag", resourceUuid=uuid)]
    found += await cloud.query("QueryUserTag", resourceUuid=uuid)
    return [tag["tag"] for tag in found]


async def find(cloud: Cloud, query: str, name: str, op: str, value: str) -> set[str]:
    """The uuids of what a query with one condition finds."""
    body = await cloud.answer(query, conditions=[{"name": name, "op": op, "value": value}])
    assert body["success"], body
    return {each["uuid"] for each in body["inventories"]}


def test_every_kind_that_tags_can_be_on_is_tried_here() -> None:
    kinds = {kind.vo for kind in RESOURCES.values() if can_be_tagged(kind)}
    assert kinds - NEVER_DELETED.keys() == MADE.keys()


async def test_user_tags_are_found_on_every_kind_and_go_with_it(whole: Cloud) -> None:
    for number, (vo, (query, key)) in enumerate(MADE.items()):
        text = f" mark, {number}::{vo} "
        fields = {"resourceType": vo, "resourceUuid": whole.uuids[key], "tag": text}
        tag = await whole.call("CreateUserTag", **fields)
        assert {name: tag[name] for name in fields} == fields
        assert tag["type"] == "User"
        assert await whole.answer("CreateUserTag", **fields) == {"success": True}
        assert await find(whole, query, "__userTag__", "=", text) == {whole.uuids[key]}
        assert whole.uuids[key] not in await find(whole, query, "__userTag__", "!=", text)
        assert await find(whole, "QueryUserTag", "tag", "=", text) == {tag["uuid"]}
        await whole.call("DeleteTag", uuid=tag["uuid"])
        assert await find(whole, query, "__userTag__", "=", text) == set()
        again = await whole.call("CreateUserTag", **fields)
        assert again["uuid"] != tag["uuid"]
    await take_down(whole)
    for kind in (SystemTag, UserTag):
        assert await whole.database.read(lambda snapshot, kind=kind: snapshot.all(kind)) == []
    assert await whole.database.verify() == []


async def test_tags_given_at_birth_are_there_once_and_found(whole: Cloud) -> None:
    vm = whole.uuids["vm"]
    assert sorted(await tags_of(whole, vm)) == ["born with it", "hostname::h"]
    (tag,) = await whole.query("QuerySystemTag", resourceUuid=vm)
    assert (tag["inherent"], tag["type"], tag["resourceType"]) == (False, "System", "VmInstanceVO")
    assert await find(whole, "QueryVmInstance", "__systemTag__", "=", "hostname::h") == {vm}
    assert await find(whole, "QueryVmInstance", "__systemTag__", "like", "host%") == {vm}
    assert await find(whole, "QueryVmInstance", "__systemTag__", "is null", "") == set()
    assert await find(whole, "QueryZone", "__systemTag__", "is null", "") == {whole.uuids["zone"]}


async def test_a_new_resource_has_none_of_the_tags_of_the_one_that_had_its_uuid(cloud: Cloud) -> None:
    uuid = "0123456789ab4def8123456789abcdef"
    tags: dict[str, Any] = {"systemTags": ["host::reservedMemory::1G"], "userTags": ["u"]}
    await cloud.call("CreateZone", name="z", resourceUuid=uuid, **tags)
    await cloud.call("DeleteZone", uuid=uuid)
    await cloud.call("CreateZone", name="z", resourceUuid=uuid)
    assert await tags_of(cloud, uuid) == []


@pytest.mark.parametrize("name", ["CreateSystemTag", "CreateUserTag"])
async def test_what_is_not_there_gets_no_tag(cloud: Cloud, name: str) -> None:
    uuid = "f" * 32
    async with cloud.untouched():
        error = await cloud.refused(
            name, resourceType="ZoneVO", resourceUuid=uuid, tag="host::reservedCpu::1"
        )
        assert error["code"] == "SYS.1003"
        assert error["details"] == (
            f"invalid field[resourceUuid], resource[uuid:{uuid}, type:ZoneVO] not found"
        )
        for vo in ("zone", "Zone", "HostKeyVO", "SystemTagVO", "GlobalConfigVO", "LongJobVO", ""):
            error = await cloud.refused(name, resourceType=vo, resourceUuid=uuid, tag="t")
            assert error["code"] == "SYS.1007"


def test_patterns_are_told_apart_and_belong_to_what_is_built() -> None:
    assert len({(pattern.vo, pattern.pattern) for pattern in PATTERNS}) == len(PATTERNS)
    for pattern in PATTERNS:
        assert tagged_kind(pattern.vo) is not None, pattern
        assert pattern.help.endswith("."), pattern
        sample = re.sub(r"\{\w+\}", "x, y", pattern.pattern)
        found = pattern_of(pattern.vo, sample)
        assert found is not None, sample
        assert found[0] is pattern, sample
        assert set(found[1].values()) <= {"x, y"}
    inherent = {pattern.pattern.partition("::")[0] for pattern in PATTERNS if pattern.inherent}
    assert inherent == {
        "pendingCapacityChange", "os", "qemu-img", "libvirt", "hvm", "capability:liveSnapshot",
        "capability:virtio-scsi", "capability:snapshot", "kvm", "flatNetwork", "iso", "bootOrder",
    }  # fmt: skip


async def test_who_else_has_a_host_name_is_looked_up_and_not_searched(cloud: Cloud) -> None:
    plan = await cloud.database.read(
        lambda snapshot: snapshot.rows(f"EXPLAIN QUERY PLAN {TWIN}", ("l3", "vm", "tag"))
    )
    steps = [str(row[-1]) for row in plan if "SUBQUERY" not in row[-1]]
    assert [step.split()[1] for step in steps] == ["nic", "tag", "vm"]
    assert all(step.startswith("SEARCH") and "INDEX" in step for step in steps), steps


async def test_system_tags_are_found_on_every_kind_that_has_some(whole: Cloud) -> None:
    given = {
        "VmInstanceVO": "userdata::#!/bin/sh\n%_, a\\b 'ü'",
        "HostVO": "reservedCpu::1000",
        "ClusterVO": "host::reservedMemory::1G",
        "ZoneVO": "host::reservedCpu::1K",
        "InstanceOfferingVO": f"primaryStorage::allocator::uuid::{whole.uuids['primary']}",
    }
    made = {"L2NetworkVO": "kvm::bridge::br_eth1", "L3NetworkVO": "flatNetwork::DhcpServer::",
            "PrimaryStorageVO": "capability:snapshot"}  # fmt: skip
    assert given.keys() | made.keys() == {pattern.vo for pattern in PATTERNS}
    for vo, text in given.items():
        on = {"resourceType": vo, "resourceUuid": whole.uuids[MADE[vo][1]]}
        assert (await whole.call("CreateSystemTag", **on, tag=text))["tag"] == text
        assert await find(whole, MADE[vo][0], "__systemTag__", "=", text) == {on["resourceUuid"]}
        assert on["resourceUuid"] not in await find(whole, MADE[vo][0], "__systemTag__", "!=", text)
    for vo, start in made.items():
        query, key = MADE[vo]
        assert await find(whole, query, "__systemTag__", "like", f"{start}%") == {whole.uuids[key]}
    await take_down(whole)
    assert await whole.query("QuerySystemTag") == []


async def test_tags_wait_in_the_recycle_bin_and_end_with_what_is_expunged(cloud: Cloud) -> None:
    vm, image = (await cloud.vm())["uuid"], cloud.uuids["image"]
    for vo, uuid in (("VmInstanceVO", vm), ("ImageVO", image)):
        await cloud.call("CreateUserTag", resourceType=vo, resourceUuid=uuid, tag="kept")
    await cloud.call("DestroyVmInstance", uuid=vm)
    await cloud.call("DeleteImage", uuid=image)
    assert [await tags_of(cloud, uuid) for uuid in (vm, image)] == [["kept"], ["kept"]]
    await cloud.call("RecoverVmInstance", uuid=vm)
    await cloud.call("RecoverImage", imageUuid=image)
    assert [await tags_of(cloud, uuid) for uuid in (vm, image)] == [["kept"], ["kept"]]
    await cloud.call("DestroyVmInstance", uuid=vm)
    await cloud.call("ExpungeVmInstance", uuid=vm)
    await cloud.call("DeleteImage", uuid=image)
    await cloud.call("ExpungeImage", imageUuid=image)
    assert [await tags_of(cloud, uuid) for uuid in (vm, image)] == [[], []]
