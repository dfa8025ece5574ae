"""What giving a VM a NIC and taking one from it mean."""

from __future__ import annotations

from itertools import count
from typing import Any

from appliance.api.errors import OperationFailed
from appliance.api.l2 import L2NetworkClusterRef
from appliance.api.l3 import L3Network
from appliance.api.vm import (
    AttachL3NetworkToVm,
    DetachL3NetworkFromVm,
    GetVmAttachableL3Network,
    VmInstance,
    VmNic,
)
from appliance.plans import naming
from appliance.reconcile.vm_nic import default_network
from appliance.reconcile.vm_state import change_vm
from appliance.resources.placing import ensure_dhcp_address, static_ip, take_address
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles, reads
from appliance.resources.vm_allowed import allowed
from appliance.store import meta
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(AttachL3NetworkToVm)
def attach_l3(tx: Transaction, request: AttachL3NetworkToVm, caller: Caller) -> Promise | VmInstance:
    """A row and an address; a running VM's worker plugs it in, a stopped one has it at its next start."""
    vm = allowed(tx, tx.get(VmInstance, request.vm_instance_uuid), request)
    network = tx.get(L3Network, request.l3_network_uuid)
    against = _against(tx, vm, network)
    if against is not None:
        refused = OperationFailed(f"unable to attach a L3 network. {against}")
        leaving = {"vm_instance_uuid": vm.uuid, "l3_network_uuid": network.uuid, "intended": "Absent"}
        raise refused.passes(vm.name_, vm.uuid) if tx.exists(VmNic, **leaving) else refused
    running = vm.intended == "Running"
    add_nic(tx, vm, network, _free_device(tx, vm), field="l3NetworkUuid", plugged=not running)
    vm = change_vm(
        tx, vm, generation=vm.generation + 1,
        default_l3_network_uuid=vm.default_l3_network_uuid or network.uuid,
    )  # fmt: skip
    return promise(tx, request, vm, caller) if running else vm


@handles(DetachL3NetworkFromVm)
def detach_l3(tx: Transaction, request: DetachL3NetworkFromVm, caller: Caller) -> Promise:
    """The row leaves once the host has let go of it, and takes its address and static address along."""
    nic = tx.get(VmNic, request.vm_nic_uuid)
    vm = allowed(tx, tx.get(VmInstance, nic.vm_instance_uuid), request)
    if nic.intended == "Present":
        default = vm.default_l3_network_uuid == nic.l3_network_uuid
        tx.update(nic, intended="Absent", was_default=default)
    vm = change_vm(tx, vm, generation=vm.generation + 1, default_l3_network_uuid=default_network(tx, vm))
    return promise(tx, request, vm, caller)


@reads(GetVmAttachableL3Network)
def get_attachable(snapshot: Snapshot, request: GetVmAttachableL3Network, caller: Caller) -> dict[str, Any]:
    """The networks of the VM's zone that nothing speaks against."""
    vm = snapshot.get(VmInstance, request.vm_instance_uuid)
    networks = snapshot.all(L3Network, zone_uuid=vm.zone_uuid, intended="Present")
    fitting = [network for network in networks if _against(snapshot, vm, network) is None]
    return {"inventories": snapshot.inventories(fitting)}


def add_nic(
    tx: Transaction, vm: VmInstance, network: L3Network, device_id: int, *, field: str, plugged: bool = True
) -> VmNic:
    """A new NIC of a VM, with its address; `field` is that of the call which names the network."""
    named = f"{field}[{network.uuid}]"
    nic = tx.insert(
        VmNic(
            uuid=tx.new_uuid(),
            vm_instance_uuid=vm.uuid,
            l3_network_uuid=network.uuid,
            mac=naming.mac(meta.owner(tx), vm.internal_id, device_id),
            meta_data=str(vm.internal_id),
            device_id=device_id,
            plugged=plugged,
        )
    )
    # An address that is asked for by name goes before the server's, which may be any.
    if static_ip(tx, vm.uuid, network.uuid) is None:
        ensure_dhcp_address(tx, network, named=named)
        return take_address(tx, vm, nic, named=named)
    nic = take_address(tx, vm, nic, named=named)
    ensure_dhcp_address(tx, network, named=named)
    return nic


def _against(snapshot: Snapshot, vm: VmInstance, network: L3Network) -> str | None:
    """Why a VM cannot have a NIC on a network; None when it can."""
    l3, name = f"The L3 network[uuid:{network.uuid}]", f"the vm[uuid: {vm.uuid}]"
    if snapshot.exists(VmNic, vm_instance_uuid=vm.uuid, l3_network_uuid=network.uuid):
        return f"{l3} is already attached to {name}"
    if network.state != "Enabled" or network.intended != "Present":
        return f"{l3} is disabled"
    if network.system:
        return f"{l3} is a system network and {name} is a user vm"
    if not snapshot.exists(
        L2NetworkClusterRef,
        l2_network_uuid=network.l2_network_uuid,
        cluster_uuid=vm.cluster_uuid,
        intended="Present",
    ):
        return (
            f"{l3} is on the L2 network[uuid:{network.l2_network_uuid}], which the cluster of {name} has not"
        )
    return None


def _free_device(snapshot: Snapshot, vm: VmInstance) -> int:
    """The lowest place that no NIC of the VM has, and none that is leaving."""
    taken = {nic.device_id for nic in snapshot.all(VmNic, vm_instance_uuid=vm.uuid)}
    return next(place for place in count() if place not in taken)
