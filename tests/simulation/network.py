"""The network between appliance and hosts: frames are late, lost, repeated, and arrive after their sender's death."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, cast

from agent.protocol import READY_LINE
from appliance.api.errors import HostUnreachable
from appliance.hosts.fleet import Admit, Target
from appliance.hosts.simulator import SimulatedWire
from tests.simulation.host import WatchedHost

if TYPE_CHECKING:
    from tests.simulation.life import Life
    from tests.simulation.world import World

OPERATION = re.compile(rb'"op":"([^"]+)"')
USUAL_SECONDS = 0.01
ZOMBIE_SECONDS = 60.0
"""How long after its link is gone a frame may still arrive: an agent's old link, a resumed process."""
REPEATED = 0.02
SLOW = 0.02


class FaultyWire:
    """Both directions of one link. Frames of one direction keep their order, as in TCP, while the link lives."""

    def __init__(self, world: World, life: Life, host: WatchedHost) -> None:
        self.world = world
        self.life = life
        self.host = host
        self.ended = False
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._rest = b""
        self._arrives = 0.0
        self._answers = 0.0
        self._underway: dict[int, tuple[bytes, asyncio.TimerHandle]] = {}
        self._number = 0
        self._stalled: list[bytes] = []

    # --- the appliance's end ---------------------------------------------------------------------

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        """Frames for the host."""
        if self.ended or self.life.dead:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if found := OPERATION.search(line):
                self.world.sent.setdefault(found[1].decode(), self.world.now)
            self._send(line)

    def close(self) -> None:
        """The appliance hangs up; what it sent may still arrive."""
        if not self.life.dead:
            self.cut()

    # --- the host's end --------------------------------------------------------------------------

    def deliver(self, data: bytes) -> None:
        """Bytes for the appliance."""
        if self.ended or self.life.dead or not self.host.reachable:
            return
        self._answers = max(self._answers, self.world.now + self._delay())
        self.world.later(self._answers - self.world.now, self._take, data)

    def end(self) -> None:
        """A newer link took over."""
        self.cut()

    # --- the network -----------------------------------------------------------------------------

    def cut(self) -> None:
        """The link is gone: some of what was under way arrives late, some never; each end learns of it."""
        if self.ended:
            return
        self.ended = True
        self.world.later(self._delay(), self._take, b"")
        late = self.world.chance.randint(0, len(self._underway)) if self._underway else 0
        delay = self.world.chance.uniform(0, ZOMBIE_SECONDS) if not self.world.calm else USUAL_SECONDS
        for place, (line, timer) in enumerate(list(self._underway.values())):
            timer.cancel()
            if place < late:
                self.world.later(delay, self._arrive, line)
        self._underway.clear()
        if self._stalled and self.world.happens(0.5):
            for line in self._stalled:
                self.world.later(delay, self._arrive, line)
        self._stalled.clear()

    def healed(self) -> None:
        """The host can be reached again: what was sent meanwhile is sent again by TCP."""
        stalled, self._stalled = self._stalled, []
        for line in stalled:
            self._send(line)

    def _send(self, line: bytes) -> None:
        if not self.host.reachable:
            self._stalled.append(line)
            return
        self.world.counts.requests += 1
        self._arrives = max(self._arrives, self.world.now + self._delay())
        self._number += 1
        handle = self.world.loop.call_later(
            self._arrives - self.world.now, self._arrived, self._number, context=self.world.context
        )
        self._underway[self._number] = (line, handle)
        if b'"op":"' in line and not self.world.calm:
            self._harm(line)

    def _harm(self, line: bytes) -> None:
        """What may become of a change that was just sent."""
        world = self.world
        if world.happens(REPEATED):
            world.counts.faults += 1
            world.later(world.chance.uniform(0, ZOMBIE_SECONDS), self._arrive, line)
        if world.happens(world.options.snaps):
            world.counts.faults += 1
            world.later(world.chance.uniform(0, 3 * USUAL_SECONDS), self._snap)
        if world.happens(world.options.fatal):
            world.later(world.chance.uniform(0, 3 * USUAL_SECONDS), world.fatal.set)

    def _snap(self) -> None:
        if not self.ended:
            self.world.tell(f"the link to {self.host.address} breaks")
            self.cut()
            if not self.world.calm and self.world.happens(0.5):
                self.host.vanish(self.world.chance.uniform(1, 15))

    def _arrived(self, number: int) -> None:
        line, _ = self._underway.pop(number)
        self._arrive(line)

    def _arrive(self, line: bytes) -> None:
        if self.host.reachable:
            self.host.receive(cast(SimulatedWire, self), line)

    def _take(self, data: bytes) -> None:
        if not self.life.dead:
            self._inbox.put_nowait(data)

    def _delay(self) -> float:
        chance = self.world.chance
        if self.world.calm:
            return USUAL_SECONDS
        if chance.random() < SLOW:
            return chance.uniform(0, 3.0)
        return chance.uniform(0, 2 * USUAL_SECONDS)


class WorldDialer:
    """How one life of the appliance reaches the world's hosts."""

    def __init__(self, world: World, life: Life) -> None:
        self.world = world
        self.life = life
        self.wires: list[FaultyWire] = []

    async def trust(self, target: Target, password: str, fingerprint: str | None, admit: Admit) -> None:
        """Any password will do."""
        await admit((await self._reach(target)).claim)

    async def renews(self, target: Target) -> bool:
        """There is one version of everything."""
        return False

    async def dial(self, target: Target, *, renew: bool = True) -> FaultyWire:
        """A link."""
        host = await self._reach(target)
        wire = FaultyWire(self.world, self.life, host)
        self.wires = [each for each in self.wires if not each.ended]
        self.wires.append(wire)
        wire.deliver(READY_LINE)
        return wire

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
        """A file from host to host; half a copy never has the file's name."""
        giving, taking = await self._reach(source), await self._reach(destination)
        await asyncio.sleep(taking.delays.by_verb.get("Copy", 0.1))
        if not (giving.reachable and taking.reachable):
            raise HostUnreachable(f"{destination.address} does not answer")
        if source_path not in giving.things.files:
            raise HostUnreachable(f"{source.address} has no {source_path}")
        taking.things.files[destination_path] = size
        taking.things.lanes.arrived.pop(destination_path, None)  # which has the same place beside it
        on_progress(size, size)

    async def arrived(self, destination: Target, path: str) -> int:
        """Nobody uploads in a simulated run."""
        raise NotImplementedError

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
        """Nobody uploads in a simulated run."""
        raise NotImplementedError

    def download(self, source: Target, path: str, start: int) -> AsyncIterator[bytes]:
        """Nor downloads."""
        raise NotImplementedError

    async def _reach(self, target: Target) -> WatchedHost:
        await asyncio.sleep(0.05)
        host = self.world.hosts[target.address]
        if not host.reachable:
            await asyncio.sleep(3.0)
            raise HostUnreachable(f"{target.address} does not answer")
        return host
