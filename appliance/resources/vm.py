"""What requests about VMs mean: intent, written whole in one transaction."""

from __future__ import annotations

from typing import Any

from appliance.api.errors import InvalidArgument, OperationFailed, WrongVmState
from appliance.api.event import PreviewUserdata
from appliance.api.userdata import served
from appliance.api.vm import (
    DestroyVmInstance,
    ExpungeVmInstance,
    RebootVmInstance,
    StartVmInstance,
    StopVmInstance,
    UpdateVmInstance,
    VmInstance,
)
from appliance.api.volume import Volume
from appliance.plans import userdata
from appliance.reconcile.recycle_bin import note_expunging, rename
from appliance.reconcile.vm_nic import nics_of
from appliance.reconcile.vm_settle import cancel, end_waiting, intend_stopped
from appliance.reconcile.vm_state import change_vm
from appliance.resources.creating import asked, given
from appliance.resources.placing import check_room, take_address
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles, reads
from appliance.resources.static_ip import take_kept
from appliance.resources.tag_checks import check_host_name
from appliance.resources.tags_of import system_tags
from appliance.resources.vm_allowed import allowed
from appliance.resources.vm_offering import apply_pending
from appliance.resources.volume import refuse_kept
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(StartVmInstance)
def start_vm(tx: Transaction, request: StartVmInstance, caller: Caller) -> Promise:
    """Intended running, on the host that has its disk."""
    vm = apply_pending(tx, allowed(tx, tx.get(VmInstance, request.uuid), request))
    check_room(tx, vm, asked(request))
    for volume in tx.all(Volume, vm_instance_uuid=vm.uuid):
        refuse_kept(tx, volume, head_only=True)
    for nic in nics_of(tx, vm):
        if nic.ip is None:
            take_address(tx, vm, nic, named=f"uuid[{vm.uuid}]")
        else:
            take_kept(tx, nic)
    vm = change_vm(tx, vm, intended="Running", generation=vm.generation + 1)
    return promise(tx, request, vm, caller)


@handles(StopVmInstance)
def stop_vm(tx: Transaction, request: StopVmInstance, caller: Caller) -> Promise:
    """Intended stopped; the guest gets the time that vm.stopGrace gives it."""
    vm = allowed(tx, tx.get(VmInstance, request.uuid), request)
    if not vm.created:
        # Its host is out of reach, so that its state is Unknown; stopped it would be taken for whole.
        raise OperationFailed(cause=WrongVmState(f"VM {vm.name}[uuid:{vm.uuid}] is still being created"))
    return promise(tx, request, intend_stopped(tx, vm), caller)


@handles(RebootVmInstance)
def reboot_vm(tx: Transaction, request: RebootVmInstance, caller: Caller) -> Promise:
    """One more reboot asked for."""
    vm = allowed(tx, tx.get(VmInstance, request.uuid), request)
    vm = change_vm(tx, vm, boot_count=vm.booted_count + 1, generation=vm.generation + 1)
    return promise(tx, request, vm, caller)


@handles(DestroyVmInstance)
def destroy_vm(tx: Transaction, request: DestroyVmInstance, caller: Caller) -> Promise | None:
    """Intended destroyed or absent, as the deletion policy says; older calls on it end."""
    vm = tx.find(VmInstance, request.uuid)
    if vm is None:
        return None
    allowed(tx, vm, request)
    direct = tx.setting("vm", "deletionPolicy") == "Direct" or not vm.created
    vm = cancel(tx, vm)
    end_waiting(tx, vm, caller.call_id)
    vm = change_vm(tx, vm, intended="Absent" if direct else "Destroyed", generation=vm.generation + 1)
    return promise(tx, request, vm, caller)


@handles(ExpungeVmInstance)
def expunge_vm(tx: Transaction, request: ExpungeVmInstance, caller: Caller) -> Promise:
    """Intended absent, whatever the policy."""
    vm = allowed(tx, tx.get(VmInstance, request.uuid), request)
    note_expunging(tx, vm.uuid)
    vm = change_vm(tx, vm, intended="Absent", generation=vm.generation + 1)
    return promise(tx, request, vm, caller)


@handles(UpdateVmInstance)
def update_vm(tx: Transaction, request: UpdateVmInstance, caller: Caller) -> VmInstance:
    """The row's words; devices change at the next start."""
    vm = tx.get(VmInstance, request.uuid)
    if request.state not in (None, vm.state):
        way = "StartVmInstance" if request.state == "Running" else "StopVmInstance"
        raise OperationFailed(
            f"state[{request.state}]: VM {vm.name}[uuid:{vm.uuid}] is {vm.state}, as its host sees it; "
            f"{way} changes that"
        )
    default = request.default_l3_network_uuid
    if default is not None and default not in {nic.l3_network_uuid for nic in nics_of(tx, vm)}:
        raise InvalidArgument(f"VM {vm.name} has no NIC on defaultL3NetworkUuid[{default}]")
    for tag in system_tags(tx, vm.uuid):
        if default not in (None, vm.default_l3_network_uuid) and tag.startswith("hostname::"):
            check_host_name(tx, vm.uuid, default, tag.removeprefix("hostname::"))
    changes = given(request, "name", "description", "platform", "default_l3_network_uuid")
    vm = tx.update(vm, **changes)
    rename(tx, vm)
    return vm


@reads(PreviewUserdata)
def preview_userdata(snapshot: Snapshot, request: PreviewUserdata, caller: Caller) -> dict[str, Any]:
    """What the tags come to."""
    tags = system_tags(snapshot, request.uuid)
    preview: dict[str, Any] = {"publicKeys": userdata.public_keys(tags)}
    text = userdata.user_data(tags)
    if text is not None:
        preview["userData"] = served(text)
    return preview
