"""`zstui audit verify` as it is typed: by its exit code a script knows that nobody has touched the log."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from appliance.client import Session
from appliance.store.audit import HEAD
from appliance.store.table import row_sum
from tests.e2e.appliance_process import ApplianceProcess

pytestmark = pytest.mark.long

SOUND, TOUCHED, USAGE = 0, 3, 1


@pytest.fixture
async def appliance(tmp_path: Path) -> AsyncIterator[ApplianceProcess]:
    process = ApplianceProcess(tmp_path / "data")
    await process.start()
    try:
        async with await Session.connect(process.socket) as session:
            for number in range(4):
                await session.call("CreateZone", name=f"zone-{number}")
        yield process
    finally:
        await process.stop()


async def verify(appliance: ApplianceProcess, *words: str) -> tuple[int, str]:
    done = await appliance.run("audit", "verify", *words)
    return done.returncode, done.stdout + done.stderr


async def touch(appliance: ApplianceProcess, change: Callable[[sqlite.Connection], None]) -> None:
    """Do something to the store behind the appliance's back."""
    await appliance.stop()
    (store,) = appliance.folder.rglob("store.db")
    with contextlib.closing(sqlite.connect(str(store))) as connection:
        change(connection)
        connection.commit()
    await appliance.start()


def rewrite_third(connection: sqlite.Connection) -> None:
    connection.execute("UPDATE audit_entry SET message = 'QueryZone' WHERE sequence = 3")


def cut_the_tail(connection: sqlite.Connection) -> None:
    """As somebody does who knows how the store remembers the newest entry."""
    connection.execute("DELETE FROM audit_entry WHERE sequence > 2")
    (digest,) = connection.execute("SELECT digest FROM audit_entry WHERE sequence = 2").fetchone()
    value = f"2:{digest}"
    connection.execute(
        "UPDATE meta SET value = ?, row_sum = ? WHERE name = ?", (value, row_sum((HEAD, value)), HEAD)
    )


async def test_a_log_that_nobody_touched(appliance: ApplianceProcess) -> None:
    code, said = await verify(appliance)
    assert (code, "the audit log is as it was written" in said) == (SOUND, True)
    head = said.split()[-1]
    assert (await verify(appliance, head))[0] == SOUND
    code, said = await verify(appliance, "no-head")
    assert (code, "SEQUENCE:DIGEST" in said) == (TOUCHED, True)
    assert (await verify(appliance, head, head))[0] == USAGE


async def test_an_entry_that_was_rewritten(appliance: ApplianceProcess) -> None:
    await touch(appliance, rewrite_third)
    code, said = await verify(appliance)
    assert code == TOUCHED
    assert "entry 3 is not as it was written" in said
    assert "as it was written; its head" not in said


async def test_a_tail_that_was_cut_off_is_told_by_a_head_that_was_noted(appliance: ApplianceProcess) -> None:
    noted = (await verify(appliance))[1].split()[-1]
    assert int(noted.partition(":")[0]) > 3
    await touch(appliance, cut_the_tail)
    assert (await verify(appliance))[0] == SOUND, "nothing in the store itself tells"
    code, said = await verify(appliance, noted)
    assert code == TOUCHED
    assert "noted earlier" in said
