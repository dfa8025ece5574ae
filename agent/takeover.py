"""Moving a link's addresses and routes to the bridge above it and back, as lists of `ip` commands."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from agent.run import run


class Belongings(msgspec.Struct, frozen=True):
    """What a link had: addresses and routes as `ip` writes them, without the device."""

    mac: str
    addresses: list[str] = []
    routes: list[str] = []

    @property
    def any(self) -> bool:
        """Whether there is something to take over."""
        return bool(self.addresses)


async def belongings(device: str, mac: str) -> Belongings:
    """What a link has now."""
    addresses = parse_addresses(await run("ip", "-j", "addr", "show", "dev", device))
    routes = []
    for family in ("-4", "-6"):
        listing = await run("ip", "-j", "-d", family, "route", "show", "table", "all", "dev", device)
        routes += parse_routes(listing)
    return Belongings(mac=mac, addresses=addresses, routes=routes)


def parse_addresses(listing: str) -> list[str]:
    """Arguments of `ip addr add` for each address that is not link-local (each link makes its own).

    Lifetimes become unlimited: the program that renewed an address knows the
    link and not the bridge, and an address is better kept too long than lost.
    """
    found = []
    for item in json.loads(listing or "[]"):
        for address in item.get("addr_info", []):
            if address.get("scope") == "link":
                continue
            found.append(_address(address))
    return found


def _address(address: dict[str, Any]) -> str:
    words = [f"{address['local']}/{address['prefixlen']}"]
    if "address" in address:
        words[0] = f"{address['local']} peer {address['address']}/{address['prefixlen']}"
    if "broadcast" in address:
        words += ["broadcast", address["broadcast"]]
    if "scope" in address:
        words += ["scope", address["scope"]]
    if "metric" in address:
        words += ["metric", str(address["metric"])]
    if address.get("family") == "inet6":
        words.append("nodad")
    if address.get("noprefixroute"):
        words.append("noprefixroute")
    return " ".join(words)


def parse_routes(listing: str) -> list[str]:
    """Arguments of `ip route replace` for each route the kernel did not make by itself, direct ones first."""
    direct: list[str] = []
    others: list[str] = []
    for route in json.loads(listing or "[]"):
        if route.get("protocol") == "kernel" or route.get("table") == "local":
            continue
        if route.get("type", "unicast") != "unicast" or route["dst"].startswith("fe80::"):
            continue
        (others if "gateway" in route or "via" in route else direct).append(_route(route))
    return direct + others


def _route(route: dict[str, Any]) -> str:
    inet6 = ":" in route["dst"] or ":" in route.get("gateway", "")
    # `default` would be taken for IPv4 in a batch, where the family cannot be said.
    words = ["::/0" if inet6 and route["dst"] == "default" else str(route["dst"])]
    if "gateway" in route:
        words += ["via", route["gateway"]]
    if "via" in route:
        words += ["via", route["via"]["family"], route["via"]["host"]]
    names = {"protocol": "proto", "metric": "metric", "prefsrc": "src", "table": "table"}
    if not inet6:
        names["scope"] = "scope"
    for ours, theirs in names.items():
        if ours in route:
            words += [theirs, str(route[ours])]
    if "onlink" in route.get("flags", []):
        words.append("onlink")
    return " ".join(words)


def take(link: str, bridge: str, held: Belongings) -> list[str]:
    """The commands that put a bridge over a link and move everything up; the bridge exists already."""
    return [
        f"link set dev {bridge} address {held.mac}",
        f"addr flush dev {link} scope global",
        f"addr flush dev {link} scope site",
        f"link set dev {link} master {bridge}",
        f"link set dev {link} up",
        f"link set dev {bridge} up",
        *(f"addr add {address} dev {bridge}" for address in held.addresses),
        *(f"route replace {route} dev {bridge}" for route in held.routes),
    ]


def give_back(link: str, bridge: str, held: Belongings) -> list[str]:
    """The commands that undo `take`; to be run with `force`, since a part may never have been done."""
    return [
        f"addr flush dev {bridge}",
        f"link set dev {link} nomaster",
        f"link set dev {link} up",
        *(f"addr add {address} dev {link}" for address in held.addresses),
        *(f"route replace {route} dev {link}" for route in held.routes),
        f"link del dev {bridge}",
    ]
