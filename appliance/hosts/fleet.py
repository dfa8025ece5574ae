"""Which machine is connected, through which link; the one place that dials and notices the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from agent.protocol import AnyEvent, Claim, HostFacts
from appliance.api.errors import ApiError, HostUnreachable
from appliance.hosts.link import Link, Pipe, Refused, Wire

log = logging.getLogger(__name__)

HELLO_SECONDS = 60.0
"""Long enough for a first contact that carries the agent over."""


@dataclass(frozen=True)
class Target:
    """A machine to reach: hosts and backup storages at one address share one link."""

    address: str
    port: int = 22
    username: str = "root"
    hypervisor: str = "KVM"
    accepted_by: str = field(default="UpdateKVMHost …", compare=False)
    """The call that accepts another host key of the machine, as it is typed: what is advised when the key changed."""

    @property
    def key(self) -> str:
        """What names the machine, whoever logs in."""
        return f"{self.address}:{self.port}"


Admit = Callable[[Claim], Awaitable[None]]
"""Looks at whose a machine is before anything is left on it; raises `ApiError` for a no."""


class Dialer(Protocol):
    """How machines are reached: SSH, or the simulator."""

    async def trust(self, target: Target, password: str, fingerprint: str | None, admit: Admit) -> None:
        """Pin the machine's host key and install the appliance's own; raises `HostUnreachable`."""

    async def renews(self, target: Target) -> bool:
        """Whether the agent that is there is another version's, which `dial` replaces; raises `HostUnreachable`."""

    async def dial(self, target: Target, *, renew: bool = True) -> Wire:
        """Start the agent there, carrying it over first if need be; raises `HostUnreachable`.

        Unless it is to `renew`, another version's that runs there goes on, and is who is talked to.
        """

    async def pipe(self, target: Target, address: str, port: int) -> Pipe:
        """A stream to what listens on an address of the machine; raises `HostUnreachable`."""

    async def leave(self, target: Target, host_uuid: str) -> None:
        """Take agent and key from the machine, nothing of which is ours any more.

        Raises `HostUnreachable`, also when the machine is another of our hosts than the one named.
        """

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
        """Copy a file from machine to machine, at most so fast (0: no limit); holes stay holes, and so much stays free.

        Raises `ApiError`, leaving no half file. `on_progress` hears how much of what moves has moved, in bytes.
        """

    async def arrived(self, destination: Target, path: str) -> int:
        """How many bytes of a file that is uploaded are on a machine; raises `ApiError`."""

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
        """Write the rest of a file on a machine from a stream, leaving so much free.

        Raises `ApiError`, and what has come stays.
        """

    def download(self, source: Target, path: str, start: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a file on a machine, from one on; raises `ApiError`, also in the middle."""


class Epochs(Protocol):
    """The appliance's durable counter, and its name: what hosts tell a living appliance by."""

    owner: str

    async def epoch(self) -> int:
        """The epoch now."""

    async def raise_epoch(self) -> int:
        """One more, on disk before it is returned."""


class Roster(Protocol):
    """Which of the appliance's hosts a machine is: a host is one machine, whatever addresses that has."""

    async def host_at(self, machine: str) -> str:
        """The uuid of the host at an `address:port`; empty where there is none."""

    async def refuse_host(self, host_uuid: str, target: Target) -> None:
        """Raise `MachineIsHost` if there is such a host: the target is its machine."""


class Fleet:
    """Every machine the appliance talks to.

    Lost links are told to `on_lost`, events to `on_event`, and links to another agent than before to `on_renewed`.
    """

    def __init__(
        self,
        epochs: Epochs,
        roster: Roster,
        dialer: Dialer,
        *,
        on_event: Callable[[str, AnyEvent], None],
        on_lost: Callable[[str, str], None],
        on_renewed: Callable[[str], None],
    ) -> None:
        self.dialer = dialer
        self._epochs = epochs
        self._roster = roster
        self._on_event = on_event
        self._on_lost = on_lost
        self._on_renewed = on_renewed
        self._links: dict[str, Link] = {}
        self._dialing: dict[str, asyncio.Lock] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._renewing = asyncio.Lock()
        """Held by the machine whose agent is being replaced: one at a time, so that a version that is no good takes
        no two of them away at once, and their guests' networks are looked after anew one machine after the other."""
        self._renewals: dict[str, asyncio.Task[None]] = {}
        """Machines that wait for that while the agent that they have goes on."""
        self._closing = False

    def link(self, target: Target) -> Link:
        """The link to a machine; raises `HostUnreachable` when there is none."""
        found = self._living(target)
        if found is None:
            raise HostUnreachable(f"{target.address} is not connected")
        return found

    def _living(self, target: Target) -> Link | None:
        """The link to a machine, as long as it has not ended."""
        found = self._links.get(target.key)
        return found if found is not None and found.lost is None else None

    def agent_version(self, target: Target) -> str | None:
        """What the agent says that it is which a machine is connected by; None when it is not connected."""
        found = self._living(target)
        return found.facts.agent_version if found is not None and found.facts is not None else None

    def linked(self, target: Target) -> bool:
        """Whether there is a link, if only one on which nothing has been said yet."""
        return self._living(target) is not None

    def connected(self, target: Target) -> bool:
        """Whether there is a link."""
        return self.agent_version(target) is not None

    async def trust(
        self, target: Target, password: str, fingerprint: str | None, *, host_uuid: str = ""
    ) -> None:
        """Begin with a machine: pin its host key and install the appliance's own.

        `host_uuid` is the host that it is to be, if that is one already. Raises `HostUnreachable`, and
        `MachineIsHost` with nothing left on it when it is another host under another address.
        """

        async def admit(claim: Claim) -> None:
            known = {"", host_uuid, await self._roster.host_at(target.key)}
            if claim.owner == self._epochs.owner and claim.host_uuid not in known:
                await self._roster.refuse_host(claim.host_uuid, target)

        await self.dialer.trust(target, password, fingerprint, admit)

    async def connect(self, target: Target) -> HostFacts:
        """A link to the machine, new if there is none; returns what the machine is.

        Raises `HostUnreachable`, and `MachineIsHost` when it is another of the appliance's hosts.
        """
        async with self._dialing.setdefault(target.key, asyncio.Lock()):
            found = self._living(target)
            if found is None or found.facts is None:
                return await self._dial(target)
            host_uuid = await self._roster.host_at(target.key)
            if found.host_uuid == host_uuid:
                return found.facts
            # A host came to the machine of a storage, or went from it.
            found.host_uuid = host_uuid
            return await self._hello(target, found)

    async def raise_epoch(self, target: Target) -> None:
        """Make the machine refuse everything sent to it so far that it has not begun."""
        epoch = await self._epochs.raise_epoch()
        await self.link(target).hello(epoch)

    def disconnect(self, target: Target, reason: str) -> None:
        """End the link to a machine, if there is one."""
        found = self._links.pop(target.key, None)
        if found is not None:
            found.close(reason)

    async def leave(self, target: Target) -> None:
        """End the link to a machine that nothing is on any more, and take the agent from it.

        Raises `HostUnreachable`.
        """
        async with self._dialing.setdefault(target.key, asyncio.Lock()):
            found = self._links.get(target.key)
            host_uuid = found.host_uuid if found is not None else await self._roster.host_at(target.key)
            self.disconnect(target, "the last of it was deleted")
            await self.dialer.leave(target, host_uuid)

    async def close(self) -> None:
        """End every link and wait for their readers."""
        self._closing = True
        renewals = set(self._renewals.values())
        for renewal in renewals:
            renewal.cancel()
        if renewals:
            await asyncio.wait(renewals)
        for link in list(self._links.values()):
            link.close("the appliance is stopping")
        for reader in list(self._readers):
            await reader

    async def _dial(self, target: Target) -> HostFacts:
        """A new link. Machines with another version's agent get this one's in turn, and are linked to it until then."""
        waiting = self._renewals.pop(target.key, None)
        if waiting is not None:
            waiting.cancel()
        if not await self.dialer.renews(target):
            return await self._begin(target)
        if self._renewing.locked():
            log.info("%s waits for its turn to get this version's agent", target.key)
            try:
                facts = await self._begin(target, renew=False)
            except ApiError as failed:
                # None of its runs, or it is too old to be talked to.
                log.info("%s is not connected until then: %s", target.key, failed.details)
            else:
                renewal = asyncio.create_task(
                    self._renew(target, self._links[target.key]), name=f"renew {target.key}"
                )
                self._renewals[target.key] = renewal
                return facts
        async with self._renewing:
            log.info("the agent on %s is another version's, and is renewed", target.key)
            return await self._begin(target)

    async def _renew(self, target: Target, before: Link) -> None:
        """Put this version's agent in the place of the one that a link is to, when it is the machine's turn."""
        async with self._renewing, self._dialing[target.key]:
            if self._living(target) is not before:
                return
            log.info("the agent on %s is another version's, and is renewed", target.key)
            try:
                await self._begin(target)
            except ApiError as failed:
                # Whoever is told of the end tries again, as with any machine that is not reached.
                before.close(failed.details)
                return
        self._on_renewed(target.key)

    async def _begin(self, target: Target, *, renew: bool = True) -> HostFacts:
        wire = await self.dialer.dial(target, renew=renew)
        link = Link(
            wire,
            owner=self._epochs.owner,
            epoch=await self._epochs.epoch(),
            host_uuid=await self._roster.host_at(target.key),
            on_event=lambda event: self._on_event(target.key, event),
        )
        self._links[target.key] = link
        reader = asyncio.create_task(self._read(target, link), name=f"link {target.key}")
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        return await self._hello(target, link)

    async def _hello(self, target: Target, link: Link) -> HostFacts:
        """Introduce the appliance, and take the machine over from a host that is no more."""
        try:
            try:
                return await link.hello()
            except Refused as refused:
                if refused.refusal.code != "host.other":
                    raise
                await self._roster.refuse_host(refused.refusal.about, target)
                return await link.hello(instead_of=refused.refusal.about)
        except (ApiError, asyncio.CancelledError) as failed:
            link.close(str(failed) or "the first call failed")
            raise

    async def _read(self, target: Target, link: Link) -> None:
        reason = await link.run()
        successor = self._links.get(target.key)
        if successor is link:
            del self._links[target.key]
        elif successor is not None:
            return
        if not self._closing:
            log.info("link to %s ended: %s", target.key, reason)
            self._on_lost(target.key, reason)
