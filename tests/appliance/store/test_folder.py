"""A store that is not what it was is refused, and never started over."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from appliance.api.zone import Zone
from appliance.store import connection
from appliance.store.database import Database
from appliance.store.errors import StoreDamaged

from .samples import zone


async def closed_store(folder: Path) -> None:
    database = await Database.open(folder)
    await database.write(lambda tx: tx.insert(zone()))
    await database.backup(folder / "backups" / "good.db")
    await database.close()


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.name != "lock"}


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4096])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: file.unlink(), "store.db is gone"),
        (lambda file: file.write_bytes(b""), "store.db is empty"),
        (lambda file: file.write_bytes(b"hello" * 100), "does not begin as a store does"),
        (lambda file: file.write_bytes(file.read_bytes()[:50]), "does not begin as a store does"),
        (cut, "bytes"),
    ],
)
async def test_damage_is_refused_with_the_backup_to_restore(
    tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    await closed_store(tmp_path)
    damage(tmp_path / "store.db")
    before = sizes(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=words) as caught:
            await Database.open(tmp_path)
        assert f"restore {tmp_path / 'backups' / 'good.db'}" in caught.value.details
    assert sizes(tmp_path) == before


CHILD = """
import asyncio, sys, pathlib
from appliance.store.database import Database

async def main():
    await Database.open(pathlib.Path(sys.argv[1]))
    print("open", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def killed_store(folder: Path) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, str(folder),
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert child.stdout is not None
    await asyncio.wait_for(child.stdout.readline(), 20)
    child.send_signal(signal.SIGKILL)
    await child.communicate()


async def test_lost_log_of_a_killed_appliance_is_refused(tmp_path: Path) -> None:
    await killed_store(tmp_path)
    log = tmp_path / "store.db-wal"
    kept = log.read_bytes()
    log.unlink()
    with pytest.raises(StoreDamaged, match=r"store\.db-wal, its newest part, is gone"):
        await Database.open(tmp_path)
    log.write_bytes(b"")
    with pytest.raises(StoreDamaged, match="its newest part"):
        await Database.open(tmp_path)
    log.write_bytes(kept)
    await (await Database.open(tmp_path)).close()


async def test_log_that_another_program_has_brought_in_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "LOCKED_SECONDS", 0.01)
    database = await Database.open(tmp_path)
    kept = await database.write(lambda tx: tx.insert(zone("kept")))
    other = sqlite.connect(str(tmp_path / "store.db"), isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM meta").fetchall()
    await database.close()
    assert (tmp_path / "lock").read_text().split()[1] == "open", "it could not be closed in order"
    other.close()
    assert not (tmp_path / "store.db-wal").exists()
    again = await Database.open(tmp_path)
    assert "somebody else has brought store.db-wal into store.db" in caplog.text
    assert await again.read(lambda snapshot: snapshot.get(Zone, kept.uuid)) == kept
    await again.close()


async def test_killed_between_its_checkpoint_and_the_word_for_it(tmp_path: Path) -> None:
    database = await Database.open(tmp_path)
    kept = await database.write(lambda tx: tx.insert(zone("kept")))
    last_words = (tmp_path / "lock").read_text()
    await database.close()
    (tmp_path / "lock").write_text(last_words)
    (tmp_path / "store.db-wal").write_bytes(b"")
    again = await Database.open(tmp_path)
    assert await again.read(lambda snapshot: snapshot.get(Zone, kept.uuid)) == kept
    await again.close()


async def test_log_that_is_lost_with_commits_is_refused_after_a_checkpoint(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "running")
    await database.write(lambda tx: tx.insert(zone("brought in")))
    database._writer.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    await database.write(lambda tx: tx.insert(zone("in the log only")))
    # What is on the disk at this moment, without the log.
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("store.db", "lock"):
        (killed / name).write_bytes((tmp_path / "running" / name).read_bytes())
    await database.close()
    before = sizes(killed)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match="its newest part, is gone"):
            await Database.open(killed)
    assert sizes(killed) == before


async def test_interrupted_first_opening_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "store.new").write_bytes(b"half")
    (tmp_path / "lock").write_bytes(b"")
    await (await Database.open(tmp_path)).close()
    assert sorted(sizes(tmp_path)) == ["store.db"]
