"""What an operator types when reading the release notes of ZStack 1.0, in their order.

`{…}` stands for a uuid of the cloud at hand. Each line has the keys that its reply shows in the notes, or
says that it comes with a later issue.
"""

from __future__ import annotations

from dataclasses import dataclass

LATER = "SYS.1014"
"""The code of a message that is not available yet."""

USERDATA = (
    r"userdata::groups:\n  - ubuntu: [foo,bar]\n  - cloud-users\n\n# Add users to the system. Users are added "
    r"after groups are added.\nusers:\n  - default\n  - name: foobar\n    gecos: Foo B. Bar\n    primary-group: "
    r"foobar\n    groups: users\n    selinux-user: staff_u\n    expiredate: 2012-09-01\n    ssh-import-id: foobar\n"
    r"    lock-passwd: false\n  - name: barfoo\n    gecos: Bar B. Foo\n    sudo: ALL=(ALL) NOPASSWD:ALL\n    groups: "
    r"users, admin\n    ssh-import-id: None\n    lock-passwd: true\n    ssh-authorized-keys:\n      - <ssh pub key 1>"
    r"\n      - <ssh pub key 2>\n  - name: cloudy\n    gecos: Magic Cloud App Daemon User\n    inactive: true\n"
    r"    system: true"
)
KEY = "sshkey::ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDdlfgEu4SmgAXaEhLtNljm4cqowdFSyOH7Nthe operator@home"
KEY_WITH_BLANKS = KEY.replace("Nthe", "Nthe    ")  # as the notes print it


@dataclass(frozen=True)
class Line:
    """A line and what its reply must show."""

    typed: str
    shows: str = ""
    """`inventory`, `inventories`, or words of the reply itself, apart from `success`."""
    keys: frozenset[str] = frozenset()
    """What the inventory, or each of the inventories, has."""
    code: str = ""
    """The error that it must give instead."""
    keep: str = ""
    """Call the uuid of what it shows by this name from here on."""


def of(words: str) -> frozenset[str]:
    """Keys, written as words."""
    return frozenset(words.split())


TAG = of("createDate inherent lastOpDate resourceType resourceUuid tag type uuid")
CONFIG = of("category defaultValue description name value")
REF = of("l3NetworkUuid networkServiceProviderUuid networkServiceType")
L3 = of(
    "createDate dns ipRanges l2NetworkUuid lastOpDate name networkServices state system type uuid zoneUuid"
)
PROVIDER = of("attachedL2NetworkUuids createDate description lastOpDate name networkServiceTypes type uuid")
IMAGE = of(
    "actualSize backupStorageRefs createDate format lastOpDate md5Sum mediaType name platform size state status "
    "system type url uuid"
)
HOST = of(
    "availableCpuCapacity availableMemoryCapacity clusterUuid createDate hypervisorType lastOpDate "
    "managementIp name state status totalCpuCapacity totalMemoryCapacity username uuid zoneUuid"
)
VM = of(
    "allVolumes allocatorStrategy clusterUuid cpuNum cpuSpeed createDate defaultL3NetworkUuid hostUuid "
    "hypervisorType imageUuid instanceOfferingUuid lastHostUuid lastOpDate memorySize name platform "
    "rootVolumeUuid state type uuid vmNics zoneUuid"
)
VOLUME = of("createDate diskOfferingUuid format lastOpDate name size state status type uuid")
ROOT = (VOLUME - {"diskOfferingUuid"}) | of(
    "deviceId installPath primaryStorageUuid rootImageUuid vmInstanceUuid"
)
MOVED = of("createDate hostUuid lastOpDate primaryStorageUuid resourceType resourceUuid size")

LINES = (
    # 2: user data
    Line("CreateVmInstance name=vm imageUuid={image} instanceOfferingUuid={offering} l3NetworkUuids={other},{l3} "
         f"defaultL3NetworkUuid={{l3}} systemTags='{USERDATA}'", "inventory", VM, keep="vm"),
    Line("QuerySystemTag resourceUuid={vm} tag~=userdata%", "inventories", TAG, keep="tag"),
    Line("DeleteTag uuid={tag}"),
    Line(f"CreateSystemTag resourceUuid={{vm}} resourceType=VmInstanceVO tag='{USERDATA}'", "inventory", TAG,
         keep="tag"),
    Line(f"UpdateSystemTag uuid={{tag}} tag='{USERDATA}'", "inventory", TAG),
    Line(f'CreateSystemTag resourceType=VmInstanceVO resourceUuid={{vm}} tag="{KEY}"', "inventory", TAG, keep="key"),
    Line("QuerySystemTag resourceUuid={vm} tag~=sshkey%", "inventories", TAG),
    Line(f"UpdateSystemTag uuid={{key}} tag='{KEY_WITH_BLANKS}'", "inventory", TAG),
    Line("DeleteTag uuid={key}"),
    Line("CreateVmInstance name=keyed imageUuid={image} instanceOfferingUuid={offering} "
         f"l3NetworkUuids={{other}},{{l3}} defaultL3NetworkUuid={{l3}} systemTags='{KEY}'", "inventory", VM,
         keep="keyed"),
    Line("QuerySystemTag resourceUuid={keyed} tag~=sshkey%", "inventories", TAG),
    Line("DestroyVmInstance uuid={keyed}"),
    # 3, 4: volumes and ISO
    Line("QueryVolume vmInstanceUuid={vm} type=Root", "inventories", ROOT, keep="root"),
    Line("StopVmInstance uuid={vm}", "inventory", VM - {"hostUuid"}),
    Line("LocalStorageGetVolumeMigratableHosts volumeUuid={root}", "inventories", HOST, keep="target"),
    Line("StartVmInstance uuid={vm}", "inventory", VM),
    Line("LocalStorageMigrateVolume volumeUuid={root} destHostUuid={target}", code="SYS.1006"),
    Line("StopVmInstance uuid={vm}", "inventory", VM - {"hostUuid"}),
    Line("LocalStorageMigrateVolume volumeUuid={root} destHostUuid={target}", "inventory", MOVED),
    Line("StartVmInstance uuid={vm}", "inventory", VM),
    Line("AttachIsoToVmInstance vmInstanceUuid={vm} isoUuid={iso}", "inventory", VM),
    Line("DetachIsoFromVmInstance vmInstanceUuid={vm}", "inventory", VM),
    Line("GetVmBootOrder uuid={vm}", "order"),
    Line("SetVmBootOrder uuid={vm} bootOrder=HardDisk,CdRom", "inventory", VM),
    # 5: consoles
    Line("UpdateGlobalConfig category=kvm name=vm.consoleMode value=spice", "inventory", CONFIG),
    Line("GetVmConsoleAddress uuid={vm}", "hostIp port protocol"),
    # 8: deletion
    Line("UpdateGlobalConfig category=vm name=deletionPolicy value=Delay", "inventory", CONFIG),
    Line("UpdateGlobalConfig category=vm name=expungePeriod value=3600", "inventory", CONFIG),
    Line("UpdateGlobalConfig category=vm name=expungeInterval value=3600", "inventory", CONFIG),
    Line("DestroyVmInstance uuid={vm}"),
    Line("RecoverVmInstance vmInstanceUuid={vm}", "inventory", VM - {"hostUuid"}),
    Line("UpdateGlobalConfig category=vm name=deletionPolicy value=Direct", "inventory", CONFIG),
    Line("UpdateGlobalConfig category=image name=deletionPolicy value=Direct", "inventory", CONFIG),
    Line("UpdateGlobalConfig category=image name=deletionPolicy value=Delay", "inventory", CONFIG),
    Line("UpdateGlobalConfig category=image name=expungePeriod value=3600", "inventory", CONFIG),
    Line("UpdateGlobalConfig category=image name=expungeInterval value=3600", "inventory", CONFIG),
    Line("DeleteImage uuid={image}"),
    Line("RecoverImage imageUuid={image}", "inventory", IMAGE),
    Line("DeleteImage uuid={image}"),
    Line("RecoverImage imageUuid={image} backupStorageUuids={backup}", "inventory", IMAGE),
    Line("UpdateGlobalConfig category=volume name=deletionPolicy value=Direct", "inventory", CONFIG),
    Line("UpdateGlobalConfig category=volume name=deletionPolicy value=Delay", "inventory", CONFIG),
    Line("UpdateGlobalConfig category=volume name=expungePeriod value=3600", "inventory", CONFIG),
    Line("UpdateGlobalConfig category=volume name=expungeInterval value=3600", "inventory", CONFIG),
    Line("CreateDataVolume name=data diskOfferingUuid={disk}", "inventory", VOLUME, keep="volume"),
    Line("DeleteDataVolume uuid={volume}"),
    Line("RecoverDataVolume uuid={volume}", "inventory", VOLUME),
    Line("DeleteDataVolume uuid={volume}"),
    Line("ExpungeDataVolume uuid={volume}"),
    # 9: the CPU's model
    Line("UpdateGlobalConfig category=kvm name=vm.cpuMode value=host-model", "inventory", CONFIG),
    # 13: from virtual router to flat
    Line("QueryNetworkServiceL3NetworkRef l3NetworkUuid={l3}", "inventories", REF),
    Line("DetachNetworkServiceFromL3Network  l3NetworkUuid={l3} networkServices='{{\"{provider}\":[\"DHCP\","
         "\"Userdata\"]}}'", "inventory", L3),
    Line("QueryNetworkServiceProvider type=Flat", "inventories", PROVIDER),
    Line("QueryL3Network fields=l2NetworkUuid, uuid={l3}", "inventories", of("l2NetworkUuid")),
    Line("AttachNetworkServiceProviderToL2Network l2NetworkUuid={l2} networkServiceProviderUuid={provider}",
         "inventory", PROVIDER),
    Line("AttachNetworkServiceToL3Network l3NetworkUuid={l3} networkServices='{{\"{provider}\":[\"DHCP\","
         "\"Userdata\"]}}'", "inventory", L3),
    Line("QueryVirtualRouterVm", code=LATER),
    Line("DestroyVmInstance uuid={vm}"),
    Line("QueryHost", "inventories", HOST),
    Line("ReconnectHost uuid={host}"),
)  # fmt: skip
