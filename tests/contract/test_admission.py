"""Who may act on a host, in which order, and what a repeated question is answered."""

from __future__ import annotations

import re

import pytest

from agent.protocol import (
    MAX_FRAME_BYTES,
    PROTOCOL,
    DropFile,
    EnsureVolume,
    Hello,
    HostFacts,
    HostSeen,
    ObserveHost,
    Ping,
    encode,
)
from tests.contract.peer import line
from tests.contract.rig import Rig


def volume(rig: Rig, name: str = "v", size: int = 1 << 20) -> EnsureVolume:
    return EnsureVolume(volume_uuid=name, path=f"{rig.storage}/vol/{name}.qcow2", size_bytes=size)


async def test_hello_says_what_the_host_is(rig: Rig) -> None:
    peer = await rig.peer(greet=False)
    facts = await peer.told(Hello(), HostFacts)
    assert facts.protocol == PROTOCOL
    assert facts.agent_version
    assert facts.boot_id
    assert min(facts.cpu_num, facts.memory_bytes) > 0
    assert (await peer.told(Hello(), HostFacts)).boot_id == facts.boot_id


async def test_nothing_is_answered_before_hello(rig: Rig) -> None:
    peer = await rig.peer(greet=False)
    for request in (Ping(), ObserveHost(), volume(rig)):
        assert await peer.code(request) == "hello.missing"
    assert rig.files() == set()


async def test_a_protocol_two_apart_is_refused_and_one_apart_is_not(rig: Rig) -> None:
    peer = await rig.peer(greet=False)
    assert await peer.code(Hello(protocol=PROTOCOL + 2), epoch=peer.epoch + 100) == "protocol.other"
    assert await peer.code(Hello(protocol=PROTOCOL + 1)) == "ok"


async def test_another_owner_and_a_nameless_one_are_refused(rig: Rig) -> None:
    peer = await rig.peer()
    for owner in ("somebody-else", ""):
        assert await peer.code(Hello(), owner=owner, epoch=peer.epoch + 100) == "owner.other"
        assert await peer.code(volume(rig), owner=owner) == "owner.other"
    assert await peer.code(Ping()) == "ok"
    assert rig.files() == set()


async def test_a_machine_is_one_host_until_another_comes_instead_of_it(rig: Rig) -> None:
    first = await rig.peer(greet=False)
    assert await first.code(Hello(host_uuid="first")) == "ok"
    second = await rig.peer(greet=False)
    for uuid in ("second", ""):
        refused = (await second.ask(Hello(host_uuid=uuid))).error
        assert refused is not None
        assert (refused.code, refused.about) == ("host.other", "first")
        assert await second.code(Hello(host_uuid=uuid, instead_of="third")) == "host.other"
    assert await second.code(Ping()) == "hello.missing"
    assert await first.code(ObserveHost()) == "ok", "who is refused takes nothing over, and raises no epoch"
    # An appliance of the version before does not say which; what is claimed stays claimed.
    silent = await rig.peer()
    assert await silent.code(Ping()) == "ok"
    second = await rig.peer(greet=False)
    assert await second.code(Hello(host_uuid="second")) == "host.other"
    assert await second.code(Hello(host_uuid="second", instead_of="first")) == "ok"
    third = await rig.peer(greet=False)
    assert await third.code(Hello(host_uuid="first")) == "host.other"
    assert await third.code(Hello(host_uuid="", instead_of="second")) == "ok"


async def test_an_older_epoch_is_refused_by_every_verb(rig: Rig) -> None:
    peer = await rig.peer()
    older = peer.epoch - 1
    for request in (Hello(), Ping(), ObserveHost(), volume(rig)):
        assert await peer.code(request, epoch=older) == "epoch.stale"
    assert rig.files() == set()
    assert await peer.code(volume(rig)) == "ok"


async def test_a_newer_link_takes_over_and_the_older_one_ends(rig: Rig) -> None:
    older = await rig.peer()
    newer = await rig.peer()
    await older.ended()
    assert await newer.code(Ping()) == "ok"


async def test_hello_with_a_newer_epoch_on_the_same_link_fences_the_older(rig: Rig) -> None:
    peer = await rig.peer()
    older, peer.epoch = peer.epoch, (await rig.peer(greet=False)).epoch
    assert await peer.code(Hello()) == "ok"
    assert await peer.code(volume(rig), epoch=older) == "epoch.stale"
    assert await peer.code(volume(rig)) == "ok"


async def test_a_repeated_operation_has_one_effect_and_one_answer(rig: Rig) -> None:
    peer = await rig.peer()
    create, drop = volume(rig), DropFile(path=volume(rig).path)
    keys = {"op": "create-1" + rig.storage, "resource": "vm-a" + rig.storage, "generation": 1}
    first = await peer.ask(create, **keys)
    assert first.error is None
    assert await peer.code(drop) == "ok"
    again = await peer.ask(create, **keys)
    assert (bytes(again.result), again.error) == (bytes(first.result), first.error)
    assert rig.files() == set()
    assert await peer.code(create, **{**keys, "op": "create-2" + rig.storage}) == "ok"
    assert rig.files() == {create.path}


async def test_a_repeated_operation_is_answered_to_a_newer_link_and_generation_too(rig: Rig) -> None:
    older = await rig.peer()
    keys = {"op": "op-1" + rig.storage, "resource": "vm-b" + rig.storage, "generation": 1}
    first = await older.ask(volume(rig), **keys)
    newer = await rig.peer()
    assert await newer.code(DropFile(path=volume(rig).path), **{**keys, "op": "", "generation": 2}) == "ok"
    again = await newer.ask(volume(rig), **keys)
    assert (bytes(again.result), again.error) == (bytes(first.result), first.error)
    assert rig.files() == set()


async def test_a_refusal_is_the_answer_to_its_operation(rig: Rig) -> None:
    peer = await rig.peer()
    bad = volume(rig, size=7)
    op = "refused-1" + rig.storage
    first = await peer.ask(bad, op=op)
    assert first.error is not None
    assert first.error.code == "volume.size"
    assert (await peer.ask(volume(rig), op=op)).error == first.error
    assert rig.files() == set()


async def test_two_of_one_operation_at_once_are_both_answered(rig: Rig) -> None:
    peer = await rig.peer()
    numbers = [peer.send(volume(rig), op="twice" + rig.storage, resource="vm-c") for _ in range(2)]
    answers = [await peer.answer(number) for number in numbers]
    assert [answer.error for answer in answers] == [None, None]
    assert rig.files() == {volume(rig).path}


async def test_an_older_generation_is_refused_and_a_refused_one_is_not_remembered(rig: Rig) -> None:
    peer = await rig.peer()
    vm, other = "vm-d" + rig.storage, "vm-e" + rig.storage
    assert await peer.code(volume(rig, "one"), resource=vm, generation=3) == "ok"
    late = {"op": "late" + rig.storage, "resource": vm}
    assert await peer.code(volume(rig, "two"), **late, generation=2) == "generation.stale"
    assert await peer.code(volume(rig, "two"), resource=other, generation=2) == "ok"
    assert await peer.code(volume(rig, "three"), **late, generation=3) == "ok"
    assert {path.rsplit("/", 1)[1] for path in rig.files()} == {"one.qcow2", "two.qcow2", "three.qcow2"}


async def test_looking_needs_no_generation_and_sets_none(rig: Rig) -> None:
    peer = await rig.peer()
    vm = "vm-f" + rig.storage
    await peer.told(ObserveHost(), HostSeen, resource=vm, generation=9)
    assert await peer.code(volume(rig), resource=vm, generation=1) == "ok"
    await peer.told(ObserveHost(), HostSeen, resource=vm, generation=0)


@pytest.mark.parametrize(
    "request_",
    [{"verb": "ShredEverything"}, {"verb": "StartDomain"}, {"verb": "StartDomain", "vm_uuid": 7}, {}],
)
async def test_an_unknown_or_misshapen_request_is_refused_by_its_id(
    rig: Rig, request_: dict[str, object]
) -> None:
    peer = await rig.peer()
    peer.wire.write(line(id=77, request=request_))
    error = (await peer.answer(77)).error
    assert error is not None
    assert error.code == "frame.bad"
    assert await peer.code(Ping()) == "ok"


@pytest.mark.parametrize("garbage", [b"hello\n", b"\n", b"\xff\xfe\x00\n", b"[1,2]\n", b'{"id":"x"}\n'])
async def test_what_is_no_call_ends_the_link_and_not_the_host(rig: Rig, garbage: bytes) -> None:
    peer = await rig.peer()
    peer.wire.write(garbage)
    await peer.ended()
    assert await (await rig.peer()).code(Ping()) == "ok"


async def test_a_line_without_end_ends_the_link_and_not_the_host(rig: Rig) -> None:
    peer = await rig.peer()
    peer.wire.write(b"x" * (MAX_FRAME_BYTES + 2))
    await peer.ended()
    assert await (await rig.peer()).code(Ping()) == "ok"


async def test_fields_that_a_newer_appliance_sends_are_ignored(rig: Rig) -> None:
    peer = await rig.peer()
    peer.wire.write(line(id=78, epoch=peer.epoch, colour="blue", request={"verb": "Ping", "size": 3}))
    assert (await peer.answer(78)).error is None


async def test_many_calls_at_once_are_each_answered(rig: Rig) -> None:
    peer = await rig.peer()
    numbers = [peer.send(Ping()) for _ in range(200)]
    answers = [await peer.answer(number) for number in reversed(numbers)]
    assert {encode(answer).split(b'"id"')[0] for answer in answers} == {b'{"frame":"answer",'}
    assert len({answer.id for answer in answers}) == 200


async def test_one_resource_does_not_wait_for_another(rig: Rig) -> None:
    peer = await rig.peer()
    numbers = [
        peer.send(volume(rig, f"v{place}"), op=f"{place}{rig.storage}", resource=f"vm{place}")
        for place in range(8)
    ]
    assert [(await peer.answer(number)).error for number in numbers] == [None] * 8
    assert len(rig.files()) == 8


async def test_a_host_says_what_it_is_made_of(rig: Rig) -> None:
    facts = await (await rig.peer(greet=False)).told(Hello(), HostFacts)
    assert facts.distribution
    assert facts.hvm in {"", "vmx", "svm"}
    for version in (facts.libvirt_version, facts.qemu_version, facts.qemu_img_version):
        assert re.fullmatch(r"([0-9]+(\.[0-9]+)+)?", version)
