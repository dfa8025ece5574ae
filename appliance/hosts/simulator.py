"""ZStack's simulator hypervisor: hosts that answer the agent's protocol in memory, with delays and faults.

It keeps the same promises as the real agent: it refuses older epochs and generations, answers a repeated
operation with the old answer, and goes on when nobody is connected.

What is on a simulated host lives in the appliance's memory and dies with the appliance. When the next one first
connects the host, it is furnished from the store (`appliance/reconcile/simulating.py`) with what was last seen
there: VMs that ran run, disks and images are there, and bridges, networks and NICs stand. What had begun and was
not answered is as if it had not happened: the VM's worker finds it missing and does it again.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from msgspec.structs import replace

from agent.protocol import (
    PROTOCOL,
    READY_LINE,
    AdmitToConsole,
    AnyRequest,
    Call,
    Cause,
    ConsoleSeen,
    DefineDomain,
    DestroyDomain,
    DomainChanged,
    DomainSeen,
    Done,
    DropTraces,
    EnsureOverlay,
    Fetches,
    Hello,
    HostFacts,
    HostSeen,
    KeepSerialHistory,
    MigrateDomain,
    ObserveConsole,
    ObserveHost,
    ObserveVm,
    OpenSerial,
    OverlayMade,
    Ping,
    ProbeAccelerator,
    ProbedAccelerator,
    ReadFetches,
    ReadFigures,
    ReadSerialHistory,
    RebootDomain,
    ShutdownDomain,
    StartDomain,
    Struct,
    UndefineDomain,
    VmSeen,
    digest,
    serial_of,
)
from appliance.api.errors import HostUnreachable
from appliance.hosts.simulated_agent import Rules, SimulatedAgent, SimulatedRefusal
from appliance.hosts.simulated_conduct import OBSERVING, Delays, Faults
from appliance.hosts.simulated_console import SimulatedConsole, SimulatedSerialPipe, history
from appliance.hosts.simulated_domain import Domain, disks_of, plugged, writes_of
from appliance.hosts.simulated_doors import SerialDoors
from appliance.hosts.simulated_figures import Meters
from appliance.hosts.simulated_lane import Sending, check_place
from appliance.hosts.simulated_things import Things
from appliance.hosts.simulated_wire import SimulatedWire

EFFECTS_KEPT = 10_000
AGENT_VERSION = "simulator"
"""What a simulated host's agent is, unless a test has two versions of it."""


class SimulatedHost(SimulatedAgent):
    """One host's state: it outlives every link to it."""

    def __init__(self, address: str, *, rules: Rules | None = None, delays: Delays | None = None) -> None:
        super().__init__(rules, delays)
        self.address = address
        self.domains: dict[str, Domain] = {}
        self.logs: dict[str, bytes] = {}
        """The domains that it has logs of: those that ever ran."""
        self.things = Things()
        self.doors = SerialDoors()
        self.meters = Meters()
        self.effects: list[tuple[str, str, str]] = []
        """(verb, resource, operation id) of the changes carried out, in order; the oldest are forgotten."""
        self.reachable = True
        self.neighbour: Callable[[str], SimulatedHost | None] = lambda _: None
        """The host at `address:port`, if that answers."""
        self.boot = 1
        self.agent_version = AGENT_VERSION
        self.cpu_num, self.cpu_mhz, self.memory_bytes = 64, 2600, 1 << 40
        self.software: dict[str, str] = {}
        """What it says of its programs, by the names of `HostFacts`; it has none of its own."""
        self._clock = 0

    def furnish(self, domains: dict[str, Domain], things: Things, clock: int) -> None:
        """Be what was last seen of this host, at `clock` of its own at the latest, and nobody's."""
        self.disown()
        things.lanes.reach = self.things.lanes.reach
        self.domains, self.things = domains, things
        self._clock = max(self._clock, clock)

    def attach(self) -> SimulatedWire:
        """A new link."""
        if not self.reachable:
            raise HostUnreachable(f"{self.address} does not answer")
        wire = SimulatedWire(self)
        wire.deliver(READY_LINE)
        return wire

    def _carry_out(self, call: Call) -> Struct:  # noqa: C901 - a table of cases
        request = call.request
        if not isinstance(request, OBSERVING):
            self.effects.append((type(request).__name__, call.resource, call.op))
            if len(self.effects) > EFFECTS_KEPT:
                del self.effects[: EFFECTS_KEPT // 2]
        match request:
            case Hello():
                return self._facts()
            case Ping():
                return Done()
            case ObserveHost():
                return self._scan()
            case ObserveVm():
                return self._vm(request)
            case DefineDomain():
                return self._define(request)
            case StartDomain():
                return self._start(request)
            case ShutdownDomain(vm_uuid=uuid):
                self._domain(uuid)
                return self.power_off(uuid, "guest_shutdown")
            case DestroyDomain(vm_uuid=uuid):
                return self.power_off(uuid, "destroyed")
            case RebootDomain():
                return self._reboot(request)
            case UndefineDomain(vm_uuid=uuid):
                return self._undefine(uuid)
            case DropTraces(vm_uuid=uuid):
                return self._drop_traces(uuid)
            case EnsureOverlay():
                return self._overlay(request)
            case ObserveConsole(vm_uuid=uuid):
                return self._console(uuid)
            case AdmitToConsole(vm_uuid=uuid):
                return self._admit_viewer(uuid)
            case OpenSerial(vm_uuid=uuid):
                self._console(uuid)
                return self.doors.open(uuid)
            case ReadSerialHistory() | KeepSerialHistory():
                return history(self.logs, request)
            case MigrateDomain():
                return self._migrate(request)
            case ProbeAccelerator(forced=forced):
                return ProbedAccelerator(accelerator=forced or "kvm", reason="simulated")
            case ReadFetches():
                return Fetches(fetches=[])
            case ReadFigures():
                return self.meters.read(self.address, self.domains, _seconds(), self.memory_bytes)
        return self.things.carry_out(request)

    def _sends(self, request: AnyRequest) -> Sending | None:
        return Sending.of(request, self.things)

    # --- what a guest or an operator does behind the appliance's back --------------------------------

    def power_off(self, uuid: str, cause: Cause, *, tell: bool = True) -> DomainSeen:
        """A domain goes off: its guest halted, somebody pulled the plug, or it crashed."""
        domain = self.domains.get(uuid)
        if domain is not None and domain.power == "on":
            domain.power, domain.cause, domain.still = "off", cause, False
            if tell:
                self._emit(DomainChanged(seen=self.seen(uuid)))
        return self.seen(uuid)

    def power_on(self, uuid: str, *, tell: bool = True) -> DomainSeen:
        """Somebody started a defined domain by hand."""
        domain = self._domain(uuid)
        if domain.power == "off":
            domain.power, domain.cause, domain.booted_from = "on", "booted", domain.order
            domain.starts += 1
            self.logs.setdefault(uuid, b"")
            if tell:
                self._emit(DomainChanged(seen=self.seen(uuid)))
        return self.seen(uuid)

    def stand_still(self, uuid: str, cause: Cause) -> None:
        """A guest that is on stops where it is: its disk is full, or somebody suspended it."""
        self.domains[uuid].cause, self.domains[uuid].still = cause, True
        self.tell(uuid)

    def go_on(self, uuid: str) -> None:
        """Somebody resumed a guest that stood still."""
        self.domains[uuid].cause, self.domains[uuid].still = "none", False
        self.tell(uuid)

    def let_go(self, uuid: str, device: str) -> None:
        """A guest lets go of a NIC that it was asked for once, and nobody waits for any more."""
        self.domains[uuid].nics.pop(device)
        self._emit(DomainChanged(seen=self.seen(uuid)))

    def crash_and_boot(self) -> None:
        """The host loses power and comes back: nothing runs, what is on disk stays."""
        for task in list(self._tasks):
            task.cancel()
        self.cut("host rebooted")
        for domain in self.domains.values():
            domain.power, domain.cause, domain.still = "off", "unknown", False
        self.boot += 1

    def seen(self, uuid: str) -> DomainSeen:
        """A domain as it is now."""
        self._clock += 1
        domain = self.domains.get(uuid)
        if domain is None:
            return DomainSeen(vm_uuid=uuid, at=self._clock)
        return DomainSeen(
            vm_uuid=uuid,
            at=self._clock,
            defined=True,
            power="off" if domain.power == "off" else "paused" if domain.still else "on",
            cause=domain.cause,
            digest=domain.digest,
            boot_count=domain.boot_count,
        )

    def _domain(self, uuid: str) -> Domain:
        domain = self.domains.get(uuid)
        if domain is None:
            raise SimulatedRefusal("domain.missing", f"no domain {uuid}")
        return domain

    def _define(self, request: DefineDomain) -> DomainSeen:
        spec = request.spec
        for disk in spec.disks:
            self.things.resolve(disk.path)
        if spec.iso:
            self.things.resolve(spec.iso)
        known = self.domains.get(spec.vm_uuid) or Domain("", 0, {})
        nics = {nic.device: nic.nic_uuid for nic in spec.nics}
        disks = {serial_of(disk.volume_uuid) for disk in spec.disks}
        if known.power == "off":
            known.boot_count = max(known.boot_count, request.boot_count)
        else:
            known.check_plugs(nics, self.things.nics)
            known.check_disks(disks)
        known.digest, known.nics, known.disks = digest(spec), nics, disks
        known.write_to({serial_of(disk.volume_uuid): disk.path for disk in spec.disks})
        known.become(spec)
        self.domains[spec.vm_uuid] = known
        return self.seen(spec.vm_uuid)

    def _overlay(self, request: EnsureOverlay) -> OverlayMade:
        made = self.things.overlay(request)
        domain, serial = self.domains.get(request.vm_uuid), serial_of(request.volume_uuid)
        if domain is not None and serial in domain.disks:
            domain.writes[serial] = request.path
            if domain.power == "on":
                return replace(made, quiesced=not domain.mute, reason=domain.mute)
        return made

    def _start(self, request: StartDomain) -> DomainSeen:
        uuid = request.vm_uuid
        domain = self._domain(uuid)
        for nic in domain.nics.values():
            if domain.power == "off" and nic not in self.things.nics:
                raise SimulatedRefusal("nic.unguarded", f"NIC {nic} is not guarded")
        if domain.power == "on":
            return self.seen(uuid)
        seen = self.power_on(uuid)
        if request.boot_once:
            domain.booted_from = tuple(request.boot_once)
        return seen

    def _reboot(self, request: RebootDomain) -> DomainSeen:
        domain = self._domain(request.vm_uuid)
        if domain.boot_count < request.boot_count:
            if domain.power == "off":
                raise SimulatedRefusal("domain.off", f"VM {request.vm_uuid} is off; start it instead")
            domain.boot_count, domain.booted_from = request.boot_count, domain.order
            if domain.still:
                domain.cause, domain.still = "none", False
        return self.seen(request.vm_uuid)

    def _undefine(self, uuid: str) -> DomainSeen:
        domain = self.domains.get(uuid)
        if domain is not None and domain.power != "off":
            raise SimulatedRefusal("domain.running", f"VM {uuid} runs; power it off first")
        self.domains.pop(uuid, None)
        return self.seen(uuid)

    def _drop_traces(self, uuid: str) -> Done:
        if uuid in self.domains:
            raise SimulatedRefusal("domain.defined", f"VM {uuid} is known; undefine it first")
        self.logs.pop(uuid, None)
        return Done()

    def _migrate(self, request: MigrateDomain) -> Done:
        uuid, there = request.spec.vm_uuid, self.neighbour(f"{request.address}:{request.port}")
        if self._domain(uuid).power == "off":
            raise SimulatedRefusal("domain.off", f"VM {uuid} does not run on this host")
        if there is None:
            raise SimulatedRefusal("migrate.failed", f"the way to {request.address} broke")
        check_place(request, there.things)
        domain = self.domains.pop(uuid)
        there.logs.setdefault(uuid, b"")
        there.domains[uuid] = dataclasses.replace(domain, digest=digest(request.spec), cause="migrated")
        self._emit(DomainChanged(seen=self.seen(uuid)))
        there.tell(uuid)
        return Done()

    def tell(self, uuid: str) -> None:
        """Say what a domain is, unasked."""
        self._emit(DomainChanged(seen=self.seen(uuid)))

    def _console(self, uuid: str) -> ConsoleSeen:
        if self._domain(uuid).power == "off":
            raise SimulatedRefusal("domain.off", f"VM {uuid} has no console while it is off")
        return ConsoleSeen(protocol=self._domain(uuid).console, port=5900 + list(self.domains).index(uuid))

    def _admit_viewer(self, uuid: str) -> ConsoleSeen:
        return replace(self._console(uuid), password=self._domain(uuid).admit())

    def screen(self, port: int) -> SimulatedConsole:
        """The console that listens there."""
        return list(self.domains.values())[port - 5900].screen()

    def enter(self, port: int) -> SimulatedSerialPipe | None:
        """The stream behind a door to a guest's serial console; None where there is no door."""
        return self.doors.enter(port, self._gone)

    def _gone(self, uuid: str) -> str | None:
        """Why there is nothing more to see of a domain. Raises ConnectionError when the host is away."""
        if not self.reachable:
            raise ConnectionError(f"{self.address} does not answer")
        if uuid not in self.domains:
            return "domain.missing the VM is not on this host any more"
        return "domain.off the VM is off" if self.domains[uuid].power == "off" else None

    def _facts(self) -> HostFacts:
        facts = HostFacts(
            protocol=PROTOCOL, agent_version=self.agent_version, boot_id=f"{self.address}-{self.boot}",
            hostname=self.address, cpu_num=self.cpu_num, cpu_mhz=self.cpu_mhz, memory_bytes=self.memory_bytes,
            distribution="Simulator", release="1.0", libvirt_version="", qemu_version="",
            interfaces=["eth0", "eth1"],
        )  # fmt: skip
        return replace(facts, **self.software)

    def _scan(self) -> HostSeen:
        self._clock += 1
        return HostSeen(
            at=self._clock,
            domains=[self.seen(uuid) for uuid in self.domains],
            bridges=dict(self.things.bridges),
            networks=dict(self.things.networks),
            nics={uuid: found[0] for uuid, found in self.things.nics.items()},
            storage=dict(self.things.storage),
        )

    def _vm(self, request: ObserveVm) -> VmSeen:
        things, domain = self.things, self.domains.get(request.vm_uuid)
        for path in [*request.volume_paths, *request.cache_paths]:
            things.resolve(path)
        return VmSeen(
            domain=self.seen(request.vm_uuid),
            volumes={path: things.files[path] for path in request.volume_paths if path in things.files},
            cached=[path for path in request.cache_paths if path in things.files],
            bridges=dict(things.bridges),
            networks=dict(things.networks),
            nics=things.nics.of_vm(request.vm_uuid),
            plugged=plugged(domain),
            disks=disks_of(domain),
            iso=domain.iso if domain is not None and domain.power == "on" else None,
            backings={
                path: things.backings[path] for path in request.volume_paths if path in things.backings
            },
            writes=writes_of(domain),
            traces=domain is None and request.vm_uuid in self.logs,
            taken={path: things.files[path] for path in request.volume_paths if path in things.files},
        )


def _seconds() -> float:
    return asyncio.get_running_loop().time()


__all__ = [
    "OBSERVING",
    "Delays",
    "Domain",
    "Faults",
    "Rules",
    "SimulatedHost",
    "SimulatedWire",
]
