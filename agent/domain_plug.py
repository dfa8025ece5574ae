"""NICs and data volumes of a domain that runs: plugged and unplugged under its guest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from agent.domain_xml import Devices, DiskPlug, Plug, disk_plug, disk_xml, plug_xml
from agent.protocol import DiskSpec, DomainSeen, NicSpec
from agent.refused import Refused

ASK_AGAIN_SECONDS = 1.0
"""A guest that is still booting does not hear the first time."""

ROOT_TARGETS = ("vda", "hda")


class PlugCalls(Protocol):
    """What plugging needs of the hypervisor."""

    async def devices(self, vm_uuid: str) -> Devices | None: ...
    async def plug(self, vm_uuid: str, xml: str) -> DomainSeen: ...
    async def ask_unplug(self, vm_uuid: str, plug: Plug) -> DomainSeen: ...
    async def ask_unplug_disk(self, vm_uuid: str, plug: DiskPlug) -> DomainSeen: ...


class Plugs:
    """Changes the NICs of running domains. `guarded` says whether a tap's guard is in force."""

    def __init__(self, hypervisor: PlugCalls, guarded: Callable[[str], bool]) -> None:
        self._hypervisor = hypervisor
        self._guarded = guarded

    async def change(self, vm_uuid: str, nics: Sequence[NicSpec], let_go_seconds: float) -> None:
        """Make a running domain have exactly these NICs. Refused as `nic.unguarded` and `nic.in_use`."""
        there = await self._now(vm_uuid)
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

    async def _now(self, vm_uuid: str) -> list[Plug]:
        devices = await self._hypervisor.devices(vm_uuid)
        return devices.nics if devices is not None else []

    async def _unplug(self, vm_uuid: str, plug: Plug, let_go_seconds: float) -> None:
        async def there() -> bool:
            return plug in await self._now(vm_uuid)

        said = await _let_go(lambda: self._hypervisor.ask_unplug(vm_uuid, plug), there, let_go_seconds)
        if said is not None:
            raise Refused("nic.in_use", _in_use(vm_uuid, f"NIC {plug.mac}", let_go_seconds, said))


class DiskPlugs:
    """Changes the data volumes of running domains; the root volume stays."""

    def __init__(self, hypervisor: PlugCalls) -> None:
        self._hypervisor = hypervisor

    async def change(self, vm_uuid: str, disks: Sequence[DiskSpec], let_go_seconds: float) -> None:
        """Make a running domain have exactly these volumes. Refused as `disk.in_use`."""
        there = await self._now(vm_uuid)
        wanted = {disk_plug(disk): disk for disk in disks}
        for plug in there:
            if plug not in wanted and plug.target not in ROOT_TARGETS:
                await self._unplug(vm_uuid, plug, let_go_seconds)
        for plug, disk in wanted.items():
            if plug not in there and disk.device_id:
                await self._hypervisor.plug(vm_uuid, disk_xml(disk))

    async def _now(self, vm_uuid: str) -> list[DiskPlug]:
        devices = await self._hypervisor.devices(vm_uuid)
        return devices.disks if devices is not None else []

    async def _unplug(self, vm_uuid: str, plug: DiskPlug, let_go_seconds: float) -> None:
        async def there() -> bool:
            return plug in await self._now(vm_uuid)

        said = await _let_go(lambda: self._hypervisor.ask_unplug_disk(vm_uuid, plug), there, let_go_seconds)
        if said is not None:
            raise Refused("disk.in_use", _in_use(vm_uuid, f"volume {plug.serial}", let_go_seconds, said))


async def _let_go(
    ask: Callable[[], Awaitable[object]], there: Callable[[], Awaitable[bool]], seconds: float
) -> str | None:
    """Ask the guest until it has let go; it may need to boot first. None, or what libvirt said last."""
    deadline = time.monotonic() + seconds
    while True:
        said = await _asked(ask)
        if not await there():
            return None
        if time.monotonic() >= deadline:
            return said
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _asked(ask: Callable[[], Awaitable[object]]) -> str:
    """What libvirt says against asking: that it was asked already, mostly, which is no harm."""
    try:
        await ask()
    except Refused as refused:
        if refused.refusal.code != "libvirt.error":
            raise
        return f" ({refused.refusal.message})"
    return ""


def _in_use(vm_uuid: str, what: str, seconds: float, said: str) -> str:
    return (
        f"the guest of VM {vm_uuid} did not let go of {what} within {seconds:g} s{said}; try again once it "
        f"has booted, or stop it"
    )
