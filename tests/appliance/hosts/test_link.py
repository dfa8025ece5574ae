"""One link as the appliance sees it: answers find their calls, and an end is told to everybody who waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from agent.protocol import READY_LINE, Done, Hello, HostFacts, Ping, StartDomain
from appliance.api.errors import AgentRefused, HostUnreachable, MachineIsHost
from appliance.hosts.fleet import Fleet, Target
from appliance.hosts.link import Link, LinkLost, Refused
from appliance.hosts.simulated_dialer import SimulatedDialer
from appliance.hosts.simulator import SimulatedHost

START = StartDomain(vm_uuid="a" * 32)


class NoisyWire:
    """A wire whose login shell talks before the agent does."""

    def __init__(self, host: SimulatedHost, noise: bytes) -> None:
        self.inner = host.attach()
        self._noise = noise

    async def read(self) -> bytes:
        noise, self._noise = self._noise, b""
        return noise or await self.inner.read()

    def write(self, data: bytes) -> None:
        self.inner.write(data)

    def close(self) -> None:
        self.inner.close()


@pytest.fixture
def host() -> SimulatedHost:
    return SimulatedHost("h")


@pytest.fixture
async def link(host: SimulatedHost) -> AsyncIterator[Link]:
    link = Link(NoisyWire(host, b"Welcome!\nLast login\n"), owner="us", epoch=1, on_event=lambda _: None)
    running = asyncio.create_task(link.run())
    yield link
    link.close("the test is over")
    await running


async def test_what_a_login_shell_says_is_skipped(link: Link) -> None:
    assert isinstance(await link.hello(), HostFacts)
    assert isinstance(await link.ask(Ping(), Done), Done)


async def test_a_refusal_has_code_and_words(link: Link) -> None:
    await link.hello()
    with pytest.raises(Refused) as refused:
        await link.ask(START, Done)
    assert refused.value.refusal.code == "domain.missing"
    assert refused.value.code == "AGENT.1000"
    assert "[domain.missing]" in refused.value.details


async def test_an_answer_that_cannot_be_read_says_what_to_do_and_harms_nobody(link: Link) -> None:
    await link.hello()
    with pytest.raises(AgentRefused, match=r"Ping was answered in a way .* reconnect the host") as refused:
        await link.ask(Ping(), HostFacts)
    assert "`protocol`" in refused.value.details
    assert isinstance(await link.ask(Ping(), Done), Done)


async def test_everybody_who_waits_learns_of_the_end(link: Link, host: SimulatedHost) -> None:
    await link.hello()
    host.delays.usual = 10.0
    waiting = [asyncio.create_task(link.ask(START, Done)) for _ in range(3)]
    await asyncio.sleep(0)
    host.cut("the cable")
    done, _ = await asyncio.wait(waiting, timeout=5)
    assert len(done) == 3
    assert {type(task.exception()) for task in done} == {LinkLost}
    with pytest.raises(HostUnreachable, match="not connected"):
        await link.ask(Ping(), Done)


async def test_an_answer_that_comes_too_late_is_a_lost_one_and_harms_nobody(
    link: Link, host: SimulatedHost
) -> None:
    await link.hello()
    host.delays.by_verb["StartDomain"] = 1.2
    with pytest.raises(LinkLost, match=r"StartDomain within 0\.01 s"):
        await link.ask(START, Done, timeout_seconds=0.01)
    host.delays.by_verb.clear()
    await asyncio.sleep(1.0)
    assert isinstance(await link.ask(Ping(), Done), Done)


async def test_while_this_process_stands_still_no_host_is_silent_and_no_answer_late(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped at times, or its machine sleeps; what was answered meanwhile is read only afterwards."""
    for seconds, name in (1.0, "SILENCE_SECONDS"), (0.2, "PING_SECONDS"), (0.1, "LATE_CHECK_SECONDS"):
        monkeypatch.setattr(f"appliance.hosts.link.{name}", seconds)
    await link.hello()
    await asyncio.sleep(0.6)  # in which the keeper learns of these
    asked = asyncio.create_task(link.ask(Ping(), Done, timeout_seconds=1.0))
    await asyncio.sleep(0)
    time.sleep(1.5)  # noqa: ASYNC251
    assert isinstance(await asked, Done)
    await asyncio.sleep(0.3)
    assert link.lost is None


async def test_a_program_that_is_no_agent_is_told_by_its_last_words() -> None:
    class Wrong:
        said = [b"bash: zstui-agent: not found\n", b""]

        async def read(self) -> bytes:
            return self.said.pop(0)

        def write(self, data: bytes) -> None:
            pass

        def close(self) -> None:
            pass

    link = Link(Wrong(), owner="us", epoch=1, on_event=lambda _: None)
    assert "not found" in await link.run()


class Lying:
    """A host that answers each call with what it likes."""

    def __init__(self, *said: bytes) -> None:
        self._said = list(said)
        self.closed = asyncio.Event()
        self.read_bytes = 0

    async def read(self) -> bytes:
        if not self._said:
            await self.closed.wait()
            return b""
        data = self._said.pop(0)
        self.read_bytes += len(data)
        return data

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        self.closed.set()


def answer(result: bytes, number: int = 1) -> bytes:
    return b'{"frame":"answer","id":%d,"result":%s}\n' % (number, result)


DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (answer(DEEP + b"]" * 200_000), ""),
        (DEEP, "without end"),
        (b"x" * 300_000, "without end"),
        (b'{"frame":"answer"}\n', ""),
        (b'{"frame":"nothing","id":1}\n', ""),
        (b"\xff\xfe\n", ""),
        (b"null\n", ""),
        (b'{"frame":"notice","event":{"type":"DomainChanged","seen":3}}\n', ""),
    ],
)
async def test_a_host_that_lies_loses_its_link_and_no_call_waits_for_ever(said: bytes, word: str) -> None:
    heard: list[object] = []
    endless = word == "without end"
    wire = Lying(READY_LINE, *([said] * 100 if endless else [said]))
    link = Link(wire, owner="us", epoch=1, on_event=heard.append)
    running = asyncio.create_task(link.run())
    async with asyncio.timeout(20):
        with pytest.raises(LinkLost) as lost:
            await link.ask(Ping(), Done, timeout_seconds=10)
        assert word in await running
    assert "was lost" in str(lost.value)
    assert (wire.closed.is_set(), heard) == (True, [])
    assert wire.read_bytes < 10 << 20


async def test_answers_and_progress_that_nobody_asked_for_are_passed_over() -> None:
    unasked = answer(b"{}", 77) + b'{"frame":"progress","id":78,"done":1,"total":2}\n'
    link = Link(Lying(READY_LINE, unasked, answer(b"{}")), owner="us", epoch=1, on_event=lambda _: None)
    running = asyncio.create_task(link.run())
    assert isinstance(await link.ask(Ping(), Done), Done)
    link.close("the test is over")
    await running


async def test_a_machine_that_talks_without_end_before_its_agent_is_given_up() -> None:
    wire = Lying(*[b"Welcome! " * 20_000] * 1_000)
    link = Link(wire, owner="us", epoch=1, on_event=lambda _: None)
    assert "did not start" in await link.run()
    assert wire.read_bytes < 2 << 20


class Epochs:
    owner = "us"
    now = 1

    async def epoch(self) -> int:
        return self.now

    async def raise_epoch(self) -> int:
        self.now += 1
        return self.now


class Roster:
    """Hosts by their machines; `hosts` may change under the fleet."""

    def __init__(self, **hosts: str) -> None:
        self.hosts = hosts

    async def host_at(self, machine: str) -> str:
        return next((uuid for uuid, at in self.hosts.items() if at == machine), "")

    async def refuse_host(self, host_uuid: str, target: Target) -> None:
        if host_uuid in self.hosts:
            raise MachineIsHost(f"{target.key} is {host_uuid}")


async def test_hosts_and_storages_of_one_machine_share_one_link_and_its_end_is_told_once() -> None:
    dialer, lost = SimulatedDialer(), asyncio.Queue[str]()
    fleet = Fleet(
        Epochs(),
        Roster(),
        dialer,
        on_event=lambda *_: None,
        on_lost=lambda machine, _: lost.put_nowait(machine),
        on_renewed=lambda _: None,
    )
    target = Target("10.0.0.1")
    async with asyncio.TaskGroup() as group:
        for username in ("root", "admin", "root"):
            group.create_task(fleet.connect(Target("10.0.0.1", username=username)))
    assert fleet.connected(target)
    (host,) = dialer.hosts.values()
    await fleet.raise_epoch(target)
    fleet.link(target).epoch = 1
    with pytest.raises(Refused, match=r"epoch\.stale"):
        await fleet.link(target).ask(Hello(), HostFacts)
    host.cut("the cable")
    async with asyncio.timeout(5):
        assert await lost.get() == target.key
    assert not fleet.connected(target)
    with pytest.raises(HostUnreachable):
        fleet.link(target)
    host.reachable = False
    with pytest.raises(HostUnreachable):
        await fleet.connect(target)
    await fleet.close()
    assert lost.empty()


async def test_a_machine_is_one_host_whatever_its_addresses() -> None:
    dialer, roster, lost = SimulatedDialer(), Roster(first="10.0.0.1:22", second="10.0.9.1:22"), list[str]()
    fleet = Fleet(
        Epochs(),
        roster,
        dialer,
        on_event=lambda *_: None,
        on_lost=lambda machine, _: lost.append(machine),
        on_renewed=lambda _: None,
    )
    target, other = Target("10.0.0.1"), Target("10.0.9.1")
    host = dialer.host(target)
    dialer.hosts[other.key] = host
    await fleet.connect(target)
    for refused in (fleet.connect(other), fleet.trust(other, "", None), fleet.trust(other, "", None)):
        with pytest.raises(MachineIsHost, match="first"):
            await refused
    await fleet.trust(other, "", None, host_uuid="first")
    await fleet.trust(target, "", None)
    assert fleet.connected(target)
    with pytest.raises(HostUnreachable, match="stays"):
        await fleet.leave(other)
    assert host.claim.host_uuid == "first"
    # A storage stays on the machine of a host that goes, and another host comes to it.
    del roster.hosts["first"]
    await fleet.connect(target)
    assert (host.claim.host_uuid, fleet.connected(target)) == ("", True)
    roster.hosts["third"] = target.key
    await fleet.connect(target)
    assert host.claim.host_uuid == "third"
    # Deleted while nobody could reach it: whoever comes next has it.
    del roster.hosts["third"]
    await fleet.connect(other)
    assert host.claim.host_uuid == "second"
    await fleet.leave(other)
    assert host.claim.owner == ""
    await fleet.close()
