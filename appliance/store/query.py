"""A query message as SQL: conditions, order, page and count, with ZStack's words for what is wrong."""

from __future__ import annotations

from typing import Any

from appliance.api.errors import InternalError, InvalidArgument
from appliance.api.message import QueryMessage
from appliance.api.resource import RESOURCES, Column, Resource, camel, snake
from appliance.api.shape import Shape, find_shape, shape_of
from appliance.api.tag import SystemTag, UserTag
from appliance.store.comparison import ABSENT, POSITIVE, PRESENT, Sql, compare, parsed
from appliance.store.table import quoted, table_of

CONDITIONS = 200
"""A query may have so many."""

DEPTH = 30
"""A condition may name so many joins in a row: about as many as SQLite lets queries stand in one another."""

LARGEST = 2**63 - 1

_TAGS: dict[str, type[Resource]] = {"__userTag__": UserTag, "__systemTag__": SystemTag}

Condition = tuple[str, str, Any]
"""Name, operator, value."""


class Query:
    """A query message, translated. `InvalidArgument` and `InternalError` say what is wrong with it.

    `sql` selects the rows, `count_sql` their number; both take `parameters`. Values from the message are
    only ever parameters, and names only ever select declared ones.
    """

    def __init__(self, message: QueryMessage) -> None:
        self.kind = message.resource
        self.counts = message.count or message.reply_with_count
        self.lists = not message.count
        asked = [*message.only, *message.conditions]
        if len(asked) > CONDITIONS:
            raise InvalidArgument(f"there are {len(asked)} conditions; at most {CONDITIONS} can be")
        conditions = [parsed(each) for each in asked]
        shape = _selected(shape_of(self.kind), conditions)
        _check_fields(shape, message.fields)
        test, self.parameters = _all_hold(shape, conditions)
        where = f" WHERE {test}" if test else ""
        order = _order(shape, message.sort_by, message.sort_direction)
        limit, start = min(int(message.limit), LARGEST), min(int(message.start), LARGEST)
        table = table_of(self.kind)
        self.count_sql = f"SELECT COUNT(*) FROM {table.name}{where}"
        self.sql = f"{table.select}{where}{order} LIMIT {limit} OFFSET {start}"


def _selected(shape: Shape, conditions: list[Condition]) -> Shape:
    """The shape of the one type that conditions ask for, if they do."""
    typed_by = camel(shape.kind.typed_by)
    for name, operator, value in conditions:
        if name == typed_by and operator == "=":
            shape = shape.typed(value)
    return shape


def _all_hold(shape: Shape, conditions: list[Condition]) -> Sql:
    """The test that all conditions hold. Those on the same other resource hold for the same row of it."""
    tests: list[Sql] = []
    nested: dict[str, list[Condition]] = {}
    for name, operator, value in conditions:
        head, dot, rest = name.partition(".")
        if not dot:
            tests.append(_simple(shape, name, operator, value))
            continue
        if head not in shape.joins and head in shape.aliases:
            head, _, rest = f"{shape.aliases[head]}.{rest}".partition(".")
        if rest.count(".") >= DEPTH:
            raise InvalidArgument(f"condition name[{name}] names more than {DEPTH} resources in a row")
        nested.setdefault(head, []).append((rest, operator, value))
    tests += [_nested(shape, head, inner) for head, inner in nested.items()]
    return " AND ".join(test for test, _ in tests), [each for _, parameters in tests for each in parameters]


def _nested(shape: Shape, head: str, inner: list[Condition]) -> Sql:
    join = shape.joins.get(head)
    other = find_shape(join.resource) if join is not None else None
    if join is None or other is None:
        raise _no_subquery(shape, head, f"{head}.{inner[0][0]}")
    test, parameters = _all_hold(_selected(other, inner), inner)
    mine = f"{quoted(shape.kind.table)}.{quoted(join.mine)}"
    return f"{mine} IN {_owners(other.kind, join.theirs, test)}", parameters


def _simple(shape: Shape, name: str, operator: str, value: Any) -> Sql:
    if name in _TAGS:
        tag, types = _TAGS[name], shape.tag_types
        own = f"{quoted('resource_type')} IN ({', '.join('?' * len(types))})"
        return _has(shape, tag, "resource_uuid", tag.columns["tag"], operator, value, (own, [*types]))
    for embed in shape.kind.embeds:
        if embed.wire == name and embed.pluck:
            child = RESOURCES[embed.resource]
            return _has(shape, child, embed.by, child.columns[snake(embed.pluck)], operator, value)
    column = shape.columns.get(name)
    if column is None:
        raise InvalidArgument(
            f"condition name[{name}] is invalid, no such field on inventory class[{shape.java}]"
        )
    if not column.queryable:
        raise InvalidArgument(
            f"condition name[{name}] is invalid, field[{name}] of inventory[{shape.java}] is annotated as "
            "@Unqueryable field"
        )
    return compare(shape.kind.table, column, operator, value)


def _has(
    shape: Shape,
    child: type[Resource],
    by: str,
    column: Column,
    operator: str,
    value: Any,
    own: Sql | None = None,
) -> Sql:
    """Whether a resource has a tag, or an item in a list, of that value; denying ones ask for none such."""
    tests, parameters = ([own[0]], own[1]) if own is not None else ([], [])
    if operator not in (ABSENT, PRESENT):
        inner, more = compare(child.table, column, POSITIVE.get(operator, operator), value)
        tests, parameters = [*tests, inner], [*parameters, *more]
    word = "NOT IN" if operator in POSITIVE or operator == ABSENT else "IN"
    key = f"{quoted(shape.kind.table)}.{quoted(shape.kind.primary)}"
    return f"{key} {word} {_owners(child, by, ' AND '.join(tests))}", parameters


def _owners(child: type[Resource], by: str, test: str) -> str:
    """What the `by` column of those that pass a test holds, as a list without nulls: one would spoil NOT IN."""
    column = child.columns[by]
    tests = [f"{quoted(by)} IS NOT NULL"] if column.optional else []
    where = " AND ".join([*tests, test] if test else tests)
    return f"(SELECT {quoted(by)} FROM {quoted(child.table)}{f' WHERE {where}' if where else ''})"


def _no_subquery(shape: Shape, field: str, name: str) -> InternalError:
    if field in shape.columns:
        return InternalError(
            f"nested query field[{field}] on inventory[{shape.java}] must be annotated as @Queryable"
        )
    return InternalError(f"cannot find field[{field}] on class[{shape.java}], wrong subquery name[{name}]")


def _check_fields(shape: Shape, fields: list[str]) -> None:
    valid = shape.fields
    for field in fields:
        if field not in valid:
            raise InvalidArgument(
                f"field[{field}] is not a primitive of the inventory {shape.name}; you cannot "
                f"specify it in the parameter 'fields';valid fields are [{', '.join(valid)}]"
            )


def _order(shape: Shape, sort_by: str | None, direction: str) -> str:
    if not sort_by:
        return ""
    column = shape.columns.get(sort_by)
    if column is None:
        raise InternalError(f"illegal sortBy[{sort_by}], entity[{shape.entity}] doesn't have this field")
    if direction not in ("asc", "desc"):
        raise InvalidArgument(f"unknown sortDirection[{direction}]; it can be asc or desc")
    way = direction.upper()
    return f" ORDER BY {quoted(column.name)} {way}, rowid {way}"
