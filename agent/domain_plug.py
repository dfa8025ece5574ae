"""NICs of a domain that runs: plugged and unplugged under its guest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.domain_xml import Plug, plug_xml
from agent.protocol import DomainSeen, NicSpec
from agent.refused import Refused

ASK_AGAIN_SECONDS = 1.0
"""A guest that is still booting does not hear the first time."""


class PlugCalls(Protocol):
    """What plugging needs of the hypervisor."""

    async def plugs(self, vm_uuid: str) -> list[Plug] | None: ...
    async def plug(self, vm_uuid: str, xml: str) -> DomainSeen: ...
    async def ask_unplug(self, vm_uuid: str, plug: Plug) -> DomainSeen: ...


class Plugs:
    """Changes the NICs of running domains. `guarded` says whether a tap's guard is in force."""

    def __init__(self, hypervisor: PlugCalls, guarded: Callable[[str], bool]) -> None:
        self._hypervisor = hypervisor
        self._guarded = guarded

    async def change(self, vm_uuid: str, nics: Sequence[NicSpec], let_go_seconds: float) -> None:
        """Make a running domain have exactly these NICs. Refused as `nic.unguarded` and `nic.in_use`."""
        there = await self._hypervisor.plugs(vm_uuid) or []
        wanted = {Plug(nic.device, nic.mac.lower(), nic.bridge): nic for nic in nics}
        missing = [nic for plug, nic in wanted.items() if plug not in there]
        for nic in missing:
            if not self._guarded(nic.device):
                problem = f"{nic.device} of VM {vm_uuid} has no guard; ensure its NIC before it is plugged"
                raise Refused("nic.unguarded", problem)
        for plug in there:
            if plug not in wanted:
                await self._unplug(vm_uuid, plug, let_go_seconds)
        for nic in missing:
            await self._hypervisor.plug(vm_uuid, plug_xml(nic))

    async def _unplug(self, vm_uuid: str, plug: Plug, let_go_seconds: float) -> None:
        """Ask the guest until it has let go; it may need to boot first."""
        deadline = time.monotonic() + let_go_seconds
        while True:
            said = await self._ask(vm_uuid, plug)
            if plug not in (await self._hypervisor.plugs(vm_uuid) or []):
                return
            if time.monotonic() >= deadline:
                raise Refused(
                    "nic.in_use",
                    f"the guest of VM {vm_uuid} did not let go of NIC {plug.mac} within {let_go_seconds:g} s"
                    f"{said}; try again once it has booted, or stop it",
                )
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _ask(self, vm_uuid: str, plug: Plug) -> str:
        """What libvirt says against asking: that it was asked already, mostly, which is no harm."""
        try:
            await self._hypervisor.ask_unplug(vm_uuid, plug)
        except Refused as refused:
            if refused.refusal.code != "libvirt.error":
                raise
            return f" ({refused.refusal.message})"
        return ""
