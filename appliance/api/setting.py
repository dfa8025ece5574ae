"""Global configs: every setting that can be changed while the appliance runs, and how to ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.api.message import Message, QueryMessage, arg
from appliance.api.resource import Resource, column

JAVA = "org.zstack.core.config"

INTEGER = 2**31 - 1
LONG = 2**63 - 1
"""The largest numbers of ZStack's two types of settings."""


@dataclass(frozen=True)
class Setting:
    """A setting's declaration: category and name as ZStack has them, and what values it takes."""

    category: str
    name: str
    default: str
    help: str
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int = INTEGER
    """Of numbers only: at most what ZStack's type of the setting holds."""

    @property
    def number(self) -> bool:
        """Whether its values are whole numbers."""
        return self.minimum is not None

    @property
    def truth(self) -> bool:
        """Whether it is a yes or no: `true` in any case is, and every other text is not, as ZStack reads it."""
        return self.default in ("true", "false")


QUOTAS = {
    "vm.num": 20,
    "vm.cpuNum": 80,
    "vm.memorySize": 80 << 30,
    "volume.data.num": 40,
    "volume.capacity": 10 << 40,
    "l3.num": 20,
    "securityGroup.num": 20,
    "vip.num": 20,
    "eip.num": 20,
    "portForwarding.num": 20,
    "loadBalancer.num": 20,
}
"""What an account may have of each, as ZStack has it."""

SETTINGS = (
    Setting("vm", "deletionPolicy", "Delay", "What destroying a VM means.", ("Direct", "Delay", "Never")),
    Setting("vm", "expungePeriod", "86400", "Seconds a destroyed VM can be recovered.", minimum=0),
    Setting("vm", "expungeInterval", "3600", "Seconds between looks for VMs to expunge.", minimum=0),
    Setting("image", "deletionPolicy", "Delay", "What deleting an image means.", ("Direct", "Delay", "Never")),
    Setting("image", "expungePeriod", "86400", "Seconds a deleted image can be recovered.", minimum=0),
    Setting("image", "expungeInterval", "3600", "Seconds between looks for images to expunge.", minimum=0),
    Setting("vm", "stopGrace", "60", "Seconds a guest has to power off.", minimum=1),
    Setting("vm", "dataVolume.deleteOnVmDestroy", "false",
            "Whether destroying a VM deletes its data volumes too."),
    Setting("volume", "deletionPolicy", "Delay", "What deleting a data volume means.",
            ("Direct", "Delay", "Never")),
    Setting("volume", "expungePeriod", "86400", "Seconds a deleted data volume can be recovered.", minimum=0),
    Setting("volume", "expungeInterval", "3600", "Seconds between looks for data volumes to expunge.",
            minimum=0),
    Setting("kvm", "dataVolume.maxNum", "24", "How many data volumes a VM may have.", minimum=0, maximum=24),
    Setting("kvm", "vm.consoleMode", "vnc", "The console of VMs started from now on.", ("vnc", "spice")),
    Setting("kvm", "vm.consolePassword", "true",
            "Whether consoles of VMs started from now on take one-time passwords only; false leaves them open "
            "on the hosts' management addresses, as ZStack 1.0 does."),
    Setting("kvm", "vm.cpuMode", "none", "The CPU of VMs started from now on.",
            ("none", "host-model", "host-passthrough")),
    Setting("kvm", "vm.cacheMode", "0", "The cache of disks of VMs started from now on: 0 none, 1 writethrough, "
            "2 writeback.", ("0", "1", "2")),
    Setting("kvm", "reservedCpu", "512", "CPUs times MHz of each KVM host kept from VMs.", minimum=0),
    Setting("kvm", "reservedMemory", "512M", "Memory of each KVM host kept from VMs."),
    Setting("kvm", "accelerator", "auto", "How guests run: by trial, or forced.", ("auto", "kvm", "tcg")),
    Setting("hostAllocator", "reservedCapacity.hostLevel", "true", "Whether hosts' own tags keep room from VMs."),
    Setting("hostAllocator", "reservedCapacity.clusterLevel", "true",
            "Whether clusters' tags keep room from VMs on each host."),
    Setting("hostAllocator", "reservedCapacity.zoneLevel", "true",
            "Whether zones' tags keep room from VMs on each host."),
    Setting("primaryStorage", "reservedCapacity", "1G",
            "Bytes of each primary storage, of each host where it is local, that new volumes and images leave free."),
    Setting("backupStorage", "reservedCapacity", "1G",
            "Bytes of each backup storage that new images and backups leave free."),
    Setting("backupStorage", "ping.interval", "60", "Seconds between looks at a backup storage.", minimum=1),
    Setting("vm", "instanceOffering.setNullWhenDeleting", "true",
            "Whether VMs forget the offering they were made with when it is deleted."),
    Setting("volume", "diskOffering.setNullWhenDeleting", "true",
            "Whether volumes forget the offering they were made with when it is deleted."),
    Setting("backupStorage", "ping.parallelismDegree", "50", "How many backup storages are looked at at once.",
            minimum=1),
    Setting("host", "load.all", "true", "Whether all hosts are connected at once; else load.parallelismDegree are."),
    Setting("host", "load.parallelismDegree", "100", "How many hosts are connected at once where load.all is false.",
            minimum=1),
    Setting("host", "ping.parallelismDegree", "100", "How many hosts are scanned at once.", minimum=1),
    Setting("host", "maintenanceMode.ignoreError", "false",
            "Whether a host goes into maintenance also where VMs cannot be stopped, which may go on running there."),
    Setting("host", "ping.interval", "60", "Seconds between full scans of a host.", minimum=1),
    Setting("host", "connection.autoReconnectOnError", "true", "Reconnect lost hosts."),
    Setting("identity", "session.timeout", "7200", "Seconds a session lasts.", minimum=1),
    Setting("identity", "session.maxConcurrent", "500", "Sessions an account or a user may have.", minimum=1),
    Setting("identity", "session.bindToAddress", "true",
            "Whether a session holds at the address that it was opened from only."),
    Setting("identity", "session.cleanup.interval", "3600", "Seconds between looks for ended sessions.",
            minimum=1),
    Setting("identity", "admin.showAllResource", "true", "Whether queries of the admin find all accounts' own."),
    Setting("audit", "reads", "true", "Whether calls that change nothing are written down, too."),
    Setting("audit", "maxEntries", "500000", "Entries of the audit log that are kept; the oldest go first.",
            minimum=1000),
    *(Setting("quota", name, str(value), f"What a new account gets as {name}.", minimum=0, maximum=LONG)
      for name, value in QUOTAS.items()),
    Setting("simulator", "delay", "0", "Seconds of simulated hosts: for all changes, or VERB=seconds for some."),
    Setting("simulator", "faultRate", "0", "Chance from 0 to 1 that they fail: for all changes, or VERB=chance."),
    Setting("localStorage", "migration.bytesPerSecond", "0",
            "Bytes a second of each volume that moves between hosts, and of a running VM's memory, those on "
            "their way included, and of an image that goes along, from its start on; 0 for no limit. Of a running VM "
            "QEMU copies each volume 16 MiB at once, and then waits as long as they may take: also when it begins, "
            "and when the limit is raised. What a guest writes to a volume that has been copied QEMU sends on "
            "without a limit.", minimum=0, maximum=LONG),
    Setting("monitor", "interval", "10", "Seconds between looks at what hosts and VMs use of CPU, memory, disks and "
            "network.", minimum=1),
    Setting("flatNetwork", "leaseSeconds", "3600", "Seconds a DHCP lease lasts.", minimum=120),
)  # fmt: skip

BY_NAME = {(setting.category, setting.name): setting for setting in SETTINGS}


class GlobalConfig(Resource, java=JAVA, primary="key"):
    """A setting and its value."""

    key: str = column("Category and name.", private=True)
    name: str = column("Name.")
    category: str = column("Category.", indexed=True)
    description: str = column("What it does.")
    default_value: str = column("The value unless changed.")
    value: str = column("The value.")


class UpdateGlobalConfig(Message, java=JAVA, returns=GlobalConfig):
    """Change a setting, from now on and without restart."""

    category: str = arg("Category.")
    name: str = arg("Name.")
    value: str | None = arg("New value; the default when absent.", default=None)


class GetGlobalConfig(Message, java=JAVA, returns=GlobalConfig, sync=True, role="read-only"):
    """Say what a setting is."""

    category: str = arg("Category.")
    name: str = arg("Name.")


class QueryGlobalConfig(QueryMessage, java=JAVA, resource=GlobalConfig):
    """Find settings."""
