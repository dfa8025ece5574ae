"""A backup is whole, checked and alone in its file; a bad one is never kept; a good one can be restored."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from appliance.api.l3 import L3NetworkDns
from appliance.api.zone import Zone
from appliance.store.backup import restore
from appliance.store.database import Database
from appliance.store.errors import StoreBusy, StoreDamaged

from .samples import zone


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_backup_while_writing_can_be_restored(database: Database, tmp_path: Path) -> None:
    kept = await database.write(lambda tx: tx.insert(zone("kept")))
    copy = tmp_path / "copies" / "a.db"
    async with asyncio.TaskGroup() as group:
        group.create_task(database.backup(copy))
        for _ in range(50):
            group.create_task(database.write(lambda tx: tx.insert(zone())))
    assert files(copy.parent) == ["a.db"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    await database.raise_epoch()
    with pytest.raises(StoreBusy):
        restore(tmp_path / "store", copy)
    await database.close()
    (tmp_path / "store" / "store.db").write_bytes(b"")
    restore(tmp_path / "store", copy)
    again = await Database.open(tmp_path / "store")
    assert await again.read(lambda snapshot: snapshot.get(Zone, kept.uuid)) == kept
    assert (await again.verify(), again.owner) == ([], database.owner)
    await again.close()


async def test_restore_after_a_kill_does_not_miss_the_old_log(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "store")
    await database.backup(tmp_path / "a.db")
    await database.close()
    lock = tmp_path / "store" / "lock"
    lock.write_text("1 open\n")
    with pytest.raises(StoreDamaged, match="newest part"):
        await Database.open(tmp_path / "store")
    restore(tmp_path / "store", tmp_path / "a.db")
    await (await Database.open(tmp_path / "store")).close()


def kill(database: Database, folder: Path) -> None:
    """Make a folder what a kill would leave of a store at this moment."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("store.db", "store.db-wal", "lock"):
        (folder / name).write_bytes((database._folder.path / name).read_bytes())


async def test_what_was_replaced_is_kept_with_its_own_log_and_can_be_restored(tmp_path: Path) -> None:
    store = tmp_path / "store"
    database = await Database.open(tmp_path / "running")
    await database.backup(tmp_path / "a.db")
    await database.write(lambda tx: tx.insert(zone("in the log")))
    kill(database, store)
    await database.close()
    restore(store, tmp_path / "a.db")
    assert files(store) == ["lock", "store.db", "store.db.replaced", "store.db.replaced-wal"]
    restore(store, store / "store.db.replaced")
    assert await zones(store) == ["in the log"]
    restore(store, tmp_path / "a.db")
    assert files(store) == ["lock", "store.db", "store.db.replaced"], "no log of another"
    restore(store, store / "store.db.replaced")
    assert await zones(store) == ["in the log"]


async def zones(folder: Path) -> list[str]:
    database = await Database.open(folder)
    found = await database.read(lambda snapshot: [each.name for each in snapshot.all(Zone)])
    await database.close()
    return found


async def test_backup_is_only_looked_at(database: Database, tmp_path: Path) -> None:
    backup = tmp_path / "kept" / "a.db"
    await database.backup(backup)
    before = backup.read_bytes(), backup.stat().st_mtime_ns
    restore(tmp_path / "other", backup)
    assert (backup.read_bytes(), backup.stat().st_mtime_ns) == before
    with pytest.raises(StoreDamaged, match=r"there is no backup .*/b\.db"):
        restore(tmp_path / "other", backup.with_name("b.db"))
    assert files(backup.parent) == ["a.db"]


async def test_unsound_store_gives_no_backup(database: Database, tmp_path: Path) -> None:
    made = await database.write(lambda tx: tx.insert(zone("a")))
    await database.write(lambda tx: tx.rows("UPDATE zone SET description = 'b'"))
    with pytest.raises(StoreDamaged, match=f"row '{made.uuid}' in table zone does not fit its checksum"):
        await database.backup(tmp_path / "copy.db")
    assert files(tmp_path) == ["store"]


async def test_unsound_backup_is_not_restored(database: Database, tmp_path: Path) -> None:
    await database.write(lambda tx: tx.insert(zone("a", description="needle")))
    await database.backup(tmp_path / "copy.db")
    await database.close()
    store = tmp_path / "store" / "store.db"
    before = store.read_bytes()
    data = (tmp_path / "copy.db").read_bytes()
    (tmp_path / "copy.db").write_bytes(data.replace(b"needle", b"noodle"))
    with pytest.raises(StoreDamaged, match="does not fit its checksum"):
        restore(tmp_path / "store", tmp_path / "copy.db")
    assert store.read_bytes() == before


async def test_verify_finds_owners_that_are_gone(database: Database) -> None:
    await database.write(lambda tx: tx.insert(L3NetworkDns(uuid="d", l3_network_uuid="gone", dns="1.1.1.1")))
    assert await database.verify() == [
        "row 'd' in table l3_network_dns belongs to L3Network 'gone', which is gone"
    ]


async def test_verify_finds_a_changed_epoch(database: Database) -> None:
    await database.raise_epoch()
    await database.write(lambda tx: tx.rows("UPDATE meta SET value = '7' WHERE name = 'epoch'"))
    assert await database.verify() == ["row 'epoch' in table meta does not fit its checksum"]
    with pytest.raises(StoreDamaged, match="'epoch' in table meta"):
        await database.epoch()
