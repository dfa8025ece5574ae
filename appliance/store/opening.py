"""What happens to a store before anybody may use it: made, migrated, looked at, given its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from appliance.api.setting import SETTINGS, GlobalConfig
from appliance.store import meta
from appliance.store.backup import copy, structure
from appliance.store.connection import connect, roll_back, translated
from appliance.store.folder import Folder
from appliance.store.migrations import check_version, latest, migrate
from appliance.store.table import SUM, all_kinds
from appliance.store.transaction import Transaction

LEAP = 1_000_000
"""More changes than anything sees between a backup and its restoration."""


def create(folder: Folder, *, durable: bool) -> None:
    """Make an empty store. It has its name only once it is whole, so that a short one is always damage.

    `durable` waits for the disk.
    """
    young = folder.database.with_suffix(".new")
    young.unlink(missing_ok=True)
    young.touch(mode=0o600)
    connection = connect(young, durable=durable, reader=False)
    try:
        migrate(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite.Error as error:
        raise translated(error, connection) from error
    finally:
        connection.close()
    young.rename(folder.database)
    folder.sync()


def prepare(
    folder: Folder, connection: Any, now: Callable[[], float], new_uuid: Callable[[], str]
) -> tuple[str, int]:
    """Make an existing store ready for this version, on the writer's thread; returns its owner, and its commits."""
    try:
        if 0 < check_version(connection) < latest():
            older = folder.backups / f"before-version-{latest()}.db"
            copy(connection, older, structure)
        migrate(connection)
        _check_tables(folder, connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            transaction = Transaction(connection, now(), new_uuid)
            owner = meta.read_meta(transaction, meta.OWNER)
            if owner is None:
                owner = new_uuid()
                meta.write_meta(transaction, meta.OWNER, owner)
            # Besides its use in support, this write makes sure that an open store has a write-ahead log.
            meta.write_meta(transaction, meta.OPENED, repr(now()))
            _refresh_settings(transaction)
            if meta.read_meta(transaction, meta.RESTORED) == "yes":
                outrank(transaction)
                meta.write_meta(transaction, meta.RESTORED, "no")
            commits = meta.count_commit(transaction)
        except BaseException:
            roll_back(connection)
            raise
        connection.execute("COMMIT")
    except sqlite.Error as error:
        raise translated(error, connection) from error
    return owner, commits


def _refresh_settings(transaction: Transaction) -> None:
    for setting in SETTINGS:
        key = f"{setting.category}.{setting.name}"
        known = transaction.find(GlobalConfig, key)
        if known is not None:
            transaction.update(known, description=setting.help, default_value=setting.default)
            continue
        transaction.insert(
            GlobalConfig(
                key=key,
                name=setting.name,
                category=setting.category,
                description=setting.help,
                default_value=setting.default,
                value=setting.default,
            )
        )


def _check_tables(folder: Folder, connection: Any) -> None:
    """`StoreDamaged` unless the file has the columns that the declarations have."""
    sql = """SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"""
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(sql):
        found.setdefault(table, set()).add(column)
    for kind in all_kinds():
        missing = {*kind.columns, SUM} ^ found.get(kind.table, set())
        if missing:
            names = ", ".join(sorted(missing))
            raise folder.damaged(f"table {kind.table} is not this version's; it differs in {names}")


def outrank(tx: Transaction) -> None:
    """Make a restored store's commands newer than any that hosts have heard since it was written.

    Hosts refuse what is older than what they have seen, and the store does not know how far that was.
    """
    meta.write_meta(tx, meta.EPOCH, str(max(meta.epoch(tx) + 1, int(tx.now * 1000))))
    for kind in all_kinds():
        if "generation" not in kind.columns:
            continue
        for row in tx.all(kind):
            later = {"generation": row.generation + LEAP, "last_op_date": row.last_op_date}  # type: ignore[attr-defined]
            tx.update(row, **later)
