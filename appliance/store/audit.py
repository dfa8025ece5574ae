"""The audit log's chain: entries that are only ever added, each with the digest of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from appliance.api.audit import AuditEntry
from appliance.api.errors import ApiError
from appliance.api.job import LongJob
from appliance.api.resource import Timestamp
from appliance.store import meta
from appliance.store.connection import roll_back
from appliance.store.errors import StoreDamaged
from appliance.store.snapshot import Snapshot
from appliance.store.table import table_of
from appliance.store.transaction import Transaction

HEAD, FLOOR = "audit_head", "audit_floor"
"""In the store's meta table: the newest entry, and the newest of those that are no longer kept."""

_CHECKED_EACH = 1_000
_ROWS_AT_ONCE = 500
SHOWN = 20


ACCEPTED, ENDED = "accepted", "ended"
"""Stages of a call that became a job."""

WORDS = 1_000
"""Characters of an error's words; they name what was sent."""


@dataclass(frozen=True)
class Link:
    """A place in the chain; 0 and nothing before the first entry."""

    sequence: int = 0
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.sequence}:{self.digest}"

    @classmethod
    def read(cls, text: str | None) -> Link:
        """The link that a text is; the beginning for None. Raises ValueError for what is none."""
        if text is None:
            return cls()
        sequence, colon, digest = text.partition(":")
        if not colon or not sequence.isdecimal():
            raise ValueError(f"{text!r} is not SEQUENCE:DIGEST")
        return cls(int(sequence), digest)


def head(snapshot: Snapshot) -> Link:
    """The newest entry, as the store remembers it apart from the log."""
    return Link.read(meta.read_meta(snapshot, HEAD))


def append(tx: Transaction, entries: Sequence[AuditEntry]) -> None:
    """Add entries to the log, in their order. Sequence, digests and, where there is none, the date are given here.

    The feed of changes and its journal are not told: whoever reads the log would make it grow by that.
    """
    last = head(tx)
    table = table_of(AuditEntry)
    rows = []
    for entry in entries:
        given = {"sequence": last.sequence + 1, "previous": last.digest}
        if not entry.create_date:
            given["create_date"] = Timestamp(tx.now)
        placed = table.remade(entry, given)
        sealed = table.remade(placed, {"digest": digest_of(placed)})
        rows.append(table.encode(sealed))
        last = Link(sealed.sequence, sealed.digest)
    for row in rows:
        tx.rows(table.insert, row)
    meta.write_meta(tx, HEAD, str(last))
    if last.sequence // _CHECKED_EACH != (last.sequence - len(entries)) // _CHECKED_EACH:
        _forget(tx, last.sequence - int(tx.setting("audit", "maxEntries")))


def append_end(tx: Transaction, job: LongJob, error: ApiError | None) -> None:
    """Add the end of a job, in the transaction that ends it."""
    asked = json.loads(job.job_data)
    named = (asked.get(each) for each in ("uuid", "vmInstanceUuid", "volumeUuid"))
    entry = AuditEntry(
        sequence=0,
        create_date=Timestamp(0),
        account_uuid=job.account_uuid or None,
        source="the appliance",
        message=job.name,
        target_uuid=next((each for each in named if isinstance(each, str)), job.target_resource_uuid),
        job_uuid=job.uuid,
        stage=ENDED,
        code=error.code if error is not None else None,
        details=error.details[:WORDS] if error is not None else None,
    )
    append(tx, [entry])


def _forget(tx: Transaction, until: int) -> None:
    """Drop the oldest entries; the digest of the last of them is kept, so that the chain has a beginning."""
    newest = tx.find(AuditEntry, until) if until > 0 else None
    if newest is not None:
        meta.write_meta(tx, FLOOR, str(Link(newest.sequence, newest.digest)))
        tx.rows('DELETE FROM "audit_entry" WHERE "sequence" <= ?', (until,))


def digest_of(entry: AuditEntry) -> str:
    """SHA-256 of an entry without its digest. What is not set does not count, so that columns may be added."""
    said = {name: value for name, value in entry.__dict__.items() if value is not None and name != "digest"}
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def findings(connection: Any, known: Link | None = None) -> list[str]:
    """What is wrong with the log, in sentences; `known` is a place that it was seen to go through."""
    snapshot = Snapshot(connection, 0.0)
    connection.execute("BEGIN")
    try:
        found = _Walk(snapshot, known).found()
    finally:
        roll_back(connection)
    return found if len(found) <= SHOWN else [*found[:SHOWN], f"and {len(found) - SHOWN} more"]


class _Walk:
    """One way along the chain, from its oldest entry to what the store remembers as the newest."""

    def __init__(self, snapshot: Snapshot, known: Link | None) -> None:
        self._snapshot = snapshot
        self._known = known
        self._floor = Link.read(meta.read_meta(snapshot, FLOOR))
        self._head = head(snapshot)
        self._last = self._floor

    def found(self) -> list[str]:
        return [*self._entries(), *self._end(), *self._begin()]

    def _entries(self) -> Iterator[str]:
        table = table_of(AuditEntry)
        place = table.names.index("sequence"), table.names.index("previous"), table.names.index("digest")
        page = f'{table.select} WHERE "sequence" > ? ORDER BY "sequence" LIMIT {_ROWS_AT_ONCE}'
        sequence = -1
        while rows := self._snapshot.rows(page, (sequence,)):
            for row in rows:
                sequence, previous, digest = (row[each] for each in place)
                yield from self._follows(sequence, previous)
                if not _sound(row, digest):
                    yield f"entry {sequence} is not as it was written"
                if self._known and sequence == self._known.sequence and digest != self._known.digest:
                    yield f"entry {sequence} is another than the one noted earlier"
                self._last = Link(sequence, digest)

    def _follows(self, sequence: int, previous: str) -> Iterator[str]:
        expected = self._last.sequence + 1
        if sequence > expected:
            yield _missing(expected, sequence - 1)
        elif sequence < expected:
            yield f"entry {sequence} is older than what the log begins with"
        elif previous != self._last.digest:
            yield f"entry {sequence} does not follow entry {sequence - 1}: one was changed, or put in another's place"

    def _end(self) -> Iterator[str]:
        last, meant = self._last, self._head
        if last.sequence < meant.sequence:
            yield f"{_missing(last.sequence + 1, meant.sequence)}, at the end"
        elif last.sequence > meant.sequence:
            yield f"entries after {meant.sequence} were added by somebody else"
        elif last.digest != meant.digest:
            yield f"entry {last.sequence} is another than the one that the store remembers as the newest"

    def _begin(self) -> Iterator[str]:
        known, floor = self._known, self._floor
        if known is None:
            return
        if known.sequence > self._last.sequence:
            yield f"the log ends at entry {self._last.sequence}, and entry {known.sequence} was noted earlier"
        elif 0 < known.sequence < floor.sequence:
            # Where the log begins is in the store, too: who writes that can begin another log after what was noted.
            yield (
                f"the log begins after entry {floor.sequence}, so nothing shows that it went through entry "
                f"{known.sequence}, which was noted earlier"
            )
        elif known.sequence == floor.sequence and known.digest != floor.digest:
            yield f"entry {known.sequence} is another than the one noted earlier"


def _sound(row: tuple[Any, ...], digest: str) -> bool:
    try:
        return digest_of(table_of(AuditEntry).decode(row)) == digest
    except (StoreDamaged, msgspec.DecodeError):
        return False


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
