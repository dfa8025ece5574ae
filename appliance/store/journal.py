"""What watchers may see of the changes of the store, and the order in which they came."""

from __future__ import annotations

from typing import Any

from appliance.api.event import QUIET, JournalEntry
from appliance.api.message import MESSAGES, QueryMessage
from appliance.api.resource import RESOURCES, Resource
from appliance.store.change_feed import Batch
from appliance.store.snapshot import Snapshot

Named = tuple[type[Resource], Any]
"""A resource by its kind and key."""

VISIBLE = (
    frozenset(message.resource.__name__ for message in MESSAGES.values() if issubclass(message, QueryMessage))
    - QUIET
)
"""Resources that can be asked for; changes of others are nobody's business."""

EMBEDDED_IN = {
    RESOURCES[embed.resource]: tuple(
        (outer, each.by)
        for outer in RESOURCES.values()
        for each in outer.embeds
        if each.resource == embed.resource
    )
    for holder in RESOURCES.values()
    for embed in holder.embeds
}
"""Which inventories show a resource, and by which of its columns: they change with it."""


def touched(batch: Batch) -> list[Named]:
    """What a transaction changed in the eyes of watchers, each once, in order."""
    found: dict[Named, None] = {}
    for change in batch:
        if change.kind.__name__ in VISIBLE:
            found[change.kind, change.key] = None
        for row in (change.before, change.after):
            for outer, by in EMBEDDED_IN.get(change.kind, ()) if row is not None else ():
                key = getattr(row, by)
                if key is not None:
                    found[outer, key] = None
    return list(found)


def last_entry(snapshot: Snapshot) -> int:
    """The place of the newest change; 0 when there never was one."""
    return snapshot.largest(JournalEntry, "sequence")


def entries_after(snapshot: Snapshot, sequence: int) -> list[Named] | None:
    """What changed after a place, each resource once; None when the journal does not go back so far."""
    first, last = snapshot.rows('SELECT MIN("sequence"), MAX("sequence") FROM "journal_entry"')[0]
    if sequence == (last or 0):
        return []
    if first is None or not first - 1 <= sequence < last:
        return None
    sql = 'SELECT DISTINCT "resource", "key" FROM "journal_entry" WHERE "sequence" > ? ORDER BY "sequence"'
    return [(RESOURCES[kind], key) for kind, key in snapshot.rows(sql, (sequence,))]


assert JournalEntry.__name__ not in VISIBLE  # nosec B101  # a law of the declarations, also held by tests
