"""A VM's NICs as rows: gone once they are gone from their host, and back as they were when that failed."""

from __future__ import annotations

from typing import Any

from appliance.api.l3 import UsedIp
from appliance.api.tag import SystemTag
from appliance.api.vm import VmInstance, VmNic
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

JOBS = frozenset({"AttachL3NetworkToVm", "DetachL3NetworkFromVm"})
"""Calls that end when the VM's host has the NICs that it should have, and not before."""


def nics_of(snapshot: Snapshot, vm: VmInstance) -> list[VmNic]:
    """The NICs that a VM is to have, in their order."""
    return snapshot.all(VmNic, vm_instance_uuid=vm.uuid, intended="Present", order_by="device_id")


def default_network(snapshot: Snapshot, vm: VmInstance, *besides: str) -> str | None:
    """The network that is the VM's default when these are not: its own, else that of its first NIC."""
    left = [nic.l3_network_uuid for nic in nics_of(snapshot, vm) if nic.l3_network_uuid not in besides]
    return vm.default_l3_network_uuid if vm.default_l3_network_uuid in left else next(iter(left), None)


def settle_nics(tx: Transaction, vm: VmInstance) -> None:
    """The host has what is intended: NICs that left are forgotten, new ones are whole."""
    for nic in tx.all(VmNic, vm_instance_uuid=vm.uuid):
        if nic.intended == "Absent":
            _forget(tx, nic)
        elif not nic.plugged:
            tx.update(nic, plugged=True)


def turn_back_nics(tx: Transaction, vm: VmInstance) -> dict[str, Any]:
    """Intend what was before: new NICs leave, leaving ones stay. The change that this is to the VM's row."""
    changing = [n for n in tx.all(VmNic, vm_instance_uuid=vm.uuid) if n.plugged != (n.intended == "Present")]
    back = next((nic.l3_network_uuid for nic in changing if nic.was_default), None)
    for nic in changing:
        tx.update(nic, intended="Present" if nic.plugged else "Absent", was_default=False)
    return {"default_l3_network_uuid": back or default_network(tx, vm)} if changing else {}


def free_address(tx: Transaction, nic: VmNic) -> None:
    """Give a NIC's address back to its range."""
    for used in tx.all(UsedIp, used_for=nic.uuid):
        tx.delete(used)


def _forget(tx: Transaction, nic: VmNic) -> None:
    free_address(tx, nic)
    for tag in tx.all(SystemTag, resource_uuid=nic.vm_instance_uuid):
        if tag.tag.startswith(f"staticIp::{nic.l3_network_uuid}::"):
            tx.delete(tag)
    tx.delete(nic)
