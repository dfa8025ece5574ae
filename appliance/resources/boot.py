"""What requests about a VM's ISO and its boot order mean."""

from __future__ import annotations

from typing import Any

from appliance.api.boot import (
    AttachIsoToVmInstance,
    DetachIsoFromVmInstance,
    GetVmBootOrder,
    SetVmBootOrder,
)
from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.image import Image
from appliance.api.vm import VmInstance
from appliance.plans.boot import DEVICES, ISO, ORDER, USUAL_ORDER, boot_order, iso_uuid
from appliance.reconcile.inherent_tags import drop_inherent_tags, put_inherent_tag, set_inherent_tag
from appliance.reconcile.vm_state import change_vm
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles, reads
from appliance.resources.tags_of import system_tags
from appliance.resources.vm_allowed import allowed
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(AttachIsoToVmInstance)
def attach_iso(tx: Transaction, request: AttachIsoToVmInstance, caller: Caller) -> Promise | VmInstance:
    """A tag; a running VM's worker brings the file and changes the medium, a stopped one has it at its start."""
    vm = allowed(tx, tx.get(VmInstance, request.vm_instance_uuid), request)
    there = iso_uuid(system_tags(tx, vm.uuid))
    if there is not None:
        raise OperationFailed(f"VM[uuid:{vm.uuid}] already has an ISO[uuid:{there}] attached")
    put_inherent_tag(tx, vm, ISO + usable_iso(tx, request.iso_uuid).uuid)
    return _moved(tx, request, vm, caller)


@handles(DetachIsoFromVmInstance)
def detach_iso(tx: Transaction, request: DetachIsoFromVmInstance, caller: Caller) -> Promise | VmInstance:
    """The tag gone; a running VM's worker empties the drive."""
    vm = allowed(tx, tx.get(VmInstance, request.vm_instance_uuid), request)
    drop_inherent_tags(tx, vm, ISO)
    return _moved(tx, request, vm, caller)


def _moved(
    tx: Transaction, request: AttachIsoToVmInstance | DetachIsoFromVmInstance, vm: VmInstance, caller: Caller
) -> Promise | VmInstance:
    vm = change_vm(tx, vm, generation=vm.generation + 1)
    return promise(tx, request, vm, caller) if vm.intended == "Running" else vm


@reads(GetVmBootOrder)
def get_boot_order(snapshot: Snapshot, request: GetVmBootOrder, caller: Caller) -> dict[str, Any]:
    """The tag's, or the usual one, also of a VM that was made from an ISO."""
    return {"order": list(boot_order(system_tags(snapshot, request.uuid)))}


@handles(SetVmBootOrder)
def set_boot_order(tx: Transaction, request: SetVmBootOrder, caller: Caller) -> VmInstance:
    """A tag for whatever is not usual."""
    vm = tx.get(VmInstance, request.uuid)
    order = tuple(request.boot_order or USUAL_ORDER)
    for device in order:
        if device not in DEVICES or order.count(device) > 1:
            raise InvalidArgument(f"invalid boot device[{device}] in boot order[{','.join(order)}]")
    set_inherent_tag(tx, vm, ORDER, None if order == USUAL_ORDER else ",".join(order))
    return vm


def usable_iso(snapshot: Snapshot, uuid: str) -> Image:
    """An ISO that can be put into a drive. Raises InvalidArgument and OperationFailed."""
    image = snapshot.get(Image, uuid)
    if image.media_type != "ISO":
        raise InvalidArgument(
            f"isoUuid[{uuid}] is a {image.media_type}; only an ISO fits into a CD-ROM drive"
        )
    if image.status != "Ready" or image.state != "Enabled":
        raise OperationFailed(f"ISO {image.name}[uuid:{uuid}] is {image.status} and {image.state}")
    return image
