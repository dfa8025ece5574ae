"""Which requests a VM's state allows, in ZStack's words."""

from __future__ import annotations

from typing import TypeVar

from appliance.api.errors import ApiError, OperationFailed, WrongVmState
from appliance.api.message import Message
from appliance.api.vm import VmInstance
from appliance.api.vm_states import ALLOWED, PASSING, taken
from appliance.reconcile import jobs
from appliance.store.snapshot import Snapshot

E = TypeVar("E", bound=ApiError)


def allowed(snapshot: Snapshot, vm: VmInstance, request: Message) -> VmInstance:
    """The VM, if its state allows the message; else ZStack's error with ZStack's words.

    While an earlier call works on it, its state is not judged yet: calls on one VM follow each other, as in ZStack.
    """
    name = type(request).__name__
    why = taken(vm, name)
    if not why and not request.sync and name != "DestroyVmInstance" and _is_worked_on(snapshot, vm):
        why = "another call is at work on it; wait for that, or cancel its job"
    if why:
        raise OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}]: {why}").passes(vm.name_, vm.uuid)
    states = ALLOWED[name]
    if vm.state in states:
        return vm
    cause = WrongVmState(
        f"current vm instance state[{vm.state}] doesn't allow to proceed message[{type(request).java}], "
        f"allowed states are [{', '.join(sorted(states))}]"
    )
    raise OperationFailed(cause=if_passing(cause, vm))


def _is_worked_on(snapshot: Snapshot, vm: VmInstance) -> bool:
    """Whether a call is carried out on it now; one that waits for its host is nothing to wait for."""
    return any(job.waits_for is None for job in jobs.running(snapshot, vm.uuid))


def if_passing(error: E, vm: VmInstance) -> E:
    """The same refusal of what a VM's state does not allow; where that ends by itself, the call waits for it."""
    return error.passes(vm.name_, vm.uuid) if vm.state in PASSING or vm.moving else error
