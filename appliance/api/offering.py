"""Offerings: what can be asked about the sizes that VMs come in."""

from __future__ import annotations

from appliance.api.message import CreateMessage, DeleteMessage, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column

JAVA = "org.zstack.header.configuration"


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
    allocator_strategy: str = column("How a host is chosen.", default="LeastVmPreferredHostAllocatorStrategy")
    sort_key: int = column("Where it stands in lists.", default=0)
    state: str = column("Enabled or Disabled.", default="Enabled")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class CreateInstanceOffering(CreateMessage, java=JAVA, returns=InstanceOffering):
    """Create a size for VMs."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    cpu_num: int = arg("Number of virtual CPUs.", minimum=1, maximum=1024)
    cpu_speed: int = arg("MHz that each counts for.", minimum=1, maximum=2**31 - 1)
    memory_size: int = arg("Bytes of memory.", minimum=1, maximum=2**63 - 1)
    allocator_strategy: str | None = arg("How a host is chosen.", default=None)
    sort_key: int = arg("Where it stands in lists.", default=0)
    type: str | None = arg("Kind of VM.", default=None)


class DeleteInstanceOffering(DeleteMessage, java=JAVA):
    """Delete a size; VMs made with it keep theirs."""

    uuid: str = arg("The offering.")


class QueryInstanceOffering(QueryMessage, java=JAVA, resource=InstanceOffering):
    """Find instance offerings."""
