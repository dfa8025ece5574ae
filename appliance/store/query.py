"""A query message as SQL: conditions, order, page and count, with ZStack's words for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from appliance.api.errors import InvalidArgument, NotBuilt, WrongQuery
from appliance.api.message import QueryMessage
from appliance.api.resource import RESOURCES, Column, Resource, camel, snake
from appliance.api.shape import Shape, find_shape, shape_of
from appliance.api.tag import SystemTag, UserTag
from appliance.store.comparison import ABSENT, POSITIVE, PRESENT, Sql, compare, parsed
from appliance.store.table import quoted, table_of
from appliance.store.viewer import Sight, Viewer

CONDITIONS = 200
"""A query may have so many."""

DEPTH = 30
"""A condition may name so many joins in a row: about as many as SQLite lets queries stand in one another."""

FEW = 20
MANY = 5_000
"""Other resources that nested conditions hold for: up to FEW become values, from MANY on a page tries rows."""

LARGEST = 2**63 - 1

_TAGS: dict[str, type[Resource]] = {"__userTag__": UserTag, "__systemTag__": SystemTag}

Condition = tuple[str, str, Any]
"""Name, operator, value."""


Look = Callable[[str, list[Any]], list[tuple[Any, ...]]]
"""Runs a statement."""


class Query:
    """A query message, translated. `InvalidArgument` and `WrongQuery` say what is wrong with it.

    `sql` selects the rows and takes `parameters`, `count_sql` their number and takes `count_parameters`.
    Values from the message are only ever parameters, and names only ever select declared ones. With `look`,
    conditions on other resources are asked first how many of those there are, and translated accordingly. With
    a `viewer`, only what it can see is found, in other resources, too.
    """

    def __init__(self, message: QueryMessage, look: Look | None = None, viewer: Viewer | None = None) -> None:
        sight = None if viewer is None else Sight(viewer, look)
        self.kind = message.asked_of()
        self.counts = message.count or message.reply_with_count
        self.lists = not message.count
        asked = [*message.only, *message.conditions]
        if len(asked) > CONDITIONS:
            raise InvalidArgument(f"there are {len(asked)} conditions; at most {CONDITIONS} can be")
        conditions = [parsed(each) for each in asked]
        shape = _selected(shape_of(self.kind), conditions)
        _check_fields(shape, message.fields)
        sort = _sort_column(shape, message.sort_by)
        order = _order(sort, message.sort_direction)
        limit, start = min(int(message.limit), LARGEST), min(int(message.start), LARGEST)
        table = table_of(self.kind)
        first = _Translation(look, sort if self.lists else None, page=self.lists, sight=sight)
        test, self.parameters = first.all_hold(shape, self.kind.table, conditions)
        where = f" WHERE {test}" if test else ""
        self.sql = f"{table.select}{where}{order} LIMIT {limit} OFFSET {start}"
        self.count_parameters = self.parameters
        if self.counts and self.lists and look is not None:
            whole = _Translation(look, None, page=False, sight=sight)
            test, self.count_parameters = whole.all_hold(shape, self.kind.table, conditions)
            where = f" WHERE {test}" if test else ""
        self.count_sql = f"SELECT COUNT(*) FROM {table.name}{where}"


def _selected(shape: Shape, conditions: list[Condition]) -> Shape:
    """The shape of the one type that conditions ask for, if they do."""
    typed_by = camel(shape.kind.typed_by)
    for name, operator, value in conditions:
        if name == typed_by and operator == "=":
            shape = shape.typed(value)
    return shape


class _Translation:
    """Conditions as one test. For a `page`, rows are better tried in its order than many sought out."""

    def __init__(self, look: Look | None, sort: Column | None, *, page: bool, sight: Sight | None) -> None:
        self._sight = sight
        self._look = look
        self._sort = sort
        self._page = page
        self._joined = 0

    def all_hold(self, shape: Shape, table: str, conditions: list[Condition]) -> Sql:
        """The test that all conditions hold. Those on the same other resource hold for the same row of it."""
        tests: list[Sql] = []
        nested: dict[str, list[Condition]] = {}
        for name, operator, value in conditions:
            head, dot, rest = name.partition(".")
            if not dot:
                tests.append(self._own(shape, table, name, operator, value))
                continue
            if head not in shape.joins and head in shape.aliases:
                head, _, rest = f"{shape.aliases[head]}.{rest}".partition(".")
            if rest.count(".") >= DEPTH:
                raise InvalidArgument(f"condition name[{name}] names more than {DEPTH} resources in a row")
            nested.setdefault(head, []).append((rest, operator, value))
        tests += [self._nested(shape, table, head, inner) for head, inner in nested.items()]
        seen = None if self._sight is None else self._sight.test(shape.kind, table)
        if seen is not None:
            tests.append(seen)
        parameters = [each for _, some in tests for each in some]
        return " AND ".join(test for test, _ in tests), parameters

    def _own(self, shape: Shape, table: str, name: str, operator: str, value: Any) -> Sql:
        test, parameters = _simple(shape, table, name, operator, value, self._sight)
        column = shape.columns.get(name)
        if self._look is None or self._sort is None or table != shape.kind.table:
            return test, parameters
        if column is None or not column.few or (operator == "=" and _ordered(shape, column, self._sort)):
            return test, parameters
        # An index would find them all, to be sorted; which is right for some, and too slow for many.
        found = self._look(f"SELECT 1 FROM {quoted(table)} WHERE {test} LIMIT {MANY}", parameters)
        return (f"({test}) IS TRUE" if len(found) == MANY else test), parameters

    def _nested(self, shape: Shape, table: str, head: str, inner: list[Condition]) -> Sql:
        join = shape.joins.get(head)
        other = find_shape(join.resource) if join is not None else None
        if join is None or other is None:
            name = f"{head}.{inner[0][0]}"
            missing = shape.waits_for(head)
            if missing is not None:
                raise NotBuilt(f"condition name[{name}] asks for {missing}, which is not built here yet")
            raise _no_subquery(shape, head, name)
        # A resource may be joined to itself, so that each has a name of its own.
        self._joined += 1
        alias = f"j{self._joined}"
        test, parameters = self.all_hold(_selected(other, inner), alias, inner)
        mine, theirs = f"{quoted(table)}.{quoted(join.mine)}", f"{quoted(alias)}.{quoted(join.theirs)}"
        rows = f"FROM {quoted(other.kind.table)} AS {quoted(alias)} WHERE {test}"
        if self._look is not None:
            # With a +, as DISTINCT would else go by the index of the column, and fetch each row for the test.
            found = self._look(f"SELECT DISTINCT +{theirs} {rows} LIMIT {MANY}", parameters)
            if len(found) <= FEW:
                return _one_of(mine, [key for (key,) in found])
            if len(found) == MANY and self._page:
                return f"EXISTS (SELECT 1 {rows} AND {theirs} = {mine})", parameters
        return f"{mine} IN (SELECT {theirs} {rows})", parameters


def _ordered(shape: Shape, column: Column, sort: Column) -> bool:
    """Whether an index has the rows of one value of a column in an order."""
    return any(index[:2] == (column.name, sort.name) for index in shape.kind.indexes)


def _one_of(column: str, values: list[Any]) -> Sql:
    """The test for one of a few values. With only one, an index that begins with the column gives the order."""
    if len(values) == 1:
        return f"{column} = ?", values
    return f"{column} IN ({', '.join('?' * len(values))})", values


def _simple(shape: Shape, table: str, name: str, operator: str, value: Any, sight: Sight | None) -> Sql:
    if name in _TAGS:
        tag, types = _TAGS[name], shape.tag_types
        own = f"{quoted('resource_type')} IN ({', '.join('?' * len(types))})"
        seen = None if sight is None else sight.test(tag, tag.table)
        known = (own, [*types]) if seen is None else (f"{own} AND {seen[0]}", [*types, *seen[1]])
        test, parameters = _has(tag, "resource_uuid", "tag", operator, value, known)
        return f"{quoted(table)}.{quoted(shape.kind.primary)} {test}", parameters
    for embed in shape.kind.embeds:
        if embed.wire == name and embed.pluck:
            child = RESOURCES[embed.resource]
            test, parameters = _has(child, embed.by, snake(embed.pluck), operator, value, ("", []))
            return f"{quoted(table)}.{quoted(shape.kind.primary)} {test}", parameters
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
    return compare(table, column, operator, value)


def _has(child: type[Resource], by: str, name: str, operator: str, value: Any, own: Sql) -> Sql:
    """Being an owner of a tag, or of an item in a list, of that value; denying ones ask for none such."""
    tests, parameters = [own[0]], own[1]
    if child.columns[by].optional:
        tests.append(f"{quoted(by)} IS NOT NULL")  # one null would spoil NOT IN
    if operator not in (ABSENT, PRESENT):
        test, more = compare(child.table, child.columns[name], POSITIVE.get(operator, operator), value)
        tests.append(test)
        parameters = [*parameters, *more]
    word = "NOT IN" if operator in POSITIVE or operator == ABSENT else "IN"
    where = " AND ".join(test for test in tests if test) or "1"
    return f"{word} (SELECT {quoted(by)} FROM {quoted(child.table)} WHERE {where})", parameters


def _no_subquery(shape: Shape, field: str, name: str) -> WrongQuery:
    if field in shape.columns:
        return WrongQuery(
            f"nested query field[{field}] on inventory[{shape.java}] must be annotated as @Queryable"
        )
    return WrongQuery(f"cannot find field[{field}] on class[{shape.java}], wrong subquery name[{name}]")


def _check_fields(shape: Shape, fields: list[str]) -> None:
    valid = shape.fields
    for field in fields:
        if field not in valid:
            raise InvalidArgument(
                f"field[{field}] is not a primitive of the inventory {shape.name}; you cannot "
                f"specify it in the parameter 'fields';valid fields are [{', '.join(valid)}]"
            )


def _sort_column(shape: Shape, sort_by: str | None) -> Column | None:
    if not sort_by:
        return None
    column = shape.columns.get(sort_by)
    if column is None:
        raise WrongQuery(f"illegal sortBy[{sort_by}], entity[{shape.entity}] doesn't have this field")
    return column


def _order(sort: Column | None, direction: str) -> str:
    if sort is None:
        return ""
    if direction not in ("asc", "desc"):
        raise InvalidArgument(f"unknown sortDirection[{direction}]; it can be asc or desc")
    way = direction.upper()
    return f" ORDER BY {quoted(sort.name)} {way}, rowid {way}"
