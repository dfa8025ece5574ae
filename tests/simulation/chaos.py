"""What goes wrong in a simulated run: kills, cuts, reboots, slowness, lost events, and guests of their own mind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.host import WatchedHost, known_hosts

if TYPE_CHECKING:
    from tests.simulation.world import World

PAUSE_SECONDS = 0.8
AWAY_SECONDS = 30.0


class Chaos:
    """Does something bad now and then, until it is told to be quiet."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._after: set[asyncio.Task[None]] = set()

    async def rage(self) -> None:
        """One fault after the other, for ever."""
        chance = self.world.chance
        faults = (self._kill, self._cut, self._away, self._agent_dies, self._reboot, self._slow, self._halt,
                  self._by_hand, self._deaf)  # fmt: skip
        weights = (4, 4, 2, 2, 1, 2, 5, 3, 1)
        while True:
            await asyncio.sleep(chance.expovariate(1 / PAUSE_SECONDS))
            self.world.counts.faults += 1
            chance.choices(faults, weights)[0]()

    async def calm_down(self) -> None:
        """Put everything back in order."""
        for task in self._after:
            task.cancel()
        if self._after:
            await asyncio.wait(self._after)
        self.world.calm = True
        for host in known_hosts(self.world.hosts):
            host.loses_events = False
            host.become_slow(0.1)
            self._back(host)
        await self.world.alive()

    def _any(self) -> WatchedHost:
        return self.world.chance.choice(known_hosts(self.world.hosts))

    def _later(self, seconds: float, act: object) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            assert callable(act)
            act()

        task = asyncio.create_task(wait())
        self._after.add(task)
        task.add_done_callback(self._after.discard)

    def _kill(self) -> None:
        """In the middle of whatever everybody is at."""
        self.world.loop.after_turns(self.world.chance.randint(1, 40), self.world.strike)

    def _cut(self) -> None:
        host = self._any()
        self.world.tell(f"the link to {host.address} is cut")
        host.cut("the network dropped it")

    def _away(self) -> None:
        host = self._any()
        self.world.tell(f"{host.address} cannot be reached")
        host.reachable = False
        self._later(self.world.chance.uniform(1, AWAY_SECONDS), lambda: self._back(host))

    def _back(self, host: WatchedHost) -> None:
        host.reachable = True
        life = self.world.life
        if life is not None and not life.dead:
            for wire in life.dialer.wires:
                if wire.host is host:
                    wire.healed()

    def _agent_dies(self) -> None:
        """What it was at is not done; what it did and wrote down stays."""
        host = self._any()
        self.world.tell(f"the agent of {host.address} is killed")
        host.lose_agent()

    def _reboot(self) -> None:
        host = self._any()
        self.world.tell(f"{host.address} loses power")
        host.reboot()

    def _slow(self) -> None:
        self._any().become_slow(self.world.chance.choice((0.2, 2.0, 8.0)))

    def _deaf(self) -> None:
        host = self._any()
        host.loses_events = not host.loses_events

    def _halt(self) -> None:
        host = self._any()
        if host.running():
            uuid = self.world.chance.choice(sorted(host.running()))
            cause = self.world.chance.choice(("guest_shutdown", "destroyed", "crashed"))
            self.world.tell(f"VM {uuid[:6]} goes off on {host.address}: {cause}")
            host.halt(uuid, cause)

    def _by_hand(self) -> None:
        host = self._any()
        off = sorted(uuid for uuid, domain in host.domains.items() if domain.power == "off")
        if off:
            uuid = self.world.chance.choice(off)
            self.world.tell(f"VM {uuid[:6]} is started by hand on {host.address}")
            host.start_by_hand(uuid)
