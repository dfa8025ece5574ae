"""The event stream: every change of the store, read once and sent to all who watch."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

from appliance.api.resource import Resource
from appliance.serve.zstack import without_nulls
from appliance.store.change_feed import Overflow
from appliance.store.database import Database
from appliance.store.journal import Named, entries_after, last_entry, touched
from appliance.store.snapshot import Snapshot

HEARTBEAT_SECONDS = 2.0
"""A face that hears nothing for longer says how old what it shows is."""

WAITING_LIMIT = 20_000
"""Changes kept for a watcher that reads too slowly; with more it is told to read again instead."""

FIGURES_AT_FIRST = 16
"""Samples that a new watcher is told of, so that it has something to draw."""

READY = b"event: ready\ndata: {}\n\n"
OVERFLOW = b"event: overflow\ndata: {}\n\n"
HEARTBEAT = b": still here\n\n"
NEWEST = 1 << 62
"""The place of what is news to everybody."""


MARK = re.compile(r"([0-9a-f]{1,32})-([0-9]{1,18})")
"""An event's id: whose store it is of, and its place in that store's journal."""


class LatestFigures(Protocol):
    """Where the latest figures are had from."""

    listeners: list[Callable[[], None]]

    def latest(self, count: int) -> Iterable[tuple[str, list[list[int | None]]]]:
        """Percent of CPU and of memory in the last samples, by resource."""


class Listener:
    """One watcher's share of the stream: blocks of server-sent events, ready to be written."""

    def __init__(self, broadcast: Broadcast) -> None:
        self._broadcast = broadcast
        self._blocks: deque[tuple[int, bytes]] = deque()
        self._begun = False
        self._woken = asyncio.Event()
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
        blocks = b"".join(block for _, block in self._blocks)
        self._blocks.clear()
        return blocks

    def begin(self, sequence: int, blocks: list[bytes]) -> None:
        """Put before what is pushed the state of things at a place in the journal, which some of it is part of."""
        later = [each for each in self._blocks if each[0] > sequence]
        self._blocks = deque([*((sequence, block) for block in blocks), *later])
        self._begun = True
        self._woken.set()

    def put(self, sequence: int, blocks: list[bytes]) -> None:
        """Add blocks, or when they are too many one that says so."""
        if len(self._blocks) + len(blocks) > WAITING_LIMIT:
            self._blocks.clear()
            blocks = [OVERFLOW]
        self._blocks.extend((sequence, block) for block in blocks)
        if self._begun:
            self._woken.set()

    def close(self) -> None:
        """End the stream."""
        self._closed = True
        self._woken.set()


class Broadcast:
    """Follows the store's feed, from when it is made, for all watchers together. Somebody must own `run`."""

    def __init__(self, database: Database, figures: LatestFigures | None = None) -> None:
        self._database = database
        self._figures = figures
        self._told: dict[str, list[list[int | None]]] = {}
        if figures is not None:
            figures.listeners.append(self._tell_figures)
        self._subscription = database.feed.subscribe()
        self.listeners: set[Listener] = set()

    def listen(self) -> Listener:
        """A watcher's share, from now on; enter it as a context, and have it begin."""
        return Listener(self)

    async def begin(self, listener: Listener, last_id: str | None) -> None:
        """Let a watcher hear what it has missed since an event, then all that comes; with none, what comes."""
        sequence, blocks = await self._database.read(lambda snapshot: self._missed(snapshot, last_id))
        if self._figures is not None:
            blocks = [*blocks, _figures_block(dict(self._figures.latest(FIGURES_AT_FIRST)), whole=True)]
        listener.begin(sequence, blocks)

    def _tell_figures(self) -> None:
        """Tell what is other than it was when it was last told; what is not told is as it was."""
        if self._figures is None or not self.listeners:
            return
        now = dict(self._figures.latest(1))
        gone: dict[str, list[list[int | None]]] = {key: [] for key in self._told.keys() - now.keys()}
        news = {key: each for key, each in now.items() if self._told.get(key) != each}
        self._told = now
        block = _figures_block(news | gone)
        for listener in self.listeners:
            listener.put(NEWEST, [block])

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        try:
            async for batch in self._subscription:
                if isinstance(batch, Overflow):
                    for listener in self.listeners:
                        listener.put(NEWEST, [OVERFLOW])
                    continue
                places = touched(batch)
                if not places or not self.listeners:
                    continue
                blocks = await self._database.read(partial(_blocks, places=places))
                blocks[-1] = self._id(batch.sequence) + blocks[-1]
                for listener in self.listeners:
                    listener.put(batch.sequence, blocks)
        finally:
            self._subscription.close()

    def close(self) -> None:
        """End every stream."""
        for listener in self.listeners:
            listener.close()

    def _missed(self, snapshot: Snapshot, last_id: str | None) -> tuple[int, list[bytes]]:
        """The newest place, and the blocks that bring a watcher there."""
        newest = last_entry(snapshot)
        here = self._id(newest)
        if last_id is None:
            return newest, [here + READY]
        mark = MARK.fullmatch(last_id)
        known = mark is not None and mark[1] == self._owner
        places = entries_after(snapshot, int(mark[2])) if mark is not None and known else None
        if places is None:
            return newest, [READY, here + OVERFLOW]
        blocks = _blocks(snapshot, places)
        if not blocks:
            return newest, [here + READY]
        return newest, [READY, *blocks[:-1], here + blocks[-1]]

    @property
    def _owner(self) -> str:
        return self._database.owner[:8]

    def _id(self, sequence: int) -> bytes:
        return f"id: {self._owner}-{sequence}\n".encode()


def _figures_block(figures: dict[str, list[list[int | None]]], *, whole: bool = False) -> bytes:
    """The event that says how busy things are: `{uuid: [[percent of CPU …], [percent of memory …]]}`."""
    said = {"figures": figures, "whole": whole}
    return b"event: figures\ndata: " + json.dumps(said, separators=(",", ":")).encode() + b"\n\n"


def _blocks(snapshot: Snapshot, places: list[Named]) -> list[bytes]:
    return [_block(snapshot, *each) for each in places]


def _block(snapshot: Snapshot, kind: type[Resource], key: Any) -> bytes:
    """The event that says what a resource is now."""
    found = snapshot.find(kind, kind.columns[kind.primary].kind(key))
    said: dict[str, Any] = {"resource": kind.__name__, "uuid": str(key), "op": "delete"}
    if found is not None:
        said |= {"op": "upsert", "inventory": without_nulls(snapshot.inventory(found))}
    return b"event: change\ndata: " + json.dumps(said).encode() + b"\n\n"
