"""Which requests a VM's state allows, in ZStack's words."""

from __future__ import annotations

from typing import TypeVar

from appliance.api.errors import ApiError, OperationFailed, WrongVmState
from appliance.api.message import Message
from appliance.api.vm import VmInstance
from appliance.api.vm_states import ALLOWED, PASSING, taken

E = TypeVar("E", bound=ApiError)


def allowed(vm: VmInstance, request: Message) -> VmInstance:
    """The VM, if its state allows the message; else ZStack's error with ZStack's words."""
    name = type(request).__name__
    why = taken(vm, name)
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


def if_passing(error: E, vm: VmInstance) -> E:
    """The same refusal of what a VM's state does not allow; where that ends by itself, the call waits for it."""
    return error.passes(vm.name_, vm.uuid) if vm.state in PASSING or vm.moving else error
