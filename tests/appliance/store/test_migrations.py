"""Migrations lead an empty file to the very tables that the declarations say.

Until the first release, `python -m appliance.store.migrations` rewrites step 1 from the declarations; run it
whenever the first test here fails. Afterwards, write a new step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite

from appliance.store import migrations
from appliance.store.database import Database
from appliance.store.errors import StoreDamaged
from appliance.store.migrations import STEPS, migrate, version
from appliance.store.table import all_kinds, schema

from .samples import zone


def shape(connection: Any) -> dict[str, Any]:
    """Everything about the tables but the spelling of their DDL."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    tables = [name for (name,) in connection.execute(sql)]
    found = {}
    for table in sorted(tables):
        indexes = []
        for _, name, unique, origin, partial in connection.execute(f"PRAGMA index_list('{table}')"):
            columns = [row[2:5] for row in connection.execute(f"PRAGMA index_xinfo('{name}')")]
            indexes.append((unique, origin, partial, columns))
        columns = [row[1:] for row in connection.execute(f"PRAGMA table_info('{table}')")]
        strict = connection.execute(
            "SELECT strict FROM pragma_table_list WHERE name = ?", (table,)
        ).fetchone()
        found[table] = (sorted(columns), sorted(indexes, key=repr), strict)
    return found


def test_migrations_make_what_is_declared() -> None:
    migrated, declared = sqlite.connect(":memory:", isolation_level=None), sqlite.connect(":memory:")
    migrate(migrated)
    for statement in schema():
        declared.execute(statement)
    assert shape(migrated) == shape(declared), "run: python -m appliance.store.migrations"
    told = "SELECT * FROM sqlite_stat1 ORDER BY tbl, idx"
    assert migrated.execute(told).fetchall() == declared.execute(told).fetchall()
    assert version(migrated) == len(STEPS)
    assert len(shape(migrated)) == len(list(all_kinds())) + 1
    migrate(migrated)
    migrated.close()
    declared.close()


def test_failed_step_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "0001.sql").write_text("CREATE TABLE a (b); CREATE TABLE a (b);")
    monkeypatch.setattr(migrations, "FOLDER", tmp_path)
    connection = sqlite.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite.OperationalError):
        migrate(connection)
    assert version(connection) == 0
    assert shape(connection) == {}
    assert not connection.in_transaction
    connection.close()


async def test_upgrade_keeps_rows_and_makes_a_backup_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, steps = tmp_path / "store", tmp_path / "steps"
    database = await Database.open(store)
    kept = await database.write(lambda tx: tx.insert(zone()))
    await database.close()
    steps.mkdir()
    (steps / "0002.sql").write_text('CREATE TABLE "new" ("a" TEXT);')
    monkeypatch.setattr(migrations, "FOLDER", steps)
    monkeypatch.setattr(migrations, "STEPS", (*STEPS, "0002.sql"))
    upgraded = await Database.open(store)
    assert await upgraded.read(lambda snapshot: snapshot.get(type(kept), kept.uuid)) == kept
    assert await upgraded.read(lambda snapshot: snapshot.rows("PRAGMA user_version")) == [(2,)]
    await upgraded.close()
    backup = sqlite.connect(str(store / "backups" / "before-version-2.db"))
    assert version(backup) == 1
    backup.close()


async def test_store_of_other_columns_is_refused(tmp_path: Path) -> None:
    await (await Database.open(tmp_path)).close()
    raw = sqlite.connect(str(tmp_path / "store.db"))
    raw.execute("ALTER TABLE zone ADD COLUMN colour TEXT")
    raw.commit()
    raw.close()
    with pytest.raises(StoreDamaged, match="table zone is not this version's; it differs in colour"):
        await Database.open(tmp_path)
