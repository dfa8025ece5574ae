"""A change in the making: all of it is kept, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from appliance.api.account import ADMIN_UUID
from appliance.api.event import Event, JournalEntry
from appliance.api.figure import MEASURED
from appliance.api.ownership import MADE_WITH, OWNED, AccountResourceRef, SharedResource
from appliance.api.resource import RESOURCES, Resource, Timestamp, camel
from appliance.api.tag import SystemTag, UserTag, can_be_tagged
from appliance.api.tally import Tally
from appliance.store.change_feed import Batch, Change
from appliance.store.connection import translated
from appliance.store.errors import AlreadyThere
from appliance.store.journal import touched
from appliance.store.snapshot import Snapshot
from appliance.store.table import SUM, R, Table, quoted, table_of

EVENTS_KEPT = 100_000
"""Rows of history; the oldest go first."""

_EVENTS_CHECKED_EACH = 1_000

ENTRIES_KEPT = 100_000
"""Changes that a watcher who was away can be told of; with more it reads everything again."""

_ENTRIES_CHECKED_EACH = 1_000


class Transaction(Snapshot):
    """Reads see what the change has written so far; nobody else sees it before it is committed."""

    def __init__(self, connection: Any, now: float, new_uuid: Callable[[], str]) -> None:
        super().__init__(connection, now)
        self.new_uuid = new_uuid
        self.account_uuid: str | None = None
        """The account that the change is made for: what is made belongs to it. The admin when None."""
        self._changes: dict[tuple[type[Resource], Any], Change] = {}

    def changes(self) -> Batch:
        """What this transaction did, the last word on each resource."""
        return Batch(self._changes.values())

    def journalled(self) -> Batch:
        """What this transaction did, written down in its place among all changes. It does nothing more after it."""
        batch = self.changes()
        places = touched(batch)
        if not places:
            return batch
        first = self.largest(JournalEntry, "sequence") + 1
        table = table_of(JournalEntry)
        entries = [
            table.encode(JournalEntry(sequence=sequence, resource=kind.name_, key=str(key)))
            for sequence, (kind, key) in enumerate(places, first)
        ]
        self._connection.executemany(table.insert, entries)
        batch.sequence = first + len(places) - 1
        if batch.sequence // _ENTRIES_CHECKED_EACH != (first - 1) // _ENTRIES_CHECKED_EACH:
            gone = (batch.sequence - ENTRIES_KEPT,)
            self._execute('DELETE FROM "journal_entry" WHERE "sequence" <= ?', gone)
        return batch

    def insert(self, resource: R) -> R:
        """Keep a new resource, dated now unless it has dates. `AlreadyThere` when it must not be twice."""
        table = table_of(type(resource))
        new = table.remade(resource, self._dates(resource))
        self._write(table, table.insert, table.encode(new), new)
        self._keep_tallies({}, new.tallies())
        self._record(type(resource), new.key_value, new)
        if table.kind.name_ in OWNED:
            self._own(new)
        return new

    def update(self, resource: R, **changes: Any) -> R:
        """Change columns of a resource, whatever else has changed since it was read; returns it as it is now.

        `ResourceNotFound` when it is gone, `AlreadyThere` when something unique is taken. What changes
        nothing writes nothing. It is dated now, unless `last_op_date` is given.
        """
        kind = type(resource)
        table = table_of(kind)
        before = self.get(kind, resource.key_value)
        real = {name: value for name, value in changes.items() if getattr(before, name) != value}
        if not real:
            return before
        if kind.primary in real:
            raise TypeError(f"the {kind.primary} of a {kind.name_} cannot change")
        if "last_op_date" in kind.columns and "last_op_date" not in changes:
            real["last_op_date"] = Timestamp(self.now)
        after = table.remade(before, real)
        self._overwrite(table, after, tuple(real))
        self._keep_tallies(before.tallies(), after.tallies())
        self._record(kind, after.key_value, after, before)
        return after

    def delete(self, resource: Resource) -> None:
        """Forget a resource, and the tags on it. One that is gone already is no error."""
        kind = type(resource)
        # What it adds to sums is what it does now, whatever it was when it was read.
        now = self.find(kind, resource.key_value) if kind.tallies is not Resource.tallies else None
        added = {} if now is None else now.tallies()
        if self._execute(table_of(kind).delete, (resource.key_value,)):
            self._keep_tallies(added, {})
            self._record(kind, resource.key_value, None, resource)
            if kind.name_ in OWNED:
                self._disown(resource)
            if can_be_tagged(kind):
                self._untag(resource)
            if kind.name_ in MEASURED:
                # From the key and a point to the key and what comes after a point.
                key = str(resource.key_value)
                sql = 'DELETE FROM "figure_block" WHERE "key" > ? AND "key" < ?'
                self._execute(sql, (f"{key}.", f"{key}/"))

    def forget_figures(self, before: int) -> None:
        """Remove what hosts and VMs used in blocks that began before a moment."""
        self._execute('DELETE FROM "figure_block" WHERE "began" < ?', (before,))

    def _keep_tallies(self, before: dict[str, int], after: dict[str, int]) -> None:
        """Bring the sums that a row adds to from what it added to what it adds."""
        if before == after:
            return
        table = table_of(Tally)
        for key in before | after:
            more = after.get(key, 0) - before.get(key, 0)
            found = self.find(Tally, key)
            new = Tally(key=key, total=more if found is None else found.total + more)
            if found is None and more:
                self._write(table, table.insert, table.encode(new), new)
            elif more and new.total:
                self._overwrite(table, new, ("total",))
            elif more:
                self._execute(table.delete, (key,))

    def _own(self, resource: Resource) -> None:
        """What is made for another resource belongs to whom that belongs to. The admin's needs no row."""
        column, _ = MADE_WITH.get(resource.name_, ("", ""))
        parent = getattr(resource, column, None)
        account = self.owner_of(parent) if parent is not None else self.account_uuid
        if account is None or account == ADMIN_UUID:
            return
        self.insert(
            AccountResourceRef(
                account_uuid=account,
                owner_account_uuid=account,
                resource_uuid=str(resource.key_value),
                resource_type=resource.vo,
            )
        )

    def _disown(self, resource: Resource) -> None:
        key = str(resource.key_value)
        for each in (
            *self.all(AccountResourceRef, resource_uuid=key),
            *self.all(SharedResource, resource_uuid=key),
        ):
            self.delete(each)

    def _untag(self, resource: Resource) -> None:
        key = str(resource.key_value)
        for tag in (*self.all(SystemTag, resource_uuid=key), *self.all(UserTag, resource_uuid=key)):
            self.delete(tag)

    def note(self, name: str, text: str, *, level: str = "info", about: Resource | None = None) -> None:
        """Add a sentence to the history of what happened, dated now."""
        sequence = self.largest(Event, "sequence") + 1
        self.insert(
            Event(
                sequence=sequence,
                create_date=Timestamp(self.now),
                level=level,
                name=name,
                resource_uuid=None if about is None else str(about.key_value),
                resource_type=None if about is None else about.name_,
                resource_name=None if about is None else getattr(about, "name", None),
                text=text,
            )
        )
        if sequence % _EVENTS_CHECKED_EACH == 0:
            self._execute('DELETE FROM "event" WHERE "sequence" <= ?', (sequence - EVENTS_KEPT,))

    def _dates(self, resource: Resource) -> dict[str, Any]:
        return {
            name: Timestamp(self.now)
            for name in ("create_date", "last_op_date")
            if name in resource.columns and not getattr(resource, name)
        }

    def _record(
        self, kind: type[Resource], key: Any, after: Resource | None, before: Resource | None = None
    ) -> None:
        earlier = self._changes.pop((kind, key), None)
        self._changes[kind, key] = Change(kind, key, after, earlier.before if earlier else before)

    def _execute(self, sql: str, parameters: tuple[Any, ...]) -> int:
        try:
            return int(self._connection.execute(sql, parameters).rowcount)
        except sqlite.Error as error:
            raise translated(error, self._connection) from error

    def _overwrite(self, table: Table[R], resource: R, names: tuple[str, ...]) -> None:
        """Write some columns of a row that is there."""
        row = dict(zip((*table.names, SUM), table.encode(resource), strict=True))
        written = [row[name] for name in names] + [row[SUM], resource.key_value]
        self._write(table, _update_sql(table.kind.name_, names), written, resource)

    def _write(self, table: Table[R], sql: str, row: list[Any], resource: R) -> None:
        try:
            self._connection.execute(sql, row)
        except sqlite.IntegrityError as error:
            taken = _taken(str(error), table.kind, resource)
            if taken is None:
                raise
            raise AlreadyThere(taken) from error
        except sqlite.Error as error:
            raise translated(error, self._connection) from error


def _taken(text: str, kind: type[Resource], resource: Resource) -> str | None:
    """What SQLite's `UNIQUE constraint failed: host.name, host.ip` means to a user."""
    prefix = "UNIQUE constraint failed: "
    if not text.startswith(prefix):
        return None
    names = [each.split(".", 1)[1] for each in text.removeprefix(prefix).split(", ")]
    values = " and ".join(f"{camel(name)} {getattr(resource, name)}" for name in names)
    return f"there is already a {kind.name_} with {values}; choose another"


@lru_cache(maxsize=2_000)
def _update_sql(resource: str, names: tuple[str, ...]) -> str:
    kind = RESOURCES[resource]
    table = table_of(kind)
    settings = ", ".join(f"{quoted(name)} = ?" for name in (*names, SUM))
    # The key was found to the letter just before, and no other differs from it by case only.
    return f"UPDATE {table.name} SET {settings} WHERE {quoted(kind.primary)} = ?"
