"""The API's own words for kinds, states and happenings, as people read them; what is copied keeps the API's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from zstui.cells import safe
from zstui.i18n import enumerated, mark, tr

if TYPE_CHECKING:
    from zstui.mirror import Mirror, Row

WIRES = frozenset({
    "state", "status", "level", "type", "mediaType", "resourceType", "targetResourceType", "hypervisorType",
    "volumeType", "identityType", "role", "platform", "mode", "allocatorStrategy", "source", "stage",
})  # fmt: skip
"""Fields whose values are words of the API's; `name` is one of an event."""

SAID = frozenset({"details", "statusReason", "stateCause", "standsStill", "cannotMove", "waitsFor"})
"""Fields that hold sentences of the appliance's."""

UNNAMED = frozenset({"treeUuid"})
"""Fields that name what has no name: a piece of a uuid tells nobody anything."""

KINDS = {
    "AccessToken": mark("access token"),
    "Account": mark("account"),
    "AccountResourceRef": mark("ownership"),
    "AuditEntry": mark("audit entry"),
    "BackupStorage": mark("backup storage"),
    "BackupStorageZoneRef": mark("backup storage in a zone"),
    "Cluster": mark("cluster"),
    "DiskOffering": mark("disk offering"),
    "Event": mark("event"),
    "GlobalConfig": mark("setting"),
    "Host": mark("host"),
    "HostKey": mark("host key"),
    "Image": mark("image"),
    "ImageBackupStorageRef": mark("image on a backup storage"),
    "ImageCache": mark("image on a host"),
    "InstanceOffering": mark("offering"),
    "IpRange": mark("IP range"),
    "L2Network": mark("L2 network"),
    "L2NetworkClusterRef": mark("L2 network in a cluster"),
    "L3Network": mark("network"),
    "L3NetworkDns": mark("DNS of a network"),
    "LocalStorageHostRef": mark("local storage on a host"),
    "LocalStorageResourceRef": mark("file on local storage"),
    "LongJob": mark("job"),
    "ManagementNode": mark("management node"),
    "NetworkServiceL3NetworkRef": mark("network service"),
    "NetworkServiceProvider": mark("network service provider"),
    "NetworkServiceProviderL2NetworkRef": mark("network service provider on an L2 network"),
    "Policy": mark("policy"),
    "PrimaryStorage": mark("primary storage"),
    "PrimaryStorageClusterRef": mark("primary storage in a cluster"),
    "Quota": mark("quota"),
    "RecycleBinItem": mark("item of the recycle bin"),
    "Session": mark("session"),
    "SharedResource": mark("share"),
    "SystemTag": mark("tag"),
    "UsedIp": mark("used address"),
    "User": mark("user"),
    "UserGroup": mark("user group"),
    "UserGroupPolicyRef": mark("policy of a user group"),
    "UserGroupUserRef": mark("user in a user group"),
    "UserPolicyRef": mark("policy of a user"),
    "UserTag": mark("tag"),
    "UserdataFetch": mark("user data fetch"),
    "VmInstance": mark("VM"),
    "VmMove": mark("move of a VM"),
    "VmNic": mark("NIC"),
    "Volume": mark("volume"),
    "VolumeBackup": mark("backup"),
    "VolumeMove": mark("move of a volume"),
    "VolumeReading": mark("reading of a volume"),
    "VolumeRestore": mark("restore of a volume"),
    "VolumeSnapshot": mark("snapshot"),
    "VolumeSnapshotBackupStorageRef": mark("snapshot on a backup storage"),
    "VolumeSnapshotTree": mark("snapshot tree"),
    "Zone": mark("zone"),
}
"""Resources, whose types are called so with or without `VO` behind."""

TYPES = {
    "ApplianceVm": mark("system VM"),
    "Canceled": mark("Cancelled"),
    "DataVolumeTemplate": mark("data volume template"),
    "DefaultHostAllocatorStrategy": mark("any host with room"),
    "DefaultPrimaryStorageAllocationStrategy": mark("any storage with room"),
    "DesignatedHostAllocatorStrategy": mark("the host that is named"),
    "Flat": mark("flat"),
    "Hypervisor": mark("by hypervisor"),
    "L2NoVlanNetwork": mark("untagged L2"),
    "L2VlanNetwork": mark("VLAN"),
    "L3BasicNetwork": mark("basic"),
    "LastHostPreferredAllocatorStrategy": mark("the host of the last time"),
    "LeastVmPreferredHostAllocatorStrategy": mark("the host with fewest VMs"),
    "LocalStorage": mark("local storage"),
    "Normal": mark("tenant"),
    "NotInstantiated": mark("Not yet made"),
    "PreMaintenance": mark("Entering maintenance"),
    "RootVolumeTemplate": mark("root volume template"),
    "SftpBackupStorage": mark("SFTP"),
    "SimulatorBackupStorage": mark("simulated"),
    "SimulatorPrimaryStorage": mark("simulated"),
    "SystemAdmin": mark("system administrator"),
    "UserVm": mark("user VM"),
    "WindowsVirtio": mark("Windows virtio"),
}

HAPPENINGS = {
    "AccountDeleted": mark("account deleted"),
    "BackupStorageConnected": mark("storage connected"),
    "CopiedOnceMore": mark("copied once more"),
    "FormerIpTaken": mark("address taken"),
    "HostAccelerator": mark("accelerator"),
    "HostConnected": mark("host connected"),
    "HostDisconnected": mark("host lost"),
    "HostLeftAsItIs": mark("host left as it is"),
    "HostKeyBelieved": mark("host key believed"),
    "HypervisorBack": mark("hypervisor back"),
    "HypervisorLost": mark("hypervisor lost"),
    "ImageReady": mark("image ready"),
    "JobFailed": mark("job failed"),
    "MaintenanceWithErrors": mark("maintenance with errors"),
    "SnapshotNotQuiesced": mark("snapshot taken"),
    "SnapshotQuiesced": mark("snapshot taken"),
    "SourceLeftForNow": mark("remains of a move"),
    "StrangerVmFound": mark("stranger found"),
    "VmGoesOn": mark("VM goes on"),
    "VmGone": mark("VM gone"),
    "VmMoved": mark("VM moved"),
    "VmRepairFailed": mark("repair failed"),
    "VmStandsStill": mark("VM stands still"),
    "VmStateChanged": mark("VM state"),
    "VolumeCopied": mark("volume copied"),
    "VolumeNotReattached": mark("volume left out"),
}
"""What events are called."""

SOURCES = {
    "socket": mark("local socket"),
    "a full screen": mark("a full screen"),
    "the appliance": mark("the appliance"),
}
"""Where calls come from that no address says."""

STAGES = {"accepted": mark("accepted"), "ended": mark("its job ended")}
"""How far a call has come."""

ROOT_VOLUME = re.compile(r"Root volume for VM\[uuid:([0-9a-f]{32})\]")
"""What the appliance says of a root volume that it made."""


def english(value: str) -> str:
    """A word of the API's in plain English; one that is plain already, as it is."""
    return next(
        (each[value] for each in (TYPES, HAPPENINGS, SOURCES, STAGES) if value in each), ""
    ) or KINDS.get(value.removesuffix("VO"), value)


def word(value: str) -> str:
    """A word of the API's in the user's language."""
    return tr(english(value))


def description(row: Row, mirror: Mirror) -> str:
    """What a row is for: what somebody wrote, or what the appliance has words for."""
    text = row.text("description")
    made = ROOT_VOLUME.fullmatch(text)
    if made is not None:
        return tr("root volume of {vm}", vm=mirror.name(made[1]))
    return tr(text) if row.kind == "GlobalConfig" else text


def says(row: Row) -> list[tuple[str, str]]:
    """What a policy allows and denies, and which actions that are."""
    effects = {"Allow": mark("allows"), "Deny": mark("denies")}
    return [
        (tr(effects.get(str(each.get("effect")), "")), safe(enumerated(map(str, each.get("actions") or []))))
        for each in row.get("statements") or []
    ]


def scope(row: Row) -> str:
    """What a token may send."""
    return safe(enumerated(map(str, row.get("scope") or []))) or tr("all messages")


def place(row: Row) -> str:
    """Where a session was opened from."""
    return row.text("source") or tr("the appliance's machine")


LISTS: dict[tuple[str, str], Callable[[Row], list[tuple[str, str]]]] = {
    ("Policy", "statements"): says,
    ("Session", "source"): lambda row: [(tr("source"), place(row))],
    ("AccessToken", "scope"): lambda row: [(tr("scope"), scope(row))],
}
"""Values of a kind that are read as labels and texts, one or several."""


def used_for(row: Row, mirror: Mirror) -> str:
    """What has an address: the VM of a NIC, by name, or the DHCP server of its network."""
    by = row.text("usedFor")
    if by == "DHCP":
        return tr("DHCP server")
    nic = mirror.find(by)
    vm = mirror.name(nic.get("vmInstanceUuid")) if nic is not None else ""
    return vm or tr("a NIC that is not known here")
