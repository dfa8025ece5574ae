"""Copies of the store that are known to be good, and the check that says so."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from appliance.api.resource import RESOURCES, Resource
from appliance.api.tally import Tally
from appliance.store import audit, meta
from appliance.store.connection import Deadline, connect, connect_unchanged, translated
from appliance.store.errors import StoreDamaged, StoreError, StoreTooNew
from appliance.store.folder import Folder
from appliance.store.migrations import latest, migrate, too_new, version
from appliance.store.table import all_kinds, quoted, row_sum, table_of
from appliance.store.transaction import Transaction

_ROWS_AT_ONCE = 500


Check = Callable[[Any], list[str]]


def copy(connection: Any, path: Path, check: Check, deadline: Deadline | None = None) -> None:
    """Copy what a connection sees to a file, check the copy, and only then give it its name.

    `deadline` can stop the check; what is copied is copied to its end, as fast as the disk is.
    """
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    try:
        _fill(connection, part, check, deadline)
        _sync(part)
        part.rename(path)
        _sync(path.parent)
    except sqlite.Error as error:
        raise translated(error, connection) from error
    finally:
        part.unlink(missing_ok=True)


def _fill(connection: Any, part: Path, check: Check, deadline: Deadline | None) -> None:
    target = sqlite.connect(str(part), isolation_level=None)
    try:
        if deadline is not None:
            deadline.watch(target)
        connection.backup(target)
        # A copy is one file: it must not need a log beside it.
        target.execute("PRAGMA journal_mode = DELETE")
        wrong = check(target)
    finally:
        target.close()
    if wrong:
        raise StoreDamaged(f"the copy of the store is not sound, so it was not kept: {wrong[0]}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def structure(connection: Any) -> list[str]:
    """What is wrong with a store's file, whatever tables are in it."""
    checked = connection.execute("PRAGMA integrity_check(20)").fetchall()
    return [f"the file's structure: {text}" for (text,) in checked if text != "ok"]


def findings(connection: Any) -> list[str]:
    """What is wrong with a store of this version, in sentences."""
    try:
        found = structure(connection)
        if version(connection) != latest():
            found.append(_other_version(version(connection)))
            return found
        found += _wrong_meta(connection)
        damaged = [each for kind in all_kinds() for each in _wrong_rows(connection, kind)]
        found += damaged
        found += _dangling(connection)
        if not damaged:
            found += _wrong_tallies(connection)
    except sqlite.Error as error:
        return [f"it cannot be read to the end: {error}"]
    return found


def findings_with_log(connection: Any) -> list[str]:
    """The same, and what is wrong with the audit log in it: a log that somebody has cut fits every checksum."""
    found = findings(connection)
    try:
        if version(connection) == latest():
            found += [f"the audit log: {each}" for each in audit.findings(connection)]
    except (sqlite.Error, StoreError, ValueError) as error:
        found.append(f"the audit log: it cannot be read to the end: {error}")
    return found


def _other_version(found: int) -> str:
    if found > latest():
        return f"it {too_new(found)}; use that zstui"
    return f"it is of version {found}, not {latest()}: bring it to this one by zstui migrate"


def _wrong_meta(connection: Any) -> Iterator[str]:
    for name, value, checksum in connection.execute('SELECT "name", "value", "row_sum" FROM "meta"'):
        if row_sum((name, value)) != checksum:
            yield f"row {name!r} in table meta does not fit its checksum"


def _wrong_rows(connection: Any, kind: type[Resource]) -> Iterator[str]:
    table = table_of(kind)
    place = table.names.index(kind.primary)
    cursor = connection.execute(table.select)
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        for row in rows:
            if row_sum(row[:-1]) != row[-1]:
                yield f"row {row[place]!r} in table {kind.table} does not fit its checksum"


def _wrong_tallies(connection: Any) -> Iterator[str]:
    """Sums that are kept and are not those of the rows, all of which fit their checksums."""
    sums: Counter[str] = Counter()
    for kind in all_kinds():
        table = table_of(kind)
        if kind.tallies is not Resource.tallies:
            for row in connection.execute(table.select):
                sums.update(table.decode(row).tallies())
    kept = {
        each.key: each.total
        for each in map(table_of(Tally).decode, connection.execute(table_of(Tally).select))
    }
    for key in sorted(sums.keys() | kept.keys()):
        if sums[key] != kept.get(key, 0):
            yield f"the sum kept of {key} is {kept.get(key, 0)}, and that of its rows is {sums[key]}"


def _dangling(connection: Any) -> Iterator[str]:
    """Rows whose owner is gone, where a row cannot be without it: lists that are part of another resource."""
    for parent in all_kinds():
        for embed in parent.embeds:
            child = RESOURCES[embed.resource]
            if not child.columns[embed.by].optional:
                yield from _orphans(connection, child, embed.by, parent)


def _orphans(connection: Any, child: type[Resource], by: str, parent: type[Resource]) -> Iterator[str]:
    sql = f"""SELECT c.{quoted(child.primary)}, c.{quoted(by)} FROM {quoted(child.table)} c WHERE NOT EXISTS
              (SELECT 1 FROM {quoted(parent.table)} p WHERE p.{quoted(parent.primary)} = c.{quoted(by)})
              LIMIT 20"""
    for key, owner in connection.execute(sql):
        yield f"row {key!r} in table {child.table} belongs to {parent.name_} {owner!r}, which is gone"


def _become_restored(connection: Any) -> list[str]:
    """Bring a copy of a backup to this version, and say in it that it is one; what is wrong with it, in sentences."""
    try:
        # Nothing but the file's structure is known of what older versions kept, until it is what this one keeps.
        found = structure(connection)
        if found:
            return found
        migrate(connection)
        found = findings(connection)
        if not found:
            connection.execute("BEGIN IMMEDIATE")
            meta.write_meta(Transaction(connection, 0.0, str), meta.RESTORED, "yes")
            connection.execute("COMMIT")
    except sqlite.Error as error:
        return [f"it cannot be brought to version {latest()}: {error}"]
    return found


def _check_backup(connection: Any, path: Path) -> None:
    """`StoreTooNew` or `StoreDamaged` unless a file is a store that this version or an older one has written."""
    found = version(connection)
    if found > latest():
        raise StoreTooNew(f"{path} {too_new(found)}; restore it with that zstui")
    if found == 0:
        raise StoreDamaged(f"{path} is no backup of a store")


def back_up_closed(folder: Path, path: Path) -> int:
    """Copy a store that no appliance has open to a file, checked; returns the size of the file.

    `StoreDamaged` when there is no sound store, `StoreBusy` when the store is in use.
    """
    with _closed(folder) as source:
        copy(source, path, findings)
    return path.stat().st_size


def verify_closed(folder: Path) -> list[str]:
    """What is wrong with a store that no appliance has open, and with its audit log, in sentences.

    `StoreDamaged` when there is none, or nothing in it can be read; `StoreBusy` when the store is in use.
    """
    with _closed(folder) as source:
        return findings_with_log(source)


@contextmanager
def _closed(folder: Path) -> Iterator[Any]:
    """A connection to a store that no appliance has open; a folder that has none is left as it is."""
    place = Folder(folder)
    missing = StoreDamaged(f"there is no store in {folder}; --data names the folder of one")
    if not place.is_there():
        raise missing
    place.take()
    try:
        if place.is_new():
            raise missing
        # It may have been killed: its newest commits are in the log then, which a reader alone cannot use.
        source = connect(place.database, durable=True, reader=False)
        try:
            yield source
            source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite.Error as error:
            raise translated(error, source) from error
        finally:
            source.close()
        place.mark("closed")
    finally:
        place.release()


def restore(folder: Path, path: Path) -> None:
    """Put a checked backup in the place of a store that no appliance has open.

    One that an older version has made becomes a store of this version. What was there is kept beside it as
    `store.db.replaced`, with its log if it has one, in the place of what an earlier restoration has kept: it can be
    restored, too. `StoreDamaged` when the backup is not sound, `StoreTooNew` when a later version has made it,
    `StoreBusy` when the store is in use.
    """
    if not path.is_file():
        raise StoreDamaged(f"there is no backup {path}")
    place = Folder(folder)
    place.take()
    try:
        restored = place.path / "restored.db"
        source = connect_unchanged(path)
        try:
            _check_backup(source, path)
            copy(source, restored, _become_restored)
        finally:
            source.close()
        _set_aside(place)
        # Before there is a store again: its log is not missed.
        place.mark("closed")
        restored.rename(place.database)
        place.sync()
    finally:
        place.release()


def _set_aside(place: Folder) -> None:
    """Keep a store that is to be replaced, in one piece with its log, under the name by which SQLite looks for that."""
    kept = place.database.with_name(place.database.name + ".replaced")
    if place.database.exists():
        # Only once there is something in its place: whoever was killed in the middle of this does it again.
        for end in ("", "-wal", "-shm"):
            kept.with_name(kept.name + end).unlink(missing_ok=True)
        place.database.rename(kept)
    if place.log.exists():
        place.log.rename(kept.with_name(kept.name + "-wal"))
