"""What queries may name is what ZStack 1.0 lets them name: fields, joins and aliases of each inventory class."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite

import appliance.resources.every  # noqa: F401 - declares everything
from appliance.api.errors import NotBuilt
from appliance.api.message import MESSAGES, QueryMessage
from appliance.api.resource import RESOURCES, Resource, camel
from appliance.api.shape import Shape, find_shape
from appliance.store.query import Query
from appliance.store.table import schema, table_of

ZSTACK: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "zstack_1_0_inventories.json").read_text()
)
"""Every queryable inventory class of ZStack 1.0: facts read from its sources."""

SHAPES: dict[str, Shape] = {name: shape for name in ZSTACK if (shape := find_shape(name)) is not None}
"""Those that are built."""

DELIBERATE = {
    ("L3NetworkDns", "lastOpDate"): "a name server is put in or taken out, never changed",
    ("PrimaryStorage", "systemUsedCapacity"): "comes with what is not ours on a disk",
    ("SftpBackupStorage", "username"): "whom the appliance logs in as is no secret",
}
"""Where we differ, and why."""

CORRECTED = {
    "Policy": {
        "groupRef": ["UserGroupPolicyRef", "uuid", "policyUuid", "hidden"],
        "userRef": ["UserPolicyRef", "uuid", "policyUuid", "hidden"],
    },
    "UserGroup": {
        "policyRef": ["UserGroupPolicyRef", "uuid", "groupUuid", "hidden"],
        "userRef": ["UserGroupUserRef", "uuid", "groupUuid", "hidden"],
    },
}
"""Joins that ZStack makes by the other one's column, so that they never find anything."""

QUERIES = {message.resource: message for message in MESSAGES.values() if issubclass(message, QueryMessage)}


def aliases(shape: Shape) -> dict[str, str]:
    return dict((*shape.kind.aliases, *(shape.child.aliases if shape.child else ())))


def inherited(name: str, what: str) -> dict[str, Any]:
    """What a class and its parents have of joins or aliases."""
    facts = ZSTACK.get(name, {})
    return {**(inherited(facts["extends"], what) if "extends" in facts else {}), **facts.get(what, {})}


def unanswered() -> Iterator[tuple[str, str, str | None]]:
    """Class, name and the resource it waits for, of each join that ZStack has and we do not answer."""
    for name, facts in ZSTACK.items():
        for reached, target in facts.get("reaches", {}).items():
            shape = SHAPES.get(name)
            if shape is None:
                yield name, reached, name
            elif reached not in {**shape.joins, **shape.aliases}:
                yield name, reached, shape.waits_for(reached) or (None if target in SHAPES else target)


def test_every_join_is_answered_or_waits_for_a_resource_that_is_not_built() -> None:
    waiting = list(unanswered())
    print("\n".join(f"{name}.{reached} waits for {target}" for name, reached, target in waiting))
    assert [each for each in waiting if each[2] is None or find_shape(each[2]) is not None] == []


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_joins_and_aliases_are_zstacks(name: str) -> None:
    shape = SHAPES[name]
    ours = {
        wire: [join.resource, camel(join.mine), camel(join.theirs), *(["hidden"] if join.hidden else [])]
        for wire, join in shape.declared.items()
    }
    theirs = inherited(name, "joins") | CORRECTED.get(name, {})
    assert {wire: ours.get(wire) for wire in theirs} == theirs
    assert {short: aliases(shape).get(short) for short in inherited(name, "aliases")} == inherited(
        name, "aliases"
    )
    reached = ZSTACK[name].get("reaches", {})
    visible = {wire for wire, join in shape.declared.items() if not join.hidden} | set(aliases(shape))
    if "reaches" in ZSTACK[name]:
        assert visible - set(reached) == set()


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_fields_can_be_queried(name: str) -> None:
    shape = SHAPES[name]
    wrong = set(ZSTACK[name]["primitive"]) - set(shape.columns)
    wrong |= set(ZSTACK[name].get("hidden", ())) & set(shape.columns)
    assert {field for field in wrong if (name, field) not in DELIBERATE} == set()
    assert shape.java == ZSTACK[name]["class"]
    assert shape.tag_types[0] == ZSTACK[name]["vo"]


def test_a_query_over_what_is_not_built_says_so() -> None:
    for name, reached, target in unanswered():
        shape = SHAPES.get(name)
        message = QUERIES.get(shape.kind) if shape is not None else None
        if message is None or reached not in {**shape.declared, **aliases(shape)} or shape.child is not None:
            continue
        with pytest.raises(NotBuilt, match=rf"name\[{reached}\.uuid\] asks for {target}, which is not built"):
            Query(message(conditions=[{"name": f"{reached}.uuid", "op": "=", "value": "1"}]))


def test_every_join_runs() -> None:
    connection = sqlite.connect(":memory:", isolation_level=None)
    for statement in schema():
        connection.execute(statement)
    run = 0
    for kind, message in QUERIES.items():
        first = find_shape(kind.name_)
        assert first is not None
        for outer, inner in ((a, b) for a in reached_by(first) for b in reached_by(reached_by(first)[a])):
            other = reached_by(reached_by(first)[outer])[inner]
            condition = {"name": f"{outer}.{inner}.{next(iter(other.columns))}", "op": "=", "value": "1"}
            for look in (None, lambda sql, parameters: connection.execute(sql, parameters).fetchall()):
                query = Query(message(conditions=[condition], count=True), look)
                connection.execute(query.sql, query.parameters).fetchall()
                connection.execute(query.count_sql, query.count_parameters).fetchall()
                run += 1
    connection.close()
    assert run > 200


def reached_by(shape: Shape) -> dict[str, Shape]:
    """The shapes that a name leads to from a shape."""
    found = {}
    for name in (*shape.joins, *shape.aliases):
        at: Shape | None = shape
        for step in shape.aliases.get(name, name).split("."):
            at = find_shape(at.joins[step].resource) if at is not None else None
        assert at is not None
        found[name] = at
    return found


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_joins_name_columns_that_there_are(kind: str) -> None:
    shape = find_shape(kind)
    assert shape is not None
    for join in shape.joins.values():
        other = find_shape(join.resource)
        assert other is not None
        assert join.mine in shape.kind.columns
        assert join.theirs in other.kind.columns


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_what_joins_go_by_has_an_index(kind: str) -> None:
    shape = find_shape(kind)
    assert shape is not None
    ways = {(shape.kind, join.mine) for join in shape.joins.values()}
    for join in shape.joins.values():
        other = find_shape(join.resource)
        assert other is not None
        ways.add((other.kind, join.theirs))
    assert {(way[0].name_, way[1]) for way in ways if not begins_index(*way)} == set()


def begins_index(kind: type[Resource], name: str) -> bool:
    """Whether rows can be found by a column without reading all."""
    column = kind.columns[name]
    groups = (*table_of(kind).indexes().values(), *kind.unique_together)
    return name == kind.primary or column.unique or any(group[0] == name for group in groups)
