"""A query message as SQL: conditions, order, page and count, with ZStack's words for what is wrong."""

from __future__ import annotations

from typing import Any

from appliance.api.errors import InternalError, InvalidArgument
from appliance.api.message import QueryMessage
from appliance.api.resource import RESOURCES, Column, Embed, Resource, snake
from appliance.api.tag import SystemTag, UserTag
from appliance.store.comparison import ABSENT, POSITIVE, PRESENT, Sql, compare, parsed
from appliance.store.table import is_json, quoted, table_of

CONDITIONS = 200
"""A query may have so many."""

_TAGS: dict[str, type[Resource]] = {"__userTag__": UserTag, "__systemTag__": SystemTag}


class Query:
    """A query message, translated. `InvalidArgument` and `InternalError` say what is wrong with it.

    `sql` selects the rows, `count_sql` their number; both take `parameters`. Values from the message are
    only ever parameters, and names only ever select declared ones.
    """

    def __init__(self, message: QueryMessage) -> None:
        self.kind = message.asked_of()
        self.counts = message.count or message.reply_with_count
        self.lists = not message.count
        self.parameters: list[Any] = []
        _check_fields(self.kind, message.fields)
        table = table_of(self.kind)
        where = self._where(message.conditions)
        order = _order(self.kind, message.sort_by, message.sort_direction)
        self.count_sql = f"SELECT COUNT(*) FROM {table.name}{where}"
        self.sql = f"{table.select}{where}{order} LIMIT {int(message.limit)} OFFSET {int(message.start)}"

    def _where(self, conditions: list[dict[str, Any]]) -> str:
        if len(conditions) > CONDITIONS:
            raise InvalidArgument(f"there are {len(conditions)} conditions; at most {CONDITIONS} can be")
        tests: list[str] = []
        nested: dict[str, list[tuple[str, str, Any]]] = {}
        for name, operator, value in map(parsed, conditions):
            head, dot, rest = name.partition(".")
            if dot:
                nested.setdefault(head, []).append((rest, operator, value))
            else:
                tests.append(self._keep(_simple(self.kind, name, operator, value)))
        tests += [self._keep(_nested(self.kind, head, inner)) for head, inner in nested.items()]
        return f" WHERE {' AND '.join(tests)}" if tests else ""

    def _keep(self, sql: Sql) -> str:
        test, parameters = sql
        self.parameters += parameters
        return test


def _simple(kind: type[Resource], name: str, operator: str, value: Any) -> Sql:
    if name in _TAGS:
        tag = _TAGS[name]
        own = f"{quoted('resource_type')} = ?"
        return _has(kind, tag, "resource_uuid", tag.columns["tag"], operator, value, (own, [kind.vo]))
    embed = _embed(kind, name)
    if embed is not None and embed.pluck:
        child = RESOURCES[embed.resource]
        return _has(kind, child, embed.by, child.columns[snake(embed.pluck)], operator, value, ("1", []))
    column = kind.by_wire(name)
    if column is None:
        inventory = kind.java or f"{kind.name_}Inventory"
        raise InvalidArgument(
            f"condition name[{name}] is invalid, no such field on inventory class[{inventory}]"
        )
    return compare(kind.table, column, operator, value)


def _embed(kind: type[Resource], wire: str) -> Embed | None:
    return next((embed for embed in kind.embeds if embed.wire == wire), None)


def _has(
    kind: type[Resource],
    child: type[Resource],
    by: str,
    column: Column,
    operator: str,
    value: Any,
    own: Sql,
) -> Sql:
    """Whether a resource has a tag, or an item in a list, of that value; denying ones ask for none such."""
    test, parameters = own
    if operator not in (ABSENT, PRESENT):
        inner, more = compare(child.table, column, POSITIVE.get(operator, operator), value)
        test, parameters = f"{test} AND {inner}", [*parameters, *more]
    word = "NOT IN" if operator in POSITIVE or operator == ABSENT else "IN"
    return f"{_key(kind)} {word} {_owners(child, by, test)}", parameters


def _owners(child: type[Resource], by: str, test: str) -> str:
    column = quoted(by)
    return f"(SELECT {column} FROM {quoted(child.table)} WHERE {column} IS NOT NULL AND {test})"


def _key(kind: type[Resource]) -> str:
    return f"{quoted(kind.table)}.{quoted(kind.primary)}"


def _nested(kind: type[Resource], head: str, inner: list[tuple[str, str, Any]]) -> Sql:
    """Conditions on one other resource: an item of an embedded list, or what a `…Uuid` column names.

    All conditions with the same head hold for the same other resource.
    """
    embed = _embed(kind, head)
    reference = kind.by_wire(f"{head}Uuid")
    if embed is not None and not embed.pluck:
        other, mine, theirs = RESOURCES[embed.resource], _key(kind), embed.by
    elif reference is not None and head[:1].upper() + head[1:] in RESOURCES:
        other = RESOURCES[head[:1].upper() + head[1:]]
        mine, theirs = f"{quoted(kind.table)}.{quoted(reference.name)}", other.primary
    else:
        raise _no_subquery(kind, head, f"{head}.{inner[0][0]}")
    tests: list[str] = []
    parameters: list[Any] = []
    for name, operator, value in inner:
        column = other.by_wire(name)
        if column is None:
            raise _no_subquery(other, name.partition(".")[0], f"{head}.{name}")
        test, more = compare(other.table, column, operator, value)
        tests.append(test)
        parameters += more
    return f"{mine} IN {_owners(other, theirs, ' AND '.join(tests))}", parameters


def _no_subquery(kind: type[Resource], field: str, name: str) -> InternalError:
    inventory = kind.java or f"{kind.name_}Inventory"
    return InternalError(f"cannot find field[{field}] on class[{inventory}], wrong subquery name[{name}]")


def _check_fields(kind: type[Resource], fields: list[str]) -> None:
    valid = [column.wire for column in kind.columns.values() if not column.private and not is_json(column)]
    for field in fields:
        if field not in valid:
            raise InvalidArgument(
                f"field[{field}] is not a primitive of the inventory {kind.name_}Inventory; you cannot "
                f"specify it in the parameter 'fields';valid fields are [{', '.join(valid)}]"
            )


def _order(kind: type[Resource], sort_by: str | None, direction: str) -> str:
    if not sort_by:
        return ""
    column = kind.by_wire(sort_by)
    if column is None:
        entity = kind.java.removesuffix(f"{kind.name_}Inventory") + kind.vo
        raise InternalError(f"illegal sortBy[{sort_by}], entity[{entity}] doesn't have this field")
    if direction not in ("asc", "desc"):
        raise InvalidArgument(f"unknown sortDirection[{direction}]; it can be asc or desc")
    way = direction.upper()
    return f" ORDER BY {quoted(column.name)} {way}, rowid {way}"
