"""Migrations lead an empty file to the very tables that the declarations say.

Until the first release, `python -m appliance.store.migrations` rewrites step 1 from the declarations; run it
whenever the first test here fails. Afterwards, write a new step.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite

from appliance.api.zone import Zone
from appliance.store import migrations
from appliance.store.backup import restore
from appliance.store.database import Database
from appliance.store.errors import StoreDamaged, StoreTooNew
from appliance.store.migrations import FOLDER, STEPS, migrate, version
from appliance.store.table import all_kinds, quoted, schema, table_of

from .samples import zone


def become_next(monkeypatch: pytest.MonkeyPatch, steps: Path, step: str) -> None:
    """Have this be the next version, with a step of the schema that it finds in a folder."""
    shutil.copytree(FOLDER, steps)
    (steps / "0002.sql").write_text(step)
    monkeypatch.setattr(migrations, "FOLDER", steps)
    monkeypatch.setattr(migrations, "STEPS", (*STEPS, "0002.sql"))


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
    store = tmp_path / "store"
    database = await Database.open(store)
    kept = await database.write(lambda tx: tx.insert(zone()))
    await database.close()
    become_next(monkeypatch, tmp_path / "steps", 'CREATE TABLE "new" ("a" TEXT);')
    upgraded = await Database.open(store)
    assert await upgraded.read(lambda snapshot: snapshot.get(type(kept), kept.uuid)) == kept
    assert await upgraded.read(lambda snapshot: snapshot.rows("PRAGMA user_version")) == [(2,)]
    await upgraded.close()
    backup = sqlite.connect(str(store / "backups" / "before-version-2.db"))
    assert version(backup) == 1
    backup.close()


async def test_a_backup_of_the_version_before_is_restored_as_a_store_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, copy = tmp_path / "store", tmp_path / "copy.db"
    database = await Database.open(store)
    kept = await database.write(lambda tx: tx.insert(zone("kept", description="as it was")))
    await database.backup(copy)
    await database.write(lambda tx: tx.delete(kept))
    await database.close()
    values = ", ".join(
        "'as it is'" if name == "description" else quoted(name) for name in table_of(Zone).names
    )
    step = f"UPDATE zone SET description = 'as it is', row_sum = row_sum({values});"
    become_next(monkeypatch, tmp_path / "steps", step)
    restore(store, copy)
    assert copy.exists()
    again = await Database.open(store)
    assert await again.verify() == []
    found = await again.read(lambda snapshot: snapshot.get(Zone, kept.uuid))
    assert (found.name, found.description) == ("kept", "as it is")
    assert again.owner == database.owner
    await again.close()


async def test_a_backup_whose_step_fails_is_not_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, copy = tmp_path / "store", tmp_path / "copy.db"
    database = await Database.open(store)
    await database.backup(copy)
    await database.close()
    before = (store / "store.db").read_bytes()
    become_next(monkeypatch, tmp_path / "steps", "CREATE TABLE zone (a);")
    with pytest.raises(StoreDamaged, match="cannot be brought to version 2: table zone already exists"):
        restore(store, copy)
    assert (store / "store.db").read_bytes() == before
    assert [each.name for each in store.iterdir() if each.name.startswith("restored")] == []


async def test_a_backup_of_a_later_version_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, copy = tmp_path / "store", tmp_path / "copy.db"
    with monkeypatch.context() as next_version:
        become_next(next_version, tmp_path / "steps", 'CREATE TABLE "new" ("a" TEXT);')
        database = await Database.open(store)
        await database.backup(copy)
        await database.close()
    said = f"{copy} is of version 2, which a later zstui wrote, and this one knows versions up to 1; restore it with"
    with pytest.raises(StoreTooNew, match=re.escape(said)):
        restore(tmp_path / "other", copy)
    assert not (tmp_path / "other" / "store.db").exists()


def test_a_file_that_is_no_store_is_not_restored(tmp_path: Path) -> None:
    sqlite.connect(str(tmp_path / "copy.db")).close()
    with pytest.raises(StoreDamaged, match="is no backup of a store"):
        restore(tmp_path / "store", tmp_path / "copy.db")
    assert not (tmp_path / "store" / "store.db").exists()


async def test_store_of_other_columns_is_refused(tmp_path: Path) -> None:
    await (await Database.open(tmp_path)).close()
    raw = sqlite.connect(str(tmp_path / "store.db"))
    raw.execute("ALTER TABLE zone ADD COLUMN colour TEXT")
    raw.commit()
    raw.close()
    with pytest.raises(StoreDamaged, match="table zone is not this version's; it differs in colour"):
        await Database.open(tmp_path)
