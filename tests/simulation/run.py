"""One simulated run from one seed: a cloud is built, used and harmed, calmed down, and judged."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from tests.simulation import clock
from tests.simulation.building import build
from tests.simulation.clock import VirtualLoop
from tests.simulation.faults import Faults
from tests.simulation.host import WatchedHost
from tests.simulation.invariants import always, when_calm
from tests.simulation.life import Complaints, Life, claim
from tests.simulation.users import User
from tests.simulation.world import Counts, Options, Violation, World

LONGEST_SECONDS = 20_000.0
"""Virtual time after which a run is taken to be stuck."""
WATCH_SECONDS = 1.0
CALM_SECONDS = 400.0
"""How long everything may take to end once nothing goes wrong any more: jobs wait for retries and scans."""
SCAN_SECONDS = 70.0
"""After the last job: one scan of each host and a bit."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    seed: int
    options: Options
    digest: str
    violations: tuple[Violation, ...]
    counts: Counts
    seconds: float
    """Virtual seconds that it took."""
    tail: tuple[str, ...]
    """The last of what happened."""


def simulate(seed: int, options: Options | None = None) -> Outcome:
    """Run one seed. The same seed and options always come to the same outcome."""
    options = options or Options()
    worlds: list[World] = []

    async def main(loop: VirtualLoop) -> None:
        world = World(seed, options, loop)
        worlds.append(world)
        complaints = Complaints(world)
        root = logging.getLogger()
        root.addHandler(complaints)
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await _story(world)
        except TimeoutError:
            world.violated("liveness", f"the run has not ended after {LONGEST_SECONDS:g} s")
        finally:
            root.removeHandler(complaints)
            if world.life is not None:
                await world.life.kill()

    try:
        clock.run(main, on_task=claim)
    finally:
        for each in worlds:
            each.close()
    (world,) = worlds
    return Outcome(
        seed, options, world.digest, tuple(world.violations), world.counts, world.now, tuple(world.trace_tail)
    )


async def _story(world: World) -> None:
    for number in range(1, world.chance.randint(2, 3) + 1):
        address = f"10.0.0.{number}"
        world.hosts[address] = WatchedHost(world, address)
        world.hosts[address].meet(world.hosts)
    world.life = Life(world, 1)
    await world.life.start()
    cloud = await build(world)
    watch = asyncio.create_task(_watch(world))
    world.calm = False
    faults = Faults(world)
    harm = asyncio.create_task(faults.run())
    users = [User(world, cloud, number) for number in range(world.chance.randint(2, 4))]
    async with asyncio.TaskGroup() as group:
        for user in users:
            group.create_task(user.run())
    faults.over = True
    await harm
    faults.heal()
    await _quiet(world)
    await when_calm(world, cloud)
    watch.cancel()
    await asyncio.wait([watch])
    if not watch.cancelled() and (failed := watch.exception()) is not None:
        raise failed


async def _watch(world: World) -> None:
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        always(world)


async def _quiet(world: World) -> None:
    """Wait until everything asked for has come to an end, or had all the time in the world."""
    end = world.now + CALM_SECONDS
    while world.now < end and not _resting(world):
        await asyncio.sleep(2.0)
    await asyncio.sleep(SCAN_SECONDS)
    while world.now < end + SCAN_SECONDS and not _resting(world):
        await asyncio.sleep(2.0)


def _resting(world: World) -> bool:
    life = world.life
    if life is None or not life.ready:
        return False
    busy = [key for key in life.core.loop.busy if key[0] not in {"Host", "BackupStorage"}]
    return not busy and all(host.settled() for host in world.hosts.values())
