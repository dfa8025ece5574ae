"""What hosts say of themselves, and networks are called there, as tags that nobody else may make."""

from __future__ import annotations

import pytest

from agent.protocol import HypervisorBack
from appliance.reconcile.host_tags import version
from appliance.reconcile.observe import take_event
from tests.simulated_cloud import Body, Cloud

DEBIAN = {
    "distribution": "debian",
    "release": "12",
    "codename": "bookworm",
    "libvirt_version": "9.0.0",
    "qemu_version": "7.2.22",
    "qemu_img_version": "7.2.21",
    "hvm": "svm",
}
TAGS = {
    "os::distribution::debian",
    "os::release::bookworm",
    "os::version::12",
    "libvirt::version::9.0.0",
    "qemu-img::version::7.2.21",
    "hvm::svm",
    "capability:liveSnapshot",
    "capability:virtio-scsi",
}


async def says(cloud: Cloud, **software: str) -> dict[str, Body]:
    """The tags of a host that says this at its next connect, by their texts."""
    cloud.dialer.hosts["10.0.0.1:22"].software = software
    await cloud.call("ReconnectHost", uuid=cloud.uuids["host1"])
    found = await cloud.query("QuerySystemTag", resourceUuid=cloud.uuids["host1"])
    assert all(tag["inherent"] and tag["resourceType"] == "HostVO" for tag in found)
    return {tag["tag"]: tag for tag in found}


async def test_a_host_has_tags_of_what_it_says(cloud: Cloud) -> None:
    assert (await says(cloud, **DEBIAN)).keys() == TAGS
    found = await cloud.query("QueryHost", __systemTag__="os::distribution::debian")
    assert [host["uuid"] for host in found] == [cloud.uuids["host1"]]


async def test_a_tag_stays_the_same_one_when_the_host_changes(cloud: Cloud) -> None:
    before = await says(cloud, **DEBIAN)
    after = await says(cloud, **{**DEBIAN, "libvirt_version": "10.1.0", "release": "13", "codename": ""})
    assert after.keys() == TAGS - {
        "libvirt::version::9.0.0", "os::version::12", "os::release::bookworm",
    } | {"libvirt::version::10.1.0", "os::version::13", "os::release::13"}  # fmt: skip
    assert after["libvirt::version::10.1.0"]["uuid"] == before["libvirt::version::9.0.0"]["uuid"]
    assert after["hvm::svm"] == before["hvm::svm"]


async def test_what_a_host_cannot_learn_stays_and_what_it_cannot_do_goes(cloud: Cloud) -> None:
    await says(cloud, **DEBIAN)
    assert (await says(cloud, **{**DEBIAN, "libvirt_version": "", "qemu_img_version": ""})).keys() == TAGS
    left = await says(cloud, **{**DEBIAN, "libvirt_version": "0.10.2", "hvm": ""})
    assert left.keys() == TAGS - {
        "libvirt::version::9.0.0", "hvm::svm", "capability:liveSnapshot", "capability:virtio-scsi",
    } | {"libvirt::version::0.10.2"}  # fmt: skip


async def test_another_libvirt_is_named_when_it_is_back_and_not_only_at_the_next_connect(
    cloud: Cloud,
) -> None:
    before = await says(cloud, **{**DEBIAN, "libvirt_version": ""})
    assert before.keys() == TAGS - {
        "libvirt::version::9.0.0", "capability:liveSnapshot", "capability:virtio-scsi",
    }  # fmt: skip
    on = cloud.uuids["host1"]
    for number in ("9.0.0", "9.0.1", ""):
        event = HypervisorBack(seen=cloud.dialer.hosts["10.0.0.1:22"]._scan(), libvirt_version=number)
        await cloud.database.write(take_event("10.0.0.1:22", event))
        found = {tag["tag"] for tag in await cloud.query("QuerySystemTag", resourceUuid=on)}
        assert found == TAGS - {"libvirt::version::9.0.0"} | {f"libvirt::version::{number or '9.0.1'}"}


async def test_what_no_tag_can_hold_makes_none(cloud: Cloud) -> None:
    odd = {
        "distribution": "a::b",
        "release": "x" * 200,
        "codename": "a\nb",
        "hvm": "evil",
        "libvirt_version": "9x",
    }
    texts = (await says(cloud, **odd)).keys()
    assert not any("evil" in text or "a::b" in text or "\n" in text or "xxx" in text for text in texts)


async def test_inherent_tags_are_the_appliances_alone(cloud: Cloud) -> None:
    tag = (await says(cloud, **DEBIAN))["hvm::svm"]
    on = {"resourceType": "HostVO", "resourceUuid": cloud.uuids["host1"]}
    async with cloud.untouched():
        error = await cloud.refused("DeleteTag", uuid=tag["uuid"])
        assert error["code"] == "SYS.1006"
        assert error["details"] == f"tag[uuid:{tag['uuid']}] is an inherent system tag, can not be removed"
        assert (await cloud.refused("UpdateSystemTag", uuid=tag["uuid"], tag="hvm::vmx"))[
            "code"
        ] == "SYS.1006"
        assert (await cloud.refused("CreateSystemTag", **on, tag="hvm::vmx"))["code"] == "SYS.1007"
        assert (await cloud.refused("CreateSystemTag", **on, tag="capability:flying"))["code"] == "SYS.1007"


async def test_an_l2_network_says_what_its_bridge_is_called(cloud: Cloud) -> None:
    (tag,) = await cloud.query("QuerySystemTag", resourceUuid=cloud.uuids["l2"])
    assert (tag["tag"], tag["inherent"]) == ("kvm::bridge::br_eth1", True)
    fields = {"zoneUuid": cloud.uuids["zone"], "physicalInterface": "eth1"}
    vlan = await cloud.call("CreateL2VlanNetwork", name="v", vlan=7, **fields)
    assert await cloud.query("QuerySystemTag", resourceUuid=vlan["uuid"]) == []
    await cloud.call(
        "AttachL2NetworkToCluster", l2NetworkUuid=vlan["uuid"], clusterUuid=cloud.uuids["cluster"]
    )
    (tag,) = await cloud.query("QuerySystemTag", resourceUuid=vlan["uuid"])
    assert tag["tag"] == "kvm::bridge::br_eth1_7"


@pytest.mark.parametrize(
    ("text", "numbers"), [("9.0.0", (9, 0, 0)), ("7", (7,)), ("", None), ("9.x", None), (".", None)]
)
def test_a_version_is_compared_by_its_numbers(text: str, numbers: tuple[int, ...] | None) -> None:
    assert version(text) == numbers
