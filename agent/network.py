"""L3 networks on this host: a namespace each, with a port in the bridge, DHCP and user data."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
from collections import defaultdict
from pathlib import Path

from agent import netns
from agent.bridge import uplinks
from agent.dhcp import PORT_NAME, Dnsmasq
from agent.guard import SERVICE_ADDRESS, Guard, GuardedNetwork
from agent.link import batch, links
from agent.paths import Paths
from agent.protocol import DropNetwork, EnsureNetwork, digest
from agent.refused import Refused
from agent.restore import Restoring
from agent.run import run
from agent.specs import Specs
from agent.userdata import MetadataServer


def _short(l3_uuid: str) -> str:
    return hashlib.blake2b(l3_uuid.encode(), digest_size=6).hexdigest()


def namespace_of(l3_uuid: str) -> str:
    """The name of a network's namespace."""
    return f"zstui-{_short(l3_uuid)}"


def service_port(l3_uuid: str) -> str:
    """The name of a network's port in the bridge, at most 15 characters as the kernel wants."""
    return f"zs{_short(l3_uuid)}"


def service_mac(l3_uuid: str) -> str:
    """The MAC behind that port: the same on every host, so that a migrated guest's ARP entry stays right."""
    digits = hashlib.blake2b(l3_uuid.encode(), digest_size=5).digest()
    return ":".join(f"{octet:02x}" for octet in b"\x02" + digits)


class Networks:
    """The networks served here. Bridges must be started before, NICs after."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._specs = Specs(paths.state / "networks", EnsureNetwork)
        self._servers: dict[str, Dnsmasq] = {}
        self._applied: dict[str, str] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._restoring = Restoring("network", self._restore)
        self.guard = Guard()
        self.metadata = MetadataServer()
        # dnsmasq is not root and may not enter the run folder, so it has one beside it.
        self._dhcp_folder = Path(f"{paths.run}-dhcp")

    async def start(self) -> None:
        """Serve every stored network again; DHCP servers still running are adopted as they are."""
        self._dhcp_folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        for spec in self._specs.all():
            self._protect(spec)
        await self.guard.begin()
        await self.metadata.take_over(self._paths)
        await self._restoring.start([spec.l3_uuid for spec in self._specs.all()])

    async def stop(self) -> None:
        """Let go of everything; DHCP goes on, and who asks for user data waits for the next daemon."""
        await self._restoring.stop()
        for server in self._servers.values():
            await server.detach()
        self._servers.clear()
        await self.metadata.make_way(self._paths)

    async def have_kept(self) -> bool:
        """Have the supervisor keep what guests ask for user data, for the next daemon; whether it does."""
        return await self.metadata.have_kept()

    async def ensure(self, request: EnsureNetwork) -> None:
        """Serve a network as specified.

        Raises `Refused`: `network.bad_address`, `network.bridge_missing`, `dhcp.failed`, `guard.failed`,
        or what a host program complained of.
        """
        _check(request)
        async with self._locks[request.l3_uuid]:
            if request.bridge not in await links():
                raise Refused(
                    "network.bridge_missing",
                    f"there is no bridge {request.bridge} on this host; attach the L2 network first",
                )
            self._specs.put(request.l3_uuid, request)
            await self._carry_out(request)

    async def drop(self, request: DropNetwork) -> None:
        """Serve a network no more; absent is fine."""
        l3_uuid = request.l3_uuid
        async with self._locks[l3_uuid]:
            self._applied.pop(l3_uuid, None)
            self._specs.drop(l3_uuid)
            await self.metadata.close(l3_uuid)
            server = self._servers.pop(l3_uuid, None) or self._server(l3_uuid)
            await server.drop()
            if service_port(l3_uuid) in await links():
                await run("ip", "link", "del", "dev", service_port(l3_uuid))
            await netns.remove(namespace_of(l3_uuid))
            self.guard.networks.pop(l3_uuid, None)
            await self.guard.sync()

    async def check(self) -> None:
        """Have the files of every DHCP server be what it was told, whoever removed them. Raises `Refused`."""
        for l3_uuid in list(self._applied):
            async with self._locks[l3_uuid]:
                spec, server = self._specs.get(l3_uuid), self._servers.get(l3_uuid)
                if spec is not None and server is not None:
                    await server.ensure(spec)

    def digests(self) -> dict[str, str]:
        """uuid to digest of what is served: not of what could not be carried out."""
        return dict(self._applied)

    def get(self, l3_uuid: str) -> EnsureNetwork | None:
        """The spec of a network that is served here."""
        return self._specs.get(l3_uuid)

    def dhcp(self, l3_uuid: str) -> Dnsmasq | None:
        """The DHCP server of a network that is served here."""
        return self._servers.get(l3_uuid)

    def _server(self, l3_uuid: str) -> Dnsmasq:
        namespace = namespace_of(l3_uuid)
        return Dnsmasq(self._dhcp_folder / namespace, namespace)

    async def _restore(self, l3_uuid: str) -> None:
        async with self._locks[l3_uuid]:
            spec = self._specs.get(l3_uuid)
            if spec is not None:
                await self._carry_out(spec)

    def _protect(self, spec: EnsureNetwork) -> None:
        self.guard.networks[spec.l3_uuid] = GuardedNetwork(
            service=service_port(spec.l3_uuid),
            service_mac=service_mac(spec.l3_uuid),
            uplinks=tuple(uplinks(self._paths, spec.bridge, spec.physical_interface)),
            dhcp_ip=spec.dhcp_ip,
            userdata=spec.userdata,
        )

    async def _carry_out(self, spec: EnsureNetwork) -> None:
        self._applied.pop(spec.l3_uuid, None)
        # The guard comes first: a port in the bridge that is not isolated would answer other hosts' guests.
        self._protect(spec)
        await self.guard.sync()
        await self._connect(spec)
        server = self._servers.setdefault(spec.l3_uuid, self._server(spec.l3_uuid))
        await server.ensure(spec)
        if spec.userdata:
            await self.metadata.listen(spec.l3_uuid, namespace_of(spec.l3_uuid))
        else:
            await self.metadata.close(spec.l3_uuid)
        self._applied[spec.l3_uuid] = digest(spec)

    async def _connect(self, spec: EnsureNetwork) -> None:
        """Have the namespace, its port in the bridge, and its addresses."""
        namespace, port = namespace_of(spec.l3_uuid), service_port(spec.l3_uuid)
        seen = await links()
        if port in seen and not netns.exists(namespace):
            await run("ip", "link", "del", "dev", port)
        await netns.create(namespace)
        mac = service_mac(spec.l3_uuid)
        if port not in await links():
            await run("ip", "link", "add", "name", port, "type", "veth",
                      "peer", "name", PORT_NAME, "address", mac, "netns", namespace)  # fmt: skip
            await netns.inside(namespace, _prepare)
        await self._address(spec, namespace)
        mtu = seen[spec.bridge].mtu if spec.bridge in seen else spec.mtu
        await batch([
            f"link set dev {port} mtu {mtu} master {spec.bridge}",
            f"link set dev {port} up",
        ])  # fmt: skip
        # A fixed entry, that stays where it is: nobody else's packets can draw the service's traffic to another port.
        await run("bridge", "fdb", "replace", mac, "dev", port, "master", "static", "sticky")

    async def _address(self, spec: EnsureNetwork, namespace: str) -> None:
        prefix = ipaddress.ip_network(f"0.0.0.0/{spec.netmask}").prefixlen
        wanted = {f"{spec.dhcp_ip}/{prefix}", f"{SERVICE_ADDRESS}/32"}
        listing = json.loads(await run("ip", "-n", namespace, "-j", "-4", "addr", "show", "dev", PORT_NAME))
        found = {f"{a['local']}/{a['prefixlen']}" for item in listing for a in item.get("addr_info", [])}
        lines = [f"addr del {address} dev {PORT_NAME}" for address in sorted(found - wanted)]
        lines += [f"addr add {address} dev {PORT_NAME}" for address in sorted(wanted - found)]
        lines.append(f"link set dev {PORT_NAME} mtu {spec.mtu} up")
        await batch(lines, namespace=namespace)


def _prepare() -> None:
    netns.keep_to_itself()
    netns.send_checksums_in_software(PORT_NAME)


def _check(spec: EnsureNetwork) -> None:
    try:
        subnet = ipaddress.IPv4Network(f"{spec.dhcp_ip}/{spec.netmask}", strict=False)
        for text in [spec.dhcp_ip, *spec.dns, *([spec.gateway] if spec.gateway else [])]:
            ipaddress.IPv4Address(text)
    except ValueError as error:
        raise Refused("network.bad_address", f"network {spec.l3_uuid}: {error}") from error
    if spec.gateway and ipaddress.IPv4Address(spec.gateway) not in subnet:
        raise Refused(
            "network.bad_address",
            f"the gateway {spec.gateway} is not in {subnet}; give one that guests can reach directly",
        )
    if spec.gateway == spec.dhcp_ip:
        raise Refused(
            "network.bad_address",
            f"{spec.dhcp_ip} is the gateway and cannot be the DHCP server's address too; choose another",
        )
