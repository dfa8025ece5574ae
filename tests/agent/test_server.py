"""Who may act on a host, in which order, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import agent.server
from agent.protocol import (
    MAX_FRAME_BYTES,
    PROTOCOL,
    Answer,
    DestroyDomain,
    DomainChanged,
    DomainSeen,
    Done,
    FetchImage,
    Hello,
    ObserveHost,
    ObserveVm,
    Ping,
    StartDomain,
    UndefineDomain,
    encode,
    raw,
)
from agent.refused import Refused
from tests.agent.wire import Bench

VM = "a" * 32
START = StartDomain(vm_uuid=VM)
STOP = DestroyDomain(vm_uuid=VM)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    await bench.close()


async def test_ping_is_answered_as_any_other_request_would_be(bench: Bench) -> None:
    peer = await bench.peer()
    call_id = peer.send(Ping())
    assert encode(await peer.answer(call_id)) == encode(Answer(id=call_id, result=raw(Done())))
    assert bench.verbs.asked == [Hello()]


async def test_nothing_is_done_before_hello(bench: Bench) -> None:
    peer = await bench.peer(greet=False)
    for request in (Ping(), START, ObserveHost()):
        assert await peer.code(request) == "hello.missing"
    assert bench.verbs.asked == []
    assert bench.ledger.owner == ""


async def test_protocols_two_apart_do_not_work_together(bench: Bench) -> None:
    peer = await bench.peer(greet=False)
    assert await peer.code(Hello(protocol=PROTOCOL + 2), epoch=9) == "protocol.other"
    assert bench.ledger.epoch == 0
    assert await peer.code(Hello(protocol=PROTOCOL + 1)) == "ok"


async def test_another_owner_is_told_who_holds_the_host(bench: Bench) -> None:
    await bench.peer(owner="first")
    bench.restart()
    peer = await bench.peer(greet=False)
    answer = await peer.ask(Hello(), owner="second", epoch=99)
    assert answer.error is not None
    assert answer.error.code == "owner.other"
    assert "first" in answer.error.message
    assert bench.ledger.epoch == 1


async def test_a_call_of_another_owner_on_a_greeted_link_is_refused(bench: Bench) -> None:
    peer = await bench.peer()
    assert await peer.code(Ping(), owner="other") == "owner.other"


async def test_an_older_epoch_is_refused_after_a_restart_too(bench: Bench) -> None:
    await bench.peer(epoch=5)
    bench.restart()
    peer = await bench.peer(greet=False)
    assert await peer.code(Hello(), epoch=4) == "epoch.stale"
    assert await peer.code(Hello(), epoch=5) == "ok"
    assert await peer.code(START, epoch=4) == "epoch.stale"
    assert await peer.code(Ping(), epoch=4) == "epoch.stale"


async def test_an_older_generation_is_refused_after_a_restart_too(bench: Bench) -> None:
    peer = await bench.peer()
    assert await peer.code(START, resource="vm", generation=3) == "ok"
    assert await peer.code(START, resource="vm", generation=2) == "generation.stale"
    assert await peer.code(START, resource="other", generation=2) == "ok"
    bench.restart()
    peer = await bench.peer()
    assert await peer.code(START, resource="vm", generation=2) == "generation.stale"
    assert await peer.code(START, resource="vm", generation=3) == "ok"


async def test_a_repeated_operation_gets_the_old_answer_and_does_nothing(bench: Bench) -> None:
    peer = await bench.peer()
    bench.verbs.act = lambda _, __: DomainSeen(vm_uuid=VM, at=7)
    first = await peer.ask(START, op="op-1", resource="vm", generation=1)
    bench.verbs.act = lambda _, __: DomainSeen(vm_uuid=VM, at=8)
    again = await peer.ask(START, op="op-1", resource="vm", generation=1)
    assert bytes(again.result) == bytes(first.result)
    assert bench.verbs.asked.count(START) == 1
    bench.restart()
    peer = await bench.peer(epoch=2)
    assert bytes((await peer.ask(START, op="op-1", epoch=2)).result) == bytes(first.result)
    assert bench.verbs.asked == [Hello()]


async def test_a_permanent_refusal_is_remembered_and_a_transient_one_is_not(bench: Bench) -> None:
    peer = await bench.peer()

    def refuse(*, transient: bool) -> None:
        raise Refused("x.y", "no", transient=transient)

    bench.verbs.act = lambda _, __: refuse(transient=False)  # type: ignore[assignment, return-value, func-returns-value]
    assert await peer.code(START, op="a") == "x.y"
    bench.verbs.act = lambda _, __: refuse(transient=True)  # type: ignore[assignment, return-value, func-returns-value]
    assert await peer.code(START, op="b") == "x.y"
    bench.verbs.act = lambda _, __: Done()
    assert await peer.code(START, op="a") == "x.y"
    assert await peer.code(START, op="b") == "ok"


async def test_duplicates_in_flight_wait_for_the_first_over_links(bench: Bench) -> None:
    gate = bench.verbs.hold(StartDomain)
    old = await bench.peer()
    old.send(START, op="op", resource="vm")
    await bench.verbs.began.wait()
    new = await bench.peer(epoch=2)
    await old.ended()
    waiting = new.send(START, op="op", resource="vm", epoch=2)
    assert (await new.ask(Ping(), epoch=2)).error is None
    gate.set()
    assert (await new.answer(waiting)).error is None
    assert bench.verbs.asked.count(START) == 1


async def test_what_was_begun_goes_on_without_its_link(bench: Bench) -> None:
    gate = bench.verbs.hold(StartDomain)
    peer = await bench.peer()
    peer.send(START, op="op", resource="vm")
    while START not in bench.verbs.asked:
        bench.verbs.began.clear()
        await bench.verbs.began.wait()
    peer.hang_up()
    await peer.ended()
    peer = await bench.peer()
    waiting = peer.send(START, op="op", resource="vm")
    gate.set()
    assert (await peer.answer(waiting)).error is None
    assert bench.verbs.asked.count(START) == 1


async def test_a_newer_hello_takes_over_and_an_older_one_does_not(bench: Bench) -> None:
    first = await bench.peer(epoch=3)
    stale = await bench.peer(greet=False)
    assert await stale.code(Hello(), epoch=2) == "epoch.stale"
    assert (await first.ask(Ping(), epoch=3)).error is None
    second = await bench.peer(epoch=3)
    await first.ended()
    assert (await second.ask(Ping(), epoch=3)).error is None


async def test_a_request_that_waited_while_a_newer_epoch_came_is_refused(bench: Bench) -> None:
    """The rule whose absence broke most recoveries: undo must not be overtaken by what it undoes."""
    gate = bench.verbs.hold(StartDomain)
    old = await bench.peer(epoch=1)
    old.send(START, op="start", resource="vm", epoch=1)
    while START not in bench.verbs.asked:
        bench.verbs.began.clear()
        await bench.verbs.began.wait()
    old.send(UndefineDomain(vm_uuid=VM), op="late", resource="vm", epoch=1)
    await old.ask(Ping(), epoch=1)
    new = await bench.peer(epoch=2)
    undo = new.send(STOP, op="undo", resource="vm", epoch=2)
    await new.ask(Ping(), epoch=2)
    gate.set()
    assert (await new.answer(undo)).error is None
    assert [type(r) for r in bench.verbs.asked if not isinstance(r, Hello)] == [StartDomain, DestroyDomain]
    # The refusal of a request that never began is no answer to its operation.
    assert await new.code(UndefineDomain(vm_uuid=VM), op="late", resource="vm", epoch=2) == "ok"


async def test_one_request_at_a_time_per_resource_and_many_over_resources(bench: Bench) -> None:
    gate = bench.verbs.hold(StartDomain)
    peer = await bench.peer()
    first = peer.send(START, resource="one")
    second = peer.send(STOP, resource="one")
    assert (await peer.ask(STOP, resource="two")).error is None
    assert bench.verbs.asked.count(STOP) == 1
    gate.set()
    await peer.answer(first)
    await peer.answer(second)
    assert bench.verbs.asked.count(STOP) == 2


async def test_a_look_at_a_vm_waits_for_what_is_being_done_to_it(bench: Bench) -> None:
    gate = bench.verbs.hold(StartDomain)
    dying = await bench.peer(epoch=1)
    dying.send(START, op="start", resource=VM, epoch=1)
    await dying.ask(ObserveHost())
    assert START in bench.verbs.asked
    living = await bench.peer(epoch=2)
    look = living.send(ObserveVm(vm_uuid=VM), epoch=2)
    assert (await living.ask(ObserveVm(vm_uuid="b" * 32), epoch=2)).error is None
    assert ObserveVm(vm_uuid=VM) not in bench.verbs.asked
    gate.set()
    assert (await living.answer(look)).error is None


async def test_an_unexpected_error_is_answered_and_the_link_lives(bench: Bench) -> None:
    peer = await bench.peer()
    bench.verbs.act = lambda _, __: {}["nothing"]  # type: ignore[assignment, return-value]
    assert await peer.code(START) == "agent.error"
    assert (await peer.ask(Ping())).error is None


async def test_a_frame_with_an_id_is_answered_and_one_without_ends_the_link(bench: Bench) -> None:
    peer = await bench.peer()
    peer.write(b'{"frame":"call","id":77,"owner":"us","epoch":1,"request":{"verb":"Unheard"}}\n')
    answer = await peer.answer(77)
    assert answer.error is not None
    assert answer.error.code == "frame.bad"
    peer.write(b"hello\n")
    await peer.ended()


async def test_a_line_without_end_ends_the_link(bench: Bench) -> None:
    peer = await bench.peer()
    async with asyncio.timeout(10):
        for _ in range(MAX_FRAME_BYTES // 65536 + 2):
            if peer.closed.is_set():
                break
            try:
                await asyncio.to_thread(peer.write, b"x" * 65536)
            except BrokenPipeError:
                break
    await peer.ended()


async def test_a_silent_link_is_closed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent.server, "DEAD_LINK_SECONDS", 0.2)
    bench.restart()
    silent = await bench.peer(greet=False)
    await silent.ended()


async def test_events_go_to_the_active_link_only(bench: Bench) -> None:
    idle = await bench.peer(greet=False)
    peer = await bench.peer()
    bench.server.emit(DomainChanged(seen=DomainSeen(vm_uuid=VM, at=1)))
    await peer.ask(Ping())
    assert [n.event.seen.vm_uuid for n in peer.notices] == [VM]  # type: ignore[union-attr]
    assert await idle.code(Ping()) == "hello.missing"
    assert idle.notices == []


async def test_progress_comes_at_most_five_times_a_second(bench: Bench) -> None:
    peer = await bench.peer()

    def report(_: object, progress: agent.server.ProgressTo) -> Done:
        for done in range(1000):
            progress(done, 1000)
        return Done()

    bench.verbs.act = report
    await peer.ask(FetchImage(image_uuid="i", url="file:///x", path="/x", format="raw"))
    assert len(peer.progress) == 1


async def test_answers_survive_compaction_and_a_torn_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.ledger.KEPT_ANSWERS", 10)
    peer = await bench.peer()
    for number in range(100):
        assert await peer.code(START, op=f"op-{number}", resource="vm", generation=number) == "ok"
    log = bench.folder / "ledger.log"
    assert log.read_bytes().count(b"\n") < 60
    with log.open("ab") as file:
        file.write(b'["a","torn",{"resu')
    bench.restart()
    assert bench.ledger.answer("op-99") is not None
    assert bench.ledger.answer("op-50") is None
    assert bench.ledger.answer("torn") is None
    peer = await bench.peer()
    assert await peer.code(START, resource="vm", generation=98) == "generation.stale"


async def test_ten_thousand_pings_are_answered(bench: Bench) -> None:
    peer = await bench.peer()
    for _ in range(10_000 // 256):
        ids = [peer.send(Ping()) for _ in range(256)]
        for call_id in ids:
            await peer.answer(call_id)
