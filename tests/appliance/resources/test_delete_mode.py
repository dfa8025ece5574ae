"""What each deletion says of its mode is what it does: with either mode, of a resource that is in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from appliance.api.message import DELETE_MODE, MESSAGES, DeleteMessage
from tests.appliance.resources.test_volume import attached
from tests.simulated_cloud import GIB, Body, Cloud
from tests.tenants import Tenants

MODES = ("Permissive", "Enforcing")
DELETIONS = {name: kind for name, kind in MESSAGES.items() if issubclass(kind, DeleteMessage)}
REFUSED = sorted(name for name, kind in DELETIONS.items() if kind.in_use == "refused")
DELETED = sorted(DELETIONS.keys() - set(REFUSED))

BOOKKEEPING = (
    "Ref",
    "Tag",
    "Session",
    "RecycleBinItem",
    "UsedIp",
    "ImageCache",
    "VolumeSnapshotTree",
    "Tally",
)
"""Ends of names of rows that only say something of a resource, and go with it."""

Target = Callable[[Body], Any]
TARGETS: dict[str, tuple[str, Target]] = {
    "DeleteAccessToken": ("AccessToken", lambda world: world["token"]),
    "DeleteAccount": ("Account", lambda world: world["account"]),
    "DeleteBackupStorage": ("BackupStorage", lambda world: world["backup"]),
    "DeleteCluster": ("Cluster", lambda world: world["cluster"]),
    "DeleteDataVolume": ("Volume", lambda world: world["data"]),
    "DeleteDiskOffering": ("DiskOffering", lambda world: world["disk"]),
    "DeleteHost": ("Host", lambda world: world["host"]),
    "DeleteImage": ("Image", lambda world: world["image"]),
    "DeleteInstanceOffering": ("InstanceOffering", lambda world: world["offering"]),
    "DeleteIpRange": ("IpRange", lambda world: world["range"]),
    "DeleteL2Network": ("L2Network", lambda world: world["l2"]),
    "DeleteL3Network": ("L3Network", lambda world: world["l3"]),
    "DeletePolicy": ("Policy", lambda world: world["policy"]),
    "DeletePrimaryStorage": ("PrimaryStorage", lambda world: world["primary"]),
    "DeleteSession": ("Session", lambda world: world["session"]),
    "DeleteTag": ("UserTag", lambda world: world["tag"]),
    "DeleteUser": ("User", lambda world: world["user"]),
    "DeleteUserGroup": ("UserGroup", lambda world: world["group"]),
    "DeleteVolumeBackup": ("VolumeBackup", lambda world: world["full"]),
    "DeleteVolumeSnapshot": ("VolumeSnapshot", lambda world: world["snapshot"]),
    "DeleteVolumeSnapshotFromBackupStorage": ("VolumeBackup", lambda world: world["full"]),
    "DeleteZone": ("Zone", lambda world: world["zone"]),
    "DestroyVmInstance": ("VmInstance", lambda world: world["vm"]),
}


@pytest.fixture
async def world(cloud: Cloud, tenants: Tenants) -> Body:
    """A cloud in which everything is in use; the uuid of each thing."""
    for category in ("vm", "volume", "image"):
        await cloud.call("UpdateGlobalConfig", category=category, name="deletionPolicy", value="Direct")
    disk = await cloud.make("disk", "CreateDiskOffering", diskSize=GIB)
    vm, data = await attached(cloud, disk)
    storage = {"backupStorageUuid": cloud.uuids["backup"]}
    full = await cloud.call("CreateVolumeBackup", volumeUuid=data["uuid"], name="b", **storage)
    await cloud.call("CreateVolumeBackup", volumeUuid=data["uuid"], name="c", **storage)
    snapshots = [
        await cloud.call("CreateVolumeSnapshot", volumeUuid=uuid, name=name)
        for uuid, name in ((vm["rootVolumeUuid"], "r"), (data["uuid"], "s"), (data["uuid"], "t"))
    ]
    tag = await cloud.call("CreateUserTag", resourceType="VmInstanceVO", resourceUuid=vm["uuid"], tag="t")
    tenant = await tenants.account("tenant")
    user, user_uuid = await tenants.user(tenant, "user")
    group = await tenant.make("CreateUserGroup", name="group")
    await tenant.call("AddUserToGroup", userUuid=user_uuid, groupUuid=group)
    says = [{"name": "all", "effect": "Allow", "actions": [".*"]}]
    policy = await tenant.make("CreatePolicy", name="policy", statements=says)
    await tenant.call("AttachPolicyToUser", userUuid=user_uuid, policyUuid=policy)
    await tenant.call("AttachPolicyToUserGroup", groupUuid=group, policyUuid=policy)
    token = await user.make("CreateAccessToken", name="token")
    sessions = await cloud.query("QuerySession", accountUuid=tenant.account_uuid)
    return {
        **cloud.uuids, "session": sessions[0]["digest"],
        "vm": vm["uuid"], "host": vm["hostUuid"], "data": data["uuid"], "full": full["uuid"],
        "snapshot": snapshots[1]["uuid"], "tag": tag["uuid"], "account": tenant.account_uuid, "user": user_uuid,
        "group": group, "policy": policy, "token": token,
    }  # fmt: skip


def test_every_deletion_is_tried_and_says_what_it_declares() -> None:
    assert DELETIONS.keys() == TARGETS.keys()
    for kind in DELETIONS.values():
        words = kind.parameters["delete_mode"].help
        assert words == DELETE_MODE[kind.in_use == "refused", bool(kind.along)]
    assert len(set(DELETE_MODE.values())) == len(DELETE_MODE)


async def test_what_is_in_use_is_refused_with_either_mode(cloud: Cloud, world: Body) -> None:
    await cloud.idle()
    for name in REFUSED:
        if name == "DeleteVolumeSnapshotFromBackupStorage":
            continue  # a copy is in use only for the moment in which something is made of it
        async with cloud.untouched():
            for mode in MODES:
                await cloud.refused(name, uuid=TARGETS[name][1](world), deleteMode=mode)


@pytest.mark.parametrize("mode", MODES)
async def test_an_unused_network_takes_along_what_is_declared(cloud: Cloud, mode: str) -> None:
    unused = await cloud.make("unused", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"])
    await cloud.make("more", "AddIpRangeByNetworkCidr", l3NetworkUuid=unused, networkCidr="10.8.0.0/24")
    await cloud.call("AddDnsToL3Network", l3NetworkUuid=unused, dns="10.8.0.9")
    assert await lost(cloud, "DeleteL3Network", unused, mode) == set(DELETIONS["DeleteL3Network"].along)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", DELETED)
async def test_what_goes_although_it_is_in_use_takes_along_what_is_declared(
    cloud: Cloud, world: Body, name: str, mode: str
) -> None:
    uuid = TARGETS[name][1](world)
    assert await lost(cloud, name, uuid, mode) == set(DELETIONS[name].along)


async def lost(cloud: Cloud, name: str, uuid: str, mode: str) -> set[str]:
    """The kinds of rows that go with a resource when it is deleted, without what only says something of one."""
    await cloud.idle()
    before = await cloud.rows()
    body = await cloud.answer(name, uuid=uuid, deleteMode=mode)
    assert body["success"], body
    await cloud.idle()
    after = await cloud.rows()
    gone = {kind: keys(rows) - keys(after[kind]) for kind, rows in before.items()}
    assert uuid in gone[TARGETS[name][0]]
    return {kind for kind, keys in gone.items() if keys - {uuid} and not kind.endswith(BOOKKEEPING)}


def keys(rows: list[Body]) -> set[Any]:
    return {str(row.get("uuid", row.get("digest", row))) for row in rows}
