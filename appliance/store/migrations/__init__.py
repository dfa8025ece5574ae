"""How a store of an older version becomes one of this version: numbered steps, each all or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from appliance.store.connection import translated
from appliance.store.errors import StoreTooNew

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
        raise StoreTooNew(
            f"the store is of version {found}, and this program knows versions up to {latest()}; "
            "use the program that wrote it, or restore the backup made before it was upgraded"
        )
    return found


def migrate(connection: Any) -> None:
    """Take a store to this version."""
    for number in range(check_version(connection) + 1, latest() + 1):
        script = (FOLDER / STEPS[number - 1]).read_text()
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
        except sqlite.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise translated(error) from error
