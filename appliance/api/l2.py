"""L2 networks: what can be asked about bridges over physical interfaces."""

from __future__ import annotations

from typing import ClassVar

from appliance.api.cluster import Cluster
from appliance.api.errors import NetworkFailed
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Child, Embed, Join, Resource, Timestamp, column
from appliance.api.zone import Zone

JAVA = "org.zstack.header.network.l2"


class L2Network(Resource, java=JAVA):
    """An Ethernet segment: a bridge of the same name on every host of its clusters."""

    embeds: ClassVar[tuple[Embed, ...]] = (
        Embed("attachedClusterUuids", "L2NetworkClusterRef", "l2_network_uuid", "cluster_uuid"),
    )
    joins = (
        Join("zone", "Zone", "zone_uuid"),
        Join("l3Network", "L3Network", theirs="l2_network_uuid"),
        Join("clusterRef", "L2NetworkClusterRef", theirs="l2_network_uuid", hidden=True),
    )
    aliases = (("cluster", "clusterRef.cluster"),)
    children = (Child("L2VlanNetwork", JAVA, "L2VlanNetwork", ("vlan",)),)

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    zone_uuid: str = column("The zone it is in.", indexed=True)
    physical_interface: str = column("The hosts' interface under the bridge.")
    type: str = column("L2NoVlanNetwork or L2VlanNetwork.")
    vlan: int | None = column("The VLAN, for L2VlanNetwork.", default=None)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))


class L2NetworkClusterRef(Resource, java=JAVA):
    """An L2 network that hosts of a cluster carry."""

    joins = (
        Join("cluster", "Cluster", "cluster_uuid"),
        Join("l2Network", "L2Network", "l2_network_uuid"),
    )
    unique_together: ClassVar[tuple[tuple[str, ...], ...]] = (("l2_network_uuid", "cluster_uuid"),)

    uuid: str = column("Identity.", private=True)
    l2_network_uuid: str = column("The network.", indexed=True)
    cluster_uuid: str = column("The cluster.", indexed=True)
    create_date: Timestamp = column("When it was attached.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    intended: str = column("Present or Absent.", default="Present", private=True)


class CreateL2NoVlanNetwork(CreateMessage, java=JAVA, returns=L2Network,
                            result_class=f"{JAVA}.APICreateL2NetworkEvent"):  # fmt: skip
    """Create an untagged L2 network; attaching it to a cluster makes its bridges."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    zone_uuid: str = arg("The zone it goes into.", ref=Zone)
    physical_interface: str = arg("The hosts' interface, for example eth1.", max_length=15)
    type: str | None = arg("Kind of network.", default=None)


class CreateL2VlanNetwork(CreateMessage, java=JAVA, returns=L2Network,
                          result_class=f"{JAVA}.APICreateL2NetworkEvent"):  # fmt: skip
    """Create a tagged L2 network; attaching it to a cluster makes its bridges."""

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    zone_uuid: str = arg("The zone it goes into.", ref=Zone)
    physical_interface: str = arg("The hosts' interface, for example eth1.", max_length=15)
    vlan: int = arg("The VLAN.", minimum=0, maximum=4095)
    type: str | None = arg("Kind of network.", default=None)


class AttachL2NetworkToCluster(Message, java=JAVA, returns=L2Network, raises=(NetworkFailed,)):
    """Put an L2 network on a cluster; done when each connected host has its bridge."""

    l2_network_uuid: str = arg("The network.", ref=L2Network)
    cluster_uuid: str = arg("The cluster.", ref=Cluster)


class DetachL2NetworkFromCluster(Message, java=JAVA, returns=L2Network):
    """Take an L2 network from a cluster none of whose VMs is on it."""

    l2_network_uuid: str = arg("The network.", ref=L2Network)
    cluster_uuid: str = arg("The cluster.", ref=Cluster)


class DeleteL2Network(DeleteMessage, java=JAVA):
    """Delete an L2 network that no cluster and no L3 network uses."""

    uuid: str = arg("The network.")


class UpdateL2Network(Message, java=JAVA, returns=L2Network):
    """Change name or description of an L2 network."""

    uuid: str = arg("The network.", ref=L2Network)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)


class GetL2NetworkTypes(Message, java=JAVA, sync=True, role="read-only"):
    """Say which kinds of L2 network there are."""


class QueryL2Network(QueryMessage, java=JAVA, resource=L2Network):
    """Find L2 networks."""


class QueryL2VlanNetwork(QueryMessage, java=JAVA, resource=L2Network):
    """Find L2 networks with a VLAN."""

    only = ({"name": "type", "op": "=", "value": "L2VlanNetwork"},)
