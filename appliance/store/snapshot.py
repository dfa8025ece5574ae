"""A consistent look at everything the store remembers, at one moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from appliance.api.account import ADMIN_UUID
from appliance.api.errors import ResourceNotFound
from appliance.api.message import QueryMessage
from appliance.api.ownership import AccountResourceRef
from appliance.api.resource import RESOURCES, Resource
from appliance.api.setting import GlobalConfig
from appliance.api.tally import Tally
from appliance.store.connection import QUERY_SECONDS, Deadline, translated
from appliance.store.inventory import inventories
from appliance.store.query import Query
from appliance.store.table import R, quoted, stored_type, table_of
from appliance.store.viewer import Viewer

Equals = dict[str, Any]


class Snapshot:
    """What the store held at one moment. Every row is checked against its checksum as it is read.

    In `equals`, a column's value may be None (it is not set) or a list, tuple or set (it is one of them).
    Text must be equal to the letter here, unlike in `query`.
    """

    def __init__(self, connection: Any, now: float, deadline: Deadline | None = None) -> None:
        self._connection = connection
        self._deadline = deadline
        self.now = now

    def get(self, kind: type[R], key: Any) -> R:
        """The resource with this primary key. `ResourceNotFound` when there is none."""
        found = self.find(kind, key)
        if found is None:
            raise ResourceNotFound(f"there is no {kind.name_} with {kind.columns[kind.primary].wire} {key}")
        return found

    def find(self, kind: type[R], key: Any) -> R | None:
        """The resource with this primary key, or None."""
        table = table_of(kind)
        rows = self.rows(table.get, (key,))
        return table.decode(rows[0]) if rows else None

    def all(
        self, kind: type[R], *, order_by: str | None = None, limit: int | None = None, **equals: Any
    ) -> list[R]:
        """Those that match, ordered by a column if one is given (`-name` for downward; `rowid`: as they were made)."""
        where, parameters = condition(kind, equals)
        tail = "" if order_by is None else _order(kind.name_, order_by)
        if limit is not None:
            tail += f" LIMIT {int(limit)}"
        elif order_by is None and not equals:
            tail = " ORDER BY rowid"
        table = table_of(kind)
        decode = table.decode
        return [decode(row) for row in self.rows(f"{table.select}{where}{tail}", parameters)]

    def first(self, kind: type[R], **equals: Any) -> R | None:
        """One that matches, or None."""
        found = self.all(kind, limit=1, **equals)
        return found[0] if found else None

    def count(self, kind: type[Resource], **equals: Any) -> int:
        """How many match."""
        return self._number(kind, "COUNT(*)", equals)

    def exists(self, kind: type[Resource], **equals: Any) -> bool:
        """Whether any matches."""
        where, parameters = condition(kind, equals)
        return bool(self.rows(f"SELECT 1 FROM {table_of(kind).name}{where} LIMIT 1", parameters))

    def total(self, kind: type[Resource], column: str, **equals: Any) -> int:
        """The sum of a column over those that match; 0 when none does."""
        if stored_type(kind.columns[column]) is not int:
            raise TypeError(f"{kind.name_}.{column} is no number to add up")
        return self._number(kind, f"COALESCE(SUM({quoted(column)}), 0)", equals)

    def largest(self, kind: type[Resource], column: str) -> int:
        """The largest number in a column; 0 when there is none, so that one more is free."""
        return self._number(kind, f"COALESCE(MAX({quoted(column)}), 0)", {})

    def _number(self, kind: type[Resource], what: str, equals: Equals) -> int:
        where, parameters = condition(kind, equals)
        rows = self.rows(f"SELECT {what} FROM {table_of(kind).name}{where}", parameters)
        return int(rows[0][0])

    def tally(self, key: str) -> int:
        """A sum that is kept: `appliance/api/tally.py` makes the keys."""
        found = self.find(Tally, key)
        return 0 if found is None else found.total

    def tallies(self, start: str) -> dict[str, int]:
        """All sums whose keys go on with a point after `start`, by what comes behind it."""
        table = table_of(Tally)
        # From the start and a point to the start and what comes after a point.
        rows = self.rows(f"{table.select} WHERE key > ? AND key < ?", (f"{start}.", f"{start}/"))
        return {each.key.removeprefix(f"{start}."): each.total for each in map(table.decode, rows)}

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement of ours. Values from outside belong into `parameters`, never into `sql`."""
        try:
            return self._connection.execute(sql, parameters).fetchall()  # type: ignore[no-any-return]
        except sqlite.Error as error:
            raise translated(error, self._connection) from error

    def setting(self, category: str, name: str) -> str:
        """The value of a setting."""
        return self.get(GlobalConfig, f"{category}.{name}").value

    def flag(self, category: str, name: str) -> bool:
        """The value of a setting that is a yes or no, as Java's Boolean.valueOf reads it."""
        return self.setting(category, name).lower() == "true"

    def owner_of(self, uuid: str) -> str:
        """The account that a resource belongs to."""
        ref = self.find(AccountResourceRef, uuid)
        return ADMIN_UUID if ref is None else ref.account_uuid

    def query(self, message: QueryMessage, viewer: Viewer | None = None) -> tuple[list[Any], int | None]:
        """What a query asks for: the resources, and their number without limit when that is asked for.

        With a viewer, only what it can see. `InvalidArgument` and others as ZStack words them;
        `OperationFailed` when it takes too long.
        """
        if self._deadline is None:
            return self._answer(message, viewer)
        with self._deadline.limited(QUERY_SECONDS):
            return self._answer(message, viewer)

    def _answer(self, message: QueryMessage, viewer: Viewer | None) -> tuple[list[Any], int | None]:
        asked = Query(message, self.rows, viewer)
        total = None
        if asked.counts:
            total = int(self.rows(asked.count_sql, asked.count_parameters)[0][0])
        if not asked.lists:
            return [], total
        decode = table_of(asked.kind).decode
        return [decode(row) for row in self.rows(asked.sql, asked.parameters)], total

    def inventory(self, resource: Resource, fields: Sequence[str] = ()) -> dict[str, Any]:
        """The resource as ZStack's clients see it, embedded lists included."""
        return inventories(self, [resource], fields)[0]

    def inventories(self, resources: Iterable[Resource], fields: Sequence[str] = ()) -> list[dict[str, Any]]:
        """A page of resources as ZStack's clients see them."""
        return inventories(self, resources, fields)


def condition(kind: type[Resource], equals: Equals) -> tuple[str, list[Any]]:
    """The WHERE clause of `equals`, and its parameters."""
    if not equals:
        return "", []
    shape: list[tuple[str, int]] = []
    parameters: list[Any] = []
    for name, value in equals.items():
        if value is None:
            shape.append((name, -1))
        elif isinstance(value, (list, tuple, set, frozenset)):
            items = sorted(value) if isinstance(value, (set, frozenset)) else value
            shape.append((name, len(items)))
            parameters.extend(items)
        else:
            shape.append((name, -2))
            parameters.append(value)
    return _where(kind.name_, tuple(shape)), parameters


@lru_cache(maxsize=2_000)
def _where(resource: str, shape: tuple[tuple[str, int], ...]) -> str:
    kind = RESOURCES[resource]
    terms = []
    first = 1
    for name, size in shape:
        if name not in kind.columns:
            raise TypeError(f"{kind.name_} has no column {name}")
        column = quoted(name)
        text = stored_type(kind.columns[name]) is str
        if size == -1:
            terms.append(f"{column} IS NULL")
            continue
        count = 1 if size == -2 else size
        marks = ", ".join(f"?{place}" for place in range(first, first + count))
        first += count
        test = f"= {marks}" if size == -2 else f"IN ({marks})"
        # The first test can use the index, which ignores case; the second wants the very letters.
        terms.append(f"{column} {test}" + (f" AND {column} COLLATE BINARY {test}" if text else ""))
    return f" WHERE {' AND '.join(terms)}"


@lru_cache(maxsize=500)
def _order(resource: str, order_by: str) -> str:
    kind = RESOURCES[resource]
    name = order_by.removeprefix("-")
    if name != "rowid" and name not in kind.columns:
        raise TypeError(f"{kind.name_} has no column {name}")
    way = "DESC" if order_by.startswith("-") else "ASC"
    return f" ORDER BY {quoted(name)} {way}, rowid {way}"
