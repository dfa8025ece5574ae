"""A store that no appliance has open is copied as one that was stopped, or killed, and stays usable."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.api.zone import Zone
from appliance.store.backup import back_up_closed, restore
from appliance.store.database import Database
from appliance.store.errors import StoreBusy, StoreDamaged

from .samples import zone


async def test_stopped_store_is_copied_and_opens_again(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "store")
    kept = await database.write(lambda tx: tx.insert(zone("kept")))
    with pytest.raises(StoreBusy):
        back_up_closed(tmp_path / "store", tmp_path / "a.db")
    await database.close()
    assert back_up_closed(tmp_path / "store", tmp_path / "a.db") == (tmp_path / "a.db").stat().st_size
    restore(tmp_path / "other", tmp_path / "a.db")
    for folder in ("store", "other"):
        again = await Database.open(tmp_path / folder)
        assert await again.read(lambda snapshot: snapshot.get(Zone, kept.uuid)) == kept
        await again.close()


async def test_killed_store_is_copied_with_its_log(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "running")
    kept = await database.write(lambda tx: tx.insert(zone("kept")))
    # What is on the disk at this moment is what a kill leaves.
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("store.db", "store.db-wal", "lock"):
        (killed / name).write_bytes((tmp_path / "running" / name).read_bytes())
    await database.close()
    back_up_closed(killed, tmp_path / "a.db")
    again = await Database.open(killed)
    assert await again.read(lambda snapshot: snapshot.get(Zone, kept.uuid)) == kept
    await again.close()


def test_no_store_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(StoreDamaged, match="there is no store"):
        back_up_closed(tmp_path / "store", tmp_path / "a.db")
