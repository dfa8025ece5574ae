"""How simulated hosts are reached: each is made at its first mention."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from appliance.api.errors import BackupStorageFailed, HostUnreachable, ImageFailed
from appliance.hosts.fleet import Admit, Target
from appliance.hosts.link import Pipe, Wire
from appliance.hosts.simulated_agent import SimulatedRefusal
from appliance.hosts.simulated_things import Things
from appliance.hosts.simulator import AGENT_VERSION, SimulatedHost


class SimulatedDialer:
    """Reaches simulated hosts, making each at its first mention."""

    def __init__(self, make: Callable[[str], SimulatedHost] | None = None) -> None:
        self._make = make or SimulatedHost
        self.hosts: dict[str, SimulatedHost] = {}
        self._parts: dict[tuple[str, str], int] = {}
        """Machine and path to how much of an upload has come."""
        self.agent_version = AGENT_VERSION
        self.furnish: Callable[[SimulatedHost, Target, bool], Awaitable[None]] | None = None
        """Called before each link with the host, its target, and whether the host was made for it."""

    def host(self, target: Target) -> SimulatedHost:
        """The host of a target."""
        if target.key not in self.hosts:
            self.hosts[target.key] = self._make(target.address)
            self.hosts[target.key].things.lanes.reach = self._reach
            self.hosts[target.key].neighbour = self._neighbour
        return self.hosts[target.key]

    def _neighbour(self, machine: str) -> SimulatedHost | None:
        host = self.hosts.get(machine)
        return host if host is not None and host.reachable else None

    def _reach(self, machine: str) -> Things | None:
        host = self._neighbour(machine)
        return host.things if host is not None else None

    async def trust(self, target: Target, password: str, fingerprint: str | None, admit: Admit) -> None:
        """Simulated hosts trust everybody who reaches them."""
        if not self.host(target).reachable:
            raise HostUnreachable(f"{target.address} does not answer")
        await admit(self.host(target).claim)

    async def pipe(self, target: Target, address: str, port: int) -> Pipe:
        """All that listens on a simulated host are consoles."""
        return self.host(target).enter(port) or self.host(target).screen(port)

    async def leave(self, target: Target, host_uuid: str) -> None:
        """The host forgets whose it was."""
        try:
            self.host(target).require_host(host_uuid)
        except SimulatedRefusal as refused:
            raise HostUnreachable(f"the agent stays on {target.address}: {refused}") from refused
        self.host(target).disown()

    async def renews(self, target: Target) -> bool:
        """Whether the host has the agent of another version than that of this dialer."""
        known = self.hosts.get(target.key)
        return known is not None and known.agent_version != self.agent_version

    async def dial(self, target: Target, *, renew: bool = True) -> Wire:
        """A link."""
        new = target.key not in self.hosts
        host = self.host(target)
        if self.furnish is not None:
            await self.furnish(host, target, new)
        wire = host.attach()
        if renew or new:
            host.agent_version = self.agent_version
        return wire

    async def copy(
        self,
        source: Target,
        source_path: str,
        destination: Target,
        destination_path: str,
        *,
        size: int,
        md5: str,
        bytes_per_second: int,
        reserved_bytes: int,
        on_progress: Callable[[int, int], None],
    ) -> None:
        """A file's size, from host to host."""
        giving, taking = self.host(source), self.host(destination)
        await asyncio.sleep(taking.delays.of("Copy"))
        if taking.faults.strikes("Copy"):
            raise ImageFailed(
                f"the copy to {destination.address} failed, as the simulator was told it should"
            )
        if not (giving.reachable and taking.reachable):
            raise HostUnreachable(f"{destination.address} does not answer")
        if lacking := taking.things.lacks_room(destination_path, size, reserved_bytes):
            raise ImageFailed(f"storage.full: {lacking}")
        taking.things.files[destination_path] = giving.things.files.get(source_path, size)
        taking.things.lanes.arrived.pop(destination_path, None)  # which has the same place beside it
        on_progress(size, size)

    async def arrived(self, destination: Target, path: str) -> int:
        """What was sent in part."""
        return self._parts.get((destination.key, path), 0)

    async def upload(
        self,
        destination: Target,
        path: str,
        content: AsyncIterator[bytes],
        size: int,
        start: int,
        *,
        reserved_bytes: int,
    ) -> None:
        """A file's size, from a stream."""
        key = (destination.key, path)
        if start > self._parts.get(key, 0):
            raise BackupStorageFailed(f"file.gap: only {self._parts.get(key, 0)} bytes have arrived")
        if lacking := self.host(destination).things.lacks_room(path, size - start, reserved_bytes):
            raise BackupStorageFailed(f"storage.full: {lacking}")
        self._parts[key] = start
        async for chunk in content:
            self._parts[key] += len(chunk)
        if self._parts[key] != size:
            raise BackupStorageFailed(f"file.short: the stream ended at {self._parts[key]} of {size} bytes")
        self.host(destination).things.files[path] = self._parts.pop(key)

    async def download(self, source: Target, path: str, start: int) -> AsyncGenerator[bytes, None]:
        """Nothing: a simulated file has a size, and no bytes."""
        raise BackupStorageFailed(f"{path} on {source.address} is simulated, and has no bytes to give")
        yield b""  # which makes this what its callers expect
