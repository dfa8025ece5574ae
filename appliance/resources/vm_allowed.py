"""Which requests a VM's state allows, in ZStack's words."""

from __future__ import annotations

from appliance.api.errors import OperationFailed, WrongVmState
from appliance.api.message import Message
from appliance.api.vm import VmInstance
from appliance.api.vm_states import ALLOWED, PASSING, taken


def allowed(vm: VmInstance, request: Message) -> VmInstance:
    """The VM, if its state allows the message; else ZStack's error with ZStack's words."""
    name = type(request).__name__
    why = taken(vm, name)
    if why:
        raise OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}]: {why}")
    states = ALLOWED[name]
    if vm.state in states:
        return vm
    cause = WrongVmState(
        f"current vm instance state[{vm.state}] doesn't allow to proceed message[{type(request).java}], "
        f"allowed states are [{', '.join(sorted(states))}]"
    )
    cause.passing = (VmInstance.name_, vm.uuid) if vm.state in PASSING else None
    raise OperationFailed(cause=cause)
