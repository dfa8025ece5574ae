"""What changed, transaction by transaction, for those who follow the store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from appliance.api.resource import Resource

CAPACITY = 10_000
"""Transactions a subscriber may be behind before it must read again."""


@dataclass(frozen=True)
class Change:
    """One resource after a transaction. `after` is None when it was deleted."""

    kind: type[Resource]
    key: Any
    after: Resource | None
    before: Resource | None = field(default=None, compare=False)
    """What it was before the transaction; None when it was not."""


class Overflow:
    """In place of the transactions that a slow subscriber missed: it must read the store again."""


class Batch(tuple[Change, ...]):
    """What one transaction did, the last word on each resource."""

    sequence: int = 0
    """The place of the last of its changes in the journal; that of an earlier one when nobody may watch any."""


class Subscription(AsyncIterator["Batch | Overflow"]):
    """Committed transactions in commit order, from the moment of subscribing. One task reads it."""

    def __init__(self, feed: ChangeFeed, capacity: int, key: Any = None) -> None:
        self._feed = feed
        self.key = key
        """Of the one resource that it is about; None for all."""
        self._capacity = capacity
        self._waiting: deque[Batch | Overflow] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._closed = False

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Batch | Overflow:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        return self._waiting.popleft()

    async def within(self, seconds: float | None, otherwise: Batch | Overflow) -> Batch | Overflow | None:
        """What is next, or `otherwise` when nothing comes for so long (None: nobody looks before); None at the end."""
        try:
            async with asyncio.timeout(seconds):
                return await anext(self, None)
        except TimeoutError:
            return otherwise

    def pending(self) -> list[Batch | Overflow]:
        """All that is waiting now, without waiting for more."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def close(self) -> None:
        """End it: what is waiting is still given, then the iteration stops."""
        self._closed = True
        self._feed.forget(self)
        self._rouse()

    def put(self, batch: Batch) -> None:
        """Append a transaction, or give up on all that waits when there is too much of it."""
        if len(self._waiting) >= self._capacity:
            self._waiting.clear()
            self._waiting.append(Overflow())
        else:
            self._waiting.append(batch)
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class ChangeFeed:
    """Gives each committed transaction to every subscription, on the event loop."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._watching: dict[Any, list[Subscription]] = {}

    @property
    def followers(self) -> int:
        """How many follow now."""
        return len(self._subscriptions) + sum(map(len, self._watching.values()))

    def subscribe(self, capacity: int = CAPACITY) -> Subscription:
        """Follow from now on. Subscribe first and read the store second, and nothing is missed."""
        subscription = Subscription(self, capacity)
        self._subscriptions.append(subscription)
        return subscription

    def watch(self, key: Any) -> Subscription:
        """Follow only the transactions that change the resource with this key.

        Thousands may wait for one resource each: a transaction costs nothing to those it does not concern.
        """
        subscription = Subscription(self, CAPACITY, key)
        self._watching.setdefault(key, []).append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Give no more to a subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            return
        watchers = self._watching.get(subscription.key, [])
        if subscription in watchers:
            watchers.remove(subscription)
            if not watchers:
                del self._watching[subscription.key]

    def publish(self, batch: Batch) -> None:
        """Tell all subscriptions of a committed transaction."""
        for subscription in self._subscriptions:
            subscription.put(batch)
        if self._watching:
            for change in batch:
                for subscription in self._watching.get(change.key, ()):
                    subscription.put(batch)

    def close(self) -> None:
        """End all subscriptions."""
        watching = [each for watchers in self._watching.values() for each in watchers]
        for subscription in [*self._subscriptions, *watching]:
            subscription.close()
