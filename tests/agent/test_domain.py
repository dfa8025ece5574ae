"""Domains on a real libvirtd: every request is idempotent, absolute, and true when it returns."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import libvirt
import msgspec
import pytest

from agent.console import Consoles
from agent.domain import Domains
from agent.domain_xml import dashed
from agent.hypervisor import Hypervisor
from agent.paths import Paths
from agent.protocol import (
    AdmitToConsole,
    AnyEvent,
    DefineDomain,
    DestroyDomain,
    DiskSpec,
    DomainChanged,
    DomainSeen,
    DomainSpec,
    EnsureStorage,
    HostSeen,
    HypervisorBack,
    HypervisorLost,
    NicSpec,
    ObserveConsole,
    RebootDomain,
    ShutdownDomain,
    StartDomain,
    UndefineDomain,
    digest,
)
from agent.refused import Refused
from agent.storage import StorageRoots
from tests.agent.libvirt_host import LibvirtHost

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def host() -> Iterator[LibvirtHost]:
    with LibvirtHost() as host:
        yield host


@dataclass
class Rig:
    """Domains wired to the private libvirtd, and every event they emitted."""

    host: LibvirtHost
    hypervisor: Hypervisor
    domains: Domains
    events: list[AnyEvent]
    arrived: asyncio.Condition
    unguarded: set[str]
    spec: DomainSpec

    async def event(self, wanted: Callable[[AnyEvent], bool], seconds: float = 30.0) -> AnyEvent:
        async with asyncio.timeout(seconds), self.arrived:
            while not (found := [e for e in self.events if wanted(e)]):
                await self.arrived.wait()
        return found[0]

    async def changed(self, power: str, cause: str) -> DomainSeen:
        event = await self.event(
            lambda e: isinstance(e, DomainChanged) and (e.seen.power, e.seen.cause) == (power, cause)
        )
        assert isinstance(event, DomainChanged)
        return event.seen

    @property
    def consoles(self) -> Consoles:
        return Consoles(self.hypervisor)

    @property
    def vm(self) -> str:
        return self.spec.vm_uuid

    async def define(self) -> DomainSeen:
        return await self.domains.define(DefineDomain(spec=self.spec))

    async def start(self) -> DomainSeen:
        await self.define()
        return await self.domains.start(StartDomain(vm_uuid=self.vm))


@pytest.fixture
async def rig(host: LibvirtHost, tmp_path: Path) -> AsyncIterator[Rig]:
    events: list[AnyEvent] = []
    arrived = asyncio.Condition()

    async def tell() -> None:
        async with arrived:
            arrived.notify_all()

    told: set[asyncio.Task[None]] = set()

    def emit(event: AnyEvent) -> None:
        events.append(event)
        told.add(asyncio.get_running_loop().create_task(tell()))

    hypervisor = Hypervisor(emit, host.uri)

    async def scan_host() -> HostSeen:
        return HostSeen(at=1, domains=await hypervisor.scan())

    hypervisor.scan_host = scan_host
    paths = Paths(state=tmp_path / "state", run=tmp_path / "run")
    paths.make()
    storage = StorageRoots(paths)
    root = tmp_path / "ps"
    storage.ensure(EnsureStorage(storage_uuid="s1", root=str(root)))
    unguarded: set[str] = set()
    domains = Domains(hypervisor, storage, lambda device: device not in unguarded)
    vm = uuid4().hex
    rig = Rig(host, hypervisor, domains, events, arrived, unguarded, spec_of(vm, root))
    hypervisor.start()
    await rig.event(lambda e: isinstance(e, HypervisorBack))
    yield rig
    await domains.destroy(DestroyDomain(vm_uuid=vm))
    await domains.undefine(UndefineDomain(vm_uuid=vm))
    hypervisor.stop()
    await asyncio.wait(told)


def spec_of(vm: str, root: Path) -> DomainSpec:
    disk = root / f"{vm}.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "1M"], check=True)
    return DomainSpec(
        vm_uuid=vm,
        name="a <b> & \x07c",
        internal_id=7,
        memory_bytes=32 << 20,
        cpu_num=1,
        cpu_shares=512,
        accelerator="tcg",
        disks=[DiskSpec(volume_uuid="v", path=str(disk), format="qcow2", device_id=0, cache="writeback")],
        nics=[NicSpec(nic_uuid="n", device=f"vn{vm[:8]}", mac="fa:16:3e:00:00:01", bridge="br-test")],
        boot=["hd", "cdrom"],
        console_listen="127.0.0.1",
        chassis_asset="www.zstack.io",
        serial_log=f"/var/log/libvirt/qemu/{vm}.serial",
    )


async def code_of(work: object) -> str:
    with pytest.raises(Refused) as refused:
        await work  # type: ignore[misc]
    return refused.value.refusal.code


async def plugged(rig: Rig) -> list[str] | None:
    """The taps that the domain has now; None while it is off."""
    devices = await rig.domains.devices(rig.vm)
    return None if devices is None else sorted(plug.device for plug in devices.nics)


async def test_a_domain_from_definition_to_its_end(rig: Rig) -> None:
    unknown = await rig.domains.observe(rig.vm)
    assert (unknown.defined, unknown.power) == (False, "off")
    defined = await rig.define()
    assert (defined.defined, defined.power, defined.cause) == (True, "off", "none")
    assert defined.digest == digest(rig.spec)
    on = await rig.domains.start(StartDomain(vm_uuid=rig.vm))
    assert (on.power, on.cause) == ("on", "booted")
    assert on.at > defined.at
    await rig.changed("on", "booted")
    assert (await rig.domains.start(StartDomain(vm_uuid=rig.vm))).power == "on"
    assert (await rig.define()).power == "on"
    console = await rig.consoles.observe(ObserveConsole(vm_uuid=rig.vm))
    assert console.protocol == "vnc"
    assert console.port >= 5900
    assert await code_of(rig.domains.undefine(UndefineDomain(vm_uuid=rig.vm))) == "domain.running"
    off = await rig.domains.destroy(DestroyDomain(vm_uuid=rig.vm))
    assert (off.power, off.cause) == ("off", "destroyed")
    assert (await rig.domains.destroy(DestroyDomain(vm_uuid=rig.vm))).power == "off"
    assert (await rig.domains.shutdown(ShutdownDomain(vm_uuid=rig.vm))).power == "off"
    assert await code_of(rig.consoles.observe(ObserveConsole(vm_uuid=rig.vm))) == "domain.off"
    for _ in range(2):
        assert not (await rig.domains.undefine(UndefineDomain(vm_uuid=rig.vm))).defined
    assert (await rig.domains.destroy(DestroyDomain(vm_uuid=rig.vm))).defined is False
    assert await code_of(rig.domains.start(StartDomain(vm_uuid=rig.vm))) == "domain.missing"
    await rig.changed("off", "destroyed")


async def test_what_a_running_domain_has_besides_nics_is_changed_at_its_next_start(rig: Rig) -> None:
    await rig.start()
    other = msgspec.structs.replace(rig.spec, cpu_num=2)
    defined = await rig.domains.define(DefineDomain(spec=other))
    assert (defined.digest, defined.power) == (digest(other), "on")
    assert "<vcpu placement='static'>1</vcpu>" in await rig.hypervisor.xml(rig.vm)
    await rig.domains.destroy(DestroyDomain(vm_uuid=rig.vm))
    assert "<vcpu placement='static'>2</vcpu>" in await rig.hypervisor.xml(rig.vm)
    assert (await rig.domains.observe(rig.vm)).digest == digest(other)


async def test_a_nic_is_plugged_into_the_guest_and_stays_over_its_next_start(rig: Rig) -> None:
    await rig.start()
    second = msgspec.structs.replace(
        rig.spec.nics[0], nic_uuid="n2", device=f"vm{rig.vm[:8]}", mac="fa:16:3e:00:00:02"
    )
    more = DefineDomain(spec=msgspec.structs.replace(rig.spec, nics=[rig.spec.nics[0], second]))
    rig.unguarded.add(second.device)
    assert await code_of(rig.domains.define(more)) == "nic.unguarded"
    rig.unguarded.clear()
    assert (await rig.domains.define(more)).digest == digest(more.spec)
    assert await plugged(rig) == sorted([rig.spec.nics[0].device, second.device])
    await rig.domains.destroy(DestroyDomain(vm_uuid=rig.vm))
    assert await plugged(rig) is None
    await rig.domains.start(StartDomain(vm_uuid=rig.vm))
    assert len(await plugged(rig) or []) == 2


async def test_a_nic_without_guard_keeps_its_domain_off(rig: Rig) -> None:
    await rig.define()
    rig.unguarded.add(rig.spec.nics[0].device)
    assert await code_of(rig.domains.start(StartDomain(vm_uuid=rig.vm))) == "nic.unguarded"
    assert (await rig.domains.observe(rig.vm)).power == "off"


async def test_a_reboot_is_counted_and_not_repeated(rig: Rig) -> None:
    await rig.start()
    once = RebootDomain(vm_uuid=rig.vm, boot_count=1, grace_seconds=0.2)
    rebooted = await rig.domains.reboot(once)
    assert (rebooted.power, rebooted.boot_count) == ("on", 1)
    again = msgspec.structs.replace(once, grace_seconds=60)
    async with asyncio.timeout(30):
        assert (await rig.domains.reboot(again)).boot_count == 1
    await rig.domains.destroy(DestroyDomain(vm_uuid=rig.vm))
    other = msgspec.structs.replace(rig.spec, cpu_num=2)
    assert (await rig.domains.define(DefineDomain(spec=other))).boot_count == 1
    later = RebootDomain(vm_uuid=rig.vm, boot_count=2)
    assert await code_of(rig.domains.reboot(later)) == "domain.off"


async def test_a_guest_that_stands_still_is_reset_at_once_and_runs(rig: Rig) -> None:
    await rig.start()
    with closing(libvirt.open(rig.host.uri)) as connection:
        connection.lookupByUUIDString(dashed(rig.vm)).suspend()
    await rig.changed("paused", "suspended")
    reboot = RebootDomain(vm_uuid=rig.vm, boot_count=1, grace_seconds=3600)
    async with asyncio.timeout(60):  # it hears no button, and nobody waits for it
        rebooted = await rig.domains.reboot(reboot)
    assert (rebooted.power, rebooted.boot_count) == ("on", 1)


@pytest.mark.alone
async def test_a_crash_is_told_within_a_second(rig: Rig) -> None:
    await rig.start()
    os.kill(rig.host.child("qemu-system-x86"), signal.SIGKILL)
    began = time.monotonic()
    await rig.changed("off", "crashed")
    assert time.monotonic() - began < 1.0


async def test_a_hung_guest_blocks_no_other_domain(rig: Rig) -> None:
    await rig.start()
    guest = rig.host.child("qemu-system-x86")
    os.kill(guest, signal.SIGSTOP)
    try:
        stuck = asyncio.get_running_loop().create_task(
            rig.domains.reboot(RebootDomain(vm_uuid=rig.vm, boot_count=1, grace_seconds=0.1))
        )
        await asyncio.sleep(0.3)
        async with asyncio.timeout(20):
            assert [seen.power for seen in await rig.hypervisor.scan()] == ["on"]
            assert await plugged(rig) == [rig.spec.nics[0].device]
        assert not stuck.done()
    finally:
        os.kill(guest, signal.SIGCONT)
    assert (await stuck).boot_count == 1


async def test_libvirtd_may_die_and_come_back(rig: Rig) -> None:
    await rig.start()
    rig.events.clear()
    rig.host.kill_libvirtd()
    await rig.event(lambda e: isinstance(e, HypervisorLost))
    assert await code_of(rig.domains.observe(rig.vm)) == "libvirt.unreachable"
    rig.host.start_libvirtd()
    back = await rig.event(lambda e: isinstance(e, HypervisorBack))
    assert isinstance(back, HypervisorBack)
    assert [seen.power for seen in back.seen.domains] == ["on"]
    assert back.libvirt_version == await rig.hypervisor.version() != ""
    assert (await rig.domains.destroy(DestroyDomain(vm_uuid=rig.vm))).cause == "destroyed"
    await rig.changed("off", "destroyed")


async def test_files_outside_of_storage_reach_no_domain(rig: Rig) -> None:
    disk = msgspec.structs.replace(rig.spec.disks[0], path="/etc/shadow")
    outside = msgspec.structs.replace(rig.spec, disks=[disk])
    assert await code_of(rig.domains.define(DefineDomain(spec=outside))) == "path.outside"
    logging = msgspec.structs.replace(rig.spec, serial_log="/etc/cron.d/x")
    assert await code_of(rig.domains.define(DefineDomain(spec=logging))) == "path.outside"
    assert await code_of(rig.domains.observe("../x")) == "vm.uuid"


async def test_a_console_without_a_password_goes_on_without(rig: Rig) -> None:
    await rig.start()
    seen = await rig.consoles.admit(AdmitToConsole(vm_uuid=rig.vm, valid_seconds=60))
    assert (seen.password, seen.port >= 5900) == ("", True)
    off = await rig.domains.destroy(DestroyDomain(vm_uuid=rig.vm))
    assert off.power == "off"
    assert await code_of(rig.consoles.admit(AdmitToConsole(vm_uuid=rig.vm, valid_seconds=60))) == "domain.off"
