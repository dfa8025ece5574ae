"""Frames that no guest may send, each with a mark by which it is known wherever it comes out."""

from __future__ import annotations

import random
import socket
import struct
from dataclasses import dataclass

from tests.e2e.frames import BROADCAST, COOKIE, dhcp, octets

SERVICE = "169.254.169.254"
IPV4, ARP, RARP, IPV6, VLAN, QINQ, LLDP, EAPOL = (
    0x0800,
    0x0806,
    0x8035,
    0x86DD,
    0x8100,
    0x88A8,
    0x88CC,
    0x888E,
)
UDP, TCP = 17, 6
SLOT = b"#" * 32
"""Where the mark will be: within what a packet counts as its own, since what is behind that may be cut off."""
LINK_LOCAL_GROUP = "01:80:c2:00:00:"
"""What a bridge takes for itself, and no filter of forwarded frames sees."""


@dataclass(frozen=True)
class Station:
    """Who a frame may pretend to come from."""

    mac: str
    ip: str


def mark(name: str) -> bytes:
    """What is in a frame of a name, and in no other."""
    return f"<{name}>".encode()


def _marked(name: str, frame: bytes) -> bytes:
    whole = frame if SLOT in frame else frame + SLOT
    return whole.replace(SLOT, mark(name).ljust(len(SLOT), b"\0"))


def _ether(source: str, kind: int, payload: bytes, to: bytes = BROADCAST, tags: bytes = b"") -> bytes:
    return to + octets(source) + tags + struct.pack("!H", kind) + payload


def _arp(
    operation: int, claimed: Station, asked: str, *, hardware: int = 1, target: bytes = bytes(6)
) -> bytes:
    head = struct.pack("!HHBBH", hardware, IPV4, 6, 4, operation)
    sender = octets(claimed.mac) + socket.inet_aton(claimed.ip)
    return head + sender + target + socket.inet_aton(asked)


def _packet(
    source: str,
    target: str,
    ports: tuple[int, int] = (5000, 5000),
    payload: bytes = b"",
    *,
    protocol: int = UDP,
    options: bytes = b"",
    fragment: int = 0,
) -> bytes:
    payload += SLOT
    body = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, 4 * words + len(body), 7, fragment, 64, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(target) + options
    total = sum(struct.unpack(f"!{2 * words}H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", total ^ 0xFFFF) + head[12:] + body


def _reply(kind: int, client: str, offered: str, server: str) -> bytes:
    """What a DHCP server says."""
    whole = dhcp(client, client, kind, offered=offered, server=server)
    return whole[42:]


def honest(own: Station, other: Station) -> dict[str, bytes]:
    """What a guest may send: the control by which it is known that frames are heard at all."""
    found = {
        "arp-question": _ether(own.mac, ARP, _arp(1, own, other.ip)),
        "arp-answer": _ether(own.mac, ARP, _arp(2, own, other.ip), octets(other.mac)),
        "arp-probe": _ether(own.mac, ARP, _arp(1, Station(own.mac, "0.0.0.0"), own.ip)),
        "datagram": _ether(own.mac, IPV4, _packet(own.ip, other.ip), octets(other.mac)),
        "to-all": _ether(own.mac, IPV4, _packet(own.ip, "255.255.255.255")),
    }
    return {name: _marked(name, frame) for name, frame in found.items()}


def spoofs(own: Station, other: Station, dhcp_server: Station, gateway: str) -> dict[str, bytes]:
    """What it may not. `other` is a guest beside it, `dhcp_server` its network's service."""
    found = {
        **_arps(own, other, dhcp_server, gateway),
        **_packets(own, other, dhcp_server),
        **_servers(own, other, dhcp_server),
        **_others(own, other),
    }
    # Those from another's MAC come last: without a guard a bridge would take the rest for its own from then on.
    names = sorted(found, key=lambda name: found[name][6:12] != octets(own.mac))
    return {name: _marked(name, found[name]) for name in names}


def _arps(own: Station, other: Station, server: Station, gateway: str) -> dict[str, bytes]:
    found = {}
    for name, address in (
        ("neighbour", other.ip), ("service", SERVICE), ("dhcp", server.ip), ("gateway", gateway),
    ):  # fmt: skip
        claim = Station(own.mac, address)
        found[f"arp-{name}-answer"] = _ether(own.mac, ARP, _arp(2, claim, address))
        found[f"arp-{name}-question"] = _ether(own.mac, ARP, _arp(1, claim, other.ip))
        found[f"arp-{name}-told"] = _ether(own.mac, ARP, _arp(2, claim, other.ip), octets(other.mac))
        found[f"arp-{name}-ieee802"] = _ether(own.mac, ARP, _arp(2, claim, address, hardware=6))
        found[f"arp-{name}-priority"] = _ether(own.mac, ARP, _arp(2, claim, address), tags=_tag(VLAN, 0))
    return found | {
        "arp-body-of-other": _ether(own.mac, ARP, _arp(2, other, other.ip)),
        "arp-frame-of-other": _ether(other.mac, ARP, _arp(2, own, own.ip)),
        "arp-all-of-other": _ether(other.mac, ARP, _arp(2, other, other.ip)),
        "arp-probe-of-other": _ether(own.mac, ARP, _arp(1, Station(other.mac, "0.0.0.0"), other.ip)),
        "arp-answer-of-none": _ether(own.mac, ARP, _arp(2, Station(own.mac, "0.0.0.0"), other.ip)),
        "rarp-of-other": _ether(other.mac, RARP, _arp(3, other, other.ip)),
    }


def _packets(own: Station, other: Station, server: Station) -> dict[str, bytes]:
    found = {}
    for name, address in (
        ("neighbour", other.ip), ("service", SERVICE), ("dhcp", server.ip), ("none", "0.0.0.0"),
        ("all", "255.255.255.255"), ("group", "224.0.0.1"), ("loopback", "127.0.0.1"),
    ):  # fmt: skip
        found[f"ip-{name}"] = _ether(own.mac, IPV4, _packet(address, other.ip), octets(other.mac))
        found[f"ip-{name}-all"] = _ether(own.mac, IPV4, _packet(address, "255.255.255.255"))
    spoofed = _packet(other.ip, server.ip)
    return found | {
        "mac-of-other": _ether(other.mac, IPV4, _packet(own.ip, server.ip)),
        "mac-and-ip-of-other": _ether(other.mac, IPV4, spoofed),
        "mac-of-service": _ether(server.mac, IPV4, _packet(own.ip, other.ip)),
        "mac-and-ip-of-service": _ether(server.mac, IPV4, _packet(SERVICE, other.ip)),
        "mac-of-nobody": _ether("fa:00:de:ad:be:ef", IPV4, _packet(own.ip, other.ip)),
        "ip-options": _ether(own.mac, IPV4, _packet(other.ip, server.ip, options=b"\x01" * 8)),
        "ip-first-fragment": _ether(own.mac, IPV4, _packet(other.ip, server.ip, fragment=0x2000)),
        "ip-later-fragment": _ether(own.mac, IPV4, _packet(other.ip, server.ip, fragment=0x0010)),
        "ip-tcp": _ether(own.mac, IPV4, _packet(other.ip, server.ip, (5000, 80), protocol=TCP)),
        "ip-icmp": _ether(own.mac, IPV4, _packet(other.ip, server.ip, protocol=1)),
        "ip-priority": _ether(own.mac, IPV4, spoofed, tags=_tag(VLAN, 0)),
        "ip-vlan": _ether(own.mac, IPV4, spoofed, tags=_tag(VLAN, 100)),
        "ip-qinq": _ether(own.mac, IPV4, spoofed, tags=_tag(QINQ, 100) + _tag(VLAN, 100)),
        "ip-snap": _ether(own.mac, 8 + len(spoofed), b"\xaa\xaa\x03\0\0\0\x08\0" + spoofed),
    }


def _servers(own: Station, other: Station, server: Station) -> dict[str, bytes]:
    """DHCP servers, and clients that speak for another one."""
    stolen = own.ip.rpartition(".")[0] + ".250"
    found = {}
    for word, kind in (("offer", 2), ("ack", 5), ("nak", 6)):
        says = _reply(kind, other.mac, stolen, own.ip)
        for name, ports in (("", (67, 68)), ("-odd-port", (6767, 68)), ("-client-port", (68, 68))):
            packet = _packet(own.ip, "255.255.255.255", ports, says)
            found[f"dhcp-{word}{name}"] = _ether(own.mac, IPV4, packet)
        found[f"dhcp-{word}-of-server"] = _ether(
            own.mac, IPV4, _packet(server.ip, "255.255.255.255", (67, 68), says)
        )
    for word, kind in (("decline", 4), ("release", 7), ("request", 3)):
        body = bytearray(dhcp(own.mac, other.mac, kind, server=server.ip)[42:])
        body[0] = 1
        packet = _packet("0.0.0.0", "255.255.255.255", (68, 67), bytes(body))
        found[f"dhcp-{word}-for-other"] = _ether(own.mac, IPV4, packet)
    # The rest of it says who it is for, and has no port by which it would be known as DHCP.
    begun = _packet("0.0.0.0", "255.255.255.255", (68, 67), fragment=0x2000)
    return found | {"dhcp-begun": _ether(own.mac, IPV4, begun)}


def _others(own: Station, other: Station) -> dict[str, bytes]:
    """All that is neither ARP nor IPv4: IPv6 with its routers and DHCP, and what switches say to each other."""
    link_local = socket.inet_pton(socket.AF_INET6, "fe80::1")
    everybody = socket.inet_pton(socket.AF_INET6, "ff02::1")

    def packet(following: int, body: bytes) -> bytes:
        body += SLOT
        return struct.pack("!IHBB", 6 << 28, len(body), following, 255) + link_local + everybody + body

    group = octets("33:33:00:00:00:01")
    return {
        "ipv6-router": _ether(own.mac, IPV6, packet(58, b"\x86".ljust(16, b"\0")), group),
        "ipv6-neighbour": _ether(own.mac, IPV6, packet(58, b"\x88".ljust(24, b"\0")), group),
        "ipv6-redirect": _ether(own.mac, IPV6, packet(58, b"\x89".ljust(40, b"\0")), group),
        "dhcpv6-advertise": _ether(own.mac, IPV6, packet(UDP, struct.pack("!HHHH", 547, 546, 12, 0) + bytes(4)), group),
        "ipv6-anything": _ether(own.mac, IPV6, packet(59, b""), octets(other.mac)),
        "eapol-to-other": _ether(own.mac, EAPOL, bytes(40), octets(other.mac)),
        "lldp-to-other": _ether(own.mac, LLDP, bytes(40), octets(other.mac)),
        "unknown-kind": _ether(own.mac, 0x9999, bytes(40)),
    }  # fmt: skip


def _tag(kind: int, vlan: int) -> bytes:
    return struct.pack("!HH", kind, vlan)


def bridge_words(pretended: str) -> list[bytes]:
    """Frames to each address that a bridge takes for itself, from a MAC that is not the sender's."""
    return [
        _ether(pretended, kind, bytes(46), octets(f"{LINK_LOCAL_GROUP}{last:02x}"))
        for last in range(16)
        for kind in (LLDP, EAPOL, 0x8809)
    ]


def dhcp_noise(own: Station, count: int, seed: int = 6) -> list[bytes]:
    """DHCP requests of ever other clients, with options that make sense or none, all from one guest."""
    dice = random.Random(seed)
    found = []
    for number in range(count):
        client = own.mac if number % 2 else "52:54:00:" + dice.randbytes(3).hex(":")
        head = struct.pack("!BBBBIHH", 1, 1, 6, 0, dice.getrandbits(32), 0, 0x8000) + bytes(16)
        head += octets(client).ljust(16, b"\0") + bytes(192) + COOKIE
        options = bytes([53, 1, dice.choice((1, 3, 4, 7, 8))])
        identifier = dice.randbytes(dice.choice((7, 19, 64, 255)))
        options += bytes([61, len(identifier)]) + identifier
        while len(options) < 400 and dice.random() < 0.8:
            said = dice.randbytes(dice.randrange(0, 60))
            # Some lengths are not those of what follows.
            options += bytes([dice.randrange(1, 255), dice.choice((len(said), dice.randrange(256)))]) + said
        body = head + options + dice.choice((b"\xff", b""))
        found.append(_ether(own.mac, IPV4, _packet("0.0.0.0", "255.255.255.255", (68, 67), body)))
    return found
