"""What giving a VM another size means: at once while it is stopped, pending while it runs."""

from __future__ import annotations

from appliance.api.errors import OperationFailed
from appliance.api.offering import InstanceOffering
from appliance.api.vm import ChangeInstanceOffering, VmInstance
from appliance.plans.placement import Demand
from appliance.reconcile.inherent_tags import drop_inherent_tags, put_inherent_tag
from appliance.reconcile.vm_state import change_vm
from appliance.resources.creating import asked
from appliance.resources.placing import check_increase
from appliance.resources.registry import Caller, handles
from appliance.resources.vm_allowed import allowed
from appliance.store.transaction import Transaction

PENDING = "pendingCapacityChange::"


@handles(ChangeInstanceOffering)
def change_instance_offering(tx: Transaction, request: ChangeInstanceOffering, caller: Caller) -> VmInstance:
    """A stopped VM has its new size now; a running one has it promised, and its host keeps the room."""
    vm = allowed(tx, tx.get(VmInstance, request.vm_instance_uuid), request)
    offering = tx.get(InstanceOffering, request.instance_offering_uuid)
    if offering.state != "Enabled":
        raise OperationFailed(
            f"instance offering[uuid:{offering.uuid}] is {offering.state}, can't change a vm to it"
        )
    vm = _without_pending(tx, vm)
    if vm.state == "Stopped":
        return change_vm(
            tx, vm, instance_offering_uuid=offering.uuid, cpu_num=offering.cpu_num,
            cpu_speed=offering.cpu_speed, memory_size=offering.memory_size,
        )  # fmt: skip
    now, then = _size(vm), (offering.cpu_num, offering.cpu_speed, offering.memory_size)
    if now == then:
        return change_vm(tx, vm, instance_offering_uuid=offering.uuid)
    # The room that an earlier pending size kept is free again before this one is measured.
    vm = change_vm(tx, vm)
    cpu = max(0, offering.cpu_num * offering.cpu_speed - vm.cpu_num * vm.cpu_speed)
    memory = max(0, offering.memory_size - vm.memory_size)
    check_increase(tx, vm, Demand(memory, cpu, 0, frozenset(), asked=asked(request)))
    put_inherent_tag(tx, vm, f"{PENDING}cpuNum::{then[0]}::cpuSpeed::{then[1]}::memory::{then[2]}")
    return change_vm(
        tx, vm, instance_offering_uuid=offering.uuid, pending_cpu_num=offering.cpu_num,
        pending_cpu_speed=offering.cpu_speed, pending_memory_size=offering.memory_size,
    )  # fmt: skip


def apply_pending(tx: Transaction, vm: VmInstance) -> VmInstance:
    """A VM with the size that was promised for its next start."""
    if vm.pending_cpu_num is None or vm.pending_cpu_speed is None or vm.pending_memory_size is None:
        return vm
    vm = tx.update(
        vm, cpu_num=vm.pending_cpu_num, cpu_speed=vm.pending_cpu_speed, memory_size=vm.pending_memory_size
    )
    return _without_pending(tx, vm)


def _size(vm: VmInstance) -> tuple[int, int, int]:
    return vm.cpu_num, vm.cpu_speed, vm.memory_size


def _without_pending(tx: Transaction, vm: VmInstance) -> VmInstance:
    drop_inherent_tags(tx, vm, PENDING)
    return tx.update(vm, pending_cpu_num=None, pending_cpu_speed=None, pending_memory_size=None)
