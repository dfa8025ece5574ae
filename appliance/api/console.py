"""Consoles: what can be asked about a VM's screen, its keyboard and its serial line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from appliance.api.errors import WrongVmState
from appliance.api.message import Message, arg
from appliance.api.vm import VmInstance

JAVA = "org.zstack.header.console"

CONSOLES = ("vnc", "serial")
"""What a VM has to be looked at through the appliance."""


class ConsoleEnd(IntEnum):
    """Why the stream of a console ended: the code that its WebSocket is closed with. The reason's words go along."""

    VM_OFF = 4001
    HOST_AWAY = 4002
    NOT_ALLOWED = 4003
    STOPPING = 4004
    CLOSED = 4005
    """The console itself ended it, as when its VM goes to another host. Another token opens another stream."""


class ConsoleEnded(Exception):
    """The stream of a console is over."""

    def __init__(self, end: ConsoleEnd, reason: str) -> None:
        super().__init__(reason)
        self.end = end
        self.reason = reason


@dataclass(frozen=True)
class Gap:
    """So many bytes of a serial line were left out: the guest wrote faster than they were taken."""

    size: int


@dataclass(frozen=True)
class Notice:
    """Something typed did not reach the guest: a code for programs, words for people."""

    code: str
    words: str


class RequestConsoleAccess(Message, java=JAVA, role="operator", secret_reply=True,
                           raises=(WrongVmState,)):  # fmt: skip
    """Open a way to a running VM's console: a WebSocket at `/websockify?token=…` of the address given.

    The token is good for one connection, to this console of this VM, soon, while its caller may. Of VNC that
    carries the bytes as they are; of the serial line what was written there, beginning with the last of its log,
    and what is typed, as binary messages, besides messages of text: `{"gap": BYTES}` where the viewer was too slow,
    `{"notice": WORDS, "code": CODE}` when something typed did not arrive. An appliance that listens on no address
    gives the token alone, for its own socket.
    """

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)
    console: str = arg("Its screen, or its serial line.", default="vnc", choices=CONSOLES)
