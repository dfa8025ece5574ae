"""Queries answer what an oracle in Python answers, and refuse in ZStack's words."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysqlite3 import dbapi2 as sqlite

from appliance.api.errors import ApiError, InternalError, InvalidArgument, OperationFailed
from appliance.api.event import QueryEvent
from appliance.api.host import QueryHost
from appliance.api.l2 import L2NetworkClusterRef, QueryL2Network
from appliance.api.l3 import L3Network, QueryL3Network
from appliance.api.message import QueryMessage
from appliance.api.resource import Resource
from appliance.api.service import NetworkServiceProvider, QueryNetworkServiceProvider
from appliance.api.tag import UserTag
from appliance.api.vm import QueryVmInstance, QueryVmNic, VmInstance, VmNic
from appliance.store import snapshot as snapshot_module
from appliance.store.comparison import OPERATORS
from appliance.store.database import Database
from appliance.store.query import Query
from appliance.store.snapshot import Snapshot
from appliance.store.table import table_of
from appliance.store.transaction import Transaction

from .samples import host, l2, nic, vm

SECOND = 1_700_000_000
NAMES = ["", "a", "A", "ab", "aB", "b%", "b_", "bc", "b\\", "c d", "é", "É", "10"]


def oracle_text(value: str | None, operator: str, wanted: Any) -> bool:
    def folded(text: str) -> bytes:
        return text.encode().lower()  # bytes fold A to Z only, as SQLite does

    if operator == "is null":
        return value is None
    if value is None:
        return False
    if operator == "is not null":
        return True
    mine = folded(value)
    if operator in ("in", "not in"):
        return (mine in [folded(item.strip()) for item in wanted.split(",")]) == (operator == "in")
    if operator in ("like", "not like"):
        return bool(oracle_like(wanted).fullmatch(value)) == (operator == "like")
    return oracle_order(mine, operator, folded(wanted))


def oracle_like(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    shown = "".join({"%": ".*", "_": "."}.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile(re.sub("[a-zA-Z]", lambda m: f"[{m[0].lower()}{m[0].upper()}]", shown), re.DOTALL)


def oracle_order(mine: Any, operator: str, theirs: Any) -> bool:
    order: dict[str, Callable[[], bool]] = {
        "=": lambda: mine == theirs,
        "!=": lambda: mine != theirs,
        "<": lambda: mine < theirs,
        "<=": lambda: mine <= theirs,
        ">": lambda: mine > theirs,
        ">=": lambda: mine >= theirs,
    }
    return bool(order[operator]())


def oracle_number(value: float, operator: str, wanted: Any) -> bool:
    if operator in ("is null", "is not null"):
        return operator == "is not null"
    if operator in ("in", "not in"):
        items = wanted.split(",") if isinstance(wanted, str) else wanted
        return (value in [float(item) for item in items]) == (operator == "in")
    return oracle_order(value, operator, float(wanted))


def oracle_date(value: float, operator: str, wanted: Any) -> bool:
    if isinstance(wanted, str) and "-" in wanted:
        return oracle_order(
            int(value), operator, int(time.mktime(time.strptime(wanted, "%Y-%m-%d %H:%M:%S")))
        )
    return oracle_order(value, operator, float(wanted))


def local(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


ORDER = ["=", "!=", "<", "<=", ">", ">="]
Condition = dict[str, Any]


def conditions(
    name: str, operators: list[str], values: st.SearchStrategy[Any]
) -> st.SearchStrategy[Condition]:
    return st.fixed_dictionaries({"name": st.just(name), "op": st.sampled_from(operators), "value": values})


texts = st.sampled_from(["name", "description"]).flatmap(
    lambda name: (
        conditions(name, ORDER, st.sampled_from(NAMES))
        | conditions(name, ["in", "not in"], st.lists(st.sampled_from(NAMES), min_size=1).map(", ".join))
        | conditions(
            name,
            ["like", "not like"],
            st.text(["a", "B", "%", "_", "é", " "], max_size=4) | st.sampled_from(["b\\%", "B\\_%", "\\a"]),
        )
        | conditions(name, ["is null", "is not null"], st.sampled_from(["", None]))
    )
)
numbers = conditions("cpuNum", ORDER, st.integers(-1, 6) | st.sampled_from(["2", " 3", "2.5", "1e0", 10**30]))
numbers |= conditions(
    "cpuNum", ["in", "not in"], st.lists(st.integers(0, 5)) | st.sampled_from(["1,2", "3 , 9"])
)
dates = conditions(
    "createDate",
    ORDER,
    st.integers(-1, 4).map(lambda n: local(SECOND + n))
    | st.integers(0, 8).map(lambda n: SECOND + n / 2)
    | st.integers(0, 3).map(lambda n: str(SECOND + n)),
)
machines = st.builds(
    lambda name, description, cpus, halves: vm(
        name, description=description, cpu_num=cpus, create_date=SECOND + halves / 2
    ),
    st.sampled_from(NAMES),
    st.sampled_from([None, *NAMES]),
    st.integers(0, 5),
    st.integers(0, 7),
)


def holds(machine: VmInstance, condition: Condition) -> bool:
    name, operator, wanted = condition["name"], condition["op"], condition["value"]
    if name == "cpuNum":
        return oracle_number(machine.cpu_num, operator, wanted)
    if name == "createDate":
        return oracle_date(machine.create_date, operator, wanted)
    return oracle_text(getattr(machine, name), operator, wanted)


def memory_of(*kinds: type[Resource]) -> Any:
    connection = sqlite.connect(":memory:", isolation_level=None)
    for statement in (each for kind in kinds for each in table_of(kind).ddl()):
        connection.execute(statement)
    return connection


@given(st.lists(machines, max_size=12), st.lists(texts | numbers | dates, max_size=3), st.data())
def test_against_oracle(stored: list[VmInstance], asked: list[Condition], data: st.DataObject) -> None:
    connection = memory_of(VmInstance)
    tx = Transaction(connection, 1.0, str)
    for machine in stored:
        tx.insert(machine)
    expected = [each for each in stored if all(holds(each, condition) for condition in asked)]
    direction = data.draw(st.sampled_from(["asc", "desc"]))
    expected.sort(key=lambda each: each.cpu_num)  # stable: equal ones stay as they were put in
    if direction == "desc":
        expected.reverse()
    start, limit = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 12))
    message = QueryVmInstance(
        conditions=asked, sort_by="cpuNum", sort_direction=direction, start=start, limit=limit,
        reply_with_count=True,
    )  # fmt: skip
    found, total = tx.query(message)
    connection.close()
    assert [each.uuid for each in found] == [each.uuid for each in expected[start : start + limit]]
    assert total == len(expected)


async def test_every_comparison_of_dates(database: Database) -> None:
    stored = [vm(create_date=SECOND + quarter / 4) for quarter in range(12)]
    await database.write(lambda tx: [tx.insert(each) for each in stored])
    for operator in ORDER:
        for wanted in (SECOND + 1, SECOND + 1.25, str(SECOND + 1), local(SECOND + 1), local(SECOND + 9)):
            message = QueryVmInstance(conditions=one("createDate", operator, wanted))
            found, _ = await database.read(partial(Snapshot.query, message=message))
            expected = {each.uuid for each in stored if oracle_date(each.create_date, operator, wanted)}
            assert {each.uuid for each in found} == expected, (operator, wanted)
    several = QueryVmInstance(conditions=one("createDate", "in", [local(SECOND), local(SECOND + 2)]))
    others = QueryVmInstance(conditions=one("createDate", "not in", [local(SECOND), local(SECOND + 2)]))
    like = QueryVmInstance(conditions=one("createDate", "like", f"{local(SECOND + 1)}%"))
    for message, count in ((several, 8), (others, 4), (like, 4)):
        assert len((await database.read(partial(Snapshot.query, message=message)))[0]) == count


async def ask(database: Database, message: QueryMessage) -> list[str]:
    found, _ = await database.read(lambda snapshot: snapshot.query(message))
    return sorted(each.name for each in found)


def one(name: str, op: str, value: Any = None) -> list[Condition]:
    return [{"name": name, "op": op, "value": value}]


async def test_count_only(database: Database) -> None:
    await database.write(lambda tx: [tx.insert(vm()) for _ in range(3)])
    assert await database.read(lambda s: s.query(QueryVmInstance(count=True))) == ([], 3)
    assert (await database.read(lambda s: s.query(QueryVmInstance(limit=2))))[1] is None


async def test_truths_as_java_reads_them(database: Database) -> None:
    def change(tx: Transaction) -> None:
        for name, system in (("yes", True), ("no", False)):
            tx.insert(L3Network(uuid=name, name=name, zone_uuid="z", l2_network_uuid="l2", system=system))

    await database.write(change)
    for value, expected in (("TRUE", ["yes"]), (True, ["yes"]), ("1", ["no"]), ("false", ["no"])):
        assert await ask(database, QueryL3Network(conditions=one("system", "=", value))) == expected
    assert await ask(database, QueryL3Network(conditions=one("system", "!=", "true"))) == ["no"]


@pytest.mark.parametrize(
    ("operator", "value", "wrong"),
    [
        ("=", {"a": 1}, 'value[{"a":1}] of condition name[name] is no text or number'),
        ("like", ["a"], 'value[["a"]] of condition name[name] is no text or number'),
        ("in", {"a": 1}, 'value[{"a":1}] of condition name[name] is no text or number'),
        ("in", ["a", []], 'value[["a",[]]] of condition name[name] is no list of texts or numbers'),
    ],
)
async def test_what_is_no_value_of_a_field_is_refused(
    database: Database, operator: str, value: Any, wrong: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await ask(database, QueryVmInstance(conditions=one("name", operator, value)))
    assert refused.value.details == wrong


async def test_lists_of_uuids(database: Database) -> None:
    def change(tx: Transaction) -> None:
        for name, clusters in (("ab", "ab"), ("b", "b"), ("none", "")):
            tx.insert(l2(name, uuid=name))
            for each in clusters:
                tx.insert(L2NetworkClusterRef(uuid=name + each, l2_network_uuid=name, cluster_uuid=each))

    await database.write(change)
    cases = [
        ("=", "a", ["ab"]), ("in", "a,b", ["ab", "b"]), ("in", ["b"], ["ab", "b"]),
        ("!=", "a", ["b", "none"]), ("not in", "a,b", ["none"]),
        ("is null", "", ["none"]), ("is not null", "", ["ab", "b"]),
    ]  # fmt: skip
    for operator, value, expected in cases:
        message = QueryL2Network(conditions=one("attachedClusterUuids", operator, value))
        assert await ask(database, message) == expected, operator


async def test_list_column(database: Database) -> None:
    def change(tx: Transaction) -> None:
        for name, types in (("flat", ["DHCP", "Userdata"]), ("empty", [])):
            tx.insert(NetworkServiceProvider(uuid=name, name=name, type="Flat", network_service_types=types))

    await database.write(change)
    for operator, value, expected in (
        ("=", "dhcp", ["flat"]), ("not in", "DHCP,x", ["empty"]), ("like", "user%", ["flat"]),
        ("is null", "", ["empty"]), ("!=", "SNAT", ["empty", "flat"]),
    ):  # fmt: skip
        message = QueryNetworkServiceProvider(conditions=one("networkServiceTypes", operator, value))
        assert await ask(database, message) == expected, operator


async def test_tags(database: Database) -> None:
    def change(tx: Transaction) -> None:
        for name, kind in (("tagged", "VmInstanceVO"), ("other", "HostVO")):
            tx.insert(vm(name, uuid=name))
            tx.insert(UserTag(uuid=name, resource_uuid=name, resource_type=kind, tag="web::1"))

    await database.write(change)
    for operator, value, expected in (
        ("=", "WEB::1", ["tagged"]), ("!=", "web::1", ["other"]), ("like", "web::%", ["tagged"]),
        ("not like", "web%", ["other"]), ("is null", "", ["other"]), ("is not null", "", ["tagged"]),
    ):  # fmt: skip
        assert (
            await ask(database, QueryVmInstance(conditions=one("__userTag__", operator, value))) == expected
        )
    assert await ask(database, QueryVmInstance(conditions=one("__systemTag__", "is null"))) == [
        "other",
        "tagged",
    ]


async def test_nested_conditions_hold_for_one_row(database: Database) -> None:
    def change(tx: Transaction) -> None:
        there = tx.insert(host("big"))
        for name, addresses in (("two", ["10.0.0.1", "10.0.0.2"]), ("one", ["10.0.0.3"])):
            machine = tx.insert(vm(name, host_uuid=there.uuid if name == "one" else None))
            for place, address in enumerate(addresses):
                tx.insert(nic(machine.uuid, ip=address, device_id=place))

    await database.write(change)
    ip, place = "vmNics.ip", "vmNics.deviceId"
    assert await ask(database, QueryVmInstance(conditions=one(ip, "=", "10.0.0.3"))) == ["one"]
    both = one(ip, "=", "10.0.0.1") + one(place, "=", 1)
    assert await ask(database, QueryVmInstance(conditions=both)) == []
    both = one(ip, "=", "10.0.0.2") + one(place, "=", "1")
    assert await ask(database, QueryVmInstance(conditions=both)) == ["two"]
    assert await ask(database, QueryVmInstance(conditions=one("host.name", "=", "BIG"))) == ["one"]
    found, _ = await database.read(
        lambda s: s.query(QueryVmNic(conditions=one("vmInstance.name", "like", "tw_")))
    )
    assert [each.ip for each in found] == ["10.0.0.1", "10.0.0.2"]


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (QueryHost(conditions=one("name", "~", "a")), InvalidArgument, "unknown QueryOp type[~]"),
        (QueryHost(conditions=one("name", ["="], "a")), InvalidArgument, "unknown QueryOp type[['=']]"),
        (
            QueryHost(conditions=one("name", "=")),
            InvalidArgument,
            '\'value\' of query condition {"name":"name","op":"="} cannot be null',
        ),
        (
            QueryHost(conditions=one("foo", "=", "a")),
            InvalidArgument,
            "condition name[foo] is invalid, no such field on inventory class"
            "[org.zstack.header.host.HostInventory]",
        ),
        (
            QueryHost(conditions=one("intended", "=", "Absent")),
            InvalidArgument,
            "condition name[intended] is invalid, no such field on inventory class"
            "[org.zstack.header.host.HostInventory]",
        ),
        (
            QueryEvent(fields=["foo"]),
            InvalidArgument,
            "field[foo] is not a primitive of the inventory EventInventory; you cannot specify it in the "
            "parameter 'fields';valid fields are [sequence, createDate, level, name, "
            "resourceUuid, resourceType, resourceName, text]",
        ),
        (
            QueryHost(sort_by="foo"),
            InternalError,
            "illegal sortBy[foo], entity[org.zstack.header.host.HostVO] doesn't have this field",
        ),
        (
            QueryHost(conditions=one("a.b", "=", "1")),
            InternalError,
            "cannot find field[a] on class[org.zstack.header.host.HostInventory], wrong subquery name[a.b]",
        ),
        (QueryHost(sort_by="name", sort_direction="up"), InvalidArgument, "unknown sortDirection[up]"),
        (QueryHost(conditions=one("cpuNum", "=", "two")), InvalidArgument, "value[two] of condition name[cpu"),
        (QueryHost(conditions=one("cpuNum", "!=", "NaN")), InvalidArgument, "value[NaN] of condition name[cpu"),
        (QueryHost(conditions=one("cpuNum", "in", "1,1_0")), InvalidArgument, "value[1_0] of condition name[cpu"),
        (QueryHost(conditions=one("cpuNum", "=", "１")), InvalidArgument, "value[１] of condition name[cpu"),
        (QueryHost(conditions=one("createDate", ">", "inf")), InvalidArgument, "write it as yyyy-mm-dd"),
        (QueryHost(conditions=one("name", "in", [None])), InvalidArgument, "is no list of texts or numbers"),
        (QueryHost(conditions=one("createDate", "=", "today")), InvalidArgument, "write it as yyyy-mm-dd"),
        (QueryHost(conditions=one("name", "like", "%" * 257)), InvalidArgument, "257 characters; at most"),
        (QueryHost(conditions=one("name", "=", "a") * 201), InvalidArgument, "201 conditions; at most 200"),
    ],
)  # fmt: skip
def test_refusals(message: QueryMessage, error: type[ApiError], text: str) -> None:
    with pytest.raises(error) as caught:
        Query(message)
    assert text in caught.value.details
    if not text.endswith(tuple("0123456789")):
        assert caught.value.code == error.code


SNIPPETS = st.text("a,%\\\x00é'\"- :1", max_size=6)
HOSTILE = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["name", "cpuNum", "createDate", "vmNics.ip", "__userTag__", "x"]) | SNIPPETS,
        "op": st.sampled_from(sorted(OPERATORS)) | SNIPPETS | st.none(),
        "value": SNIPPETS
        | st.integers()
        | st.floats()
        | st.none()
        | st.booleans()
        | st.lists(SNIPPETS | st.none(), max_size=2)
        | st.dictionaries(SNIPPETS, SNIPPETS, max_size=1),
    }
)


@given(HOSTILE)
def test_any_condition_is_answered_or_refused(condition: Condition) -> None:
    connection = memory_of(VmInstance, VmNic, UserTag)
    try:
        with contextlib.suppress(InvalidArgument, InternalError):
            Transaction(connection, 1.0, str).query(QueryVmInstance(conditions=[condition]))
    finally:
        connection.close()


@pytest.mark.parametrize("text", ["'; DROP TABLE host; --", '"', "x' OR '1'='1", "\x00", "?"])
async def test_values_are_never_sql(database: Database, text: str) -> None:
    await database.write(lambda tx: tx.insert(host(text)))
    for operator in ("=", "in", "like"):
        assert await ask(database, QueryHost(conditions=one("name", operator, text))) == [text]
    for message in (
        QueryHost(conditions=one(text, "=", "a")),
        QueryHost(sort_by=text),
        QueryHost(fields=[text]),
    ):
        with pytest.raises(ApiError):
            await ask(database, message)
    assert await database.read(lambda snapshot: snapshot.count(table_of(QueryHost.resource).kind)) == 1


async def test_slow_query_is_stopped(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await database.write(lambda tx: [tx.insert(vm(description="a" * 2000)) for _ in range(3000)])
    slow = QueryVmInstance(conditions=one("description", "like", "%a" * 40 + "b") * 50)
    monkeypatch.setattr(snapshot_module, "QUERY_SECONDS", 0.01)
    with pytest.raises(OperationFailed, match="longer than"):
        await ask(database, slow)
    assert await ask(database, QueryVmInstance(limit=1)) == ["v"]
    assert await database.read(lambda snapshot: len(snapshot.all(VmInstance))) == 3000
