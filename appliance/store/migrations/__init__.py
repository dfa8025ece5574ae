"""How a store of an older version becomes one of this version: numbered steps, each all or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from appliance.store.connection import translated
from appliance.store.errors import StoreTooNew
from appliance.store.table import row_sum

FOLDER = Path(__file__).parent

STEPS: tuple[str, ...] = tuple(sorted(path.name for path in FOLDER.glob("[0-9]*.sql")))
"""The file of each step. Step n takes a store of `user_version` n - 1 to n. A released step never changes."""


def latest() -> int:
    """The step that a store of this version is at."""
    return len(STEPS)


def version(connection: Any) -> int:
    """The step that a store is at; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_version(connection: Any) -> int:
    """The step that a store is at. `StoreTooNew` when this version does not know it."""
    found = version(connection)
    if found > latest():
        place = Path(connection.execute("PRAGMA database_list").fetchone()[2])
        raise StoreTooNew(
            f"{place} {too_new(found)}; use that zstui again, or go back by zstui restore FILE, where FILE is a backup "
            f"from before the upgrade: those that upgrades make are in {place.parent / 'backups'}"
        )
    return found


def too_new(found: int) -> str:
    """What is wrong with a store at a step that this version does not know."""
    return f"is of version {found}, which a later zstui wrote, and this one knows versions up to {latest()}"


def migrate(connection: Any) -> None:
    """Take a store to this version.

    A step that changes rows seals them anew: `row_sum(VALUE, …)` in it is the checksum of a row with these values.
    """
    connection.create_function("row_sum", -1, lambda *values: row_sum(values), deterministic=True)
    for number in range(check_version(connection) + 1, latest() + 1):
        script = (FOLDER / STEPS[number - 1]).read_text()
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise translated(error, connection) from error
