"""What requests about clusters mean."""

from __future__ import annotations

from appliance.api.cluster import ChangeClusterState, Cluster, CreateCluster, DeleteCluster, UpdateCluster
from appliance.api.counting import counted
from appliance.api.errors import OperationFailed
from appliance.api.host import Host
from appliance.api.l2 import L2NetworkClusterRef
from appliance.api.storage import PrimaryStorageClusterRef
from appliance.resources.creating import add, given, uuid_for
from appliance.resources.registry import Caller, handles
from appliance.store.transaction import Transaction


@handles(CreateCluster)
def create_cluster(tx: Transaction, request: CreateCluster, caller: Caller) -> Cluster:
    """A row."""
    cluster = Cluster(
        uuid=uuid_for(tx, request, Cluster),
        name=request.name,
        description=request.description,
        zone_uuid=request.zone_uuid,
        hypervisor_type=request.hypervisor_type,
    )
    return add(tx, request, cluster)


@handles(UpdateCluster)
def update_cluster(tx: Transaction, request: UpdateCluster, caller: Caller) -> Cluster:
    """The row's words."""
    return tx.update(tx.get(Cluster, request.uuid), **given(request, "name", "description"))


@handles(ChangeClusterState)
def change_cluster_state(tx: Transaction, request: ChangeClusterState, caller: Caller) -> Cluster:
    """The row's state."""
    state = "Enabled" if request.state_event == "enable" else "Disabled"
    return tx.update(tx.get(Cluster, request.uuid), state=state)


@handles(DeleteCluster)
def delete_cluster(tx: Transaction, request: DeleteCluster, caller: Caller) -> None:
    """Gone when it holds no host."""
    cluster = tx.find(Cluster, request.uuid)
    if cluster is None:
        return
    hosts = tx.count(Host, cluster_uuid=cluster.uuid)
    if hosts:
        raise OperationFailed(
            f"cluster {cluster.name}[uuid:{cluster.uuid}] holds {counted(hosts, 'host', 'hosts')}; delete them first"
        )
    for kind in (L2NetworkClusterRef, PrimaryStorageClusterRef):
        for ref in tx.all(kind, cluster_uuid=cluster.uuid):
            tx.delete(ref)
    tx.delete(cluster)
