"""Sends DHCP packets of all kinds from the namespace that it is run in: `dhcp_noise.py CARD COUNT SEED PACE`.

Sound ones, ones with bytes changed, cut off or repeated, and random ones; all with the card's own MAC as the client's,
as the guard wants it, and naming what is another's wherever else a packet can. PACE is packets a second, 0 for no
limit. Prints how many were sent.
"""

from __future__ import annotations

import random
import socket
import struct
import sys
import time

COOKIE = b"\x63\x82\x53\x63"
SERVER = bytes([10, 0, 0, 2])
ADDRESSES = (SERVER, bytes([10, 0, 0, 5]), bytes([10, 0, 0, 6]), bytes([10, 0, 0, 1]), bytes(4), b"\xff" * 4)
THEIRS = bytes.fromhex("52540000000b")
NAMES = (b"guest-b", b"guest-a", b"a" * 255, b"../../x", b"\0\xff\n", b"x,set:primary,10.0.0.6")
CLIENT_AT = 28
"""Where the client's hardware address is in a message."""
BATCH = 100


class Noise:
    """Packets of one client, the same for the same seed."""

    def __init__(self, mac: bytes, seed: int) -> None:
        self._mac = mac
        self._dice = random.Random(seed)
        self._number = 0

    def frame(self) -> bytes:
        """The next one, with its Ethernet, IP and UDP heads."""
        message = self._message()
        udp = struct.pack("!HHHH", 68, 67, 8 + len(message), 0) + message
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + bytes(4) + b"\xff" * 4
        head = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
        return b"\xff" * 6 + self._mac + b"\x08\x00" + head + udp

    def _message(self) -> bytes:
        dice, self._number = self._dice, self._number + 1
        if self._number % 10 == 0:
            found = bytearray(dice.randbytes(dice.randrange(0, 1400)))
        else:
            found = bytearray(self._sound())
            for _ in range(dice.choice((0, 1, 1, 3, 10))):
                self._change(found)
        if len(found) >= CLIENT_AT + 6:
            found[CLIENT_AT : CLIENT_AT + 6] = self._mac
        return bytes(found[:1400])

    def _sound(self) -> bytes:
        dice = self._dice
        head = struct.pack("!BBBBIHH", 1, 1, 6, 0, dice.getrandbits(32), 0, dice.choice((0, 0x8000)))
        addresses = b"".join(dice.choice(ADDRESSES) if dice.random() < 0.3 else bytes(4) for _ in range(4))
        options = bytes([53, 1, dice.choice((1, 1, 3, 3, 4, 7, 8, 10, 13, dice.randrange(256)))])
        for _ in range(dice.randrange(0, 8)):
            options += self._option()
        return head + addresses + self._mac.ljust(16, b"\0") + bytes(192) + COOKIE + options + b"\xff"

    def _option(self) -> bytes:
        dice = self._dice
        body = {
            50: lambda: dice.choice(ADDRESSES), 54: lambda: dice.choice(ADDRESSES), 12: lambda: dice.choice(NAMES),
            61: lambda: dice.choice((b"\x01" + THEIRS, b"\x01" + self._mac, dice.randbytes(dice.randrange(0, 255)))),
            81: lambda: dice.randbytes(3) + dice.choice(NAMES), 82: lambda: dice.randbytes(dice.randrange(0, 40)),
            55: lambda: dice.randbytes(dice.randrange(0, 60)), 52: lambda: bytes([dice.randrange(5)]),
            57: lambda: dice.randbytes(2), 60: lambda: dice.choice((b"MSFT 5.0", b"PXEClient", dice.randbytes(9))),
            118: lambda: dice.choice(ADDRESSES), 80: bytes, 43: lambda: dice.randbytes(dice.randrange(0, 90)),
        }  # fmt: skip
        code = dice.choice((*body, dice.randrange(1, 255)))
        said = body[code]() if code in body else dice.randbytes(dice.randrange(0, 60))
        return bytes([code, min(len(said), 255)]) + said[:255]

    def _change(self, message: bytearray) -> None:
        dice, at = self._dice, self._dice.randrange(len(message)) if message else 0
        # Nine of ten changes are behind the fixed part, where all that is to be read is.
        if len(message) > 240 and dice.random() < 0.9:
            at = dice.randrange(236, len(message))
        match dice.randrange(5):
            case 0:
                message[at : at + 1] = bytes([dice.choice((0, 1, 127, 128, 254, 255, dice.randrange(256)))])
            case 1:
                del message[at:]
            case 2:
                message[at:at] = dice.randbytes(dice.randrange(1, 40))
            case 3:
                message[at:at] = message[at : at + dice.randrange(1, 200)]
            case _:
                del message[at : at + dice.randrange(1, 20)]


def _checksum(head: bytes) -> int:
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def main(card: str, count: int, seed: int, pace: int) -> int:
    """Send them, each a new one."""
    sent, began = 0, time.monotonic()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((card, 0))
        noise = Noise(out.getsockname()[4], seed)
        while sent < count:
            for _ in range(min(BATCH, count - sent)):
                out.send(noise.frame())
                sent += 1
            if pace:
                time.sleep(max(0.0, began + sent / pace - time.monotonic()))
    return sent


if __name__ == "__main__":
    print(main(sys.argv[1], *map(int, sys.argv[2:5])))
