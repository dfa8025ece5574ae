"""What very many VMs have in common reaches each of them, some at a time, whoever is away or dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from appliance.reconcile import loop
from appliance.reconcile.loop import DONE, Loop, Next, run_until_stopped
from tests.simulated_cloud import PATIENCE_SECONDS, Cloud
from tests.simulated_fleet import grow

VMS = 12


class Gated:
    """Workers that each end their pass when they are let, and count their passes."""

    def __init__(self, following: Next = DONE) -> None:
        self.following = following
        self.working: list[str] = []
        self.passes: list[str] = []
        self.open = asyncio.Event()

    def worker(self, uuid: str) -> _Worker:
        return _Worker(self, uuid)


class _Worker:
    def __init__(self, gated: Gated, uuid: str) -> None:
        self.gated, self.uuid = gated, uuid

    async def advance(self) -> Next:
        self.gated.working.append(self.uuid)
        await self.gated.open.wait()
        self.gated.working.remove(self.uuid)
        self.gated.passes.append(self.uuid)
        return self.gated.following


@asynccontextmanager
async def running(gated: Gated) -> AsyncIterator[Loop]:
    one = Loop({"Thing": gated.worker})
    task = asyncio.create_task(run_until_stopped(one))
    await turn()
    yield one
    one.stop()
    await task


async def turn() -> None:
    """Let whoever can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


MANY = [f"{number:02}" for number in range(50)]


async def test_very_many_are_looked_at_some_at_a_time() -> None:
    gated = Gated()
    async with running(gated) as one:
        one.poke_in_turn("Thing", MANY)
        one.poke_in_turn("Thing", MANY[20:])  # their turn is still to come
        await turn()
        assert gated.working == MANY[: loop.AT_ONCE]
        assert len(one.busy) == len(MANY)
        gated.open.set()
        while one.busy:
            await asyncio.sleep(0)
        assert gated.passes == MANY


async def test_who_is_poked_does_not_wait_for_its_turn_and_needs_none_then() -> None:
    gated = Gated()
    async with running(gated) as one:
        one.poke_in_turn("Thing", MANY)
        one.poke("Thing", MANY[-1])
        await turn()
        assert gated.working == [*MANY[: loop.AT_ONCE], MANY[-1]]
        gated.open.set()
        while one.busy:
            await asyncio.sleep(0)
        assert sorted(gated.passes) == MANY


async def test_who_waits_for_something_holds_up_nobody() -> None:
    gated = Gated(following=Next(seconds=3600.0))
    gated.open.set()
    async with running(gated) as one:
        one.poke_in_turn("Thing", MANY)
        while len(gated.passes) < len(MANY):
            await asyncio.sleep(0)


async def test_who_takes_long_has_its_turn_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "TURN_SECONDS", 0.001)
    gated = Gated()
    async with running(gated) as one:
        one.poke_in_turn("Thing", MANY)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(gated.working) < len(MANY):
                await asyncio.sleep(0.001)


@pytest.fixture
async def full(cloud: Cloud) -> Cloud:
    """A cloud with VMs on two hosts, all on one network."""
    await grow(cloud, VMS)
    assert len(served(cloud)) == len(cloud.hosts) == 2
    return cloud


async def add_dns(cloud: Cloud, dns: str = "9.9.9.9") -> None:
    await cloud.call("AddDnsToL3Network", l3NetworkUuid=cloud.uuids["l3"], dns=dns)


def served(cloud: Cloud) -> dict[str, str]:
    """What each host serves on the network, as a digest."""
    l3 = cloud.uuids["l3"]
    return {host.address: host.things.networks[l3] for host in cloud.hosts if l3 in host.things.networks}


async def changes(cloud: Cloud, address: str, before: str) -> str:
    """What a host serves, once that is another than before."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while served(cloud)[address] == before:
            await asyncio.sleep(0.001)
    return served(cloud)[address]


async def test_a_change_that_was_answered_outlives_the_appliance(full: Cloud) -> None:
    before = served(full)
    await add_dns(full)
    await full.kill()
    assert served(full) == before
    await full.start()
    await full.idle()
    assert not set(served(full).items()) & set(before.items())


async def test_a_host_that_is_away_holds_up_no_other_and_follows(
    full: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "AT_ONCE", 1)
    before, (here, away) = served(full), full.hosts
    away.reachable = False
    away.cut("unplugged")
    await add_dns(full)
    then = await changes(full, here.address, before[here.address])
    await add_dns(full, "8.8.8.8")
    last = await changes(full, here.address, then)
    assert served(full)[away.address] == before[away.address]
    away.reachable = True
    for host in await full.query("QueryHost"):
        await full.call("ReconnectHost", uuid=host["uuid"])
    await full.idle()
    assert served(full) == {here.address: last, away.address: last}
