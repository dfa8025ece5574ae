"""Whatever is sent to the API is answered with a code, is not told of in the log as a fault, and changes nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import typing
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.api.message import MESSAGES, Message, Parameter
from appliance.api.zstack_names import missing_messages
from appliance.serve import http
from appliance.serve.http import BODY_LIMIT
from tests.served_cloud import CALL, Wire, coded, nothing_changes, served
from tests.simulated_cloud import SimulatorCloud

on_one_loop = pytest.mark.asyncio(loop_scope="module")
steady = settings(
    derandomize=True, database=None, max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

ABSENT = "0" * 12 + "4" + "0" * 3 + "a" + "0" * 15
ZONE = MESSAGES["CreateZone"].java
QUERY = MESSAGES["QueryZone"].java
DEEP = 100_000


@pytest.fixture(autouse=True)
def handlers() -> None:
    """All messages are answered by what answers them in the product."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    """A cloud of the simulator with a running VM, over HTTP."""
    cloud = SimulatorCloud(tmp_path_factory.mktemp("fuzz") / "data")
    await cloud.start()
    await cloud.build()
    await cloud.vm()
    await cloud.idle()
    async with served(cloud) as running:
        yield running
    await cloud.stop()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No fault is logged in any of these tests."""
    yield
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []


# --- bodies ---------------------------------------------------------------------------------------------


def zone(fields: str) -> bytes:
    return f'{{"{ZONE}":{{{fields}}}}}'.encode()


BODIES = {
    "empty": (b"", "SYS.1008"),
    "cut": (zone('"name":"z"')[:-1], "SYS.1008"),
    "twice": (zone('"name":"z"') * 2, "SYS.1008"),
    "two-keys": (f'{{"{ZONE}":{{}},"{QUERY}":{{}}}}'.encode(), "SYS.1008"),
    "fields-are-a-list": (f'{{"{ZONE}":[]}}'.encode(), "SYS.1008"),
    "fields-are-null": (f'{{"{ZONE}":null}}'.encode(), "SYS.1008"),
    "byte-order-mark": (b"\xef\xbb\xbf" + zone('"name":"z"'), "SYS.1008"),
    "utf-16": (zone('"name":"z"').decode().encode("utf-16"), "SYS.1008"),
    "latin-1": (zone('"name":"ü"').decode().encode("latin-1"), "SYS.1008"),
    "overlong": (zone('"name":"').replace(b"}}", b"\xc0\xaf\"}}"), "SYS.1008"),
    "surrogate-in-utf-8": (zone('"name":"z"').replace(b"z\"}", b"\xed\xa0\x80\"}"), "SYS.1008"),
    "half-a-pair": (zone(r'"name":"\ud800"'), "SYS.1007"),
    "half-a-pair-as-message": (rb'{"\ud800":{}}', "SYS.1007"),
    "half-a-pair-as-class": (rb'{"a.\ud800":{}}', "SYS.1007"),
    "nul": (zone(r'"name":"a\u0000b"'), "SYS.1007"),
    "bare-control": (zone('"name":"a\x01b"'), "SYS.1008"),
    "nan": (zone('"name":"z","x":NaN'), "SYS.1007"),
    "infinity": (zone('"name":"z","x":-Infinity'), "SYS.1007"),
    "overflow": (zone('"name":1e999'), "SYS.1007"),
    "many-digits": (zone('"name":"z","x":' + "9" * 100_000), "SYS.1008"),
    "deep-lists": (b"[" * DEEP, "SYS.1007"),
    "deep-closed-lists": (b"[" * DEEP + b"]" * DEEP, "SYS.1007"),
    "deep-objects": (b'{"a":' * DEEP, "SYS.1007"),
    "deep-fields": (zone('"name":"z","x":' + "[" * DEEP + "]" * DEEP), "SYS.1007"),
    "deep-mixed": (zone('"x":' + '[{"a":' * DEEP + "1" + "}]" * DEEP), "SYS.1007"),
    "a-class-without-end": (b'{"' + b"a." * 400_000 + b'":{}}', "PORTAL.1000"),
    "a-name-without-end": (b'{"' + b"a" * 900_000 + b'":{}}', "PORTAL.1000"),
    "an-empty-name": (b'{"":{}}', "PORTAL.1000"),
}  # fmt: skip


@on_one_loop
@pytest.mark.parametrize("name", BODIES)
async def test_what_is_no_call_is_400(wire: Wire, name: str) -> None:
    body, code = BODIES[name]
    async with nothing_changes(wire):
        answer = await wire.post(body)
    assert (answer.status, coded(answer)) == (400, code)
    assert len(json.dumps(answer.wire)) < 6000, "what is sent is not sent back whole"


@on_one_loop
async def test_what_is_too_long_is_413(wire: Wire) -> None:
    async with nothing_changes(wire):
        answer = await wire.post(zone('"name":"' + "x" * BODY_LIMIT + '"'))
    assert (answer.status, coded(answer)) == (413, "SYS.1007")


PACKED = {
    "bomb": gzip.compress(b" " * (64 << 20), 1),
    "call": gzip.compress(zone('"name":"z"')),
    "broken": b"\x1f\x8bnonsense",
}


@on_one_loop
@pytest.mark.parametrize("name", PACKED)
async def test_what_is_packed_is_not_unpacked(wire: Wire, name: str) -> None:
    async with nothing_changes(wire):
        answer = await wire.exchange("POST", CALL, PACKED[name], {"Content-Encoding": "gzip"})
    assert (answer.status, coded(answer)) == (400, "SYS.1008")
    assert "send the body plain" in answer.error["details"]


@asynccontextmanager
async def connected(wire: Wire) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(wire.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


PIECES = [b"zz\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n", b"f" * 20 + b"\r\n"]


@on_one_loop
@pytest.mark.parametrize("piece", PIECES)
async def test_a_body_in_broken_pieces_is_refused(
    wire: Wire, piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.2)
    head = f"POST {CALL} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n".encode()
    async with asyncio.timeout(10), connected(wire) as (reader, writer):
        writer.write(head + b"\r\n" + piece)
        assert (await reader.readline()).split()[1] == b"400"
    async with asyncio.timeout(10), connected(wire) as (reader, writer):
        writer.write(head + b"Expect: 100-continue\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(piece)
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")


@on_one_loop
@pytest.mark.parametrize("path", [CALL, "/api/v1/zones", "/nowhere", "/healthz"])
async def test_an_unknown_expectation_is_refused_in_the_envelope(wire: Wire, path: str) -> None:
    answer = await wire.exchange("POST", path, b"{}", headers={"Expect": "banana"})
    assert (answer.status, answer.error["code"]) == (417, "SYS.1008")
    assert "banana; leave the header out" in answer.error["details"]


@on_one_loop
@steady
@given(junk=st.binary(max_size=300))
async def test_random_bytes_are_400(wire: Wire, junk: bytes) -> None:
    answer = await wire.post(junk)
    assert (answer.status, coded(answer)) == (400, "SYS.1008")


@on_one_loop
@steady
@given(data=st.data())
async def test_a_call_with_bytes_changed_is_answered(wire: Wire, data: st.DataObject) -> None:
    whole = zone(f'"description":"d","session":{{"uuid":"{wire.session_uuid}"}}')
    at = data.draw(st.integers(0, len(whole) - 1))
    body = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + data.draw(st.integers(0, 3)) :]
    async with nothing_changes(wire):
        answer = await wire.post(body)
    assert coded(answer) in ("SYS.1007", "SYS.1008", "PORTAL.1000", "ID.1001")


@on_one_loop
async def test_the_last_of_two_equal_keys_counts(wire: Wire) -> None:
    session = f'"session":{{"uuid":"{wire.session_uuid}"}}'
    async with nothing_changes(wire):
        answer = await wire.post(zone(f'"name":"z","name":"","name":"{"x" * 300}",{session}'))
    assert "actual was 300" in answer.error["details"]


# --- parameters -----------------------------------------------------------------------------------------

NO_TEXT: tuple[Any, ...] = ([], {}, ["x"], {"a": 1})
WRONG: dict[Any, tuple[Any, ...]] = {
    int: ("ten", 1.5, True, [], {}, 1 << 64, -(1 << 64), "9" * 400, "1e3", 1e308, "٣" * 30),
    bool: ("yes", 1, "", [], {}, 0.5),
    str: NO_TEXT,
    list: (5, True, {}, {"a": 1}, 1.5, [[]], [["x"]]),
    dict: ("x", 5, [], True, "[1]", "{"),
}
"""What can be taken for no value of a kind."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def wrong_for(parameter: Parameter) -> tuple[Any, ...]:
    return WRONG[typing.get_origin(parameter.kind) or parameter.kind]


def right_for(parameter: Parameter) -> Any:
    """Something that passes a parameter's own checks."""
    kind = typing.get_origin(parameter.kind) or parameter.kind
    if parameter.choices:
        return parameter.choices[0]
    if kind is list:
        inner = typing.get_args(parameter.kind)[0]
        return [ABSENT] if inner is str else [{}]
    if kind is dict:
        return {ABSENT: []}
    return {int: parameter.minimum or 1, bool: False, str: ABSENT if parameter.ref else "x"}[kind]


def fields_of(kind: type[Message]) -> dict[str, Any]:
    return {each.wire: right_for(each) for each in kind.parameters.values() if each.required}


SENT = sorted(name for name, kind in MESSAGES.items() if kind.parameters)


@on_one_loop
@pytest.mark.parametrize("part", range(4))
async def test_a_wrong_type_in_any_parameter_of_any_message_is_named(wire: Wire, part: int) -> None:
    """Each parameter of each declared message is sent what it cannot be, all else being right."""
    tried = 0
    async with nothing_changes(wire):
        for name in SENT[part::4]:
            kind = MESSAGES[name]
            for parameter in kind.parameters.values():
                choices = wrong_for(parameter)
                for value in {repr(choices[at % len(choices)]): choices[at % len(choices)]
                              for at in (tried, tried + 1)}.values():  # fmt: skip
                    answer = await wire.begin(name, **{**fields_of(kind), parameter.wire: value})
                    said = (name, parameter.wire, value, answer.wire)
                    assert (answer.status, coded(answer)) == (200, "SYS.1007"), said
                    assert f"field[{parameter.wire}]" in answer.error["details"], said
                    tried += 1
    assert tried > 200


@on_one_loop
@steady
@given(name=st.sampled_from(SENT), data=st.data())
async def test_several_wrong_things_and_unknown_ones_are_refused(
    wire: Wire, name: str, data: st.DataObject
) -> None:
    kind = MESSAGES[name]
    parameters = list(kind.parameters.values())
    wrong = data.draw(st.lists(st.sampled_from(parameters), min_size=1, unique_by=lambda each: each.wire))
    fields = {"x": data.draw(JSON), "timeout": data.draw(JSON), "headers": data.draw(JSON), **fields_of(kind)}
    fields |= {each.wire: data.draw(st.sampled_from(wrong_for(each))) for each in wrong}
    async with nothing_changes(wire):
        answer = await wire.begin(name, **fields)
    assert (answer.status, coded(answer)) == (200, "SYS.1007")


@on_one_loop
async def test_who_is_not_known_learns_nothing_and_changes_nothing(wire: Wire) -> None:
    async with nothing_changes(wire):
        for name, kind in MESSAGES.items():
            if kind.role != "anyone":
                answer = await wire.begin(name, **fields_of(kind), session={"uuid": ABSENT})
                assert coded(answer) in ("ID.1001", "SYS.1003"), (name, answer.wire)


@on_one_loop
async def test_what_is_not_built_says_so_whatever_is_sent(wire: Wire) -> None:
    async with nothing_changes(wire):
        for java in missing_messages():
            answer = await wire.begin(java, uuid=[{}], x=1)
            assert (answer.status, coded(answer)) == (200, "SYS.1014"), java


LOOKS = [
    name
    for name in SENT
    if MESSAGES[name].sync and MESSAGES[name].role != "anyone" and not name.startswith(("Create", "Delete"))
]


@on_one_loop
@steady
@given(name=st.sampled_from(LOOKS), data=st.data())
async def test_a_question_is_answered_or_refused(wire: Wire, name: str, data: st.DataObject) -> None:
    kind = MESSAGES[name]
    fields = fields_of(kind)
    for parameter in kind.parameters.values():
        if data.draw(st.booleans()):
            fields[parameter.wire] = data.draw(
                JSON | st.sampled_from(["name", "uuid", "0", "true", ["uuid"]])
            )
    answer = await wire.begin(name, **fields)
    assert answer.status == 200
    assert answer.body is not None
    if not answer.body["success"]:
        assert answer.error["code"] in ("SYS.1000", "SYS.1003", "SYS.1006", "SYS.1007"), answer.error
        assert "a fault in the appliance" not in answer.error["details"]


OPERATORS = [
    "=",
    "!=",
    ">",
    "<",
    ">=",
    "<=",
    "in",
    "not in",
    "like",
    "not like",
    "is null",
    "is not null",
    "~",
]
NAMED = [
    "uuid",
    "name",
    "type",
    "format",
    "state",
    "attachedClusterUuids",
    "createDate",
    "vmNics.ip",
    "__userTag__",
    "cpuNum",
    "a.b",
    "",
    "host.zone.name",
    "'; --",
]
CONDITION = st.fixed_dictionaries(
    {},
    optional={"name": st.sampled_from(NAMED) | JSON, "op": st.sampled_from(OPERATORS) | JSON, "value": JSON},
)


@on_one_loop
@steady
@given(
    conditions=st.lists(CONDITION, max_size=4), name=st.sampled_from([n for n in LOOKS if n[:5] == "Query"])
)
async def test_a_condition_of_anything_is_answered_or_refused(
    wire: Wire, conditions: list[Any], name: str
) -> None:
    answer = await wire.begin(name, conditions=conditions)
    assert answer.body is not None
    if not answer.body["success"]:
        assert answer.error["code"] in ("SYS.1000", "SYS.1007")
        assert "a fault in the appliance" not in answer.error["details"]


@on_one_loop
async def test_looking_has_changed_nothing(wire: Wire) -> None:
    async with nothing_changes(wire):
        for name in LOOKS:
            await wire.begin(name, **fields_of(MESSAGES[name]))


# --- many at once, and slow -----------------------------------------------------------------------------


@on_one_loop
async def test_many_at_once_are_each_answered(wire: Wire) -> None:
    bodies = [body for body, _ in BODIES.values()]
    async with nothing_changes(wire), asyncio.TaskGroup() as group:
        tasks = [group.create_task(wire.post(bodies[at % len(bodies)])) for at in range(100)]
    assert {task.result().status for task in tasks} == {400}


@on_one_loop
async def test_slow_bodies_end_and_hold_up_nobody(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.5)
    head = f"POST {CALL} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{".encode()
    async with asyncio.timeout(10), AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(wire)) for _ in range(20)]
        for _, writer in slow:
            writer.write(head)
        assert (await wire.begin("QueryZone")).status == 200
        for _, writer in slow[10:]:
            writer.transport.abort()
        for reader, _ in slow[:10]:
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    assert (await wire.begin("QueryZone")).status == 200
