"""The guard on every tap: rules of nft that make a guest's MAC, IP and ARP trustworthy.

It also keeps each network's DHCP and user data from crossing the uplink. Rules never change; NICs and
networks are elements of sets, by name of the device, so that a NIC is guarded before its tap exists and
a tap that nobody registered can say nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import Any

from agent.refused import Refused
from agent.run import run

TABLE = "zstui-guard"
FAMILIES = ("bridge", "inet")
SERVICE_ADDRESS = "169.254.169.254"

_SETS = {
    "ports": "set ports { type ifname; }",
    "owners": "set owners { type ifname . ether_addr; }",
    "owned": "set owned { type ifname . ether_addr . ipv4_addr; }",
    "clients": "set clients { typeof iifname . @th,288,48; }",
    "reach": "set reach { type ifname . ifname; }",
    "services": "set services { type ifname; }",
    "uplinks": "set uplinks { type ifname; }",
    "kept": "set kept { type ifname . ipv4_addr; }",
    "detour": "map detour { type ifname : ether_addr; }",
}
"""`owned` is who may speak as whom, `reach` which guest uses which service port, `kept` the addresses that
must not cross an uplink, `detour` the MAC to which a guest's packets for 169.254.169.254 go, and `clients`
the hardware address inside a DHCP message (36 bytes into UDP), without which a guest could decline or
release another one's lease.

Clients take DHCP's answers from any port of a server, so what goes to theirs (68) comes from no guest.

A packet in pieces does not say in its first what these rules look for, and is whole again where it is heard: no
service is asked in pieces.

A service's queue of connections is one for all of a network's guests; more than a guest may call would fill it.

RARP (0x8035) is how QEMU tells the switches where a guest is that came from another host.
"""

_RULES = """
  set dhcp_rate { type ifname; size 8192; flags dynamic; timeout 1m; }
  set arp_rate { type ifname; size 8192; flags dynamic; timeout 1m; }
  set call_rate { type ifname; size 8192; flags dynamic; timeout 1m; }
  chain guest {
    iifname != @ports counter drop
    iifname . ether saddr != @owners counter drop
    ether type { arp, 0x8035 } update @arp_rate { iifname limit rate over 50/second burst 100 packets } counter drop
    ether type arp arp saddr ip 0.0.0.0 arp operation request iifname . arp saddr ether @owners accept
    ether type arp iifname . arp saddr ether . arp saddr ip != @owned counter drop
    ether type { arp, 0x8035 } accept
    ether type != ip counter drop
    udp dport 67 update @dhcp_rate { iifname limit rate over 20/second burst 40 packets } counter drop
    udp dport 67 ip frag-off & 0x3fff != 0 counter drop
    udp dport 67 iifname . @th,288,48 != @clients counter drop
    ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
    udp sport 67 counter drop
    udp dport 68 counter drop
    iifname . ether saddr . ip saddr != @owned counter drop
    ip daddr 169.254.169.254 ether daddr set iifname map @detour
    accept
  }
  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    iifname "vnic*" jump guest
  }
  chain input {
    type filter hook input priority -300; policy accept;
    iifname "vnic*" meta mark set 0x7a737475
  }
  chain inward {
    oifname @services counter drop
    udp sport { 67, 68 } counter drop
    udp dport { 67, 68 } counter drop
    iifname . arp saddr ip @kept counter drop
    iifname . arp daddr ip @kept counter drop
    iifname . ip saddr @kept counter drop
    iifname . ip daddr @kept counter drop
  }
  chain outward {
    iifname @services counter drop
    udp sport { 67, 68 } counter drop
    udp dport { 67, 68 } counter drop
    oifname . arp saddr ip @kept counter drop
    oifname . arp daddr ip @kept counter drop
    oifname . ip saddr @kept counter drop
    oifname . ip daddr @kept counter drop
  }
  chain call {
    update @call_rate { iifname limit rate over 50/second burst 100 packets } counter drop
  }
  chain forward {
    type filter hook forward priority -300; policy accept;
    iifname @uplinks jump inward
    oifname @uplinks jump outward
    iifname "vnic*" oifname @services iifname . oifname != @reach counter drop
    iifname "vnic*" oifname @services ip frag-off & 0x3fff != 0 counter drop
    iifname "vnic*" oifname @services tcp dport 80 tcp flags & (syn | ack) == syn jump call
    iifname @services oifname "vnic*" oifname . iifname != @reach counter drop
    iifname @services oifname @services counter drop
  }
"""

_HOST = f"""
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
  chain input {{
    type filter hook input priority -300; policy accept;
    meta mark 0x7a737475 counter drop
  }}
}}
"""
"""What guests say to their host itself: a bridge hands it up with a mark, and by that it is dropped.

Linux takes packets for any of its addresses by any of its links, so a guest could reach what its host listens on
elsewhere, too. What the host only routes is left alone: it may be a network's gateway.
"""

Elements = dict[str, frozenset[str]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GuardedNic:
    """What one tap may say."""

    device: str
    mac: str
    ip: str
    l3_uuid: str


@dataclass(frozen=True)
class GuardedNetwork:
    """A network's service port, and what must not cross the uplinks of its bridge."""

    service: str
    service_mac: str
    uplinks: tuple[str, ...]
    dhcp_ip: str
    userdata: bool


def elements(nics: list[GuardedNic], networks: dict[str, GuardedNetwork]) -> Elements:
    """The content of every set, as nft writes it."""
    found: dict[str, set[str]] = {name: set() for name in _SETS}
    for nic in nics:
        device, mac = f'"{nic.device}"', nic.mac.lower()
        found["ports"].add(device)
        found["owners"].add(f"{device} . {mac}")
        found["owned"].add(f"{device} . {mac} . {nic.ip}")
        found["clients"].add(f"{device} . 0x{mac.replace(':', '')}")
        used = networks.get(nic.l3_uuid)
        if used is not None:
            found["reach"].add(f'{device} . "{used.service}"')
        if used is not None and used.userdata:
            found["detour"].add(f"{device} : {used.service_mac}")
    for network in networks.values():
        found["services"].add(f'"{network.service}"')
        for uplink in network.uplinks:
            found["uplinks"].add(f'"{uplink}"')
            found["kept"] |= {f'"{uplink}" . {network.dhcp_ip}', f'"{uplink}" . {SERVICE_ADDRESS}'}
    return {name: frozenset(items) for name, items in found.items()}


def whole(wanted: Elements) -> str:
    """The nft script that replaces the table, in one transaction, whatever was there before."""
    sets = "\n  ".join(_SETS.values())
    head = f"table bridge {TABLE}\ndelete table bridge {TABLE}\n"
    return f"{head}table bridge {TABLE} {{\n  {sets}{_RULES}}}\n{_HOST}" + change({}, wanted)


def change(present: Elements, wanted: Elements) -> str:
    """The nft script that turns one content into another; empty when they are equal."""
    lines = []
    for verb, first, second in (("delete", present, wanted), ("add", wanted, present)):
        for name in _SETS:
            items = sorted(first.get(name, frozenset()) - second.get(name, frozenset()))
            if items:
                lines.append(f"{verb} element bridge {TABLE} {name} {{ {', '.join(items)} }}")
    return "".join(line + "\n" for line in lines)


def parse(listing: str) -> tuple[Elements, int]:
    """The content of every set and the number of rules in a JSON listing of the table."""
    found: Elements = {}
    rules = 0
    for item in json.loads(listing)["nftables"]:
        rules += "rule" in item
        body = item.get("set") or item.get("map")
        if body and body["name"] in _SETS:
            found[body["name"]] = frozenset(_written(body["name"], e) for e in body.get("elem", []))
    return found, rules


def _written(name: str, element: Any) -> str:
    if name == "detour":
        return f'"{element[0]}" : {element[1]}'
    if isinstance(element, str):
        return f'"{element}"'
    first, *rest = element["concat"]
    if name == "clients":
        rest = [f"0x{rest[0]:012x}" if isinstance(rest[0], int) else str(rest[0])]
    if name == "reach":
        rest = [f'"{rest[0]}"']
    return " . ".join([f'"{first}"', *rest])


class Guard:
    """What should be guarded, and the table that does it.

    `nics` and `networks` are the wanted content by uuid: change them, then `sync`.
    """

    def __init__(self) -> None:
        self.nics: dict[str, GuardedNic] = {}
        self.networks: dict[str, GuardedNetwork] = {}
        self._applied: Elements | None = None
        self._rules = 0
        self._lock = asyncio.Lock()

    def guarded(self, device: str) -> bool:
        """Whether the table in the kernel has this device."""
        return self._applied is not None and f'"{device}"' in self._applied["ports"]

    async def sync(self) -> None:
        """Bring the table to the wanted content, atomically. Raises `Refused` with code `guard.failed`.

        Callers that come while one is busy are served together by the next change.
        """
        async with self._lock:
            wanted = elements(list(self.nics.values()), self.networks)
            if self._applied == wanted:
                return
            if self._applied is None or not await self._changed(self._applied, wanted):
                await self._replace(wanted)
            self._applied = wanted

    async def check(self) -> bool:
        """Compare the table with what was applied and put it back if another program changed it.

        Returns whether it was as it should be. Raises `Refused` with code `guard.failed`.
        """
        if self._applied is None:
            await self.sync()
            return False
        async with self._lock:
            wanted = self._applied
            try:
                found = await _present()
            except Refused:
                found = ({}, 0)
            if found == (wanted, self._rules):
                return True
            _log.warning("another program changed the nft table %s: putting it back", TABLE)
            await self._replace(wanted)
            return False

    async def begin(self) -> None:
        """Apply what is stored at the daemon's start; a failure is logged, and `check` tries again."""
        try:
            await self.sync()
        except Refused as refused:
            _log.error("%s", refused)

    async def remove(self) -> None:
        """Take the table away; absent is fine."""
        async with self._lock:
            for family in FAMILIES:
                await _nft(f"table {family} {TABLE}\ndelete table {family} {TABLE}\n")
            self._applied = None

    async def _changed(self, present: Elements, wanted: Elements) -> bool:
        try:
            await run("nft", "-f", "-", stdin=change(present, wanted))
        except Refused as refused:
            _log.warning("the nft table %s is not as it was left: %s", TABLE, refused)
            return False
        return True

    async def _replace(self, wanted: Elements) -> None:
        await _nft(whole(wanted))
        self._rules = (await _present())[1]


async def _present() -> tuple[Elements, int]:
    """The content of every set and the number of rules in the kernel. Raises `Refused` where a table is gone."""
    content: Elements = {}
    rules = 0
    for family in FAMILIES:
        more, count = parse(await run("nft", "-j", "list", "table", family, TABLE))
        content |= more
        rules += count
    return content, rules


async def _nft(script: str) -> None:
    try:
        await run("nft", "-f", "-", stdin=script)
    except Refused as refused:
        raise Refused(
            "guard.failed",
            f"the guard on the guests' taps could not be set: {refused}; no guest is started without it",
            transient=True,
        ) from refused
