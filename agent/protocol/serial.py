"""A guest's serial console: the door to its stream, and the frames that come through it.

Whoever connects to the door sends the key and a line feed, and then what is typed, as it is. What comes back is
frames: a letter, the length of what follows in four bytes, and that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import ClassVar, Literal

from agent.protocol.request import Request
from agent.protocol.values import Struct

FRAME_BYTES = 1 << 20
"""No frame is longer."""

_HEAD = struct.Struct(">cI")
_LETTERS: dict[bytes, Literal["data", "gap", "notice", "end"]] = {
    b"d": "data",
    b"g": "gap",
    b"n": "notice",
    b"e": "end",
}
_OF_KIND = {kind: letter for letter, kind in _LETTERS.items()}


class SerialDoor(Struct, frozen=True):
    """A port of the host's loopback that takes one connection, soon, from whoever has the key."""

    port: int
    key: str


class SerialHistory(Struct, frozen=True):
    """The last of what a guest wrote to its serial console on a host."""

    data: bytes


class ReadSerialHistory(Request, tag=True, frozen=True):
    """Ask for what a viewer of a domain's serial console is shown first. Nothing of one that was never here is fine."""

    reply: ClassVar[type[Struct]] = SerialHistory
    vm_uuid: str


class KeepSerialHistory(Request, tag=True, frozen=True):
    """Have viewers of a domain that came here be shown what its guest wrote before, where nothing is kept before yet.

    What is kept goes with the domain's traces; where there are none it is not kept.
    """

    vm_uuid: str
    data: bytes


class OpenSerial(Request, tag=True, frozen=True):
    """Open a door to the serial console of a running domain. Refused as `domain.off`, `serial.no_log`."""

    reply: ClassVar[type[Struct]] = SerialDoor
    vm_uuid: str


class SerialFrame(Struct, frozen=True):
    """Some bytes that the guest wrote, or something about them.

    `gap`: so many bytes (in decimal) were left out, since the reader was slower than the guest. `notice`: what was
    typed did not arrive. `end`: nothing follows. Both are a code, a space and words for people.
    """

    kind: Literal["data", "gap", "notice", "end"]
    body: bytes

    def packed(self) -> bytes:
        """As it goes over the line."""
        return _HEAD.pack(_OF_KIND[self.kind], len(self.body)) + self.body


class SerialFrames:
    """Puts frames together from the pieces that a stream comes in."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[SerialFrame]:
        """The frames that are whole now. Raises ValueError for what is no frame."""
        self._rest += data
        while len(self._rest) >= _HEAD.size:
            letter, length = _HEAD.unpack_from(self._rest)
            if letter not in _LETTERS or length > FRAME_BYTES:
                raise ValueError(f"a serial console's stream has no frame {letter!r} of {length} bytes")
            end = _HEAD.size + length
            if len(self._rest) < end:
                return
            body, self._rest = self._rest[_HEAD.size : end], self._rest[end:]
            yield SerialFrame(kind=_LETTERS[letter], body=body)
