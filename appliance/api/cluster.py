"""Clusters: what can be asked about groups of hosts that share storage and networks."""

from __future__ import annotations

from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Join, Resource, Timestamp, column
from appliance.api.zone import Zone

JAVA = "org.zstack.header.cluster"


class Cluster(Resource, java=JAVA):
    """A cluster: hosts of one hypervisor that can replace one another."""

    joins = (
        Join("zone", "Zone", "zone_uuid"),
        Join("host", "Host", theirs="cluster_uuid"),
        Join("vmInstance", "VmInstance", theirs="cluster_uuid"),
        Join("l2NetworkRef", "L2NetworkClusterRef", theirs="cluster_uuid", hidden=True),
        Join("primaryStorageRef", "PrimaryStorageClusterRef", theirs="cluster_uuid", hidden=True),
    )
    aliases = (
        ("l2Network", "l2NetworkRef.l2Network"),
        ("primaryStorage", "primaryStorageRef.primaryStorage"),
    )

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    zone_uuid: str = column("The zone it is in.", indexed=True)
    state: str = column("Enabled or Disabled.", default="Enabled")
    hypervisor_type: str = column("KVM or Simulator.")
    type: str = column("Always zstack.", default="zstack")
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class CreateCluster(CreateMessage, java=JAVA, returns=Cluster):
    """Create a cluster in a zone."""

    zone_uuid: str = arg("The zone it goes into.", ref=Zone)
    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    hypervisor_type: str = arg("Kind of its hosts.", choices=("KVM", "Simulator"))
    type: str | None = arg("Kind of cluster.", default=None, choices=("zstack",))


class DeleteCluster(DeleteMessage, java=JAVA):
    """Delete a cluster that holds no host."""

    uuid: str = arg("The cluster.")


class UpdateCluster(Message, java=JAVA, returns=Cluster):
    """Change name or description of a cluster."""

    uuid: str = arg("The cluster.", ref=Cluster)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class ChangeClusterState(Message, java=JAVA, returns=Cluster):
    """Enable or disable a cluster; no VM is placed in a disabled one."""

    uuid: str = arg("The cluster.", ref=Cluster)
    state_event: str = arg("What to do.", choices=("enable", "disable"))


class QueryCluster(QueryMessage, java=JAVA, resource=Cluster):
    """Find clusters."""
