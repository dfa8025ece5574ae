"""What requests about L2 networks mean."""

from __future__ import annotations

import re
from typing import Any

from appliance.api.cluster import Cluster
from appliance.api.errors import Cancelled, InvalidArgument, OperationFailed
from appliance.api.l2 import (
    AttachL2NetworkToCluster,
    CreateL2NoVlanNetwork,
    CreateL2VlanNetwork,
    DeleteL2Network,
    DetachL2NetworkFromCluster,
    GetL2NetworkTypes,
    L2Network,
    L2NetworkClusterRef,
    UpdateL2Network,
)
from appliance.api.l3 import L3Network
from appliance.api.service import NetworkServiceProvider, NetworkServiceProviderL2NetworkRef
from appliance.api.vm import VmInstance, VmNic
from appliance.plans.naming import bridge
from appliance.reconcile import jobs
from appliance.resources.creating import add, given, refuse_twins, uuid_for
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles, reads
from appliance.resources.storage import same_zone
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(CreateL2NoVlanNetwork)
def create_l2_no_vlan(tx: Transaction, request: CreateL2NoVlanNetwork, caller: Caller) -> L2Network:
    """A row; attaching it to a cluster makes the bridges."""
    return _create(tx, request, "L2NoVlanNetwork", None)


@handles(CreateL2VlanNetwork)
def create_l2_vlan(tx: Transaction, request: CreateL2VlanNetwork, caller: Caller) -> L2Network:
    """A row; attaching it to a cluster makes the bridges."""
    return _create(tx, request, "L2VlanNetwork", request.vlan)


def _create(
    tx: Transaction, request: CreateL2NoVlanNetwork | CreateL2VlanNetwork, kind: str, vlan: int | None
) -> L2Network:
    interface = request.physical_interface
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,15}", interface) or interface in {".", ".."}:
        raise InvalidArgument(f"physicalInterface[{interface}] is not the name of a network interface")
    refuse_twins(
        tx, L2Network, f"there is an L2 network on physicalInterface[{interface}] of the zone",
        zone_uuid=request.zone_uuid, physical_interface=interface, vlan=vlan,
    )  # fmt: skip
    for other in tx.all(L2Network, zone_uuid=request.zone_uuid):
        if bridge(other.physical_interface, other.vlan) == bridge(interface, vlan):
            raise InvalidArgument(
                f"physicalInterface[{interface}] makes the bridge name of {other.name}[uuid:{other.uuid}]"
            )
    network = L2Network(
        uuid=uuid_for(tx, request, L2Network),
        name=request.name,
        description=request.description,
        zone_uuid=request.zone_uuid,
        physical_interface=interface,
        type=kind,
        vlan=vlan,
    )
    network = add(tx, request, network)
    for provider in tx.all(NetworkServiceProvider, type="Flat"):
        tx.insert(
            NetworkServiceProviderL2NetworkRef(
                uuid=tx.new_uuid(),
                network_service_provider_uuid=provider.uuid,
                l2_network_uuid=network.uuid,
            )
        )
    return network


@handles(AttachL2NetworkToCluster)
def attach_l2(tx: Transaction, request: AttachL2NetworkToCluster, caller: Caller) -> Promise:
    """A reference, whose worker makes the bridge on each connected host."""
    network = tx.get(L2Network, request.l2_network_uuid)
    cluster = tx.get(Cluster, request.cluster_uuid)
    same_zone(network.zone_uuid, cluster, f"L2 network {network.name}")
    refuse_twins(
        tx,
        L2NetworkClusterRef,
        f"L2 network {network.name} is attached to cluster {cluster.name} already",
        l2_network_uuid=network.uuid,
        cluster_uuid=cluster.uuid,
    )
    ref = tx.insert(
        L2NetworkClusterRef(uuid=tx.new_uuid(), l2_network_uuid=network.uuid, cluster_uuid=cluster.uuid)
    )
    return promise(tx, request, ref, caller)


@handles(DetachL2NetworkFromCluster)
def detach_l2(tx: Transaction, request: DetachL2NetworkFromCluster, caller: Caller) -> Promise | L2Network:
    """Intended absent; refused while a VM of the cluster is on it."""
    network = tx.get(L2Network, request.l2_network_uuid)
    ref = tx.first(L2NetworkClusterRef, l2_network_uuid=network.uuid, cluster_uuid=request.cluster_uuid)
    if ref is None:
        return network
    l3_uuids = [l3.uuid for l3 in tx.all(L3Network, l2_network_uuid=network.uuid)]
    for nic in tx.all(VmNic, l3_network_uuid=l3_uuids):
        vm = tx.find(VmInstance, nic.vm_instance_uuid)
        if vm is not None and vm.cluster_uuid == request.cluster_uuid:
            raise OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}] has a NIC on it; destroy it first")
    jobs.doom_all(tx, ref.uuid, Cancelled("the L2 network was detached"))
    return promise(tx, request, tx.update(ref, intended="Absent"), caller)


@handles(DeleteL2Network)
def delete_l2(tx: Transaction, request: DeleteL2Network, caller: Caller) -> None:
    """Gone when no cluster and no L3 network uses it."""
    network = tx.find(L2Network, request.uuid)
    if network is None:
        return
    if tx.exists(L3Network, l2_network_uuid=network.uuid):
        raise OperationFailed(f"L2 network {network.name} has L3 networks; delete them first")
    if tx.exists(L2NetworkClusterRef, l2_network_uuid=network.uuid):
        raise OperationFailed(f"L2 network {network.name} is attached to a cluster; detach it first")
    for ref in tx.all(NetworkServiceProviderL2NetworkRef, l2_network_uuid=network.uuid):
        tx.delete(ref)
    tx.delete(network)


@handles(UpdateL2Network)
def update_l2(tx: Transaction, request: UpdateL2Network, caller: Caller) -> L2Network:
    """The row's words."""
    return tx.update(tx.get(L2Network, request.uuid), **given(request, "name", "description"))


@reads(GetL2NetworkTypes)
def get_l2_types(snapshot: Snapshot, request: GetL2NetworkTypes, caller: Caller) -> dict[str, Any]:
    """Those that can be created."""
    return {"l2NetworkTypes": ["L2NoVlanNetwork", "L2VlanNetwork"]}
