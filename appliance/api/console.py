"""Consoles: what can be asked about a VM's screen and keyboard."""

from __future__ import annotations

from appliance.api.errors import OperationFailed, WrongVmState
from appliance.api.message import Message, arg
from appliance.api.vm import VmInstance

JAVA = "org.zstack.header.console"


class RequestConsoleAccess(Message, java=JAVA, role="operator", secret_reply=True,
                           raises=(OperationFailed, WrongVmState)):  # fmt: skip
    """Open a way to a running VM's VNC console: a WebSocket at `/websockify?token=…` of the address given.

    The token is good for one connection, to this VM, soon.
    """

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)
