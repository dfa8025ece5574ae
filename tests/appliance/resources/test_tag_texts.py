"""What a caller reads when a tag is refused: ZStack's own words where it has some, each once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.simulated_cloud import Cloud

NOBODY = "f" * 12 + "4fff8" + "f" * 15
KEY = "ssh-ed25519 AAAA me"


@dataclass(frozen=True)
class Case:
    """A call that is refused. `{words}` stand for what the cloud calls by them."""

    call: str
    fields: dict[str, Any]
    code: str
    text: str
    before: tuple[str, ...] = field(default=())
    """Tags that the VM has before."""


def on_vm(tag: str) -> dict[str, Any]:
    return {"resourceType": "VmInstanceVO", "resourceUuid": "{vm}", "tag": tag}


def on(vo: str, key: str, tag: str) -> dict[str, Any]:
    return {"resourceType": vo, "resourceUuid": f"{{{key}}}", "tag": tag}


ZSTACK = [
    Case("CreateSystemTag", on_vm("nonsense::x"), "SYS.1007", "no system tag matches nonsense::x"),
    Case("CreateSystemTag", on_vm("userdata::a::b"), "SYS.1007", "no system tag matches userdata::a::b"),
    Case("CreateZone", {"name": "z", "systemTags": ["a", "b"]}, "SYS.1007", "no system tag matches a"),
    Case("UpdateSystemTag", {"uuid": "{tag}", "tag": "x::y"}, "SYS.1007", "no system tag matches x::y",
         ("sshkey::" + KEY,)),
    Case("CreateSystemTag", on("XVO", "vm", "a"), "SYS.1007", "no resource type[XVO] found in tag system"),
    Case("CreateUserTag", on("XVO", "vm", "a"), "SYS.1007", "no resource type[XVO] found in tag system"),
    Case("DeleteTag", {"uuid": "{inherent}"}, "SYS.1006",
         "tag[uuid:{inherent}] is an inherent system tag, can not be removed"),
    Case("CreateSystemTag", on_vm("staticIp::{l3}::10.9.0.1"), "SYS.1006",
         "IP[10.9.0.1] is not available on the L3 network[uuid:{l3}], as system tag staticIp::{l3}::10.9.0.1 asks: "
         "it is in none of its IP ranges; take a free address of 10.9.0.2-10.9.0.254"),
    Case("CreateSystemTag", {**on_vm("userdata::a"), "resourceUuid": NOBODY}, "SYS.1003",
         f"invalid field[resourceUuid], resource[uuid:{NOBODY}, type:VmInstanceVO] not found"),
    Case("UpdateSystemTag", {"uuid": NOBODY, "tag": "userdata::a"}, "SYS.1003",
         f"invalid field[uuid], resource[uuid:{NOBODY}, type:SystemTagVO] not found"),
]  # fmt: skip
"""The texts that ZStack's clients may look for."""

OURS = [
    *(Case("CreateSystemTag", on(vo, key, tag), "SYS.1014",
           f"{tag} is a tag of ZStack 1.0 for routers, which are not built here yet")
      for vo, key, tag in (
          ("VmInstanceVO", "vm", "role::DHCP"), ("VmInstanceVO", "vm", "role::LoadBalancer"),
          ("VmInstanceVO", "vm", "dedicatedRole"), ("VmInstanceVO", "vm", "commandsParallelismDegree::5"),
          ("InstanceOfferingVO", "offering", "commandsParallelismDegree::5"),
          ("InstanceOfferingVO", "offering", f"guestL3Network::{NOBODY}"))),
    Case("CreateSystemTag", on_vm("role::Cook"), "SYS.1007", "no system tag matches role::Cook"),
    Case("UpdateSystemTag", {"uuid": "{tag}", "tag": "dedicatedRole"}, "SYS.1014",
         "dedicatedRole is a tag of ZStack 1.0 for routers, which are not built here yet", ("userdata::a",)),
    Case("CreateInstanceOffering",
         {"name": "o", "cpuNum": 1, "cpuSpeed": 1, "memorySize": 1 << 20,
          "systemTags": ["primaryStorage::allocator::userTag::a", f"guestL3Network::{NOBODY}"]}, "SYS.1014",
         f"guestL3Network::{NOBODY} is a tag of ZStack 1.0 for routers, which are not built here yet"),
    Case("UpdateSystemTag", {"uuid": "{inherent}", "tag": "kvm::bridge::b"}, "SYS.1006",
         "tag[uuid:{inherent}] is an inherent system tag, can not be changed"),
    Case("CreateSystemTag", on("L2NetworkVO", "l2", "kvm::bridge::b"), "SYS.1007",
         "system tag kvm::bridge::b is made by the appliance only"),
    Case("CreateSystemTag", on_vm("bootOrder::CdRom"), "SYS.1007",
         "system tag bootOrder::CdRom is made by the appliance only"),
    Case("CreateSystemTag", on_vm("hostname::a_b"), "SYS.1007",
         "hostname[a_b] is not a host name: letters, digits, dashes, dots"),
    Case("CreateSystemTag", on_vm("hostname::two"), "SYS.1007",
         "only one hostname::{hostname} tag is allowed, and there is one already: hostname::one[uuid:{tag}]",
         ("hostname::one",)),
    Case("CreateSystemTag", on_vm("hostname::Taken"), "SYS.1007",
         "hostname[Taken] is another VM's on the L3 network[uuid:{l3}]; choose another name"),
    Case("UpdateSystemTag", {"uuid": "{tag}", "tag": "hostname::taken"}, "SYS.1007",
         "hostname[taken] is another VM's on the L3 network[uuid:{l3}]; choose another name", ("hostname::one",)),
    Case("CreateSystemTag", on_vm(f"staticIp::{NOBODY}::10.9.0.9"), "SYS.1007",
         f"staticIp names L3 network[uuid:{NOBODY}], which does not exist"),
    Case("CreateSystemTag", on_vm("staticIp::{l3}::10.9.0"), "SYS.1007", "staticIp[10.9.0] is not an IPv4 address"),
    Case("CreateSystemTag", on_vm("sshkey::mine"), "SYS.1007",
         "sshkey is not one public key in OpenSSH form, like ssh-ed25519 AAAA…"),
    Case("CreateSystemTag", on_vm("rootPassword::a:b"), "SYS.1007",
         "rootPassword may not hold line breaks or colons"),
    Case("CreateSystemTag", on_vm("userdata::" + "x" * 65_537), "SYS.1007", "userdata has 65537 bytes, 65536 at most"),
    Case("CreateSystemTag", on("HostVO", "host1", "accelerator::warp"), "SYS.1007",
         "accelerator[warp] is not one of auto, kvm, tcg"),
    Case("CreateSystemTag", on("HostVO", "host1", "reservedMemory::much"), "SYS.1007",
         "reservedMemory[much]: much is not a size like 512M"),
    Case("CreateSystemTag", on("ClusterVO", "cluster", "host::reservedCpu::9999999999999999999T"), "SYS.1007",
         "reservedCpu[9999999999999999999T]: 9999999999999999999T is more than anything has: "
         "1152921504606846976 at most"),
    Case("CreateSystemTag", on("InstanceOfferingVO", "offering", f"primaryStorage::allocator::uuid::{NOBODY}"),
         "SYS.1007", f"there is no primary storage[uuid:{NOBODY}] to put volumes on"),
]  # fmt: skip
"""What has no words of ZStack's that are known."""


@pytest.mark.parametrize("case", [*ZSTACK, *OURS], ids=lambda case: f"{case.call} {case.text[:60]}")
async def test_a_refusal_reads(cloud: Cloud, case: Case) -> None:
    await cloud.vm(systemTags=["hostname::taken"])
    vm = await cloud.vm(systemTags=list(case.before))
    (inherent,) = await cloud.query("QuerySystemTag", resourceUuid=cloud.uuids["l2"])
    names = {**cloud.uuids, "vm": vm["uuid"], "inherent": inherent["uuid"]}
    for tag in await cloud.query("QuerySystemTag", resourceUuid=vm["uuid"]):
        names["tag"] = tag["uuid"]

    def told(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        for name, uuid in names.items():
            value = value.replace(f"{{{name}}}", uuid)
        return value

    fields = {name: told(value) for name, value in case.fields.items()}
    async with cloud.untouched():
        error = await cloud.refused(case.call, **fields)
    assert (error["code"], error["details"]) == (case.code, told(case.text))


@pytest.mark.parametrize(
    "tag",
    ["guestL3Network::x", "role::Cook", "windows::virtioVolumes", "capability:snapshot", "hostname", "hostname::a::b"],
)  # fmt: skip
async def test_a_tag_that_means_nothing_here_is_refused(cloud: Cloud, tag: str) -> None:
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(systemTags=[tag]))
    assert (error["code"], error["details"]) == ("SYS.1007", f"no system tag matches {tag}")


async def test_to_delete_what_is_no_tag_succeeds(cloud: Cloud) -> None:
    async with cloud.untouched():
        for uuid in (NOBODY, "x", cloud.uuids["zone"]):
            assert await cloud.answer("DeleteTag", uuid=uuid) == {"success": True}
