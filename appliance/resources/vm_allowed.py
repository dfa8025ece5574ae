"""Which requests a VM's state allows, in ZStack's words."""

from __future__ import annotations

from appliance.api.errors import OperationFailed, WrongVmState
from appliance.api.message import Message
from appliance.api.vm import VmInstance
from appliance.api.vm_states import ALLOWED

READ_BESIDES = frozenset({"CreateRootVolumeTemplateFromRootVolume", "CreateDataVolumeTemplateFromVolume"})
"""What may be done with a VM while a volume of it is read: another may be read, too."""


def allowed(vm: VmInstance, request: Message) -> VmInstance:
    """The VM, if its state allows the message; else ZStack's error with ZStack's words."""
    name = type(request).__name__
    if vm.moving:
        raise OperationFailed(
            f"VM {vm.name}[uuid:{vm.uuid}] is being moved to another host; wait for that, or cancel its job"
        )
    if vm.being_read and name not in READ_BESIDES:
        raise OperationFailed(
            f"an image is being made of a volume of VM {vm.name}[uuid:{vm.uuid}]; wait until that was read, or cancel "
            f"its job"
        )
    states = ALLOWED[name]
    if vm.state in states:
        return vm
    cause = WrongVmState(
        f"current vm instance state[{vm.state}] doesn't allow to proceed message[{type(request).java}], "
        f"allowed states are [{', '.join(sorted(states))}]"
    )
    raise OperationFailed(cause=cause)
