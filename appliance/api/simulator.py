"""The simulator hypervisor: what can be asked about hosts and storage that exist only in the appliance.

What is set up with these goes through the same dispatch, store, reconcile and agent protocol as real machines
do. How slowly and how badly simulated hosts answer is said by two settings, `simulator.delay` and
`simulator.faultRate`, or for one host by the system tags `simulator::delay::{delay}` and
`simulator::faultRate::{faultRate}`. The text is a number, or `VERB=number` for each of some requests of the
agent protocol: `0.1`, `StartDomain=2 EnsureVolume=0.5`. A number alone is for everything that changes a host.

    >>>UpdateGlobalConfig category=simulator name=delay value=0.05
    >>>CreateSystemTag resourceType=HostVO resourceUuid=... tag=simulator::faultRate::StartDomain=0.5
"""

from __future__ import annotations

from appliance.api.cluster import Cluster
from appliance.api.errors import AddHostFailed, BackupStorageFailed
from appliance.api.host import JAVA as HOST
from appliance.api.host import Host
from appliance.api.message import CreateMessage, arg
from appliance.api.storage import BACKUP, PRIMARY, BackupStorage, PrimaryStorage
from appliance.api.zone import Zone

JAVA = "org.zstack.header.simulator"

HYPERVISOR = "Simulator"
PRIMARY_TYPE = "SimulatorPrimaryStorage"
BACKUP_TYPE = "SimulatorBackupStorage"
FORMAT = "simulator"
"""Of images and volumes that exist only in the appliance."""

LARGEST = 2**63 - 1
DEFAULT_CAPACITY = 1 << 44
"""Bytes of a simulated storage whose capacity is not said."""


class AddSimulatorHost(CreateMessage, java=JAVA, returns=Host, result_class=f"{HOST}.APIAddHostEvent",
                       raises=(AddHostFailed,)):  # fmt: skip
    """Add a host that exists only in the appliance, to a cluster of hypervisorType Simulator."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is.", default=None, max_length=2048)
    management_ip: str = arg("The address it is known by; nothing is there.", max_length=255)
    cluster_uuid: str = arg("The cluster it goes into.", ref=Cluster)
    memory_capacity: int = arg("Bytes of memory.", minimum=1, maximum=LARGEST)
    cpu_capacity: int = arg("CPUs times MHz.", minimum=1, maximum=LARGEST)


class AddSimulatorPrimaryStorage(CreateMessage, java=f"{JAVA}.storage.primary", returns=PrimaryStorage,
                                 result_class=f"{PRIMARY}.APIAddPrimaryStorageEvent"):  # fmt: skip
    """Add primary storage that exists only in the appliance, for clusters of hypervisorType Simulator."""

    url: str = arg("The folder that its files are said to be in.", max_length=2048)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    type: str | None = arg("Kind of storage.", default=None)
    zone_uuid: str = arg("The zone it goes into.", ref=Zone)
    total_capacity: int | None = arg("Bytes; 16 TiB when absent.", default=None, minimum=0, maximum=LARGEST)
    available_capacity: int | None = arg(
        "Bytes that are free at first; all when absent.", default=None, minimum=0, maximum=LARGEST
    )


class AddSimulatorBackupStorage(CreateMessage, java=f"{JAVA}.storage.backup", returns=BackupStorage,
                                result_class=f"{BACKUP}.APIAddBackupStorageEvent",
                                raises=(BackupStorageFailed,)):  # fmt: skip
    """Add backup storage that exists only in the appliance, for images of format simulator."""

    url: str = arg("The folder that its files are said to be in.", max_length=2048)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    type: str | None = arg("Kind of storage.", default=None)
    total_capacity: int | None = arg("Bytes; 16 TiB when absent.", default=None, minimum=0, maximum=LARGEST)
    available_capacity: int | None = arg(
        "Bytes that are free at first; all when absent.", default=None, minimum=0, maximum=LARGEST
    )
