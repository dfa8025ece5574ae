"""Tags: what can be asked about the words that steer a resource (system) or only mark it (user)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from appliance.api.message import DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import RESOURCES, Resource, Timestamp, column

JAVA = "org.zstack.header.tag"

UNTAGGED = frozenset(
    {
        "AccessToken",
        "ImageCache",
        "LongJob",
        "ManagementNode",
        "RecycleBinItem",
        "SystemTag",
        "UserTag",
        "VmMove",
        "VolumeMove",
        "VolumeReading",
        "VolumeRestore",
        "VolumeSnapshotTree",
    }
)
"""Resources with a public uuid that no tag can be on."""

USERDATA_LIMIT = 65_536
"""Bytes of user data: more does not fit the metadata services that images expect."""


VIRTIO_VOLUME = "windows::virtioVolume"
CAN_SNAPSHOT = "capability:snapshot"


@dataclass(frozen=True)
class TagPattern:
    """A system tag that means something: words and `{holes}` between double colons."""

    vo: str
    pattern: str
    help: str
    inherent: bool = False
    only_one: bool = False
    commas: bool = False
    """Whether what stands in its hole may hold some."""
    named: str = ""
    """What stands in its hole, where others of the resource have a hole of the same name."""
    hypervisor: str = ""
    """The hypervisorType of the hosts that heed it, if not all do."""

    @property
    def value_name(self) -> str:
        """What stands in its one hole, in forms and errors."""
        return self.named or self.pattern.partition("{")[2].partition("}")[0]

    def match(self, tag: str) -> dict[str, str] | None:
        """What stands in the holes, or None when the tag is another one."""
        wanted, got = self.pattern.split("::"), tag.split("::")
        if len(wanted) != len(got):
            return None
        holes = {}
        for expected, actual in zip(wanted, got, strict=True):
            hole = re.fullmatch(r"\{(\w+)\}", expected)
            if hole:
                holes[hole.group(1)] = actual
            elif expected != actual:
                return None
        return holes


PATTERNS = (
    TagPattern("VmInstanceVO", "userdata::{userdata}", "What cloud-init gets as user data; of several, the first.",
               commas=True),
    TagPattern("VmInstanceVO", "sshkey::{sshkey}", "A public key that may log in.", commas=True),
    TagPattern("VmInstanceVO", "rootPassword::{rootPassword}", "The password of root, by user data.", commas=True),
    TagPattern("VmInstanceVO", "userdataRevision::{revision}",
               "Another number makes cloud-init apply user data and keys anew at the next boot.", only_one=True),
    TagPattern("VmInstanceVO", "hostname::{hostname}", "The host name it gets by DHCP.", only_one=True),
    TagPattern("VmInstanceVO", "staticIp::{l3NetworkUuid}::{staticIp}", "The address it gets on a network."),
    TagPattern("VmInstanceVO",
               "pendingCapacityChange::cpuNum::{cpuNum}::cpuSpeed::{cpuSpeed}::memory::{memory}",
               "The size it gets at its next start.", inherent=True),
    TagPattern("VmInstanceVO", "iso::{iso}", "The image in its CD-ROM drive.", inherent=True),
    TagPattern("VmInstanceVO", "bootOrder::{bootOrder}", "What it boots from.", inherent=True),
    TagPattern("VmInstanceVO", VIRTIO_VOLUME, "Its disks are on virtio, though it runs Windows.", only_one=True),
    TagPattern("HostVO", "accelerator::{accelerator}", "How its guests run: auto, kvm, tcg.", only_one=True),
    TagPattern("HostVO", "reservedMemory::{capacity}", "Memory kept from VMs, like 1G.", only_one=True,
               named="reservedMemory"),
    TagPattern("HostVO", "reservedCpu::{capacity}", "CPUs times MHz kept from VMs.", only_one=True,
               named="reservedCpu"),
    *(TagPattern(vo, f"host::{named}::{{capacity}}", text, only_one=True, named=named)
      for vo in ("ClusterVO", "ZoneVO")
      for named, text in (("reservedMemory", "Memory kept from VMs on each host."),
                          ("reservedCpu", "CPU kept from VMs on each host."))),
    TagPattern("HostVO", "os::distribution::{distribution}", "The distribution it runs.", inherent=True),
    TagPattern("HostVO", "os::release::{release}", "The name of that distribution's release.", inherent=True),
    TagPattern("HostVO", "os::version::{version}", "The number of that release.", inherent=True),
    TagPattern("HostVO", "qemu-img::version::{version}", "The qemu-img it has.", inherent=True),
    TagPattern("HostVO", "libvirt::version::{version}", "The libvirt it has.", inherent=True),
    TagPattern("HostVO", "hvm::{flag}", "Its CPU's flag for virtual machines, vmx or svm.", inherent=True),
    TagPattern("HostVO", "capability:liveSnapshot", "It can snapshot a running VM's disks.", inherent=True),
    TagPattern("HostVO", "capability:virtio-scsi", "It can put disks on virtio-scsi.", inherent=True),
    TagPattern("L2NetworkVO", "kvm::bridge::{bridgeName}", "The name of its bridge on each host.", inherent=True),
    TagPattern("HostVO", "simulator::delay::{delay}",
               "Seconds of a simulated host, as the setting; that holds for what is not named here.",
               only_one=True, commas=True, hypervisor="Simulator"),
    TagPattern("HostVO", "simulator::faultRate::{faultRate}",
               "Its chance of failure, as the setting; that holds for what is not named here.",
               only_one=True, commas=True, hypervisor="Simulator"),
    TagPattern("InstanceOfferingVO", "primaryStorage::allocator::uuid::{primaryStorageUuid}",
               "The only primary storage for disks of its VMs.", only_one=True),
    TagPattern("InstanceOfferingVO", "primaryStorage::allocator::userTag::{tag}",
               "Disks of its VMs go to a primary storage with this user tag, if one has room.", commas=True,
               named="userTag"),
    TagPattern("InstanceOfferingVO", "primaryStorage::allocator::userTag::{tag}::required",
               "Disks of its VMs go to a primary storage with this user tag, and nowhere else.", commas=True,
               named="requiredUserTag"),
    *(TagPattern("PrimaryStorageVO", f"primaryStorage::allocator::{rest}",
                 "Kept for ZStack's programs; what steers is this tag on an instance offering.", commas=True,
                 named=named)
      for rest, named in (("uuid::{primaryStorageUuid}", ""), ("userTag::{tag}", "userTag"),
                          ("userTag::{tag}::required", "requiredUserTag"))),
    TagPattern("PrimaryStorageVO", CAN_SNAPSHOT, "Volumes on it can have snapshots.", inherent=True),
    TagPattern("L3NetworkVO", "flatNetwork::DhcpServer::{ip}::ipUuid::{ipUuid}",
               "The address of its DHCP server.", inherent=True),
)  # fmt: skip


TO_COME = (
    *(TagPattern("VmInstanceVO", f"role::{role}", "A service that a router carries.")
      for role in ("DHCP", "DNS", "SNAT", "EIP", "PortForwarding", "LoadBalancer")),
    TagPattern("VmInstanceVO", "dedicatedRole", "A router that carries the services of its roles only."),
    TagPattern("VmInstanceVO", "commandsParallelismDegree::{degree}", "Commands that a router takes at once."),
    TagPattern("InstanceOfferingVO", "commandsParallelismDegree::{degree}", "Commands that its routers take at once."),
    TagPattern("InstanceOfferingVO", "guestL3Network::{l3NetworkUuid}", "A network that its routers serve."),
)  # fmt: skip
"""ZStack's tags for routers, which are not built here yet."""


def is_to_come(vo: str, tag: str) -> bool:
    """Whether a tag is one of ZStack's that has no meaning here yet."""
    return any(each.vo == vo and each.match(tag) is not None for each in TO_COME)


def pattern_of(vo: str, tag: str) -> tuple[TagPattern, dict[str, str]] | None:
    """The pattern of a resource type that a tag follows, and what stands in its holes."""
    for pattern in PATTERNS:
        if pattern.vo == vo and (holes := pattern.match(tag)) is not None:
            return pattern, holes
    return None


def is_tag(vo: str, text: str) -> bool:
    """Whether a text is a system tag of a resource type as it stands."""
    return pattern_of(vo, text) is not None or is_to_come(vo, text)


def can_be_tagged(kind: type[Resource]) -> bool:
    """Whether tags can be on resources of a kind: those that callers know by a uuid."""
    return kind.primary == "uuid" and not kind.columns["uuid"].private and kind.name_ not in UNTAGGED


def tagged_kind(vo: str) -> type[Resource] | None:
    """The kind that a tag's `resourceType` means; None when no tag can be on one."""
    return next((kind for kind in RESOURCES.values() if kind.vo == vo and can_be_tagged(kind)), None)


class SystemTag(Resource, java=JAVA):
    """A tag that steers its resource. It dies with it."""

    uuid: str = column("Identity.")
    resource_uuid: str = column("What it is on.", indexed=True)
    resource_type: str = column("What kind that is, as ZStack names it.")
    tag: str = column("Its text, exactly as given.")
    type: str = column("System.", default="System")
    inherent: bool = column("Whether only the appliance may remove it.", default=False)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class UserTag(Resource, java=JAVA):
    """A tag that only marks its resource. It dies with it."""

    indexes = (("tag", "resource_type", "resource_uuid"),)

    uuid: str = column("Identity.")
    resource_uuid: str = column("What it is on.", indexed=True)
    resource_type: str = column("What kind that is, as ZStack names it.")
    tag: str = column("Its text, exactly as given.")
    type: str = column("User.", default="User")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class CreateSystemTag(Message, java=JAVA, returns=SystemTag, role="operator"):
    """Put a system tag on a resource."""

    resource_type: str = arg("The kind of resource, for example VmInstanceVO.")
    resource_uuid: str = arg("The resource.")
    tag: str = arg("The tag's whole text.", multiline=True)


class UpdateSystemTag(Message, java=JAVA, returns=SystemTag, role="operator"):
    """Change the text of a system tag; it stays the same tag."""

    uuid: str = arg("The tag.", ref=SystemTag)
    tag: str = arg("The new text.", multiline=True)


class CreateUserTag(Message, java=JAVA, returns=UserTag, role="operator"):
    """Put a free tag on a resource."""

    resource_type: str = arg("The kind of resource, for example VmInstanceVO.")
    resource_uuid: str = arg("The resource.")
    tag: str = arg("The tag's whole text.")


class DeleteTag(DeleteMessage, in_use="deleted", java=JAVA, role="operator"):
    """Take a tag off its resource."""

    uuid: str = arg("The tag.")


class QuerySystemTag(QueryMessage, java=JAVA, resource=SystemTag):
    """Find system tags."""


class QueryUserTag(QueryMessage, java=JAVA, resource=UserTag):
    """Find user tags."""


class QueryTag(QueryMessage, java=JAVA, resource=UserTag):
    """Find user tags, or system tags."""

    system_tag: bool = arg("System tags instead of user tags.", default=False)

    def asked_of(self) -> type[Resource]:
        """The kind of tag that the call says."""
        return SystemTag if self.system_tag else UserTag
