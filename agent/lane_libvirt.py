"""The door to this host's libvirt: what a libvirt that a domain comes from may call here, and nothing else.

Of libvirt's calls the few of a move are let through, as long as they are about the domain that the lane was opened
for. All others are answered here, with an error.

Which those are is in libvirt's sources, of which 9.0.0 and 11.3.0 were read: the libvirt that a domain comes from makes
the same calls in both. It logs in, opens, asks for features, asks to be told of the end, prepares, finishes and closes;
what the protocol got since (444 to 453) is of no move. It does not ask what it has opened, since it said so itself.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from agent.lane import LOOPBACK
from agent.lane_coming import Denied, check_coming, check_cookie
from agent.protocol import DISKS_DOOR, MEMORY_DOOR, DomainSpec, OpenLane

MAX_BYTES = 8 << 20
"""What a call or its answer may have: definitions and what goes with them are far smaller."""

_REMOTE, _KEEPALIVE = 0x20008086, 0x6B656570
_CALL, _REPLY, _ERROR = 0, 1, 1
_OPEN, _PREPARE, _FINISH = 1, 303, 306
_HARMLESS = {
    2: "close",
    60: "has a feature",
    66: "list ways to log in",
    360: "tell of its end",
    361: "do not",
}
"""Calls that change nothing and tell nothing of any domain, by their numbers in libvirt's protocol."""

_ACCESS_DENIED, _FROM_ACCESS, _LEVEL_ERROR = 88, 55, 2
_HEADER = struct.Struct(">IIIIIII")
_STRING, _WORDS = 7, {1: 4, 2: 4, 3: 8, 4: 8, 5: 8, 6: 4}
"""Types of libvirt's parameters: a text, and what has so many bytes."""


class Gate:
    """What goes through the door, one whole message after the other."""

    def __init__(self, lane: OpenLane, door: socket.socket, coming: int, going: int) -> None:
        """What comes is read from one descriptor, and what is answered goes to the other."""
        self._lane = lane
        self._door = door
        self._coming = coming
        self._going = going
        self._answering = threading.Lock()

    def forth(self) -> None:
        """Let calls through until there are no more."""
        try:
            with suppress(OSError, EOFError):
                while True:
                    self._forth(_message(lambda count: os.read(self._coming, count)))
        finally:
            with suppress(OSError):
                self._door.shutdown(socket.SHUT_WR)

    def back(self) -> None:
        """Let answers through until there are no more."""
        with suppress(OSError, EOFError):
            while True:
                self._answer(_message(self._door.recv))

    def _forth(self, message: bytes) -> None:
        try:
            check_call(message, self._lane)
        except Denied as denied:
            self._answer(denial(message, str(denied)))
        else:
            self._door.sendall(message)

    def _answer(self, message: bytes) -> None:
        with self._answering:
            left = memoryview(message)
            while left:
                left = left[os.write(self._going, left) :]


def check_call(message: bytes, lane: OpenLane) -> None:
    """Raise `Denied` for a message that a move of the lane's domain does not need."""
    _, program, _, procedure, kind, _, _ = _HEADER.unpack_from(message)
    if program == _KEEPALIVE:
        return
    if program != _REMOTE or kind != _CALL or lane.coming is None:
        raise Denied(f"lane {lane.lane_uuid} lets no message of program {program:#x} through")
    try:
        if procedure == _OPEN:
            _check_open(_Fields(message))
        elif procedure in (_PREPARE, _FINISH):
            _check_move(_Fields(message), lane, lane.coming, needed=_NEEDED[procedure])
        elif procedure not in _HARMLESS:
            raise Denied(f"lane {lane.lane_uuid} lets no call {procedure} through")
    except (EOFError, KeyError, UnicodeDecodeError) as wrong:
        raise Denied(f"a call {procedure} that cannot be read: {wrong}") from wrong


def denial(message: bytes, words: str) -> bytes:
    """The answer to a call that is not let through, as libvirt would give it."""
    _, program, version, procedure, _, serial, _ = _HEADER.unpack_from(message)
    said = words.encode()
    body = struct.pack(">III", _ACCESS_DENIED, _FROM_ACCESS, 1) + _text(said)
    body += struct.pack(">IIIIIIII", _LEVEL_ERROR, 0, 0, 0, 0, 0, 0, 0)
    length = _HEADER.size + len(body)
    return _HEADER.pack(length, program, version, procedure, _REPLY, serial, _ERROR) + body


def _check_open(fields: _Fields) -> None:
    name = fields.text() if fields.number() else ""
    if name != "qemu:///system":
        raise Denied(f"a move goes to qemu:///system, not to {name[:100]!r}")


_NEEDED = {
    _PREPARE: {"destination_xml", "migrate_uri", "listen_address", "disks_port"},
    _FINISH: {"destination_name"},
}


def _check_move(fields: _Fields, lane: OpenLane, spec: DomainSpec, needed: set[str]) -> None:
    """The beginning or the end of a move: of this domain, and to the lane's own ports."""
    told = fields.parameters()
    if not needed <= told.keys():
        raise Denied(f"a move without {', '.join(sorted(needed - told.keys()))}")
    fixed: dict[str, str | int] = {
        "migrate_uri": f"tcp://{LOOPBACK}:{lane.doors[MEMORY_DOOR]}",
        "listen_address": LOOPBACK,
        "disks_port": int(lane.doors[DISKS_DOOR]),
        "destination_name": spec.vm_uuid,
    }
    for name, value in told.items():
        if name == "destination_xml":
            check_coming(str(value), spec)
        elif name != "bandwidth" and (name not in fixed or fixed[name] != value):
            raise Denied(f"a move with {name[:100]} {str(value)[:100]}")
    check_cookie(fields.opaque(), spec)


class _Fields:
    """The fields of a call, in their order, as XDR has them."""

    def __init__(self, message: bytes) -> None:
        self._left = memoryview(message)[_HEADER.size :]

    def number(self) -> int:
        found: int = struct.unpack(">I", self._take(4))[0]
        return found

    def opaque(self) -> bytes:
        length = self.number()
        return self._take(length + -length % 4)[:length]

    def text(self) -> str:
        return self.opaque().decode()

    def parameters(self) -> dict[str, str | int]:
        """libvirt's parameters; those that are neither text nor a whole number of four bytes as 0."""
        found: dict[str, str | int] = {}
        for _ in range(self.number()):
            name, kind = self.text(), self.number()
            if name in found:
                raise Denied(f"a call that says {name[:100]} twice")
            if kind == _STRING:
                found[name] = self.text()
            else:
                word = self._take(_WORDS[kind])
                found[name] = int.from_bytes(word) if len(word) == 4 else 0
        return found

    def _take(self, count: int) -> bytes:
        if count > len(self._left):
            raise EOFError("it is cut off")
        taken, self._left = bytes(self._left[:count]), self._left[count:]
        return taken


def _message(read: Callable[[int], bytes]) -> bytes:
    """The next whole message. Raises `EOFError` where there is none, or one that cannot be."""
    length = _exactly(read, 4)
    count = int.from_bytes(length)
    if not _HEADER.size <= count <= MAX_BYTES:
        raise EOFError(f"a message of {count} bytes")
    return length + _exactly(read, count - 4)


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        piece = read(count - len(found))
        if not piece:
            raise EOFError("it is cut off")
        found += piece
    return bytes(found)


def _text(said: bytes) -> bytes:
    return struct.pack(">I", len(said)) + said + bytes(-len(said) % 4)
