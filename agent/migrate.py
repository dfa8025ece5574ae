"""A running domain on its way to another host, through the doors of a lane."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.domain_xml import Mark, domain_xml
from agent.hypervisor_move import LOOK_SECONDS, Destination
from agent.lane import END_SECONDS, Lanes, check_free
from agent.lane_doors import doors
from agent.protocol import (
    DISKS_DOOR,
    LIBVIRT_DOOR,
    MEMORY_DOOR,
    CloseLane,
    DomainSeen,
    DomainSpec,
    Done,
    LimitLane,
    MigrateDomain,
    OpenLane,
    ProgressTo,
    digest,
)
from agent.refused import Refused


class MoveCalls(Protocol):
    """What libvirt is asked for here."""

    async def seen(self, vm_uuid: str) -> DomainSeen: ...
    async def migrating(self, vm_uuid: str) -> bool: ...
    async def stop_migration(self, vm_uuid: str) -> None: ...
    async def migrate(self, vm_uuid: str, there: Destination, report: ProgressTo) -> None: ...


class Migrations:
    """Carries out requests about domains that go to another host."""

    def __init__(self, hypervisor: MoveCalls, lanes: Lanes, expect: Callable[[DomainSpec], None]) -> None:
        self._hypervisor = hypervisor
        self._lanes = lanes
        self._expect = expect
        self._limits: dict[str, int] = {}
        """Bytes a second, by the lane of each move that is under way."""

    async def open(self, request: OpenLane) -> None:
        """Open a lane, also for a domain that is to come. Raises `Refused`.

        The ports of its doors are the source's to name: here they are that domain's, and nobody else's.
        """
        if request.coming is not None:
            for word in (MEMORY_DOOR, DISKS_DOOR):
                await asyncio.to_thread(check_free, int(request.doors[word]))
            self._expect(request.coming)
        await self._lanes.open(request)

    async def close(self, request: CloseLane) -> None:
        """End a lane, and the move of a domain on it. Raises `Refused` as `migrate.busy` when that does not end."""
        await self._lanes.close(request)
        deadline = time.monotonic() + END_SECONDS
        while request.vm_uuid and await self._hypervisor.migrating(request.vm_uuid):
            if time.monotonic() > deadline:
                raise Refused("migrate.busy", f"VM {request.vm_uuid} is still on its way", transient=True)
            await self._hypervisor.stop_migration(request.vm_uuid)
            await asyncio.sleep(LOOK_SECONDS)

    def limit(self, request: LimitLane) -> None:
        """Have a move keep another limit from now on; where there is none that is fine."""
        if request.lane_uuid in self._limits:
            self._limits[request.lane_uuid] = request.bytes_per_second

    async def migrate(self, request: MigrateDomain, report: ProgressTo) -> Done:
        """Move a running domain. Raises `Refused`; its guest goes on here then."""
        uuid = request.lane_uuid
        if uuid in self._limits:
            # Who asks again has lost the answer of the other, whose doors and limit are its own until it has ended.
            await self._hypervisor.stop_migration(request.spec.vm_uuid)
            raise _busy(request)
        self._limits[uuid] = request.bytes_per_second
        try:
            return await self._migrate(request, report)
        finally:
            del self._limits[uuid]

    async def _migrate(self, request: MigrateDomain, report: ProgressTo) -> Done:
        spec, uuid = request.spec, request.lane_uuid
        seen = await self._hypervisor.seen(spec.vm_uuid)
        if seen.power == "off":
            raise Refused("domain.off", f"VM {spec.vm_uuid} does not run on this host")
        if await self._hypervisor.migrating(spec.vm_uuid):
            # Of a request that nobody answers any more: its doors are gone with who held them.
            await self._hypervisor.stop_migration(spec.vm_uuid)
            raise _busy(request)
        command = self._lanes.ssh(uuid, request.address, request.port, request.username, request.host_key)
        way = self._lanes.place(uuid, LIBVIRT_DOOR)
        there = Destination(
            libvirt=way,
            memory_port=request.memory_port,
            disks_port=request.disks_port,
            definition=domain_xml(spec, Mark(digest(spec), seen.boot_count, spec.internal_id)),
            console_listen=spec.console_listen,
            limit=lambda: self._limits.get(uuid, request.bytes_per_second),
        )
        places: dict[str, Path | int] = {
            LIBVIRT_DOOR: way,
            MEMORY_DOOR: request.memory_port,
            DISKS_DOOR: request.disks_port,
        }
        async with doors(self._lanes, uuid, command, places):
            await self._hypervisor.migrate(spec.vm_uuid, there, report)
        return Done()


def _busy(request: MigrateDomain) -> Refused:
    return Refused("migrate.busy", f"VM {request.spec.vm_uuid} is on its way already", transient=True)
