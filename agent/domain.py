"""Domains: what should be said of them holds when a request returns, however often it is repeated."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from agent.domain_plug import DiskPlugs, PlugCalls, Plugs
from agent.domain_xml import Devices, DiskPlug, Mark, devices_of, domain_xml
from agent.hypervisor_backup import LiveDisk
from agent.protocol import (
    DefineDomain,
    DestroyDomain,
    DomainSeen,
    DomainSpec,
    DropTraces,
    EnsureOverlay,
    GrowVolume,
    KeepSerialHistory,
    Power,
    ReadSerialHistory,
    RebaseVolume,
    RebootDomain,
    SerialHistory,
    ShutdownDomain,
    StartDomain,
    UndefineDomain,
    digest,
    serial_of,
)
from agent.refused import Refused
from agent.storage import StorageRoots, clean, disk_refused, make_folders
from agent.traces import Traces

LIBVIRT_LOGS = Path("/var/log/libvirt/qemu")
_UUID = re.compile("[0-9a-f]{32}")
_DEVICE = re.compile("[A-Za-z0-9_.-]{1,15}")

# libvirtd has 20 workers: some must stay free for questions.
_MAX_STARTS = 12
WRITES_ALREADY = "the guest writes to its new file already, and what was answered then is lost"


class DomainCalls(PlugCalls, Protocol):
    """What domains need of the hypervisor."""

    async def seen(self, vm_uuid: str) -> DomainSeen: ...
    async def define(self, vm_uuid: str, xml: str) -> DomainSeen: ...
    async def power_on(self, vm_uuid: str) -> DomainSeen: ...
    async def power_on_once(self, vm_uuid: str, order: Sequence[str]) -> DomainSeen: ...
    async def insert(self, vm_uuid: str, iso: str) -> DomainSeen: ...
    async def power_off(self, vm_uuid: str) -> DomainSeen: ...
    async def ask_power_off(self, vm_uuid: str) -> DomainSeen: ...
    async def undefine(self, vm_uuid: str) -> DomainSeen: ...
    async def restart(self, vm_uuid: str, grace_seconds: float) -> None: ...
    async def reset(self, vm_uuid: str) -> DomainSeen: ...
    async def mark(self, vm_uuid: str, mark: Mark) -> DomainSeen: ...
    async def mark_of(self, vm_uuid: str) -> Mark | None: ...
    async def xml(self, vm_uuid: str) -> str: ...
    async def overlay_disk(
        self, vm_uuid: str, plug: DiskPlug, path: str, making: asyncio.Task[None]
    ) -> str: ...
    async def pull_disk(self, vm_uuid: str, plug: DiskPlug, base: str | None) -> None: ...
    async def resize_disk(self, vm_uuid: str, plug: DiskPlug, size_bytes: int) -> DomainSeen: ...
    async def back_up(
        self, vm_uuid: str, disks: Sequence[LiveDisk], report: Callable[[int, int], object]
    ) -> dict[str, str]: ...


class Domains:
    """Carries out requests about domains. `guarded` says whether a tap's guard is in force."""

    def __init__(
        self,
        hypervisor: DomainCalls,
        storage: StorageRoots,
        guarded: Callable[[str], bool],
        traces: Traces | None = None,
    ) -> None:
        self._hypervisor = hypervisor
        self._storage = storage
        self._guarded = guarded
        self._traces = traces or Traces()
        self._plugs = Plugs(hypervisor, guarded)
        self._disks = DiskPlugs(hypervisor)
        self._starts = asyncio.Semaphore(min(2 * (os.cpu_count() or 1), _MAX_STARTS))

    async def define(self, request: DefineDomain) -> DomainSeen:
        """Make libvirt know the domain exactly so; of one that runs, what can be changed now, the rest later.

        Refused as `nic.unguarded`, `nic.in_use` and `disk.in_use`.
        """
        spec = request.spec
        self._check(spec)
        wanted = digest(spec)
        seen = await self._hypervisor.seen(spec.vm_uuid)
        on = seen.power != "off"
        if on:
            await self._plugs.change(spec.vm_uuid, spec.nics, request.unplug_seconds)
            await self._disks.change(spec.vm_uuid, spec.disks, request.unplug_seconds)
            await self._change_iso(spec)
        if seen.defined and seen.digest == wanted and (on or seen.boot_count >= request.boot_count):
            return seen
        if spec.serial_log:
            self._make_log_folder(Path(spec.serial_log).parent)
        # One that runs is rebooted by its own request: only that may count it.
        boot_count = seen.boot_count if on else max(seen.boot_count, request.boot_count)
        mark = Mark(wanted, boot_count, spec.internal_id)
        defined = await self._hypervisor.define(spec.vm_uuid, domain_xml(spec, mark))
        return await self._hypervisor.mark(spec.vm_uuid, mark) if on else defined

    def expect(self, spec: DomainSpec) -> None:
        """Be ready for a domain that comes here while it runs. Raises `Refused`."""
        self._check(spec)
        if spec.serial_log:
            self._make_log_folder(Path(spec.serial_log).parent)

    async def start(self, request: StartDomain) -> DomainSeen:
        """Power a domain on. Refused as `nic.unguarded` while a tap of it has no guard."""
        seen = await self._known(request.vm_uuid)
        if seen.power != "off":
            return seen
        for plug in devices_of(await self._hypervisor.xml(request.vm_uuid)).nics:
            if plug.device and not self._guarded(plug.device):
                problem = (
                    f"{plug.device} of VM {request.vm_uuid} has no guard; ensure its NIC before its start"
                )
                raise Refused("nic.unguarded", problem)
        async with self._starts:
            if request.boot_once:
                return await self._start_once(request)
            return await self._until(self._hypervisor.power_on, request.vm_uuid, "on")

    async def _start_once(self, request: StartDomain) -> DomainSeen:
        mark = await self._hypervisor.mark_of(request.vm_uuid) or Mark("", 0, 0)
        await self._hypervisor.power_on_once(request.vm_uuid, request.boot_once)
        return await self._hypervisor.mark(request.vm_uuid, mark)

    async def _change_iso(self, spec: DomainSpec) -> None:
        devices = await self._hypervisor.devices(spec.vm_uuid)
        if devices is not None and devices.iso != spec.iso:
            await self._hypervisor.insert(spec.vm_uuid, spec.iso)

    async def shutdown(self, request: ShutdownDomain) -> DomainSeen:
        """Press the power button of a domain that is on; one that stands still would not hear of it."""
        seen = await self._known(request.vm_uuid)
        if seen.power != "on":
            return seen
        return await self._until(self._hypervisor.ask_power_off, request.vm_uuid, "off")

    async def destroy(self, request: DestroyDomain) -> DomainSeen:
        """Power a domain off; one that is off or unknown is fine."""
        seen = await self._hypervisor.seen(_vm(request.vm_uuid))
        if seen.power == "off":
            return seen
        return await self._until(self._hypervisor.power_off, request.vm_uuid, "off")

    async def reboot(self, request: RebootDomain) -> DomainSeen:
        """Restart a guest unless it was restarted as often already: at once where it stands still, and hears nothing.

        Refused as `domain.off`.
        """
        seen = await self._known(request.vm_uuid)
        if seen.boot_count >= request.boot_count:
            return seen
        if seen.power == "off":
            raise Refused("domain.off", f"VM {request.vm_uuid} is off; start it instead")
        if seen.power == "paused":
            await self._hypervisor.reset(request.vm_uuid)
        else:
            await self._hypervisor.restart(request.vm_uuid, request.grace_seconds)
        mark = await self._hypervisor.mark_of(request.vm_uuid) or Mark("", 0, 0)
        return await self._hypervisor.mark(request.vm_uuid, replace(mark, boot_count=request.boot_count))

    async def undefine(self, request: UndefineDomain) -> DomainSeen:
        """Make libvirt forget a domain; an unknown one is fine. Refused as `domain.running`."""
        seen = await self._hypervisor.seen(_vm(request.vm_uuid))
        if not seen.defined:
            return seen
        if seen.power != "off":
            raise Refused("domain.running", f"VM {request.vm_uuid} runs; power it off first")
        try:
            return await self._hypervisor.undefine(request.vm_uuid)
        except Refused as refused:
            return await self._if_gone(refused, request.vm_uuid)

    async def leaves(self, seen: DomainSeen) -> bool:
        """Whether something is left of a domain that libvirt knows no more."""
        return not seen.defined and await asyncio.to_thread(self._traces.exist, _vm(seen.vm_uuid))

    async def drop_traces(self, request: DropTraces) -> None:
        """Remove what is left of a domain that libvirt knows no more. Refused as `domain.defined`."""
        seen = await self._hypervisor.seen(_vm(request.vm_uuid))
        if seen.defined or seen.power != "off":
            raise Refused("domain.defined", f"libvirt knows VM {request.vm_uuid}; undefine it first")
        await asyncio.to_thread(self._traces.remove, request.vm_uuid)

    async def serial_history(self, request: ReadSerialHistory) -> SerialHistory:
        """The last of what a guest wrote to its serial console here, also of one that has left."""
        return SerialHistory(data=await asyncio.to_thread(self._traces.serial_history, _vm(request.vm_uuid)))

    async def keep_serial_history(self, request: KeepSerialHistory) -> None:
        """Keep what a guest wrote on another host. Raises `Refused`."""
        await asyncio.to_thread(self._traces.keep_serial_history, _vm(request.vm_uuid), request.data)

    async def observe(self, vm_uuid: str) -> DomainSeen:
        """A domain as it is now."""
        return await self._hypervisor.seen(_vm(vm_uuid))

    async def devices(self, vm_uuid: str) -> Devices | None:
        """What can be changed of a domain that is on; None of one that is off."""
        return await self._hypervisor.devices(_vm(vm_uuid))

    async def grow(self, request: GrowVolume) -> bool:
        """Grow a volume under the guest that has it; False when none has."""
        plug = await self.having(request.vm_uuid, request.volume_uuid)
        if plug is not None:
            await self._hypervisor.resize_disk(request.vm_uuid, plug, request.size_bytes)
        return plug is not None

    async def overlay(self, request: EnsureOverlay, making: asyncio.Task[None]) -> str | None:
        """Have the guest that has a volume write to its new file; why it was not quiesced, None when none has it.

        Waits for the file only where a guest is to have it.
        """
        devices = await self.devices(request.vm_uuid)
        plug = _plug_in(devices, request.volume_uuid)
        if plug is None:
            return None
        if _writes(devices, plug, request.path):
            return WRITES_ALREADY
        try:
            return await self._hypervisor.overlay_disk(request.vm_uuid, plug, request.path, making)
        except Refused:
            if _writes(await self.devices(request.vm_uuid), plug, request.path):
                return WRITES_ALREADY  # it is done, whatever went wrong besides
            raise

    async def rebase(self, request: RebaseVolume) -> bool:
        """Have a volume of a running guest build on another file; False when no guest has it."""
        plug = await self.having(request.vm_uuid, request.volume_uuid)
        if plug is not None:
            await self._hypervisor.pull_disk(request.vm_uuid, plug, request.backing)
        return plug is not None

    async def back_up(
        self, vm_uuid: str, disks: Sequence[LiveDisk], report: Callable[[int, int], object]
    ) -> dict[str, str]:
        """Write what volumes of a running guest hold to files; which are no increments, and why."""
        return await self._hypervisor.back_up(_vm(vm_uuid), disks, report)

    async def having(self, vm_uuid: str, volume_uuid: str) -> DiskPlug | None:
        """A volume as a running domain has it."""
        return _plug_in(await self.devices(vm_uuid), volume_uuid)

    async def _known(self, vm_uuid: str) -> DomainSeen:
        seen = await self._hypervisor.seen(_vm(vm_uuid))
        if not seen.defined:
            raise Refused("domain.missing", f"libvirt does not know VM {vm_uuid}; define it first")
        return seen

    async def _until(
        self, act: Callable[[str], Awaitable[DomainSeen]], vm_uuid: str, power: Power
    ) -> DomainSeen:
        """Act, and forgive a refusal when the domain went where it should by itself meanwhile."""
        try:
            return await act(vm_uuid)
        except Refused as refused:
            if refused.refusal.code not in {"libvirt.error", "domain.missing"}:
                raise
            seen = await self._hypervisor.seen(vm_uuid)
            if seen.power != power:
                raise
            return seen

    async def _if_gone(self, refused: Refused, vm_uuid: str) -> DomainSeen:
        seen = await self._hypervisor.seen(vm_uuid)
        if seen.defined:
            raise refused
        return seen

    def _check(self, spec: DomainSpec) -> None:
        """Nothing but well-formed names and files below storage roots reaches libvirt."""
        _vm(spec.vm_uuid)
        for disk in spec.disks:
            self._storage.resolve(disk.path)
        if spec.iso:
            self._storage.resolve(spec.iso)
        if spec.serial_log and LIBVIRT_LOGS not in clean(spec.serial_log).parents:
            self._storage.resolve(spec.serial_log)
        for nic in spec.nics:
            for name in (nic.device, nic.bridge):
                if not _DEVICE.fullmatch(name):
                    raise Refused("nic.device", f"{name!r} is not a name that an interface can have")

    def _make_log_folder(self, folder: Path) -> None:
        try:
            make_folders(folder)
        except OSError as failed:
            raise disk_refused(failed, folder) from failed


def _plug_in(devices: Devices | None, volume_uuid: str) -> DiskPlug | None:
    there = devices.disks if devices is not None else ()
    return next((plug for plug in there if plug.serial == serial_of(volume_uuid)), None)


def _writes(devices: Devices | None, plug: DiskPlug, path: str) -> bool:
    return devices is not None and devices.writes.get(plug.serial) == path


def _vm(vm_uuid: str) -> str:
    if not _UUID.fullmatch(vm_uuid):
        raise Refused("vm.uuid", f"{vm_uuid!r} is not 32 hexadecimal digits")
    return vm_uuid
