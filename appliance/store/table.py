"""Resource and row: the DDL that a declaration means, and fast, checksummed translation both ways."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec

from appliance.api.resource import RESOURCES, Column, Resource, Timestamp
from appliance.store.errors import StoreDamaged

R = TypeVar("R", bound=Resource)

SUM = "row_sum"
"""The last column of each table: CRC-32 of all the others."""

_SQL_TYPES: dict[type, str] = {str: "TEXT COLLATE NOCASE", int: "INTEGER", float: "REAL"}


def row_sum(values: Sequence[Any]) -> int:
    """CRC-32 of a row's values, types included. It does not depend on versions of Python or SQLite."""
    return zlib.crc32(msgspec.msgpack.encode(values))


def quoted(name: str) -> str:
    """An identifier of ours as SQL takes it, keywords included."""
    return f'"{name}"'


def stored_type(column: Column) -> type:
    """The Python type of the column's value in a row, apart from None: str, int or float."""
    if column.kind in (Timestamp, float):
        return float
    if column.kind in (int, bool):
        return int
    if column.kind is str or column.is_json:
        return str
    raise TypeError(f"column {column.name} is a {column.kind}, which no table can hold")


class Table(Generic[R]):
    """One resource's table. Text compares without case, as in ZStack's MySQL, unless told BINARY."""

    def __init__(self, kind: type[R]) -> None:
        self.kind = kind
        self.name = quoted(kind.table)
        self.names = tuple(kind.columns)
        self.types = tuple(stored_type(column) for column in kind.columns.values())
        self._reals = tuple(place for place, kind in enumerate(self.types) if kind is float)
        self._from_row = tuple(
            (column.name, msgspec.json.decode if column.is_json else bool)
            for column in kind.columns.values()
            if column.is_json or column.kind is bool
        )
        listed = ", ".join(quoted(name) for name in (*self.names, SUM))
        key = quoted(kind.primary)
        self.key_is_text = stored_type(kind.columns[kind.primary]) is str
        exact = f" AND {key} = ?1 COLLATE BINARY" if self.key_is_text else ""
        self.by_key = f"{key} = ?1{exact}"
        self.select = f"SELECT {listed} FROM {self.name}"
        self.get = f"{self.select} WHERE {self.by_key}"
        self.insert = f"INSERT INTO {self.name} ({listed}) VALUES ({', '.join('?' * (len(self.names) + 1))})"
        self.delete = f"DELETE FROM {self.name} WHERE {self.by_key}"

    def decode(self, row: tuple[Any, ...]) -> R:
        """The resource that a row of `select` holds. `StoreDamaged` when its checksum does not fit."""
        values = row[:-1]
        if zlib.crc32(msgspec.msgpack.encode(values)) != row[-1]:
            raise self.damaged(row[self.names.index(self.kind.primary)])
        fields = dict(zip(self.names, values, strict=True))
        for name, convert in self._from_row:
            value = fields[name]
            if value is not None:
                fields[name] = convert(value)
        return self._made(fields)

    def remade(self, resource: R, changes: dict[str, Any]) -> R:
        """A copy with some values changed, which need not be many."""
        return self._made(resource.__dict__ | changes) if changes else resource

    def _made(self, fields: dict[str, Any]) -> R:
        # A frozen dataclass's own __init__ sets each field by a call, which is four times slower.
        resource = object.__new__(self.kind)
        resource.__dict__.update(fields)
        return resource

    def damaged(self, key: Any) -> StoreDamaged:
        """The error for a row that is not what was written."""
        return StoreDamaged(
            f"the store's row {key!r} in table {self.kind.table} is damaged: its checksum does not fit; "
            "stop the appliance and restore the newest backup"
        )

    def encode(self, resource: R) -> list[Any]:
        """The row of a resource, checksum last. `TypeError` when a value is not of its column's type."""
        fields = resource.__dict__
        row = [fields[name] for name in self.names]
        for place, kind in enumerate(self.types):
            if type(row[place]) is not kind:
                row[place] = self._coerced(self.names[place], row[place])
        for place in self._reals:
            value = row[place]
            if value != value:
                raise TypeError(f"{self.kind.name_}.{self.names[place]} cannot be {value!r}")
            if value == 0:
                row[place] = 0.0  # SQLite keeps no sign of it
        row.append(row_sum(row))
        return row

    def _coerced(self, name: str, value: Any) -> Any:
        column = self.kind.columns[name]
        if value is None and column.optional:
            return None
        if column.is_json and isinstance(value, (list, tuple, dict)):
            return msgspec.json.encode(value).decode()
        if column.kind in (bool, int) and isinstance(value, int):
            return int(value)
        if stored_type(column) is float and isinstance(value, (int, float)):
            return float(value)
        if column.kind is str and isinstance(value, str):
            return str(value)
        raise TypeError(f"{self.kind.name_}.{name} cannot be {value!r}")

    def ddl(self) -> list[str]:
        """The statements that make the table and its indexes."""
        lines = [self._column_ddl(column) for column in self.kind.columns.values()]
        lines.append(f"    {quoted(SUM)} INTEGER NOT NULL")
        groups = (", ".join(map(quoted, group)) for group in self.kind.unique_together)
        lines += [f"    UNIQUE ({group})" for group in groups]
        body = ",\n".join(lines)
        statements = [f"CREATE TABLE {self.name} (\n{body}\n) STRICT"]
        for name, group in self.indexes().items():
            listed = ", ".join(map(quoted, group))
            statements.append(f"CREATE INDEX {quoted(name)} ON {self.name} ({listed})")
        return statements

    def indexes(self) -> dict[str, tuple[str, ...]]:
        """The columns of each index that the declaration asks for, by its name."""
        groups = [
            (column.name,)
            for column in self.kind.columns.values()
            if column.indexed and not column.unique and column.name != self.kind.primary
        ]
        return {f"{self.kind.table}_{'_'.join(group)}": group for group in (*groups, *self.kind.indexes)}

    def statistics(self) -> list[str]:
        """What SQLite is told of each index, as rows of its table of statistics: how many rows are alike."""
        rows = []
        for name, group in self.indexes().items():
            alike, counts = ROWS_MEANT, [ROWS_MEANT]
            for column in group:
                alike = max(1, alike * _alike(self.kind.columns[column]) // ROWS_MEANT)
                counts.append(alike)
            rows.append(f"('{self.kind.table}', '{name}', '{' '.join(map(str, counts))}')")
        return rows

    def _column_ddl(self, column: Column) -> str:
        words = [quoted(column.name), "TEXT" if column.is_json else _SQL_TYPES[stored_type(column)]]
        if not column.optional:
            words.append("NOT NULL")
        if column.name == self.kind.primary:
            words.append("PRIMARY KEY")
        elif column.unique:
            words.append("UNIQUE")
        return "    " + " ".join(words)


ROWS_MEANT = 1_000_000
"""Plans are made for tables of so many rows; what is right for them is right enough for small ones."""


def _alike(column: Column) -> int:
    """How many of those rows share a value of this column."""
    if column.unique or column.kind is Timestamp:
        return 1
    return ROWS_MEANT // 5 if column.few else 100


_TABLES: dict[str, Table[Any]] = {}


def table_of(kind: type[R]) -> Table[R]:
    """The table of a resource."""
    table = _TABLES.get(kind.name_)
    if table is None:
        table = _TABLES[kind.name_] = Table(kind)
    return table


def all_kinds() -> Iterable[type[Resource]]:
    """Every declared resource, by name, so that what is generated from them does not change by itself."""
    import_declarations()
    return [RESOURCES[name] for name in sorted(RESOURCES)]


@cache
def import_declarations() -> None:
    """Make sure that every file of `appliance.api` has declared its resources."""
    import importlib
    import pkgutil

    import appliance.api

    for module in pkgutil.iter_modules(appliance.api.__path__):
        importlib.import_module(f"appliance.api.{module.name}")


META = """CREATE TABLE "meta" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL,
    "row_sum" INTEGER NOT NULL
) STRICT"""
"""What the store knows of itself: `meta.py` and `audit.py` name the values."""


ANALYZE = "ANALYZE sqlite_schema"


def schema() -> list[str]:
    """The statements that make every table of this version, in an order that does not change."""
    tables = [table_of(kind) for kind in all_kinds()]
    made = [line for table in tables for line in table.ddl()]
    rows = ",\n".join(f"    {row}" for table in tables for row in table.statistics())
    # Told, not measured: plans then depend on the declarations and on nothing else. The first statement makes
    # the table of statistics; the last has this connection read it, as others do when they are opened.
    return [META, *made, ANALYZE, f"INSERT INTO sqlite_stat1 VALUES\n{rows}", ANALYZE]
