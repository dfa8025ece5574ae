"""Machines with another version's agent get this one's one after the other; the rest are connected at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from agent.protocol import HostFacts
from appliance.api.errors import HostUnreachable
from appliance.hosts.fleet import Fleet, Target
from appliance.hosts.link import Wire
from appliance.hosts.simulated_dialer import SimulatedDialer
from tests.appliance.hosts.test_link import Epochs, Roster

PATIENCE_SECONDS = 5.0
MACHINES = [Target(f"10.0.0.{number}") for number in range(1, 4)]


class GatedDialer(SimulatedDialer):
    """Starts an agent when it is told to, or fails at it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self._gates: dict[str, asyncio.Future[None]] = {}

    async def dial(self, target: Target) -> Wire:
        self.begun.append(target.address)
        await self.gate(target)
        return await super().dial(target)

    def gate(self, target: Target) -> asyncio.Future[None]:
        """What an agent waits for."""
        return self._gates.setdefault(target.key, asyncio.get_running_loop().create_future())


class Renewal:
    """Three machines that are connected all at once."""

    def __init__(self) -> None:
        self.dialer = GatedDialer()
        self.fleet = Fleet(Epochs(), Roster(), self.dialer, on_event=lambda *_: None, on_lost=lambda *_: None)
        self.tasks: list[asyncio.Task[HostFacts]] = []

    async def begin(self) -> None:
        self.tasks = [asyncio.create_task(self.fleet.connect(target)) for target in MACHINES]
        await self.rest()

    async def rest(self) -> None:
        """Until nobody can move on: all of them wait for a gate or for each other."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def ended(self, number: int) -> HostFacts:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.tasks[number]

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.fleet.close()


@pytest.fixture
async def renewal() -> AsyncIterator[Renewal]:
    made = Renewal()
    for target in MACHINES:
        made.dialer.host(target)
    made.dialer.agent_version = "later"
    yield made
    await made.close()


async def test_the_next_machine_waits_until_the_one_before_answers_with_the_new_version(
    renewal: Renewal,
) -> None:
    await renewal.begin()
    for number, target in enumerate(MACHINES):
        assert renewal.dialer.begun == [each.address for each in MACHINES[: number + 1]]
        renewal.dialer.gate(target).set_result(None)
        assert (await renewal.ended(number)).agent_version == "later"
        await renewal.rest()
    assert renewal.dialer.begun == [each.address for each in MACHINES]


async def test_a_machine_that_fails_gives_its_turn_to_the_next(renewal: Renewal) -> None:
    silent = renewal.dialer.host(MACHINES[1])
    silent.delays.by_verb["Hello"] = 3600.0
    await renewal.begin()
    renewal.dialer.gate(MACHINES[0]).set_exception(HostUnreachable("its disk is full"))
    with pytest.raises(HostUnreachable, match="its disk is full"):
        await renewal.ended(0)
    renewal.dialer.gate(MACHINES[1]).set_result(None)
    await renewal.rest()
    # It has started, and says nothing.
    assert renewal.dialer.begun == ["10.0.0.1", "10.0.0.2"]
    silent.cut("the cable")
    with pytest.raises(HostUnreachable, match="the connection was lost"):
        await renewal.ended(1)
    renewal.dialer.gate(MACHINES[2]).set_result(None)
    assert (await renewal.ended(2)).agent_version == "later"


async def test_machines_that_have_this_version_wait_for_nobody(renewal: Renewal) -> None:
    renewal.dialer.host(MACHINES[1]).agent_version = "later"
    renewal.dialer.host(MACHINES[2]).agent_version = "later"
    await renewal.begin()
    assert renewal.dialer.begun == [each.address for each in MACHINES]
    for number in (1, 2):
        renewal.dialer.gate(MACHINES[number]).set_result(None)
        await renewal.ended(number)
