"""The lab's cables and switches: namespaces, bridges and veth pairs, made only where they are missing."""

import contextlib
import json
from ipaddress import IPv4Network
from typing import Any

from appliance.lab.command import LabError, run
from appliance.lab.instance import Instance, port_name
from appliance.lab.process import NAMESPACES

_BRIDGES = ("br-mgmt", "br-data", "br-data2")
_UPLINK_PORT = "zstui-appliance"
NICS_MAX = len(_BRIDGES)


async def taken() -> list[IPv4Network]:
    """The IPv4 networks that this machine has addresses or routes in."""
    found = []
    for route in await _query("-4", "route", "show", "table", "all"):
        if route.get("dst", "default") == "default":
            continue
        network = IPv4Network(route["dst"], strict=False)
        if network.prefixlen > 0:
            found.append(network)
    return found


async def exists(namespace: str) -> bool:
    """Whether a network namespace of this name is there."""
    return (NAMESPACES / namespace).exists()


async def make_switch(instance: Instance) -> None:
    """Make the switch namespace, its bridges and the appliance's cable; what is there stays."""
    if instance.switch not in await namespaces():
        await drop_namespace(instance.switch)
        await run(["ip", "netns", "add", instance.switch])
    present = await links(instance.switch)
    lines = ["link set dev lo up"]
    for bridge in _BRIDGES:
        if bridge not in present:
            lines.append(f"link add name {bridge} type bridge forward_delay 0")
            lines.append(f"link set dev {bridge} addrgenmode none")
        lines.append(f"link set dev {bridge} up")
    await _batch(instance.switch, lines)
    if _UPLINK_PORT not in present:
        await _remove_link(instance.uplink)
        pair = ["peer", "name", _UPLINK_PORT, "netns", instance.switch]
        await run(["ip", "link", "add", "name", instance.uplink, "type", "veth", *pair])
    await _set_up_uplink(instance)


async def attach(instance: Instance, number: int, nics: int) -> None:
    """Make a host's namespace anew with its interfaces: eth0 has the management address, others none."""
    namespace = instance.namespace(number)
    await detach(instance.switch, namespace, number)
    await run(["ip", "netns", "add", namespace])
    lines = []
    for nic in range(nics):
        port, mac = port_name(number, nic), instance.mac(number, nic)
        pair = f"peer name eth{nic} address {mac} netns {namespace}"
        lines.append(f"link add name {port} type veth {pair}")
        lines.append(f"link set dev {port} addrgenmode none")
        lines.append(f"link set dev {port} master {_BRIDGES[nic]} up")
    await _batch(instance.switch, lines)
    address = f"{instance.address(number)}/{instance.network.prefixlen}"
    inner = ["link set dev lo up", f"address add {address} dev eth0"]
    inner += [f"link set dev eth{nic} up" for nic in range(nics)]
    await _batch(namespace, inner)
    for nic in range(nics):
        await _plain_checksums(namespace, f"eth{nic}")
        await _plain_checksums(instance.switch, port_name(number, nic))


async def detach(switch: str, namespace: str, number: int) -> None:
    """Remove a host's namespace and cables; the cables go first, since a namespace goes in its own time."""
    if switch in await namespaces():
        lines = "".join(f"link delete dev {port_name(number, nic)}\n" for nic in range(NICS_MAX))
        # Which cables there are cannot be asked: those of a dying namespace vanish between two commands.
        await run(["ip", "-n", switch, "-force", "-batch", "-"], stdin=lines, check=False)
    await drop_namespace(namespace)


async def attached(instance: Instance, number: int, nics: int) -> bool:
    """Whether a host has all its cables."""
    present = await links(instance.switch)
    return all(port_name(number, nic) in present for nic in range(nics))


async def connect(instance: Instance, number: int, *, up: bool) -> None:
    """Plug or unplug a host's management cable at the switch."""
    port = port_name(number, 0)
    await run(["ip", "-n", instance.switch, "link", "set", "dev", port, "up" if up else "down"])


async def remove_switch(switch: str, uplink: str) -> None:
    """Remove the appliance's cable and the switch with all that is plugged into it."""
    await _remove_link(uplink)
    await drop_namespace(switch)


async def links(namespace: str) -> dict[str, bool]:
    """The links of a namespace and whether each is set up; empty if there is no such namespace."""
    if namespace not in await namespaces():
        return {}
    return {link["ifname"]: "UP" in link["flags"] for link in await _query("-n", namespace, "link", "show")}


async def namespaces() -> list[str]:
    """The named network namespaces that work: a name left by a crash, with nothing behind it, is not one."""
    if not NAMESPACES.is_dir():
        return []
    ours, found = NAMESPACES.stat().st_dev, []
    for path in NAMESPACES.iterdir():
        # Another lab may be removing its own just now.
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_dev != ours:
                found.append(path.name)
    return sorted(found)


async def _remove_link(link: str) -> None:
    """Remove a link of the machine's own namespace; one whose other end is dying goes by itself meanwhile."""
    done = await run(["ip", "link", "delete", "dev", link], check=False)
    if link in {entry["ifname"] for entry in await _query("link", "show")}:
        raise LabError(f"the link {link} cannot be removed: {done.stderr.strip()}")


async def _set_up_uplink(instance: Instance) -> None:
    await _batch(
        instance.switch,
        [f"link set dev {_UPLINK_PORT} addrgenmode none", f"link set dev {_UPLINK_PORT} master br-mgmt up"],
    )
    address = f"{instance.gateway}/{instance.network.prefixlen}"
    await run(["ip", "link", "set", "dev", instance.uplink, "addrgenmode", "none"])
    await run(["ip", "address", "replace", address, "dev", instance.uplink])
    await run(["ip", "link", "set", "dev", instance.uplink, "up"])
    await run(["ethtool", "-K", instance.uplink, "tx", "off"])


async def _plain_checksums(namespace: str, link: str) -> None:
    """Have checksums filled in: a guest's DHCP client drops the half-made ones that veth passes on."""
    await run(["ip", "netns", "exec", namespace, "ethtool", "-K", link, "tx", "off"])


async def drop_namespace(namespace: str) -> None:
    """Remove a namespace's name; it goes, with its links, when nothing runs in it."""
    if await exists(namespace):
        await run(["ip", "netns", "delete", namespace])


async def _batch(namespace: str, lines: list[str]) -> None:
    if lines:
        await run(["ip", "-n", namespace, "-batch", "-"], stdin="\n".join(lines) + "\n")


async def _query(*arguments: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = json.loads((await run(["ip", "-j", *arguments])).stdout or "[]")
    return answer
