"""Machines with another version's agent get this one's one after the other, and are connected by theirs meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from agent.protocol import HostFacts
from appliance.api.errors import HostUnreachable
from appliance.hosts.fleet import Fleet, Target
from appliance.hosts.link import Wire
from appliance.hosts.simulated_dialer import SimulatedDialer
from appliance.hosts.simulator import AGENT_VERSION
from tests.appliance.hosts.test_link import Epochs, Roster

PATIENCE_SECONDS = 5.0
MACHINES = [Target(f"10.0.0.{number}") for number in range(1, 4)]


class GatedDialer(SimulatedDialer):
    """Starts an agent when it is told to, or fails at it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self._gates: dict[str, asyncio.Future[None]] = {}
        self.too_old: set[str] = set()
        """Machines whose agent this version cannot talk to."""

    async def dial(self, target: Target, *, renew: bool = True) -> Wire:
        if not renew and target.address in self.too_old:
            raise HostUnreachable("it speaks another protocol")
        if renew:
            self.begun.append(target.address)
            await self.gate(target)
        return await super().dial(target, renew=renew)

    def gate(self, target: Target) -> asyncio.Future[None]:
        """What an agent waits for."""
        return self._gates.setdefault(target.key, asyncio.get_running_loop().create_future())


class Renewal:
    """Three machines that are connected all at once."""

    def __init__(self) -> None:
        self.dialer = GatedDialer()
        self.lost: list[str] = []
        self.renewed: list[str] = []
        self.fleet = Fleet(
            Epochs(),
            Roster(),
            self.dialer,
            on_event=lambda *_: None,
            on_lost=lambda machine, _: self.lost.append(machine),
            on_renewed=self.renewed.append,
        )
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


async def test_a_machine_is_connected_by_the_agent_that_it_has_until_it_is_its_turn(renewal: Renewal) -> None:
    await renewal.begin()
    first, second, third = (target.address for target in MACHINES)
    assert renewal.dialer.begun == [first]
    for number in (1, 2):
        assert (await renewal.ended(number)).agent_version == AGENT_VERSION
        assert renewal.fleet.connected(MACHINES[number])
    renewal.dialer.gate(MACHINES[0]).set_result(None)
    assert (await renewal.ended(0)).agent_version == "later"
    await renewal.rest()
    assert renewal.dialer.begun == [first, second]
    assert renewal.fleet.agent_version(MACHINES[1]) == AGENT_VERSION
    renewal.dialer.gate(MACHINES[1]).set_result(None)
    await renewal.rest()
    assert renewal.fleet.agent_version(MACHINES[1]) == "later"
    assert renewal.dialer.begun == [first, second, third]
    assert renewal.fleet.agent_version(MACHINES[2]) == AGENT_VERSION
    renewal.dialer.gate(MACHINES[2]).set_result(None)
    await renewal.rest()
    assert renewal.fleet.agent_version(MACHINES[2]) == "later"
    # Nobody saw any of them go; those that got another agent after they were connected are looked at again.
    assert renewal.lost == []
    assert renewal.renewed == [target.key for target in MACHINES[1:]]


async def test_a_machine_whose_agent_is_too_old_waits_for_its_turn_unconnected(renewal: Renewal) -> None:
    renewal.dialer.too_old = {target.address for target in MACHINES}
    await renewal.begin()
    for number, target in enumerate(MACHINES):
        assert renewal.dialer.begun == [each.address for each in MACHINES[: number + 1]]
        assert not renewal.fleet.connected(target)
        renewal.dialer.gate(target).set_result(None)
        assert (await renewal.ended(number)).agent_version == "later"
        await renewal.rest()


async def test_a_machine_that_fails_gives_its_turn_to_the_next(renewal: Renewal) -> None:
    await renewal.begin()
    await renewal.ended(1)
    await renewal.ended(2)
    renewal.dialer.gate(MACHINES[0]).set_exception(HostUnreachable("its disk is full"))
    with pytest.raises(HostUnreachable, match="its disk is full"):
        await renewal.ended(0)
    # It starts, and says nothing.
    silent = renewal.dialer.host(MACHINES[1])
    silent.delays.by_verb["Hello"] = 3600.0
    renewal.dialer.gate(MACHINES[1]).set_result(None)
    await renewal.rest()
    assert renewal.dialer.begun == ["10.0.0.1", "10.0.0.2"]
    silent.cut("the cable")
    renewal.dialer.gate(MACHINES[2]).set_result(None)
    await renewal.rest()
    assert renewal.fleet.agent_version(MACHINES[2]) == "later"
    assert set(renewal.lost) == {MACHINES[1].key}
    assert not renewal.fleet.connected(MACHINES[1])


async def test_who_is_connected_anew_meanwhile_waits_anew(renewal: Renewal) -> None:
    await renewal.begin()
    await renewal.ended(1)
    renewal.dialer.host(MACHINES[1]).cut("the cable")
    await renewal.rest()
    assert renewal.lost == [MACHINES[1].key]
    await renewal.fleet.connect(MACHINES[1])
    for target in MACHINES:
        renewal.dialer.gate(target).set_result(None)
    await renewal.rest()
    assert [renewal.fleet.agent_version(target) for target in MACHINES] == ["later"] * 3
    assert sorted(renewal.dialer.begun) == [target.address for target in MACHINES]


async def test_machines_that_have_this_version_wait_for_nobody(renewal: Renewal) -> None:
    renewal.dialer.host(MACHINES[1]).agent_version = "later"
    renewal.dialer.host(MACHINES[2]).agent_version = "later"
    await renewal.begin()
    assert renewal.dialer.begun == [each.address for each in MACHINES]
    for number in (1, 2):
        renewal.dialer.gate(MACHINES[number]).set_result(None)
        await renewal.ended(number)
