"""What goes wrong in a simulated run: deaths, cut links, hosts that are gone, slow or have a mind of their own."""

from __future__ import annotations

import asyncio
import contextlib

from agent.protocol import Cause
from tests.simulation.host import WatchedHost, known_hosts
from tests.simulation.life import Life
from tests.simulation.world import World

KINDS = (
    ("kill", 16), ("cut", 14), ("part", 10), ("agent", 10), ("reboot", 5), ("halt", 18), ("pull", 6),
    ("by hand", 12), ("slow", 9),
)  # fmt: skip


class Faults:
    """Harms the world until it is over; `heal` makes good what can be."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.over = False
        """Set to end `run` after what it is at."""

    async def run(self) -> None:
        """One thing after the other."""
        world = self.world
        pause = world.chance.choice((1.0, 3.0, 8.0))
        while not self.over:
            if await self._fatal_within(world.chance.expovariate(1 / pause)):
                await self._kill(0)
                continue
            (kind,) = world.chance.choices([name for name, _ in KINDS], weights=[w for _, w in KINDS])
            world.counts.faults += 1
            if kind == "kill":
                await self._kill(world.chance.randint(0, 300))
            else:
                self._harm(kind, world.chance.choice(known_hosts(world.hosts)))

    async def _fatal_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.world.fatal.wait()
        fatal = self.world.fatal.is_set()
        self.world.fatal.clear()
        return fatal

    def _harm(self, kind: str, host: WatchedHost) -> None:
        world = self.world
        match kind:
            case "cut":
                world.tell(f"{host.address} loses its link")
                host.cut("the network dropped it")
            case "part":
                host.vanish(world.chance.choice((0.5, 4.0, 10.0, 40.0)))
            case "agent":
                host.kill_agent()
            case "reboot":
                world.tell(f"{host.address} reboots")
                host.reboot()
            case "halt":
                self._halt(host, "guest_shutdown")
            case "pull":
                self._halt(host, world.chance.choice(("destroyed", "crashed")))
            case "by hand":
                self._start(host)
            case "slow":
                host.become_slow(world.chance.choice((0.0, 0.5, 3.0, 20.0)))
                host.loses_events = world.happens(0.3)

    # --- the appliance -------------------------------------------------------------------------------

    async def _kill(self, turns: int) -> None:
        """`kill -9` after so many turns of the loop, mid-way through whatever is under way, and a new life."""
        world = self.world
        rung = asyncio.Event()
        world.loop.after_turns(turns, rung.set)
        await rung.wait()
        dying = world.life
        assert dying is not None
        world.counts.kills += 1
        if world.happens(0.3):
            world.chance.choice(known_hosts(world.hosts)).vanish(world.chance.uniform(5, 30))
        world.tell(f"the appliance's life {dying.number} ends")
        await dying.kill()
        await asyncio.sleep(world.chance.choice((0.0, 0.2, 2.0, 15.0)))
        await self._new_life(dying.number + 1)

    async def _new_life(self, number: int) -> None:
        world = self.world
        world.life = life = Life(world, number)
        world.tell(f"the appliance's life {number} begins")
        await life.start()

    # --- hosts ---------------------------------------------------------------------------------------

    def _halt(self, host: WatchedHost, cause: Cause) -> None:
        running = host.running()
        if running:
            uuid = self.world.chance.choice(running)
            self.world.tell(f"{uuid[:6]} on {host.address} goes off: {cause}")
            host.halt(uuid, cause, tell=self.world.happens(0.8))

    def _start(self, host: WatchedHost) -> None:
        off = [uuid for uuid, domain in host.domains.items() if domain.power == "off"]
        if off:
            uuid = self.world.chance.choice(off)
            self.world.tell(f"{uuid[:6]} on {host.address} is started by hand")
            host.start_by_hand(uuid)

    def heal(self) -> None:
        """From now on nothing goes wrong: hosts answer and links hold."""
        world = self.world
        world.calm = True
        world.tell("calm")
        for host in known_hosts(world.hosts):
            host.become_quick()
            if not host.reachable:
                host.come_back()
