"""The event stream: every change of the store, read once and sent to all who watch."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from types import TracebackType
from typing import Any, Self

from appliance.api.message import MESSAGES, QueryMessage
from appliance.api.resource import RESOURCES, Resource
from appliance.serve.zstack import without_nulls
from appliance.store.change_feed import Batch, Overflow
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot

HEARTBEAT_SECONDS = 15.0
WAITING_LIMIT = 20_000
"""Changes kept for a watcher that reads too slowly; with more it is told to read again instead."""

READY = b"event: ready\ndata: {}\n\n"
OVERFLOW = b"event: overflow\ndata: {}\n\n"
HEARTBEAT = b": still here\n\n"

VISIBLE = frozenset(
    message.resource.__name__ for message in MESSAGES.values() if issubclass(message, QueryMessage)
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

Named = tuple[type[Resource], Any]
"""A resource by its kind and key."""


class Listener:
    """One watcher's share of the stream: blocks of server-sent events, ready to be written."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._blocks: deque[bytes] = deque([READY])
        self._woken = asyncio.Event()
        self._woken.set()
        self._closed = False

    def __enter__(self) -> Self:
        self._broadcast.listeners.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._broadcast.listeners.discard(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """All that is new; a heartbeat when nothing is for a while."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return HEARTBEAT
        if self._closed:
            raise StopAsyncIteration
        self._woken.clear()
        blocks = b"".join(self._blocks)
        self._blocks.clear()
        return blocks

    def put(self, blocks: list[bytes]) -> None:
        """Add blocks, or when they are too many one that says so."""
        if len(self._blocks) + len(blocks) > WAITING_LIMIT:
            self._blocks.clear()
            blocks = [OVERFLOW]
        self._blocks.extend(blocks)
        self._woken.set()

    def close(self) -> None:
        """End the stream."""
        self._closed = True
        self._woken.set()


class Broadcast:
    """Follows the store's feed, from when it is made, for all watchers together. Somebody must own `run`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subscription = database.feed.subscribe()
        self._holders: dict[Named, tuple[Named, ...]] = {}
        self.listeners: set[Listener] = set()

    def listen(self) -> Listener:
        """A watcher's share, from now on; enter it as a context."""
        return Listener(self)

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        try:
            await self._database.read(self._learn_holders)
            async for batch in self._subscription:
                if isinstance(batch, Overflow):
                    await self._database.read(self._learn_holders)
                    blocks = [OVERFLOW]
                else:
                    blocks = await self._blocks(self._touched(batch))
                for listener in self.listeners if blocks else ():
                    listener.put(blocks)
        finally:
            self._subscription.close()

    def close(self) -> None:
        """End every stream."""
        for listener in self.listeners:
            listener.close()

    def _learn_holders(self, snapshot: Snapshot) -> None:
        self._holders = {
            (kind, row.key_value): _holders_of(row) for kind in EMBEDDED_IN for row in snapshot.all(kind)
        }

    def _touched(self, batch: Batch) -> list[Named]:
        """What a transaction changed in the eyes of watchers, each once, in order."""
        touched: dict[Named, None] = {}
        for change in batch:
            named = (change.kind, change.key)
            if change.kind.__name__ in VISIBLE:
                touched[named] = None
            if change.kind not in EMBEDDED_IN:
                continue
            # Of a row that is gone the feed has no columns: its holders are those it had.
            touched.update(dict.fromkeys(self._holders.pop(named, ())))
            if change.after is not None:
                self._holders[named] = _holders_of(change.after)
                touched.update(dict.fromkeys(self._holders[named]))
        return list(touched)

    async def _blocks(self, touched: list[Named]) -> list[bytes]:
        if not touched or not self.listeners:
            return []
        return await self._database.read(lambda snapshot: [_block(snapshot, *each) for each in touched])


def _holders_of(row: Resource) -> tuple[Named, ...]:
    """The resources whose inventories show a row."""
    found = ((outer, getattr(row, by)) for outer, by in EMBEDDED_IN[type(row)])
    return tuple((outer, key) for outer, key in found if key is not None)


def _block(snapshot: Snapshot, kind: type[Resource], key: Any) -> bytes:
    """The event that says what a resource is now."""
    found = snapshot.find(kind, key)
    said: dict[str, Any] = {"resource": kind.__name__, "uuid": str(key), "op": "delete"}
    if found is not None:
        said |= {"op": "upsert", "inventory": without_nulls(snapshot.inventory(found))}
    return b"event: change\ndata: " + json.dumps(said).encode() + b"\n\n"
