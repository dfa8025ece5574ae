"""ZStack's simulator hypervisor: hosts that answer the agent's protocol in memory, with delays and faults.

It keeps the same promises as the real agent: it refuses older epochs and generations, answers a repeated
operation with the old answer, and goes on when nobody is connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import msgspec

from agent.protocol import (
    PROTOCOL,
    READY_LINE,
    Answer,
    AnyEvent,
    Call,
    Cause,
    ConsoleSeen,
    DefineDomain,
    DestroyDomain,
    DomainChanged,
    DomainSeen,
    Fetches,
    Hello,
    HostFacts,
    HostSeen,
    Notice,
    ObserveConsole,
    ObserveHost,
    ObserveVm,
    Ping,
    ProbeAccelerator,
    ProbedAccelerator,
    ReadFetches,
    RebootDomain,
    Refusal,
    ShutdownDomain,
    StartDomain,
    Struct,
    UndefineDomain,
    VmSeen,
    decode_call,
    digest,
    encode,
    raw,
)
from appliance.api.errors import HostUnreachable
from appliance.hosts.fleet import Target
from appliance.hosts.link import Wire
from appliance.hosts.simulated_things import Things

log = logging.getLogger(__name__)

OBSERVING = (Ping, Hello, ObserveHost, ObserveVm, ObserveConsole, ReadFetches, ProbeAccelerator)


@dataclass
class Domain:
    """A simulated domain."""

    digest: str
    boot_count: int
    nics: list[str]
    power: str = "off"
    cause: Cause = "none"
    starts: int = 0


@dataclass
class Rules:
    """Which of the agent's own rules a simulated host keeps; the ablations of the tests break them."""

    check_epoch: bool = True
    check_generation: bool = True
    remember_operations: bool = True


@dataclass
class Delays:
    """Seconds a request takes, by verb; the rest take `usual`."""

    usual: float = 0.0
    by_verb: dict[str, float] = field(default_factory=dict)


class SimulatedHost:
    """One host's state: it outlives every link to it."""

    def __init__(self, address: str, *, rules: Rules | None = None, delays: Delays | None = None) -> None:
        self.address = address
        self.rules = rules or Rules()
        self.delays = delays or Delays()
        self.domains: dict[str, Domain] = {}
        self.things = Things()
        self.effects: list[tuple[str, str, str]] = []
        """(verb, resource, operation id) of every change carried out, in order."""
        self.reachable = True
        self.boot = 1
        self._owner: str | None = None
        self._epoch = 0
        self._generations: dict[str, int] = {}
        self._answers: dict[str, Answer] = {}
        self._clock = 0
        self._link: SimulatedWire | None = None
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self) -> SimulatedWire:
        """A new link."""
        if not self.reachable:
            raise HostUnreachable(f"{self.address} does not answer")
        wire = SimulatedWire(self)
        wire.deliver(READY_LINE)
        return wire

    def receive(self, wire: SimulatedWire, line: bytes) -> None:
        """A frame from the appliance: carried out in its own time, even when the link ends meanwhile."""
        call = decode_call(line)
        task = asyncio.ensure_future(self._serve(wire, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, wire: SimulatedWire, call: Call) -> None:
        lock = self._locks.setdefault(call.resource or "host", asyncio.Lock())
        free = isinstance(call.request, OBSERVING)
        async with contextlib.nullcontext() if free else lock:
            answer = await self._answer(wire, call)
        wire.deliver(encode(msgspec.structs.replace(answer, id=call.id)))

    async def _answer(self, wire: SimulatedWire, call: Call) -> Answer:
        """Whether a call may act is decided when it begins; what it does is there when it ends."""
        try:
            self._admit(wire, call)
            if call.op and self.rules.remember_operations and call.op in self._answers:
                return self._answers[call.op]
            verb = type(call.request).__name__
            await asyncio.sleep(self.delays.by_verb.get(verb, self.delays.usual))
            reply = self._carry_out(call)
        except SimulatedRefusal as refused:
            return Answer(id=call.id, error=refused.refusal)
        answer = Answer(id=call.id, result=raw(reply))
        if call.op:
            self._answers[call.op] = answer
        return answer

    def _admit(self, wire: SimulatedWire, call: Call) -> None:
        if self._owner is not None and call.owner != self._owner:
            raise SimulatedRefusal("owner.other", f"the host belongs to appliance {self._owner}")
        if call.epoch < self._epoch and self.rules.check_epoch:
            raise SimulatedRefusal("epoch.stale", f"epoch {call.epoch} is older than {self._epoch}")
        if isinstance(call.request, Hello):
            self._owner = call.owner
            self._epoch = max(self._epoch, call.epoch)
            if self._link is not None and self._link is not wire:
                self._link.end()
            self._link = wire
        known = self._generations.get(call.resource, 0)
        if call.resource and call.generation < known and self.rules.check_generation:
            raise SimulatedRefusal("generation.stale", f"generation {call.generation} is older than {known}")
        if call.resource:
            self._generations[call.resource] = max(known, call.generation)

    def _carry_out(self, call: Call) -> Struct:  # noqa: C901 - a table of cases
        request = call.request
        if not isinstance(request, OBSERVING):
            self.effects.append((type(request).__name__, call.resource, call.op))
        match request:
            case Hello():
                return self._facts()
            case ObserveHost():
                return self._scan()
            case ObserveVm():
                return self._vm(request)
            case DefineDomain():
                return self._define(request)
            case StartDomain(vm_uuid=uuid):
                return self._start(uuid)
            case ShutdownDomain(vm_uuid=uuid):
                return self.power_off(uuid, "guest_shutdown", tell=True)
            case DestroyDomain(vm_uuid=uuid):
                return self.power_off(uuid, "destroyed", tell=True)
            case RebootDomain(vm_uuid=uuid, boot_count=count):
                domain = self._domain(uuid)
                domain.boot_count = max(domain.boot_count, count)
                return self.seen(uuid)
            case UndefineDomain(vm_uuid=uuid):
                self.domains.pop(uuid, None)
                return self.seen(uuid)
            case ObserveConsole(vm_uuid=uuid):
                return ConsoleSeen(protocol="vnc", port=5900 + list(self.domains).index(uuid))
            case ProbeAccelerator(forced=forced):
                return ProbedAccelerator(accelerator=forced or "kvm", reason="simulated")
            case ReadFetches():
                return Fetches(fetches=[])
        return self.things.carry_out(request)

    # --- what a guest or an operator does behind the appliance's back --------------------------------

    def power_off(self, uuid: str, cause: Cause, *, tell: bool = True) -> DomainSeen:
        """A domain goes off: its guest halted, somebody pulled the plug, or it crashed."""
        domain = self.domains.get(uuid)
        if domain is not None and domain.power == "on":
            domain.power, domain.cause = "off", cause
            if tell:
                self._emit(DomainChanged(seen=self.seen(uuid)))
        return self.seen(uuid)

    def power_on(self, uuid: str, *, tell: bool = True) -> DomainSeen:
        """Somebody started a defined domain by hand."""
        domain = self._domain(uuid)
        if domain.power == "off":
            domain.power, domain.cause = "on", "booted"
            domain.starts += 1
            if tell:
                self._emit(DomainChanged(seen=self.seen(uuid)))
        return self.seen(uuid)

    def crash_and_boot(self) -> None:
        """The host loses power and comes back: nothing runs, what is on disk stays."""
        for task in list(self._tasks):
            task.cancel()
        self.cut("host rebooted")
        for domain in self.domains.values():
            domain.power, domain.cause = "off", "unknown"
        self.boot += 1

    def cut(self, reason: str) -> None:
        """The link breaks; what was received goes on being carried out."""
        if self._link is not None:
            log.debug("cut %s: %s", self.address, reason)
            self._link.end()
            self._link = None

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
            power="on" if domain.power == "on" else "off",
            cause=domain.cause,
            digest=domain.digest,
            boot_count=domain.boot_count,
        )

    def _emit(self, event: AnyEvent) -> None:
        if self._link is not None:
            self._link.deliver(encode(Notice(event=event)))

    def _domain(self, uuid: str) -> Domain:
        domain = self.domains.get(uuid)
        if domain is None:
            raise SimulatedRefusal("domain.missing", f"no domain {uuid}")
        return domain

    def _define(self, request: DefineDomain) -> DomainSeen:
        uuid = request.spec.vm_uuid
        known = self.domains.get(uuid)
        wanted = digest(request.spec)
        if known is not None and known.power == "on" and known.digest != wanted:
            raise SimulatedRefusal("domain.running", f"domain {uuid} runs with another spec")
        starts = known.starts if known else 0
        nics = [nic.nic_uuid for nic in request.spec.nics]
        if known is None or known.power == "off":
            self.domains[uuid] = Domain(wanted, request.boot_count, nics, starts=starts)
        return self.seen(uuid)

    def _start(self, uuid: str) -> DomainSeen:
        domain = self._domain(uuid)
        for nic in domain.nics:
            if nic not in self.things.nics:
                raise SimulatedRefusal("nic.unguarded", f"NIC {nic} is not guarded")
        return self.power_on(uuid)

    def _facts(self) -> HostFacts:
        return HostFacts(
            protocol=PROTOCOL, agent_version="simulator", boot_id=f"{self.address}-{self.boot}",
            hostname=self.address, cpu_num=64, cpu_mhz=2600, memory_bytes=1 << 40,
            distribution="Simulator", release="1.0", libvirt_version="0", qemu_version="0",
            interfaces=["eth0", "eth1"],
        )  # fmt: skip

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
        things = self.things
        return VmSeen(
            domain=self.seen(request.vm_uuid),
            volumes={path: things.files[path] for path in request.volume_paths if path in things.files},
            cached=[path for path in request.cache_paths if path in things.files],
            bridges=dict(things.bridges),
            networks=dict(things.networks),
            nics={uuid: found[0] for uuid, found in things.nics.items() if found[1] == request.vm_uuid},
        )


class SimulatedRefusal(Exception):
    """A simulated host says no."""

    def __init__(self, code: str, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.refusal = Refusal(code=code, message=message, transient=transient)


class SimulatedWire:
    """Both directions of a link to a simulated host."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._rest = b""
        self._ended = False

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        """Frames for the host."""
        if self._ended or not self._host.reachable:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._host.receive(self, line)

    def close(self) -> None:
        """The appliance hangs up."""
        self.end()

    def deliver(self, data: bytes) -> None:
        """Bytes for the appliance."""
        if not self._ended and self._host.reachable:
            self._inbox.put_nowait(data)

    def end(self) -> None:
        """No more bytes."""
        if not self._ended:
            self._ended = True
            self._inbox.put_nowait(b"")


class SimulatedDialer:
    """Reaches simulated hosts, making each at its first mention."""

    def __init__(self, make: Callable[[str], SimulatedHost] | None = None) -> None:
        self._make = make or SimulatedHost
        self.hosts: dict[str, SimulatedHost] = {}

    def host(self, target: Target) -> SimulatedHost:
        """The host of a target."""
        if target.key not in self.hosts:
            self.hosts[target.key] = self._make(target.address)
        return self.hosts[target.key]

    async def trust(self, target: Target, password: str, fingerprint: str | None) -> None:
        """Simulated hosts trust everybody who reaches them."""
        if not self.host(target).reachable:
            raise HostUnreachable(f"{target.address} does not answer")

    async def dial(self, target: Target) -> Wire:
        """A link."""
        return self.host(target).attach()

    async def copy(
        self,
        source: Target,
        source_path: str,
        destination: Target,
        destination_path: str,
        *,
        size: int,
        md5: str,
        on_progress: Callable[[int, int], None],
    ) -> None:
        """A file's size, from host to host."""
        giving, taking = self.host(source), self.host(destination)
        await asyncio.sleep(taking.delays.by_verb.get("copy", taking.delays.usual))
        if not (giving.reachable and taking.reachable):
            raise HostUnreachable(f"{destination.address} does not answer")
        taking.things.files[destination_path] = giving.things.files.get(source_path, size)
        on_progress(size, size)

    async def upload(self, destination: Target, path: str, content: AsyncIterator[bytes], size: int) -> None:
        """A file's size, from a stream."""
        total = 0
        async for chunk in content:
            total += len(chunk)
        self.host(destination).things.files[path] = total


__all__ = ["Delays", "Domain", "Rules", "SimulatedDialer", "SimulatedHost"]
