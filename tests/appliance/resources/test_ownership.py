"""Whose a resource is: who finds it, who may touch it, who may use it, and with whom it is shared."""

from __future__ import annotations

import pytest

from appliance.api.account import ADMIN_UUID
from appliance.api.ownership import AccountResourceRef, SharedResource
from tests.simulated_cloud import Body
from tests.tenants import Caller, Tenants

ABSENT = "0123456789ab4def8123456789abcdef"


@pytest.fixture
async def pair(tenants: Tenants) -> tuple[Caller, Caller]:
    """Two accounts that may use what the cloud has."""
    uuids = tenants.cloud.uuids
    shared = [uuids["image"], uuids["offering"], uuids["l3"]]
    await tenants.cloud.call("ShareResource", resourceUuids=shared, toPublic=True)
    return await tenants.account("a"), await tenants.account("b")


async def new_vm(of: Caller, name: str = "vm") -> Body:
    return await of.call("CreateVmInstance", **of.cloud.vm_fields(name=name))


def denied(uuid: str, kind: str, account: Caller) -> tuple[str, str]:
    return (
        "ID.1002",
        f"operation denied. The resource[uuid: {uuid}, type: {kind}] doesn't belong to the account"
        f"[uuid: {account.account_uuid}]",
    )


async def test_what_an_account_makes_is_its_own_with_all_that_belongs_to_it(
    tenants: Tenants, pair: tuple[Caller, Caller]
) -> None:
    a, b = pair
    vm = await new_vm(a)
    volume, nic = vm["rootVolumeUuid"], vm["vmNics"][0]["uuid"]
    for query, uuid in (("QueryVmInstance", vm["uuid"]), ("QueryVolume", volume), ("QueryVmNic", nic)):
        assert await a.seen(query) == {uuid}
        assert await b.seen(query) == set()
        assert await b.seen(query, ("uuid", "=", uuid)) == set()
        assert (await b.answer(query, count=True))["total"] == 0
        counted = await b.answer(query, replyWithCount=True)
        assert (counted["inventories"], counted["total"]) == ([], 0)
        assert {each["uuid"] for each in await tenants.cloud.query(query)} == {uuid}
    refs = await tenants.cloud.database.read(lambda s: s.all(AccountResourceRef, account_uuid=a.account_uuid))
    assert {(ref.resource_type, ref.resource_uuid) for ref in refs} == {
        ("VmInstanceVO", vm["uuid"]),
        ("VolumeVO", volume),
    }


async def test_an_account_does_not_see_what_is_not_shared_with_it(tenants: Tenants) -> None:
    a = await tenants.account("a")
    for query in ("QueryImage", "QueryInstanceOffering", "QueryL3Network", "QueryIpRange", "QueryL2Network",
                  "QueryNetworkServiceL3NetworkRef", "QuerySystemTag"):  # fmt: skip
        assert (await a.answer(query))["inventories"] == [], query
    fields = tenants.cloud.vm_fields()
    async with tenants.cloud.untouched():
        assert (await a.refused("CreateVmInstance", **fields))[0] == "ID.1002"


async def test_what_another_account_has_is_not_touched(tenants: Tenants, pair: tuple[Caller, Caller]) -> None:
    a, b = pair
    cloud = tenants.cloud
    vm = await new_vm(a)
    uuid, nic, volume = vm["uuid"], vm["vmNics"][0]["uuid"], vm["rootVolumeUuid"]
    image, l3 = cloud.uuids["image"], cloud.uuids["l3"]
    tag = (
        await a.call("CreateSystemTag", resourceType="VmInstanceVO", resourceUuid=uuid, tag="hostname::a")
    )["uuid"]
    await cloud.idle()  # what the tag changes is on the host
    async with cloud.untouched():
        for name in ("StopVmInstance", "RebootVmInstance", "DestroyVmInstance", "UpdateVmInstance"):
            assert await b.refused(name, uuid=uuid) == denied(uuid, "VmInstanceVO", b), name
        assert await b.refused("GetVmAttachableL3Network", vmInstanceUuid=uuid) == denied(
            uuid, "VmInstanceVO", b
        )
        assert await b.refused("DetachL3NetworkFromVm", vmNicUuid=nic) == denied(nic, "VmNicVO", b)
        fields = {"resourceType": "VmInstanceVO", "resourceUuid": uuid, "tag": "hostname::b"}
        assert await b.refused("CreateSystemTag", **fields) == denied(uuid, "VmInstanceVO", b)
        assert await b.refused("CreateUserTag", **fields) == denied(uuid, "VmInstanceVO", b)
        assert await b.refused("UpdateSystemTag", uuid=tag, tag="hostname::b") == denied(
            tag, "SystemTagVO", b
        )
        assert await b.refused("DeleteTag", uuid=tag) == denied(tag, "SystemTagVO", b)
        for one in (a, b):
            assert await one.refused("DeleteImage", uuid=image) == denied(image, "ImageVO", one)
            assert await one.refused("UpdateImage", uuid=image, name="x") == denied(image, "ImageVO", one)
            assert await one.refused("DeleteL3Network", uuid=l3) == denied(l3, "L3NetworkVO", one)
            assert await one.refused("AddDnsToL3Network", l3NetworkUuid=l3, dns="1.1.1.1") == denied(
                l3, "L3NetworkVO", one
            )
            range_uuid = cloud.uuids["range"]
            assert await one.refused("DeleteIpRange", uuid=range_uuid) == denied(range_uuid, "IpRangeVO", one)
        assert await b.refused("ShareResource", resourceUuids=[volume], toPublic=True) == denied(
            volume, "VolumeVO", b
        )
    assert await a.seen("QuerySystemTag", ("resourceUuid", "=", uuid)) == {tag}
    assert await b.seen("QuerySystemTag") == set()
    await a.call("StopVmInstance", uuid=uuid)
    await b.call("DestroyVmInstance", uuid=ABSENT)


async def test_no_account_makes_an_image_of_anothers_volume(
    tenants: Tenants, pair: tuple[Caller, Caller]
) -> None:
    """Whose file it is, its path does not say: whoever knows it has not been given it."""
    a, b = pair
    # On the first host, which the backup storage is on, too.
    await tenants.cloud.call("ChangeHostState", uuid=tenants.cloud.uuids["host2"], stateEvent="disable")
    vm = await new_vm(a)
    await tenants.cloud.call("StopVmInstance", uuid=vm["uuid"])
    (volume,) = await tenants.cloud.query("QueryVolume", uuid=vm["rootVolumeUuid"])
    image = {
        "name": "stolen",
        "url": f"file://{volume['installPath']}",
        "format": "qcow2",
        "backupStorageUuids": [tenants.cloud.uuids["backup"]],
    }
    for caller in (b, a):
        code, details = await caller.refused("AddImage", **image)
        assert code == "IMG.1000"
        assert "is below none of the folders allowed" in details
    await tenants.cloud.call("AddImage", **image)


async def test_the_admin_touches_everything_and_it_stays_whose_it_is(
    tenants: Tenants, pair: tuple[Caller, Caller]
) -> None:
    a, _ = pair
    vm = await new_vm(a)
    await tenants.cloud.call("StopVmInstance", uuid=vm["uuid"])
    assert await a.seen("QueryVmInstance") == {vm["uuid"]}
    other = await tenants.cloud.make("other", "CreateL3Network", l2NetworkUuid=tenants.cloud.uuids["l2"])
    await tenants.cloud.call(
        "AddIpRangeByNetworkCidr", name="r", l3NetworkUuid=other, networkCidr="10.8.0.0/24"
    )
    attached = await tenants.cloud.call("AttachL3NetworkToVm", vmInstanceUuid=vm["uuid"], l3NetworkUuid=other)
    assert await a.seen("QueryVmNic") == {nic["uuid"] for nic in attached["vmNics"]}


async def test_shared_resources_are_seen_and_used_until_sharing_ends(tenants: Tenants) -> None:
    cloud = tenants.cloud
    a, b = await tenants.account("a"), await tenants.account("b")
    image = cloud.uuids["image"]
    await cloud.call("ShareResource", resourceUuids=[image], accountUuids=[a.account_uuid])
    await cloud.call("ShareResource", resourceUuids=[image], accountUuids=[a.account_uuid])
    assert (await a.seen("QueryImage"), await b.seen("QueryImage")) == ({image}, set())
    assert await cloud.database.read(lambda s: s.count(SharedResource)) == 1
    await cloud.call("ShareResource", resourceUuids=[image], toPublic=True)
    assert (await a.seen("QueryImage"), await b.seen("QueryImage")) == ({image}, {image})
    await cloud.call("RevokeResourceSharing", resourceUuids=[image], toPublic=True)
    assert (await a.seen("QueryImage"), await b.seen("QueryImage")) == ({image}, set())
    await cloud.call("RevokeResourceSharing", resourceUuids=[image], accountUuids=[b.account_uuid])
    assert await a.seen("QueryImage") == {image}
    await cloud.call("RevokeResourceSharing", resourceUuids=[image], accountUuids=[a.account_uuid])
    assert await a.seen("QueryImage") == set()
    await cloud.call("ShareResource", resourceUuids=[image], accountUuids=[a.account_uuid], toPublic=True)
    await cloud.call("RevokeResourceSharing", resourceUuids=[image], all=True)
    assert (await a.seen("QueryImage"), await b.seen("QueryImage")) == (set(), set())


async def test_a_normal_account_shares_its_own(tenants: Tenants, pair: tuple[Caller, Caller]) -> None:
    a, b = pair
    offering = await a.make("CreateInstanceOffering", name="o", cpuNum=1, cpuSpeed=1, memorySize=1 << 28)
    await a.call("ShareResource", resourceUuids=[offering], accountUuids=[b.account_uuid])
    assert offering in await b.seen("QueryInstanceOffering")
    ref = await tenants.cloud.database.read(lambda s: s.get(AccountResourceRef, offering))
    assert ref.is_shared
    vm = await b.call("CreateVmInstance", **tenants.cloud.vm_fields(instanceOfferingUuid=offering))
    assert vm["instanceOfferingUuid"] == offering
    assert await b.refused("DeleteInstanceOffering", uuid=offering) == denied(
        offering, "InstanceOfferingVO", b
    )
    await a.call("DeleteInstanceOffering", uuid=offering)
    assert await tenants.cloud.database.read(
        lambda s: (s.find(AccountResourceRef, offering), s.count(SharedResource, resource_uuid=offering))
    ) == (None, 0)


async def test_sharing_says_what_is_missing(tenants: Tenants) -> None:
    cloud = tenants.cloud
    a = await tenants.account("a")
    image, zone = cloud.uuids["image"], cloud.uuids["zone"]
    for name, fields, code, details in (
        ("ShareResource", {"resourceUuids": [image]}, "SYS.1007",
         "name the accounts in accountUuids, or say toPublic=true"),
        ("ShareResource", {"resourceUuids": [zone], "toPublic": True}, "SYS.1003",
         f"invalid field[resourceUuids], resource[uuid:{zone}] that can be shared not found"),
        ("ShareResource", {"resourceUuids": [image], "accountUuids": [ABSENT]}, "SYS.1003",
         f"invalid field[accountUuids], resource[uuids:[{ABSENT}], type:AccountVO] not found"),
        ("ShareResource", {"resourceUuids": [], "toPublic": True}, "SYS.1007",
         "field[resourceUuids] must be a nonempty list"),
        ("RevokeResourceSharing", {"resourceUuids": [image]}, "SYS.1007",
         "name the accounts in accountUuids, or say toPublic=true or all=true"),
    ):  # fmt: skip
        error = await cloud.refused(name, **fields)
        assert (error["code"], error["details"]) == (code, details)
    assert await a.refused("ShareResource", resourceUuids=[image], toPublic=True) == denied(
        image, "ImageVO", a
    )


async def test_conditions_on_other_resources_tell_nothing_of_what_is_not_seen(
    tenants: Tenants, pair: tuple[Caller, Caller]
) -> None:
    a, b = pair
    vm = await new_vm(a, name="secret")
    l3 = tenants.cloud.uuids["l3"]
    joined = ("vmNic.vmInstance.name", "=", "secret")
    assert await a.seen("QueryL3Network", joined) == {l3}
    assert await b.seen("QueryL3Network", joined) == set()
    assert await a.seen("QueryVmInstance", ("image.name", "=", "image")) == {vm["uuid"]}
    assert await a.seen("QueryVmInstance", ("vmNics.l3Network.uuid", "=", l3)) == {vm["uuid"]}
    for condition, kind in (
        ("host.managementIp", "HostVO"),
        ("zone.name", "ZoneVO"),
        ("cluster.name", "ClusterVO"),
    ):
        body = await a.answer("QueryVmInstance", conditions=[{"name": condition, "op": "=", "value": "x"}])
        assert (body["error"]["code"], body["error"]["details"]) == (
            "ID.1002",
            f"only the admin may ask about {kind}; leave out conditions on it",
        )


async def test_candidates_are_what_is_seen(tenants: Tenants, pair: tuple[Caller, Caller]) -> None:
    a, _ = pair
    vm = (await new_vm(a))["uuid"]
    l2 = tenants.cloud.uuids["l2"]
    hidden = await tenants.cloud.make("hidden", "CreateL3Network", l2NetworkUuid=l2)
    await tenants.cloud.call(
        "AddIpRangeByNetworkCidr", name="r", l3NetworkUuid=hidden, networkCidr="10.8.0.0/24"
    )
    everything = (await tenants.cloud.answer("GetVmAttachableL3Network", vmInstanceUuid=vm))["inventories"]
    assert [each["uuid"] for each in everything] == [hidden]
    assert (await a.answer("GetVmAttachableL3Network", vmInstanceUuid=vm))["inventories"] == []
    assert await a.refused("AttachL3NetworkToVm", vmInstanceUuid=vm, l3NetworkUuid=hidden) == denied(
        hidden, "L3NetworkVO", a
    )
    await tenants.cloud.call("ShareResource", resourceUuids=[hidden], accountUuids=[a.account_uuid])
    seen = (await a.answer("GetVmAttachableL3Network", vmInstanceUuid=vm))["inventories"]
    assert [each["uuid"] for each in seen] == [hidden]
    attached = await a.call("AttachL3NetworkToVm", vmInstanceUuid=vm, l3NetworkUuid=hidden)
    assert len(attached["vmNics"]) == 2


async def test_jobs_are_seen_by_who_asked(tenants: Tenants, pair: tuple[Caller, Caller]) -> None:
    a, b = pair
    await new_vm(a)
    (job,) = await a.seen("QueryLongJob", ("name", "=", "CreateVmInstance"))
    assert await b.seen("QueryLongJob") == set()
    assert await b.refused("CancelLongJob", uuid=job) == denied(job, "LongJobVO", b)
    assert (await a.refused("CancelLongJob", uuid=job))[0] == "SYS.1006"


async def test_the_admin_may_choose_to_see_its_own_only(
    tenants: Tenants, pair: tuple[Caller, Caller]
) -> None:
    a, _ = pair
    vm = await new_vm(a)
    mine = await tenants.cloud.vm(name="mine")
    config = {"category": "identity", "name": "admin.showAllResource"}
    await tenants.cloud.call("UpdateGlobalConfig", **config, value="false")
    for query, found in (("QueryVmInstance", mine["uuid"]), ("QueryVolume", mine["rootVolumeUuid"]),
                         ("QueryVmNic", mine["vmNics"][0]["uuid"])):  # fmt: skip
        assert {each["uuid"] for each in await tenants.cloud.query(query)} == {found}
    assert len(await tenants.cloud.query("QueryHost")) == 2
    await tenants.cloud.call("UpdateGlobalConfig", **config, value="True")
    seen = {each["uuid"] for each in await tenants.cloud.query("QueryVmInstance")}
    assert seen == {vm["uuid"], mine["uuid"]}
    # As in ZStack, where Boolean.valueOf reads such settings: any text is taken, and is false.
    await tenants.cloud.call("UpdateGlobalConfig", **config, value="perhaps")
    assert {each["uuid"] for each in await tenants.cloud.query("QueryVmInstance")} == {mine["uuid"]}


async def test_what_is_gone_is_nobodys_and_its_uuid_can_be_anothers(
    tenants: Tenants, pair: tuple[Caller, Caller]
) -> None:
    a, b = pair
    fields = {"name": "o", "cpuNum": 1, "cpuSpeed": 1, "memorySize": 1 << 28, "resourceUuid": ABSENT}
    await a.call("CreateInstanceOffering", **fields)
    assert (await b.refused("CreateInstanceOffering", **fields))[0] == "SYS.1007"
    await a.call("DeleteInstanceOffering", uuid=ABSENT)
    await b.call("CreateInstanceOffering", **fields)
    assert ABSENT in await b.seen("QueryInstanceOffering")
    assert ABSENT not in await a.seen("QueryInstanceOffering")


async def test_a_uuid_that_is_taken_tells_what_has_it_to_who_may_see_that_only(
    tenants: Tenants, pair: tuple[Caller, Caller]
) -> None:
    a, b = pair
    vm = await new_vm(a)
    owned = {
        "VmInstanceVO": vm["uuid"],
        "AccountVO": a.account_uuid,
        "HostVO": (await tenants.cloud.query("QueryHost"))[0]["uuid"],
    }
    fields = {"name": "o", "cpuNum": 1, "cpuSpeed": 1, "memorySize": 1 << 28}

    def told(kind: str, uuid: str) -> tuple[str, str]:
        return "SYS.1007", f"field[resourceUuid]: {kind}[uuid:{uuid}] exists already; choose another"

    for kind, uuid in owned.items():
        refused = await b.refused("CreateInstanceOffering", **fields, resourceUuid=uuid)
        assert refused == ("SYS.1007", f"field[resourceUuid]: {uuid} is taken already; choose another"), kind
        error = await tenants.cloud.refused("CreateInstanceOffering", **fields, resourceUuid=uuid)
        assert (error["code"], error["details"]) == told(kind, uuid)
    for kind, uuid in {**owned, "ImageVO": tenants.cloud.uuids["image"]}.items():
        if kind != "HostVO":
            refused = await a.refused("CreateInstanceOffering", **fields, resourceUuid=uuid)
            assert refused == told(kind, uuid)


async def test_files_lie_in_the_folder_of_whose_they_are(
    tenants: Tenants, pair: tuple[Caller, Caller]
) -> None:
    a, cloud = pair[0], tenants.cloud
    disk = await cloud.make("disk", "CreateDiskOffering", diskSize=1 << 30)
    await cloud.call("ShareResource", resourceUuids=[disk], toPublic=True)
    vm = await new_vm(a)
    data = await a.make("CreateDataVolume", name="data", diskOfferingUuid=disk)
    await a.call("AttachDataVolumeToVm", vmInstanceUuid=vm["uuid"], volumeUuid=data)
    snapshot = await a.make("CreateVolumeSnapshot", name="s", volumeUuid=data)
    copied = await a.make("CreateDataVolumeFromVolumeSnapshot", name="c", volumeSnapshotUuid=snapshot)
    for uuid, kind in ((vm["rootVolumeUuid"], "root"), (data, "data"), (copied, "data")):
        place = f"/{kind}Volumes/acct-{a.account_uuid}/vol-{uuid}/"
        assert place in (await cloud.one("QueryVolume", uuid))["installPath"]
    admins = (await cloud.vm(name="admins"))["rootVolumeUuid"]
    assert f"/acct-{ADMIN_UUID}/" in (await cloud.one("QueryVolume", admins))["installPath"]
    await a.call("StopVmInstance", uuid=vm["uuid"])
    image = await a.make(
        "CreateRootVolumeTemplateFromRootVolume", name="i", rootVolumeUuid=vm["rootVolumeUuid"]
    )
    (copy,) = (await cloud.one("QueryImage", image))["backupStorageRefs"]
    assert f"/rootVolumeTemplates/acct-{a.account_uuid}/{image}/" in copy["installPath"]


async def test_a_user_works_for_its_account(tenants: Tenants, pair: tuple[Caller, Caller]) -> None:
    a, _ = pair
    user, uuid = await tenants.user(a, "u")
    policy = await a.make(
        "CreatePolicy", name="p",
        statements=[{"effect": "Allow", "actions": ["instance:APICreateVmInstanceMsg"]}],
    )  # fmt: skip
    await a.call("AttachPolicyToUser", userUuid=uuid, policyUuid=policy)
    vm = await user.call("CreateVmInstance", **tenants.cloud.vm_fields())
    assert await a.seen("QueryVmInstance") == {vm["uuid"]}
    assert vm["uuid"] in await user.seen("QueryVmInstance")
    assert (await user.refused("StopVmInstance", uuid=vm["uuid"]))[0] == "ID.1002"
    assert ADMIN_UUID not in await user.seen("QueryUser", field="accountUuid")


async def test_many_resources_are_found_like_few(
    tenants: Tenants, pair: tuple[Caller, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    mine = {(await new_vm(a, name=f"vm{number}"))["uuid"] for number in range(3)}
    other = await new_vm(b)
    monkeypatch.setattr("appliance.store.viewer.MANY", 2)
    assert await a.seen("QueryVmInstance") == mine
    assert await b.seen("QueryVmInstance") == {other["uuid"]}
    assert await a.seen("QueryImage") == {tenants.cloud.uuids["image"]}


async def test_user_tags_of_what_is_shared_are_seen_and_system_tags_are_not(
    tenants: Tenants, pair: tuple[Caller, Caller]
) -> None:
    a, b = pair
    vm = (await new_vm(a))["uuid"]
    secret = "rootPassword::secret"
    await a.call("CreateSystemTag", resourceType="VmInstanceVO", resourceUuid=vm, tag=secret)
    await a.call("CreateUserTag", resourceType="VmInstanceVO", resourceUuid=vm, tag="mark")
    await a.call("ShareResource", resourceUuids=[vm], accountUuids=[b.account_uuid])
    assert await b.seen("QueryVmInstance") == {vm}
    assert await b.seen("QueryUserTag", field="tag") == {"mark"}
    assert await b.seen("QuerySystemTag") == set()
    await b.call("GetVmAttachableL3Network", vmInstanceUuid=vm)
    for name, fields in (("PreviewUserdata", {"uuid": vm}), ("StopVmInstance", {"uuid": vm}),
                         ("RequestConsoleAccess", {"vmInstanceUuid": vm})):  # fmt: skip
        assert await b.refused(name, **fields) == denied(vm, "VmInstanceVO", b), name
    for one, tag, found in (
        (a, "__systemTag__", {vm}),
        (b, "__systemTag__", set()),
        (b, "__userTag__", {vm}),
    ):
        text = "mark" if tag == "__userTag__" else secret
        assert await one.seen("QueryVmInstance", (tag, "=", text)) == found
