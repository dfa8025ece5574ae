"""What libvirt is asked about the volumes of domains that run."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import libvirt

from agent.domain_xml import DiskPlug, plugged_disk_xml
from agent.hypervisor_freeze import CALL_SECONDS, HypervisorFreezes
from agent.libvirt_calls import pulling
from agent.protocol import DomainSeen

PULL_LOOK_SECONDS = 0.2


class HypervisorDisks(HypervisorFreezes):
    """The volumes of domains; how libvirt is reached is the subclass's."""

    @abstractmethod
    async def _act(
        self, vm_uuid: str, act: Callable[[Any], object], timeout_seconds: float = CALL_SECONDS
    ) -> DomainSeen:
        """The same with a domain; what that is then."""

    async def ask_unplug_disk(self, vm_uuid: str, plug: DiskPlug) -> DomainSeen:
        """Ask the guest of a running domain to let go of a volume, as of a NIC."""

        def act(domain: Any) -> None:
            xml = plugged_disk_xml(domain.XMLDesc(0), plug)
            if xml is not None:
                domain.detachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)

        return await self._act(vm_uuid, act)

    async def pull_disk(self, vm_uuid: str, plug: DiskPlug, base: str | None) -> None:
        """Have the file of a volume of a running domain build on another, pulling in what lies between."""

        def begin(domain: Any) -> None:
            if not domain.blockJobInfo(plug.target):
                domain.blockRebase(plug.target, base, 0, 0)

        await self._act(vm_uuid, begin)
        while True:
            if not await self._ask(lambda connection: pulling(connection, vm_uuid, plug)):
                return
            await asyncio.sleep(PULL_LOOK_SECONDS)

    async def resize_disk(self, vm_uuid: str, plug: DiskPlug, size_bytes: int) -> DomainSeen:
        """Give a volume of a running domain another size."""
        flags = libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES
        return await self._act(vm_uuid, lambda domain: domain.blockResize(plug.target, size_bytes, flags))
