"""What taking a destroyed VM back means: its disk, and what it had besides where nobody else has that now."""

from __future__ import annotations

from appliance.api.errors import InvalidArgument
from appliance.api.l3 import IpRange, L3Network
from appliance.api.vm import RecoverVmInstance, VmInstance
from appliance.api.volume import Volume
from appliance.plans import addresses
from appliance.reconcile.recycle_bin import take_out
from appliance.reconcile.vm_nic import nics_of
from appliance.reconcile.vm_state import change_vm
from appliance.resources.placing import give, static_ip, take
from appliance.resources.registry import Caller, handles
from appliance.resources.taken import TakenIn
from appliance.resources.vm_allowed import allowed
from appliance.resources.volume_attach import against_attaching, hand
from appliance.resources.volume_delete import take_back
from appliance.store.transaction import Transaction


@handles(RecoverVmInstance)
def recover_vm(tx: Transaction, request: RecoverVmInstance, caller: Caller) -> VmInstance:
    """Stopped again, with its disk; what is not to be had any more is told as an event, and does without."""
    uuid = request.vm_instance_uuid or request.uuid
    if uuid is None:
        raise InvalidArgument(
            f"field[vmInstanceUuid] of message[{RecoverVmInstance.java}] is mandatory, can not be null"
        )
    vm = allowed(tx, tx.get(VmInstance, uuid), request)
    for volume in tx.all(Volume, vm_instance_uuid=vm.uuid, type="Root"):
        tx.update(volume, status="Ready")
    item = take_out(tx, vm.uuid)
    vm = change_vm(tx, vm, intended="Stopped", generation=vm.generation + 1, settled=True)
    _take_addresses(tx, vm, wanted=request.take_former_ips)
    if request.attach_data_volumes and item is not None:
        for volume_uuid in item.data_volume_uuids:
            _attach(tx, vm, volume_uuid)
    return vm


def _take_addresses(tx: Transaction, vm: VmInstance, *, wanted: bool) -> None:
    """Each NIC has the address that it had, where that is free; the others get one at the VM's next start."""
    for nic in nics_of(tx, vm):
        former = nic.former_ip
        tx.update(nic, former_ip=None)
        if not wanted or former is None or static_ip(tx, vm.uuid, nic.l3_network_uuid) not in (None, former):
            continue
        ranges = tx.all(IpRange, l3_network_uuid=nic.l3_network_uuid)
        if addresses.has_free(ranges, former, TakenIn(tx)):
            used = take(tx, tx.get(L3Network, nic.l3_network_uuid), used_for=nic.uuid, wanted=former)
            give(tx, nic, used)
        else:
            tx.note(
                "FormerIpTaken",
                f"{vm.name}: {former} is not free any more; another address is taken at the next start",
                level="warning",
                about=vm,
            )


def _attach(tx: Transaction, vm: VmInstance, volume_uuid: str) -> None:
    """Give a VM a volume that it had, out of the recycle bin if it is there, unless something speaks against it."""
    volume = tx.find(Volume, volume_uuid)
    if volume is not None and volume.status == "Deleted" and volume.intended == "Deleted":
        volume = take_back(tx, volume)
    against = "it was removed" if volume is None else against_attaching(tx, volume, vm)
    if volume is None or against is not None:
        named = volume.name if volume is not None else volume_uuid
        text = f"{vm.name}: data volume {named} is not attached again: {against}"
        tx.note("VolumeNotReattached", text, level="warning", about=vm)
        return
    hand(tx, volume, vm, "attached")
