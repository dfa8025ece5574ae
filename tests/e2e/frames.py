"""Frames on a link in any namespace: heard, sent, built and read, with nothing but sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from agent import netns

ETH_P_ALL = 3
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1
BROADCAST = bytes([255] * 6)
COOKIE = bytes.fromhex("63825363")
FRAME_BYTES = 4096


@dataclass(frozen=True)
class Dhcp:
    """A DHCP message: to or from a client of a MAC, with its options by number."""

    client: str
    offered: str
    options: dict[int, bytes]

    @property
    def kind(self) -> int:
        """1 discover, 2 offer, 3 request, 5 acknowledge."""
        return self.options[53][0]

    def address(self, option: int) -> str:
        """An option that is one address."""
        return socket.inet_ntoa(self.options[option])


class Ear:
    """All frames that a link carried while it was open, in both directions."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self.frames: list[bytes] = []
        self._heard = asyncio.Event()
        asyncio.get_running_loop().add_reader(link, self._read)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.frames.append(self._link.recv(FRAME_BYTES))
                self._heard.set()

    def send(self, frame: bytes) -> None:
        """Put a frame on the link."""
        self._link.send(frame)

    async def hear(self, wanted: Callable[[bytes], bool], seconds: float = 30.0) -> bytes:
        """The first frame that is wanted."""
        end = time.monotonic() + seconds
        while True:
            self._heard.clear()
            found = next((frame for frame in self.frames if wanted(frame)), None)
            if found is not None:
                return found
            left = end - time.monotonic()
            assert left > 0, f"no such frame among {len(self.frames)} within {seconds:g} s"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), left)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._link)
        self._link.close()


@contextlib.asynccontextmanager
async def listening(namespace: str, link: str) -> AsyncIterator[Ear]:
    """Listen on a link of a named namespace while the body runs. Raises `OSError` when there is none."""

    def open_socket() -> socket.socket:
        with contextlib.ExitStack() as unless_open:
            raw = unless_open.enter_context(
                socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            )
            raw.bind((link, ETH_P_ALL))
            everything = struct.pack("iHH8s", socket.if_nametoindex(link), PACKET_MR_PROMISC, 0, b"")
            raw.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, everything)
            raw.setblocking(False)
            unless_open.pop_all()
            return raw

    ear = Ear(await netns.inside(namespace, open_socket))
    try:
        yield ear
    finally:
        ear.close()


def octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def arp(source: str, source_ip: str, wanted_ip: str, *, reply: bool = False) -> bytes:
    """A question for an address, or an unasked answer, to everybody."""
    head = BROADCAST + octets(source) + struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 2 if reply else 1)
    target = BROADCAST if reply else bytes(6)
    return head + octets(source) + socket.inet_aton(source_ip) + target + socket.inet_aton(wanted_ip)


def dhcp(source: str, client: str, kind: int, *, offered: str = "0.0.0.0", server: str = "") -> bytes:
    """A discover (1) or an offer (2), to everybody."""
    asks = kind in (1, 3)
    body = struct.pack("!BBBBIHH", 1 if asks else 2, 1, 6, 0, 0x5A535455, 0, 0x8000)
    body += bytes(4) + socket.inet_aton(offered) + bytes(8) + octets(client).ljust(16, b"\0") + bytes(192)
    body += COOKIE + bytes([53, 1, kind])
    if server:
        body += bytes([54, 4]) + socket.inet_aton(server)
    body = (body + b"\xff").ljust(300, b"\0")
    ports = (68, 67) if asks else (67, 68)
    packet = _ip(
        server or "0.0.0.0", "255.255.255.255", struct.pack("!HHHH", *ports, 8 + len(body), 0) + body
    )
    return BROADCAST + octets(source) + struct.pack("!H", 0x0800) + packet


def read_dhcp(frame: bytes) -> Dhcp | None:
    """The DHCP message in a frame."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 17:
        return None
    start = 14 + (frame[14] & 15) * 4
    if struct.unpack("!HH", frame[start : start + 4]) not in {(67, 68), (68, 67)}:
        return None
    body = frame[start + 8 :]
    if body[236:240] != COOKIE:
        return None
    return Dhcp(body[28:34].hex(":"), socket.inet_ntoa(body[16:20]), _options(body[240:]))


def is_arp_of(frame: bytes, *addresses: str) -> bool:
    """Whether a frame is ARP from or for one of some addresses."""
    known = {socket.inet_aton(address) for address in addresses}
    return frame[12:14] == b"\x08\x06" and not known.isdisjoint({frame[28:32], frame[38:42]})


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        length = data[at + 1]
        found[data[at]] = found.get(data[at], b"") + data[at + 2 : at + 2 + length]
        at += 2 + length
    return found


def _ip(source: str, target: str, payload: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 17, 0)
    head += socket.inet_aton(source) + socket.inet_aton(target)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", total ^ 0xFFFF) + head[12:] + payload
