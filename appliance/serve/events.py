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
from appliance.store.change_feed import Change
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
    embed.resource: [
        (outer, each.by)
        for outer in RESOURCES.values()
        for each in outer.embeds
        if each.resource == embed.resource
    ]
    for holder in RESOURCES.values()
    for embed in holder.embeds
}
"""Which inventories show a resource, and by which of its columns: they change with it."""


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
    """Follows the store's feed for all watchers together. Somebody must own its `run`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.listeners: set[Listener] = set()

    def listen(self) -> Listener:
        """A watcher's share, from now on; enter it as a context."""
        return Listener(self)

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        subscription = self._database.feed.subscribe()
        try:
            async for changes in subscription:
                if not self.listeners:
                    continue
                blocks = [OVERFLOW] if not isinstance(changes, tuple) else await self._blocks(changes)
                for listener in self.listeners:
                    listener.put(blocks)
        finally:
            subscription.close()

    def close(self) -> None:
        """End every stream."""
        for listener in self.listeners:
            listener.close()

    async def _blocks(self, changes: tuple[Change, ...]) -> list[bytes]:
        return await self._database.read(lambda snapshot: [_block(each) for each in _said(snapshot, changes)])


def _said(snapshot: Snapshot, changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    """What changes mean for watchers: each touched resource once, as it is now."""
    touched: dict[tuple[str, Any], Resource | None] = {}
    for change in changes:
        name = change.kind.__name__
        if name in VISIBLE:
            touched[(name, change.key)] = snapshot.find(change.kind, change.key)
        for outer, by in EMBEDDED_IN.get(name, ()):
            key = getattr(change.after, by, None)
            holder = snapshot.find(outer, key) if key is not None else None
            if holder is not None:
                touched[(outer.__name__, key)] = holder
    return [_change(snapshot, name, key, found) for (name, key), found in touched.items()]


def _change(snapshot: Snapshot, name: str, key: Any, found: Resource | None) -> dict[str, Any]:
    if found is None:
        return {"resource": name, "uuid": str(key), "op": "delete"}
    inventory = without_nulls(snapshot.inventory(found))
    return {"resource": name, "uuid": str(key), "op": "upsert", "inventory": inventory}


def _block(said: dict[str, Any]) -> bytes:
    return b"event: change\ndata: " + json.dumps(said).encode() + b"\n\n"
