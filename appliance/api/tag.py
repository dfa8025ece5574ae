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
    TagPattern("VmInstanceVO", "userdata::{userdata}", "What cloud-init gets as user data.", commas=True),
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
    TagPattern("HostVO", "reservedMemory::{capacity}", "Memory kept from VMs, like 1G.", only_one=True),
    TagPattern("HostVO", "reservedCpu::{capacity}", "CPUs times MHz kept from VMs.", only_one=True),
    TagPattern("ClusterVO", "host::reservedMemory::{capacity}", "Memory kept from VMs on each host.", only_one=True),
    TagPattern("ClusterVO", "host::reservedCpu::{capacity}", "CPU kept from VMs on each host.", only_one=True),
    TagPattern("ZoneVO", "host::reservedMemory::{capacity}", "Memory kept from VMs on each host.", only_one=True),
    TagPattern("ZoneVO", "host::reservedCpu::{capacity}", "CPU kept from VMs on each host.", only_one=True),
    TagPattern("HostVO", "os::distribution::{distribution}", "The distribution it runs.", inherent=True),
    TagPattern("HostVO", "os::release::{release}", "The name of that distribution's release.", inherent=True),
    TagPattern("HostVO", "os::version::{version}", "The number of that release.", inherent=True),
    TagPattern("HostVO", "qemu-img::version::{version}", "The qemu-img it has.", inherent=True),
    TagPattern("HostVO", "libvirt::version::{version}", "The libvirt it has.", inherent=True),
    TagPattern("HostVO", "hvm::{flag}", "Its CPU's flag for virtual machines, vmx or svm.", inherent=True),
    TagPattern("HostVO", "capability:liveSnapshot", "It can snapshot a running VM's disks.", inherent=True),
    TagPattern("HostVO", "capability:virtio-scsi", "It can put disks on virtio-scsi.", inherent=True),
    TagPattern("L2NetworkVO", "kvm::bridge::{bridgeName}", "The name of its bridge on each host.", inherent=True),
    TagPattern("HostVO", "simulator::delay::{delay}", "Seconds of a simulated host, as the setting.", only_one=True,
               commas=True),
    TagPattern("HostVO", "simulator::faultRate::{faultRate}", "Its chance of failure, as the setting.", only_one=True,
               commas=True),
    TagPattern("InstanceOfferingVO", "primaryStorage::allocator::uuid::{primaryStorageUuid}",
               "The only primary storage for disks of its VMs.", only_one=True),
    TagPattern("InstanceOfferingVO", "primaryStorage::allocator::userTag::{tag}",
               "Disks of its VMs go to a primary storage with this user tag, if one has room.", commas=True),
    TagPattern("InstanceOfferingVO", "primaryStorage::allocator::userTag::{tag}::required",
               "Disks of its VMs go to a primary storage with this user tag, and nowhere else.", commas=True),
    *(TagPattern("PrimaryStorageVO", f"primaryStorage::allocator::{rest}",
                 "Kept for ZStack's programs; what steers is this tag on an instance offering.", commas=True)
      for rest in ("uuid::{primaryStorageUuid}", "userTag::{tag}", "userTag::{tag}::required")),
    TagPattern("PrimaryStorageVO", CAN_SNAPSHOT, "Volumes on it can have snapshots.", inherent=True),
    TagPattern("L3NetworkVO", "flatNetwork::DhcpServer::{ip}::ipUuid::{ipUuid}",
               "The address of its DHCP server.", inherent=True),
)  # fmt: skip


def pattern_of(vo: str, tag: str) -> tuple[TagPattern, dict[str, str]] | None:
    """The pattern of a resource type that a tag follows, and what stands in its holes."""
    for pattern in PATTERNS:
        if pattern.vo == vo and (holes := pattern.match(tag)) is not None:
            return pattern, holes
    return None


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
