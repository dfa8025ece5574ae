"""RFB 3.8, what VNC speaks, from a viewer's side: bytes in, a picture and bytes out, and no input or output of its own.

Raw, CopyRect and Zlib, sizes that change, and QEMU's keys by their place on the keyboard. RFC 6143 and QEMU's
docs/interop/vnc-ledstate and rfbproto say what stands where.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Generator

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

VERSION = b"RFB 003.008\n"
RAW, COPY, ZLIB = 0, 1, 6
DESKTOP_SIZE, LAST_RECT, EXTENDED_SIZE, QEMU_KEYS = -223, -224, -308, -258
ENCODINGS = (COPY, ZLIB, RAW, DESKTOP_SIZE, LAST_RECT, EXTENDED_SIZE, QEMU_KEYS)
"""The first is liked best; Zlib costs an inflate and no work for each pixel."""

NO_PASSWORD, PASSWORD = 1, 2
LARGEST = 4096
"""Pixels of a side that is believed."""

LONGEST_TEXT = 1 << 20
PIECE = 64 << 10
PIXEL = 4

Talk = Generator[int, bytes, None]
"""A conversation: yields how many bytes it needs, and is sent them."""


class RfbError(Exception):
    """What came is no VNC, or the server refused."""


class PasswordNeeded(RfbError):
    """The server wants a password, and none is known."""


class Rfb:
    """One connection. `send` is called with what the server is to have; `changed` with the rows that changed."""

    def __init__(  # nosec B107  # none is asked for
        self, send: Callable[[bytes], object], changed: Callable[[int, int], object], password: str = ""
    ) -> None:
        self.width = self.height = 0
        self.name = ""
        self.pixels = memoryview(bytearray()).cast("I")
        """0x00RRGGBB of each pixel, row by row."""
        self.updated = False
        """Whether a picture has come since it was asked for last."""
        self._send = send
        self._changed = changed
        self._password = password
        self._bytes = bytearray()
        self._inflate = zlib.decompressobj()
        self._by_place = False
        self._came = bytearray()
        self._talk = self._converse()
        self._need = next(self._talk)

    def feed(self, data: bytes) -> None:
        """Take what the server said. Raises RfbError."""
        self._came += data
        at = 0
        view = bytes(self._came)
        while len(view) - at >= self._need:
            piece = view[at : at + self._need]
            at += self._need
            self._need = self._talk.send(piece)
        del self._came[:at]

    # --- what the viewer says ----------------------------------------------------------------------------

    def ask(self, *, whole: bool = False) -> None:
        """Ask for what has changed since the last picture, or for all."""
        self.updated = False
        self._send(struct.pack(">BBHHHH", 3, not whole, 0, 0, self.width, self.height))

    def key(self, symbol: int, place: int, *, down: bool) -> None:
        """Press or release a key, by its X11 symbol and its XT place on a keyboard (0 when not known)."""
        if self._by_place and place:
            self._send(struct.pack(">BBHII", 255, 0, down, symbol, place))
        else:
            self._send(struct.pack(">BBxxI", 4, down, symbol))

    def point(self, x: int, y: int, buttons: int) -> None:
        """Where the mouse is, and which of its buttons are down, a bit each."""
        if self.width and self.height:
            x, y = max(0, min(x, self.width - 1)), max(0, min(y, self.height - 1))
            self._send(struct.pack(">BBHH", 5, buttons, x, y))

    # --- what the server says ----------------------------------------------------------------------------

    def _converse(self) -> Talk:
        yield from self._greet()
        yield from self._be_let_in()
        self._send(b"\x01")  # others may look, too
        width, height = struct.unpack(">HH", (yield 4))
        yield 16
        self._resize(width, height)
        self.name = (yield from self._text()).decode(errors="replace")
        self._send(struct.pack(">Bxxx BBBB HHH BBB xxx", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self._send(struct.pack(f">BxH{len(ENCODINGS)}i", 2, len(ENCODINGS), *ENCODINGS))
        self.ask(whole=True)
        while True:
            kind = (yield 1)[0]
            if kind == 0:
                yield from self._update()
            elif kind == 1:  # colours of a palette, which was not asked for
                _, count = struct.unpack(">xHH", (yield 5))
                yield from self._skip(count * 6)
            elif kind == 3:
                yield 3
                yield from self._text()
            elif kind != 2:
                raise RfbError(f"message {kind}")

    def _greet(self) -> Talk:
        version = yield len(VERSION)
        if not version.startswith(b"RFB 003."):
            raise RfbError(repr(version))
        if version < VERSION:
            raise RfbError(f"RFB {version[4:11].decode(errors='replace')} is too old")
        self._send(VERSION)

    def _be_let_in(self) -> Talk:
        count = (yield 1)[0]
        if count == 0:
            raise RfbError((yield from self._text()).decode(errors="replace"))
        kinds = yield count
        if NO_PASSWORD in kinds:
            self._send(bytes([NO_PASSWORD]))
        elif PASSWORD in kinds:
            if not self._password:
                raise PasswordNeeded("a password is needed")
            self._send(bytes([PASSWORD]))
            self._send(answer_to((yield 16), self._password))
        else:
            raise RfbError(f"security {list(kinds)}")
        if struct.unpack(">I", (yield 4)) != (0,):
            raise RfbError((yield from self._text()).decode(errors="replace"))

    def _text(self) -> Generator[int, bytes, bytes]:
        (length,) = struct.unpack(">I", (yield 4))
        if length > LONGEST_TEXT:
            raise RfbError(f"a text of {length} bytes")
        return (yield length) if length else b""

    def _skip(self, length: int) -> Talk:
        if length:
            yield length

    def _update(self) -> Talk:
        (count,) = struct.unpack(">xH", (yield 3))
        for _ in range(count):
            x, y, width, height, encoding = struct.unpack(">HHHHi", (yield 12))
            if encoding == LAST_RECT:
                break
            if encoding == DESKTOP_SIZE:
                self._resize(width, height)
            elif encoding == EXTENDED_SIZE:
                screens = (yield 4)[0]
                yield from self._skip(screens * 16)
                self._resize(width, height)
            elif encoding == QEMU_KEYS:
                self._by_place = True
            else:
                yield from self._rectangle(x, y, width, height, encoding)
        self.updated = True

    def _rectangle(self, x: int, y: int, width: int, height: int, encoding: int) -> Talk:
        if x + width > self.width or y + height > self.height:
            raise RfbError(f"{width}×{height} at {x},{y} is not on a screen of {self.width}×{self.height}")
        if encoding == COPY:
            from_x, from_y = struct.unpack(">HH", (yield 4))
            self._copy(from_x, from_y, x, y, width, height)
        elif encoding == RAW:
            for row in range(y, y + height) if width else ():
                self._put(x, row, (yield width * PIXEL))
        elif encoding == ZLIB:
            yield from self._zlib(x, y, width, height)
        else:
            raise RfbError(f"encoding {encoding}")
        self._changed(y, y + height)

    def _zlib(self, x: int, y: int, width: int, height: int) -> Talk:
        (length,) = struct.unpack(">I", (yield 4))
        if length > LARGEST * LARGEST * PIXEL:
            raise RfbError(f"a rectangle of {length} bytes")
        size, plain = width * height * PIXEL, bytearray()
        while length:
            piece = yield min(length, PIECE)
            length -= len(piece)
            try:
                plain += self._inflate.decompress(piece, size - len(plain) + 1)
            except zlib.error as broken:
                raise RfbError(str(broken)) from broken
            if len(plain) > size or self._inflate.unconsumed_tail:
                raise RfbError("more than fits into a rectangle")
        if len(plain) != size:
            raise RfbError(f"{len(plain)} bytes for a rectangle of {size}")
        if width == self.width:
            self._put(x, y, plain)
            return
        row = width * PIXEL
        for place in range(height):
            self._put(x, y + place, plain[place * row : (place + 1) * row])

    def _put(self, x: int, y: int, data: bytes | bytearray) -> None:
        at = (y * self.width + x) * PIXEL
        self._bytes[at : at + len(data)] = data

    def _copy(self, from_x: int, from_y: int, x: int, y: int, width: int, height: int) -> None:
        if from_x + width > self.width or from_y + height > self.height:
            raise RfbError("a copy from beside the screen")
        rows = range(height) if y <= from_y else range(height - 1, -1, -1)
        for row in rows:
            at = ((from_y + row) * self.width + from_x) * PIXEL
            self._put(x, y + row, bytes(self._bytes[at : at + width * PIXEL]))

    def _resize(self, width: int, height: int) -> None:
        if not (0 < width <= LARGEST and 0 < height <= LARGEST):
            raise RfbError(f"a screen of {width}×{height}")
        if (width, height) != (self.width, self.height):
            self.width, self.height = width, height
            self._bytes = bytearray(width * height * PIXEL)
            self.pixels = memoryview(self._bytes).cast("I")
            self._changed(0, height)


def answer_to(challenge: bytes, password: str) -> bytes:
    """What a server wants to be told of a password: its challenge by DES, whose key has its bits mirrored."""
    key = password.encode("latin-1", "replace")[:8].ljust(8, b"\0")
    mirrored = bytes(int(f"{each:08b}"[::-1], 2) for each in key)
    coder = Cipher(TripleDES(mirrored * 3), modes.ECB()).encryptor()  # three times one key is DES  # nosec B305  # what VNC asks for: one block, once
    return coder.update(challenge) + coder.finalize()
