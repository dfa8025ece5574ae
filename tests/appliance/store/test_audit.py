"""The audit log's chain: what nobody touched is sound, and whatever was done to it is found and named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pysqlite3 import dbapi2 as sqlite

from appliance.api.audit import AuditEntry
from appliance.api.resource import Timestamp
from appliance.api.setting import GlobalConfig
from appliance.store import meta
from appliance.store.audit import FLOOR, HEAD, Link, append, head
from appliance.store.database import Database
from appliance.store.table import table_of
from appliance.store.transaction import Transaction


def entry(number: int) -> AuditEntry:
    return AuditEntry(
        sequence=0,
        create_date=Timestamp(0),
        source="socket",
        message="CreateZone",
        parameters={"name": f"z{number}"},
    )


async def fill(database: Database, count: int) -> None:
    for first in range(0, count, 250):
        entries = [entry(number) for number in range(first, min(first + 250, count))]
        await database.write(lambda tx, entries=entries: append(tx, entries))


def forged(sequence: int, previous: str) -> tuple[str, list[object]]:
    """The statement and row of an entry that fits the chain before it, checksums and all."""
    table = table_of(AuditEntry)
    row = AuditEntry(
        sequence=sequence, create_date=Timestamp(1), source="x", message="Nothing", previous=previous
    )
    return table.insert, table.encode(row)


TAMPERED = [
    ("UPDATE audit_entry SET message = 'GetVersion' WHERE sequence = 3", ["entry 3 is not as it was written"]),
    ("UPDATE audit_entry SET parameters = '{' WHERE sequence = 3", ["entry 3 is not as it was written"]),
    ("DELETE FROM audit_entry WHERE sequence = 4", ["entry 4 is missing"]),
    ("DELETE FROM audit_entry WHERE sequence IN (4, 5, 6)", ["entries 4 to 6 are missing"]),
    ("DELETE FROM audit_entry WHERE sequence < 3", ["entries 1 to 2 are missing"]),
    ("DELETE FROM audit_entry WHERE sequence > 8", ["entries 9 to 10 are missing, at the end"]),
    ("DELETE FROM audit_entry", ["entries 1 to 10 are missing, at the end"]),
    (
        "UPDATE audit_entry SET sequence = 99 WHERE sequence = 2;"
        "UPDATE audit_entry SET sequence = 2 WHERE sequence = 3;"
        "UPDATE audit_entry SET sequence = 3 WHERE sequence = 99",
        ["entry 2 does not follow entry 1: one was changed, or put in another's place",
         "entry 2 is not as it was written",
         "entry 3 does not follow entry 2: one was changed, or put in another's place",
         "entry 3 is not as it was written",
         "entry 4 does not follow entry 3: one was changed, or put in another's place"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "findings"), TAMPERED)
async def test_what_was_done_to_the_log_is_named(
    database: Database, tmp_path: Path, sql: str, findings: list[str]
) -> None:
    await fill(database, 10)
    assert await database.audit_findings() == []
    by_hand(tmp_path, sql)
    assert await database.audit_findings() == findings


def by_hand(tmp_path: Path, sql: str) -> None:
    """What somebody does who can write the store's file."""
    connection = sqlite.connect(str(tmp_path / "store" / "store.db"))
    connection.executescript(sql)
    connection.close()


async def test_an_entry_that_somebody_adds_or_rewrites_is_named(database: Database, tmp_path: Path) -> None:
    await fill(database, 3)
    newest = await database.read(head)
    connection = sqlite.connect(str(tmp_path / "store" / "store.db"))
    connection.execute(*forged(4, newest.digest))
    connection.commit()
    found = await database.audit_findings()
    assert "entries after 3 were added by somebody else" in found
    connection.execute("DELETE FROM audit_entry WHERE sequence >= 3")
    second = connection.execute("SELECT digest FROM audit_entry WHERE sequence = 2").fetchone()[0]
    connection.execute(*forged(3, second))
    connection.commit()
    connection.close()
    assert (
        "entry 3 is another than the one that the store remembers as the newest"
        in await database.audit_findings()
    )


async def test_a_whole_other_log_is_told_by_a_head_that_was_noted(database: Database) -> None:
    await fill(database, 3)
    noted = await database.read(head)
    await fill(database, 5)
    assert await database.audit_findings(noted) == []
    other = Link(2, "0" * 64)
    assert await database.audit_findings(other) == ["entry 2 is another than the one noted earlier"]
    assert await database.audit_findings(Link(9, "0" * 64)) == [
        "the log ends at entry 8, and entry 9 was noted earlier"
    ]


async def test_the_oldest_go_and_the_chain_goes_on(database: Database, tmp_path: Path) -> None:
    def keep_few(tx: Transaction) -> None:
        tx.update(tx.get(GlobalConfig, "audit.maxEntries"), value="1000")

    await database.write(keep_few)
    await fill(database, 2_500)
    kept = await database.read(lambda snapshot: [each.sequence for each in snapshot.all(AuditEntry)])
    assert (kept[0], kept[-1]) == (1_001, 2_500)
    assert await database.audit_findings() == []
    by_hand(tmp_path, "DELETE FROM audit_entry WHERE sequence < 1500")
    assert await database.audit_findings() == ["entries 1001 to 1499 are missing"]


async def test_a_head_that_the_log_no_longer_goes_through_is_no_proof(database: Database) -> None:
    """Else another log could begin right after the entry that was noted."""
    await fill(database, 10)
    noted, sixth = await database.read(lambda s: (head(s), Link(6, s.get(AuditEntry, 6).digest)))
    forgery = Link(20, "f" * 64)

    def begin_anew(tx: Transaction) -> None:
        tx.rows("DELETE FROM audit_entry")
        meta.write_meta(tx, FLOOR, str(forgery))
        meta.write_meta(tx, HEAD, str(forgery))
        append(tx, [entry(number) for number in range(3)])

    await database.write(begin_anew)
    assert await database.audit_findings() == [], "nothing in the store itself tells"
    assert await database.audit_findings(noted) == [
        "the log begins after entry 20, so nothing shows that it went through entry 10, which was noted earlier"
    ]
    assert len(await database.audit_findings(sixth)) == 1
    assert await database.audit_findings(forgery) == []
    assert await database.audit_findings(Link(20, "0" * 64)) == [
        "entry 20 is another than the one noted earlier"
    ]


async def test_a_change_that_is_undone_leaves_no_entry(database: Database) -> None:
    def fail(tx: Transaction) -> None:
        append(tx, [entry(1)])
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(fail)
    assert await database.read(head) == Link()
    await fill(database, 1)
    assert await database.audit_findings() == []
