"""A store that another program holds: in words, with the file's name, and as good as before once it is let go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from appliance.api.zone import Zone
from appliance.store import connection
from appliance.store.database import Database
from appliance.store.errors import StoreLocked


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LOCKED_SECONDS", 0.01)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    await (await Database.open(tmp_path / "store")).close()
    return tmp_path / "store"


@contextmanager
def held(folder: Path, *statements: str) -> Iterator[None]:
    """Another program in the middle of something."""
    other = sqlite.connect(str(folder / "store.db"), isolation_level=None)
    try:
        for statement in statements:
            other.execute(statement).fetchall()
        yield
    finally:
        other.close()


WRITING = ("BEGIN IMMEDIATE",)
EXCLUSIVE = ("PRAGMA locking_mode = EXCLUSIVE", "BEGIN IMMEDIATE", "CREATE TABLE other (x)", "ROLLBACK")


@pytest.mark.parametrize("statements", [WRITING, EXCLUSIVE])
async def test_it_is_not_opened(folder: Path, statements: tuple[str, ...]) -> None:
    with held(folder, *statements), pytest.raises(StoreLocked) as refused:
        await Database.open(folder)
    assert f"another program has {folder}/store.db locked" in refused.value.details
    assert "end it" in refused.value.details
    await (await Database.open(folder)).close()


async def test_calls_are_refused_for_as_long_as_it_is_held(folder: Path) -> None:
    database = await Database.open(folder)
    raw = database._writer.raw
    with held(folder, *WRITING):
        with pytest.raises(StoreLocked, match="then try again"):
            await database.write(lambda tx: tx.insert(Zone(uuid="z" * 32, name="z")))
        assert await database.read(lambda snapshot: snapshot.count(Zone)) == 0
    await database.write(lambda tx: tx.insert(Zone(uuid="z" * 32, name="z")))
    assert await database.read(lambda snapshot: snapshot.count(Zone)) == 1
    assert database._writer.raw is raw, "what was only held is not suspected of damage"
    await database.close()
