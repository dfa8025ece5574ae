"""What the screens know of the cloud: rows of resources, filled once, then kept true by the event stream."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from appliance.api.event import QUIET
from appliance.api.resource import RESOURCES
from zstui import words
from zstui.cells import safe
from zstui.figures import Trends
from zstui.former_names import FormerNames
from zstui.histories import ALL, HISTORY, PAGE, Histories, Part, parts_of, read_page
from zstui.inventories import is_nameless, key_of, shared

if TYPE_CHECKING:
    from appliance.client import Push, Session

LATE_SECONDS = 5.0
"""An appliance that is heard says something every two seconds."""

BATCH_SECONDS = 0.02
"""How long changes are gathered before the screens hear of them, together."""

MANY = 8
"""Changes in one batch. One or a few are told as they come, so that the next key finds them."""

PACE_SECONDS = 0.1
"""How far apart batches of many changes are: nobody reads faster, and each costs its painting."""

FIGURES = "Figures"
"""In place of a kind, in a batch: how busy things are has changed."""

STATUS = "Status"
"""In place of a kind, in a batch: whether what is held is true has changed."""

Status = Literal["connecting", "live", "stale"]


NAMED_BY = {"UsedIp": "ip", "VmNic": "ip", "SystemTag": "tag", "UserTag": "tag", "ManagementNode": "hostName",
            "AuditEntry": "message", "NetworkServiceL3NetworkRef": "networkServiceType", "Session": "source",
            "UserdataFetch": "path"}  # fmt: skip
"""What rows without a name are known by."""


class Row(NamedTuple):
    """One resource as it is now: its kind, its key, and its inventory under wire names."""

    kind: str
    key: str
    data: dict[str, Any]

    def get(self, wire: str, default: Any = None) -> Any:
        """A value of its inventory."""
        return self.data.get(wire, default)

    def text(self, wire: str) -> str:
        """A value as safe text, lists and objects as JSON; empty when it has none."""
        value = self.data.get(wire)
        if isinstance(value, (list, dict)):
            value = json.dumps(value, ensure_ascii=False)
        return "" if value is None else safe(str(value))

    @property
    def name(self) -> str:
        """Its display name, safe; what it is known by where it has none, else its key."""
        return safe(str(self.data.get("name") or self.data.get(NAMED_BY.get(self.kind, "name")) or self.key))

    @property
    def by_name(self) -> tuple[str, str]:
        """What it is ordered by among others: its name, then its uuid."""
        return words.natural(self.name), self.key


Batch = dict[str, dict[str, Row | None]]
"""What changed: by kind and key, the row as it is now, or None when it is gone."""


class Mirror:
    """Rows of the watched kinds. `follow` fills them and keeps them; listeners hear of changes in batches."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self._kinds = list(kinds)
        self.rows: dict[str, dict[str, Row]] = {kind: {} for kind in kinds}
        self.unread = set(kinds)
        """Kinds that were not read to the end yet: of these, what is not here may be there."""
        self.status: Status = "connecting"
        self.as_of = 0.0
        """When what is held was last known to be true, in seconds since 1970."""
        self._heard = 0.0
        self.reason = ""
        self.fillings = 0
        """How often all that is kept was read, from its beginning."""
        self.histories = Histories()
        self.turned: dict[str, str] = {}
        """When VMs came to their states, as far as that is known: they change in other ways, too."""
        self.former_names = FormerNames()
        self.figures = Trends()
        self.listeners: list[Callable[[Batch], None]] = []
        self._older: set[str] = set()
        """Histories of which more is being read."""
        self._loads: Counter[str] = Counter()
        """How often each kind was read from its beginning."""
        self._pushed: dict[str, set[str]] = {}
        """Of the kinds that are being read: what was pushed meanwhile."""
        self._thinned: set[str] = set()
        """Kinds without a public key of which something is gone: what, only reading them anew tells."""
        self._tallies: dict[tuple[str, str], Counter[Any]] = {}
        self._pending: Batch = {}
        self._timer: asyncio.TimerHandle | None = None
        self._told = 0.0
        """When the screens last heard of many changes at once, by the loop's clock."""

    def find(self, key: str | None) -> Row | None:
        """The row of a uuid, whatever its kind."""
        if key is None:
            return None
        return next((rows[key] for rows in self.rows.values() if key in rows), None)

    def name(self, key: str | None) -> str:
        """The name of what a uuid means, or meant; the uuid's beginning when it is not known, nothing without one."""
        if not key:
            return ""
        row = self.find(key)
        return row.name if row is not None else self.former_names.get(key) or safe(key[:8])

    def all(self, kind: str) -> Iterator[Row]:
        """The rows of a kind."""
        return iter(self.rows.get(kind, {}).values())

    def has_read(self, kinds: Iterable[str]) -> bool:
        """Whether what there is of some kinds is all here: then none is none."""
        return self.status == "live" and self.rows.keys() - self.unread >= set(kinds)

    def tally(self, kind: str, wire: str) -> Counter[Any]:
        """How many rows of a kind have which value there: counted once, then kept with each change."""
        found = self._tallies.get((kind, wire))
        if found is None:
            found = self._tallies[kind, wire] = Counter([row.data.get(wire) for row in self.all(kind)])
        return found

    def _count(self, kind: str, before: Row | None, after: Row | None) -> None:
        for (counted, wire), tally in self._tallies.items():
            if counted == kind:
                if before is not None:
                    tally[before.get(wire)] -= 1
                if after is not None:
                    tally[after.get(wire)] += 1

    async def follow(self, session: Session) -> None:
        """Fill the rows and keep them true until the session is closed.

        Raises what the first query or the stream raises: ApiError.
        """
        async with aclosing(session.events()) as stream:  # type: ignore[type-var]  # an async generator
            async for push in stream:
                await self._take(push, session)

    @property
    def late_seconds(self) -> float:
        """How old what is held may be, of an appliance that seems to be there but says nothing; 0 while it speaks."""
        silent = time.monotonic() - self._heard
        return silent if self.status == "live" and silent > LATE_SECONDS else 0.0

    def _hear(self) -> None:
        """Something was said, so what is held is true up to now."""
        was_late = self.late_seconds > 0
        self._heard = time.monotonic()
        if was_late:
            self._tell({STATUS: {"": None}})

    async def _take(self, push: Push, session: Session) -> None:
        if push.kind != "lost":
            self._hear()
        match push.kind:
            case "beat":
                while self._thinned:
                    await self._load(session, self._thinned.pop())
            case "change" if push.op == "delete" and is_nameless(push.resource):
                self._thinned |= {push.resource} & self.rows.keys()
            case "change":
                self._apply(push)
            case "figures":
                self.figures.take(push.inventory)
                self._note(FIGURES, "", None)
            case "lost":
                self.set_stale("the connection broke")
            case _:
                await self._load_all(session)
                self.fillings += 1
                self._set_status("live")

    def reads(self, kinds: Iterable[str]) -> bool:
        """Whether some kinds are still being read for the first time, or again."""
        return self.status == "connecting" or any(
            kind in self._pushed or kind not in self.rows for kind in kinds
        )

    def set_stale(self, reason: str) -> None:
        """Say that what is held may no longer be true, and why."""
        self.reason = reason
        if self.status == "live":
            self.as_of = words.now() - (time.monotonic() - self._heard)
        self._set_status("stale" if self.as_of else "connecting")

    def _set_status(self, status: Status) -> None:
        self.status = status
        if status == "live":
            self.reason = ""
        self._tell({STATUS: {"": None}})

    async def _load_all(self, session: Session) -> None:
        for kind in self._kinds:
            await self._load(session, kind)

    def lacks(self, kind: str) -> bool:
        """Whether a kind is to be read for who wants to see it: it is not kept, or nobody is told of its changes."""
        return kind not in self.rows or kind in QUIET

    async def watch(self, session: Session, kind: str) -> None:
        """Keep one more kind, and read what it lacks. Raises ApiError when it cannot be read."""
        if not self.lacks(kind) or kind in self._pushed:
            return
        if kind in self.rows:
            await self._load(session, kind)
        else:
            self.rows[kind] = {}
            self.unread.add(kind)
            self._kinds.append(kind)
            try:
                await self._load(session, kind)
            except BaseException:
                # Not read is not empty: it is asked for again when somebody looks.
                del self.rows[kind]
                self._tallies = {key: tally for key, tally in self._tallies.items() if key[0] != kind}
                self._kinds.remove(kind)
                self.unread.discard(kind)
                raise

    async def _load(self, session: Session, kind: str) -> None:
        """Read a kind page by page. Rows show as they come; those that are gone go at the end.

        What is pushed meanwhile is newer than any page.
        """
        pushed = self._pushed[kind] = set()
        self._loads[kind] += 1
        try:
            await self._read(session, kind, pushed)
        finally:
            del self._pushed[kind]
        self.unread.discard(kind)
        if self.status == "live":
            self._tell({STATUS: {"": None}})

    async def _read(self, session: Session, kind: str, pushed: set[str]) -> None:
        seen: set[str] = set()
        if kind in HISTORY:
            await self._load_history(session, kind, seen, pushed)
        else:
            last = ""
            primary = RESOURCES[kind].primary
            ordered = not is_nameless(kind)
            while True:
                page = await session.query(
                    kind,
                    *([(primary, ">", last)] if last else []),
                    limit=PAGE if ordered else 100_000,
                    sort_by=primary if ordered else None,
                )
                self._hear()
                for data in page:
                    last = key_of(kind, data)
                    seen.add(last)
                    if last not in pushed:
                        self._put(Row(kind, last, data))
                if len(page) < PAGE or not ordered:
                    break
        for key in self.rows[kind].keys() - seen - pushed:
            self._drop(kind, key)

    async def _load_history(self, session: Session, kind: str, seen: set[str], pushed: set[str]) -> None:
        for part in parts_of(kind):
            newest = await read_page(session, kind, part)
            self._hear()
            self.histories.took(kind, part, 0, len(newest))
            rows = [Row(kind, key_of(kind, data), data) for data in newest]
            for row in rows if part.wire else reversed(rows):
                seen.add(row.key)
                self.histories.date(row.key, older=bool(part.wire))
                if row.key not in pushed:
                    self._put(row)
        self.histories.allow(kind, len(seen))

    async def read_older(self, session: Session, kind: str, part: Part = ALL) -> None:
        """Hold more of a history: the next rows, further back. Raises ApiError."""
        if kind in self._older or kind in self._pushed:
            return
        self._older.add(kind)
        try:
            loads, new = self._loads[kind], False
            while not new and (kind, part) in self.histories.cut:
                start = self.histories.passed(kind, part)
                older = await read_page(session, kind, part, start)
                if loads != self._loads[kind]:
                    return  # all was read anew meanwhile, from the newest on
                self.histories.took(kind, part, start, len(older))
                new = self._hold(kind, older)
        finally:
            self._older.discard(kind)

    def _hold(self, kind: str, older: list[dict[str, Any]]) -> bool:
        """Hold older rows besides; whether there are any that were not held."""
        rows = [Row(kind, key_of(kind, data), data) for data in older]
        new = [row for row in rows if row.key not in self.rows[kind]]
        self.histories.allow(kind, len(self.rows[kind]) + len(new))
        for row in new:
            self.histories.date(row.key, older=True)
            self._put(row)
        return bool(new)

    def _apply(self, push: Push) -> None:
        """One change. Of a kind that is not kept, only the news is passed on."""
        key = push.uuid if push.op == "delete" else key_of(push.resource, push.inventory)
        if push.resource in self._pushed:
            self._pushed[push.resource].add(key)
        if push.op == "delete":
            self._drop(push.resource, key)
            return
        self._put(Row(push.resource, key, push.inventory))

    def _put(self, row: Row) -> None:
        rows = self.rows.get(row.kind)
        if rows is not None:
            known = rows.get(row.key)
            if known is not None and known.data == row.data:
                return
            row = Row(row.kind, sys.intern(row.key), shared(row.data))
            rows[row.key] = row
            self._date_state(known, row)
            self._count(row.kind, known, row)
            if row.kind in HISTORY:
                self.former_names.told(row)
                self.histories.date(row.key)
                if self.histories.is_full(row.kind, len(rows)):
                    for key in self.histories.surplus(row.kind, rows):
                        self._drop(row.kind, key)
        self._note(row.kind, row.key, row)

    def _date_state(self, known: Row | None, row: Row) -> None:
        if row.kind == "Event" and row.get("name") == "VmStateChanged":
            self.turned[str(row.get("resourceUuid"))] = row.text("createDate")
        elif row.kind == "VmInstance" and known is not None:
            if known.get("state") != row.get("state"):
                self.turned[row.key] = row.text("lastOpDate")
            else:
                self.turned.setdefault(row.key, known.text("lastOpDate"))

    def state_since(self, vm: Row) -> str:
        """When a VM came to its state, as the appliance writes dates; its last change where more is not known."""
        return self.turned.get(vm.key) or vm.text("lastOpDate")

    def _drop(self, kind: str, key: str) -> None:
        known = self.rows.get(kind, {}).pop(key, None)
        self.histories.forget(key)
        if known is not None:
            self.former_names.gone(known)
        self._count(kind, known, None)
        self._note(kind, key, None)

    def _note(self, kind: str, key: str, row: Row | None) -> None:
        self._pending.setdefault(kind, {})[key] = row
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time() + BATCH_SECONDS, self._told + PACE_SECONDS)
            self._timer = loop.call_at(due, self.flush)

    def flush(self) -> None:
        """Tell the listeners what has changed since they were last told."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._pending = self._pending, {}
        if sum(map(len, batch.values())) > MANY:
            self._told = asyncio.get_running_loop().time()
        if batch:
            self._tell(batch)

    def _tell(self, batch: Batch) -> None:
        for listener in list(self.listeners):
            listener(batch)
