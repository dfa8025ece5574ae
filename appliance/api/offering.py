"""Offerings: what can be asked about the sizes that VMs and disks come in."""

from __future__ import annotations

from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column

JAVA = "org.zstack.header.configuration"

LEAST_VMS = "LeastVmPreferredHostAllocatorStrategy"
DEFAULT = "DefaultHostAllocatorStrategy"
DESIGNATED = "DesignatedHostAllocatorStrategy"
LAST_HOST = "LastHostPreferredAllocatorStrategy"
STRATEGIES = (LEAST_VMS, DEFAULT, DESIGNATED, LAST_HOST)
"""How a host is chosen among those that can take a VM: `appliance/plans/placement.py` says what each means."""


class InstanceOffering(Resource, java=JAVA):
    """CPU and memory of a VM."""

    joins = (Join("vmInstance", "VmInstance", theirs="instance_offering_uuid"),)

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    cpu_num: int = column("Number of virtual CPUs.")
    cpu_speed: int = column("MHz that each counts for.")
    memory_size: int = column("Bytes of memory.")
    type: str = column("UserVm.", default="UserVm")
    allocator_strategy: str = column("How a host is chosen.", default=LEAST_VMS)
    sort_key: int = column("Where it stands in lists.", default=0)
    state: str = column("Enabled or Disabled.", default="Enabled")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class DiskOffering(Resource, java=JAVA):
    """Size of a disk."""

    joins = (Join("volume", "Volume", theirs="disk_offering_uuid"),)

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    disk_size: int = column("Bytes.")
    sort_key: int = column("Where it stands in lists.", default=0)
    state: str = column("Enabled or Disabled.", default="Enabled")
    type: str = column("Kind of offering: zstack.", default="zstack")
    allocator_strategy: str = column(
        "How a primary storage is chosen.", default="DefaultPrimaryStorageAllocationStrategy"
    )
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class CreateInstanceOffering(CreateMessage, java=JAVA, returns=InstanceOffering):
    """Create a size for VMs."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    cpu_num: int = arg("Number of virtual CPUs.", minimum=1, maximum=1024)
    cpu_speed: int = arg("MHz that each counts for.", minimum=1, maximum=2**31 - 1)
    memory_size: int = arg("Bytes of memory.", minimum=1, maximum=2**63 - 1)
    allocator_strategy: str | None = arg(
        f"How a host is chosen: {', '.join(STRATEGIES)}; the first when absent.", default=None
    )
    sort_key: int = arg("Where it stands in lists.", default=0)
    type: str | None = arg("Kind of VM.", default=None)


class UpdateInstanceOffering(Message, java=JAVA, returns=InstanceOffering):
    """Change name or description of a size for VMs."""

    uuid: str = arg("The offering.", ref=InstanceOffering)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class ChangeInstanceOfferingState(Message, java=JAVA, returns=InstanceOffering):
    """Enable or disable a size; no VM is made with a disabled one, and those that were go on."""

    uuid: str = arg("The offering.", ref=InstanceOffering)
    state_event: str = arg("What to do.", choices=("enable", "disable"))


class DeleteInstanceOffering(DeleteMessage, in_use="deleted", java=JAVA):
    """Delete a size; VMs made with it keep theirs."""

    uuid: str = arg("The offering.")


class QueryInstanceOffering(QueryMessage, java=JAVA, resource=InstanceOffering):
    """Find instance offerings."""


class CreateDiskOffering(CreateMessage, java=JAVA, returns=DiskOffering):
    """Create a size for disks."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    disk_size: int = arg("Bytes.", minimum=1, maximum=2**63 - 1)
    sort_key: int = arg("Where it stands in lists.", default=0)
    allocation_strategy: str | None = arg(
        "How a primary storage is chosen: DefaultPrimaryStorageAllocationStrategy.", default=None
    )
    type: str | None = arg("Kind of offering.", default=None, choices=("zstack",))


class UpdateDiskOffering(Message, java=JAVA, returns=DiskOffering):
    """Change name or description of a size for disks."""

    uuid: str = arg("The offering.", ref=DiskOffering)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class ChangeDiskOfferingState(Message, java=JAVA, returns=DiskOffering):
    """Enable or disable a size; no disk is made with a disabled one, and those that were go on."""

    uuid: str = arg("The offering.", ref=DiskOffering)
    state_event: str = arg("What to do.", choices=("enable", "disable"))


class DeleteDiskOffering(DeleteMessage, in_use="deleted", java=JAVA):
    """Delete a size; disks made with it keep theirs."""

    uuid: str = arg("The offering.")


class QueryDiskOffering(QueryMessage, java=JAVA, resource=DiskOffering):
    """Find disk offerings."""
