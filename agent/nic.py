"""NICs of guests: guarded, given their address, and answered about themselves."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Callable

from agent.dhcp import host_line
from agent.fetch import FetchLog
from agent.guard import GuardedNic
from agent.metadata import document
from agent.network import Networks
from agent.paths import Paths
from agent.protocol import AnyEvent, DropNic, EnsureNic, UserdataFetch, UserdataFetched, digest
from agent.refused import Refused
from agent.restore import Restoring
from agent.specs import Specs
from agent.userdata import Question, Reply

CHECK_SECONDS = 10.0
"""How often the guard in the kernel and the files of DHCP are compared with what they should be."""

BURST = 100
PER_SECOND = 5.0
"""A guest may ask so many things at once, and so many a second after that; the rest gets status 429."""

_DEVICE = re.compile(r"\Avnic[A-Za-z0-9._-]{1,11}\Z")
_MAC = re.compile(r"\A[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}\Z")
_log = logging.getLogger(__name__)


class Nics:
    """The NICs on this host. `emit` hears of each metadata request."""

    def __init__(self, paths: Paths, networks: Networks, emit: Callable[[AnyEvent], None]) -> None:
        self._networks = networks
        self._emit = emit
        self._specs = Specs(paths.state / "nics", EnsureNic)
        self._fetches = FetchLog(paths.state / "fetches")
        # One lock for all: a NIC may take over what another one had.
        self._lock = asyncio.Lock()
        self._restoring = Restoring("NIC", self._restore)
        self._callers: dict[tuple[str, str], EnsureNic] = {}
        self._applied: dict[str, str] = {}
        self._allowances: dict[str, tuple[float, float]] = {}
        self._checking: asyncio.Task[None] | None = None
        networks.metadata.answer = self._answer
        for spec in self._specs.all():
            # Known to the guard before its first sync, so that a restart cuts no running guest off.
            networks.guard.nics[spec.nic_uuid] = _guarded(spec)

    async def start(self) -> None:
        """Guard, offer and answer for every stored NIC again, and watch over the guard from now on."""
        await self._networks.guard.begin()
        await self._restoring.start([spec.nic_uuid for spec in self._specs.all()])
        # Not before, or guests would be told that there is nothing for them.
        await self._networks.metadata.begin()
        self._checking = asyncio.create_task(self._check(), name="guard check")

    async def stop(self) -> None:
        """Let go; guard and DHCP go on."""
        await self._restoring.stop()
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait([self._checking])
            self._checking = None
        self._fetches.close()

    async def ensure(self, request: EnsureNic) -> None:
        """Guard a tap, then offer its address and answer for it.

        Raises `Refused`: `nic.bad_spec`, `nic.network_missing`, `guard.failed`.
        """
        self._admit(request)
        async with self._lock:
            old = self._specs.get(request.nic_uuid)
            if old is not None and (old.l3_uuid, host_line(old)) != (request.l3_uuid, host_line(request)):
                self._silence(old)
            for rival in self._rivals(request):
                _log.warning("NIC %s takes over what NIC %s had", request.nic_uuid, rival)
                await self._remove(rival)
            self._specs.put(request.nic_uuid, request)
            await self._carry_out(request)

    async def drop(self, request: DropNic) -> None:
        """Take everything back: answers first, guard last. Absent is fine."""
        async with self._lock:
            await self._remove(request.nic_uuid)

    def digests(self) -> dict[str, str]:
        """uuid to digest of what is applied: not of what could not be carried out, nor of what was lost."""
        return {uuid: applied for uuid, applied in self._applied.items() if self._offered(uuid)}

    def _offered(self, nic_uuid: str) -> bool:
        """Whether DHCP still answers a NIC that it is to answer."""
        spec = self._specs.get(nic_uuid)
        if spec is None or not spec.dhcp:
            return spec is not None
        server = self._networks.dhcp(spec.l3_uuid)
        return server is not None and server.offers(spec)

    def guarded(self, device: str) -> bool:
        """Whether the guard in the kernel has this tap."""
        return self._networks.guard.guarded(device)

    def fetches_after(self, sequence: int) -> list[UserdataFetch]:
        """The recorded metadata requests after a sequence number, oldest first, at most 1,000."""
        return self._fetches.after(sequence)

    def _admit(self, spec: EnsureNic) -> None:
        try:
            ipaddress.IPv4Address(spec.ip)
        except ValueError as error:
            raise Refused("nic.bad_spec", f"NIC {spec.nic_uuid}: {error}") from error
        if not _DEVICE.match(spec.device):
            raise Refused(
                "nic.bad_spec", f"NIC {spec.nic_uuid}: {spec.device!r} is not a tap name like vnic1.0"
            )
        if not _MAC.match(spec.mac):
            raise Refused("nic.bad_spec", f"NIC {spec.nic_uuid}: {spec.mac!r} is not a unicast MAC address")
        served = self._networks.get(spec.l3_uuid)
        if served is None and (spec.dhcp or spec.metadata is not None):
            raise Refused(
                "nic.network_missing",
                f"network {spec.l3_uuid} of NIC {spec.nic_uuid} is not served on this host; ensure it first",
                transient=True,
            )

    def _rivals(self, spec: EnsureNic) -> list[str]:
        """Other NICs that still hold this one's device, or its MAC or address in the same network."""
        others = [other for other in self._specs.all() if other.nic_uuid != spec.nic_uuid]
        neighbours = [other for other in others if other.l3_uuid == spec.l3_uuid]
        found = {other.nic_uuid for other in others if other.device == spec.device}
        found |= {o.nic_uuid for o in neighbours if o.ip == spec.ip or o.mac.lower() == spec.mac.lower()}
        return sorted(found)

    async def _restore(self, nic_uuid: str) -> None:
        async with self._lock:
            spec = self._specs.get(nic_uuid)
            if spec is not None:
                await self._carry_out(spec)

    async def _carry_out(self, spec: EnsureNic) -> None:
        self._applied.pop(spec.nic_uuid, None)
        guard = self._networks.guard
        guard.nics[spec.nic_uuid] = _guarded(spec)
        await guard.sync()
        server = self._networks.dhcp(spec.l3_uuid)
        if spec.dhcp and server is None:
            raise Refused("nic.network_missing", f"network {spec.l3_uuid} is not up yet", transient=True)
        if server is not None:
            await (server.offer(spec) if spec.dhcp else server.withdraw(spec))
        self._callers[spec.l3_uuid, spec.ip] = spec
        self._applied[spec.nic_uuid] = digest(spec)

    async def _remove(self, nic_uuid: str) -> None:
        self._applied.pop(nic_uuid, None)
        spec = self._specs.get(nic_uuid)
        if spec is not None:
            self._silence(spec)
        self._specs.drop(nic_uuid)
        self._networks.guard.nics.pop(nic_uuid, None)
        await self._networks.guard.sync()

    def _silence(self, spec: EnsureNic) -> None:
        """No more user data and no more address for a NIC; what it has open is cut."""
        key = (spec.l3_uuid, spec.ip)
        if key in self._callers and self._callers[key].nic_uuid == spec.nic_uuid:
            del self._callers[key]
        self._allowances.pop(spec.nic_uuid, None)
        self._networks.metadata.kick(*key)
        server = self._networks.dhcp(spec.l3_uuid)
        if server is not None:
            server.forget(spec)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self._networks.guard.check()
                await self._networks.check()
            except (Refused, OSError) as failed:
                _log.error("%s", failed)

    def _answer(self, question: Question) -> Reply:
        nic = self._callers.get((question.l3_uuid, question.source))
        if nic is None or nic.metadata is None:
            return question.refusal or Reply(404)
        if not self._allowed(nic.nic_uuid):
            return Reply(429)
        reply = question.refusal
        if reply is None:
            body = document(question.path, nic)
            reply = Reply(404) if body is None else Reply(200, body)
        self._record(nic, question, reply.status)
        return reply

    def _allowed(self, nic_uuid: str) -> bool:
        now = time.monotonic()
        left, since = self._allowances.get(nic_uuid, (float(BURST), now))
        left = min(float(BURST), left + (now - since) * PER_SECOND)
        self._allowances[nic_uuid] = (max(left - 1.0, 0.0), now)
        return left >= 1.0

    def _record(self, nic: EnsureNic, question: Question, status: int) -> None:
        fetch = UserdataFetch(
            sequence=0,
            vm_uuid=nic.vm_uuid,
            nic_uuid=nic.nic_uuid,
            at=time.time(),
            path=_printable(question.path),
            status=status,
            user_agent=_printable(question.user_agent),
        )
        try:
            self._emit(UserdataFetched(fetch=self._fetches.record(fetch)))
        except OSError as failed:
            # A full disk keeps no guest from its user data.
            _log.error("what NIC %s asked for is not recorded: %s", nic.nic_uuid, failed)


def _printable(text: str) -> str:
    """At most 200 characters of a guest's text, none of which a terminal would obey."""
    return "".join(c for c in text[:200] if c.isprintable())


def _guarded(spec: EnsureNic) -> GuardedNic:
    return GuardedNic(device=spec.device, mac=spec.mac.lower(), ip=spec.ip, l3_uuid=spec.l3_uuid)
