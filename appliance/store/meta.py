"""What the store knows of itself: whose it is, and its epoch."""

from __future__ import annotations

from appliance.store.errors import StoreDamaged
from appliance.store.snapshot import Snapshot
from appliance.store.table import row_sum
from appliance.store.transaction import Transaction

OWNER = "owner"
EPOCH = "epoch"
OPENED = "opened"
RESTORED = "restored"
COMMITS = "commits"


def read_meta(snapshot: Snapshot, name: str) -> str | None:
    """One of the store's own values, or None when it was never written."""
    rows = snapshot.rows('SELECT "value", "row_sum" FROM "meta" WHERE "name" = ?', (name,))
    if not rows:
        return None
    value, checksum = rows[0]
    if row_sum((name, value)) != checksum:
        raise StoreDamaged(
            f"the store's row {name!r} in table meta is damaged: its checksum does not fit; "
            "stop the appliance and restore the newest backup"
        )
    return str(value)


def write_meta(transaction: Transaction, name: str, value: str) -> None:
    """Keep one of the store's own values."""
    # In its place: REPLACE would move the row, and the audit log's head is written with every change.
    sql = (
        'INSERT INTO "meta" ("name", "value", "row_sum") VALUES (?, ?, ?) ON CONFLICT ("name") '
        'DO UPDATE SET "value" = excluded."value", "row_sum" = excluded."row_sum"'
    )
    transaction.rows(sql, (name, value, row_sum((name, value))))


def owner(snapshot: Snapshot) -> str:
    """The uuid that the store was given when it was made, and that hosts know its appliance by."""
    found = read_meta(snapshot, OWNER)
    if found is None:
        raise StoreDamaged(
            "the store's table meta has no owner; stop the appliance and restore the newest backup"
        )
    return found


def epoch(snapshot: Snapshot) -> int:
    """The number that hosts order this appliance's commands by."""
    return int(read_meta(snapshot, EPOCH) or 0)


def commits(snapshot: Snapshot) -> int:
    """How many commits changed something, by which a store is known to have all that was acknowledged."""
    return int(read_meta(snapshot, COMMITS) or 0)


def count_commit(transaction: Transaction) -> int:
    """Count the commit that a transaction is part of; returns its number."""
    number = commits(transaction) + 1
    write_meta(transaction, COMMITS, str(number))
    return number


def raise_epoch(transaction: Transaction) -> int:
    """The next epoch, which is in force once the transaction is committed."""
    raised = epoch(transaction) + 1
    write_meta(transaction, EPOCH, str(raised))
    return raised
