"""The host's network links as the kernel lists them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from agent.run import run


@dataclass(frozen=True)
class Link:
    """One link. `kind` is what the kernel calls it (`bridge`, `veth`, `tun`), empty for hardware."""

    name: str
    mac: str
    mtu: int
    kind: str
    master: str
    loopback: bool
    up: bool


async def links() -> dict[str, Link]:
    """Every link of the network namespace the agent runs in, by name."""
    seen = {}
    for item in json.loads(await run("ip", "-j", "-d", "link", "show") or "[]"):
        seen[item["ifname"]] = Link(
            name=item["ifname"],
            mac=item.get("address", ""),
            mtu=item.get("mtu", 1500),
            kind=item.get("linkinfo", {}).get("info_kind", ""),
            master=item.get("master", ""),
            loopback=item.get("link_type") == "loopback",
            up="UP" in item.get("flags", []),
        )
    return seen


async def batch(lines: list[str], *, namespace: str = "", force: bool = False) -> None:
    """Hand commands to one `ip -batch`, the quickest way to have several done.

    Raises `Refused` with the kernel's complaint; with `force` the remaining commands are tried even so.
    """
    argv = ["ip"]
    if namespace:
        argv += ["-n", namespace]
    if force:
        argv.append("-force")
    await run(*argv, "-batch", "-", stdin="\n".join(lines) + "\n")
