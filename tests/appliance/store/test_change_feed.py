"""Followers get each transaction in order, or are told that they missed some."""

from __future__ import annotations

import asyncio

import pytest

from appliance.api.zone import Zone
from appliance.store.change_feed import Batch, Change, ChangeFeed, Overflow


def batch(key: int) -> Batch:
    return (Change(Zone, key, None),)


async def test_each_follower_gets_all_in_order() -> None:
    feed = ChangeFeed()
    one, two = feed.subscribe(), feed.subscribe()
    waiting = asyncio.ensure_future(anext(one))
    await asyncio.sleep(0)
    for key in range(3):
        feed.publish(batch(key))
    assert await asyncio.wait_for(waiting, 5) == batch(0)
    one.close()
    feed.publish(batch(3))
    assert [each async for each in one] == [batch(1), batch(2)]
    feed.close()
    assert [each async for each in two] == [batch(0), batch(1), batch(2), batch(3)]


async def test_slow_follower_is_told_to_read_again() -> None:
    feed = ChangeFeed()
    slow = feed.subscribe(capacity=2)
    for key in range(3):
        feed.publish(batch(key))
    feed.publish(batch(3))
    marker, rest = slow.pending()
    assert isinstance(marker, Overflow)
    assert rest == batch(3)


async def test_closing_wakes_who_waits() -> None:
    feed = ChangeFeed()
    waiting = asyncio.ensure_future(anext(feed.subscribe()))
    await asyncio.sleep(0)
    feed.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 5)


async def test_who_watches_one_resource_hears_of_no_other() -> None:
    feed = ChangeFeed()
    one, other = feed.watch("one"), feed.watch("one")
    for batch_ in ((Change(Zone, "two", None),), (Change(Zone, "two", None), Change(Zone, "one", None))):
        feed.publish(batch_)
    assert feed.followers == 2
    other.close()
    feed.publish((Change(Zone, "one", None),))
    assert [len(each) for each in one.pending() if isinstance(each, tuple)] == [2, 1]
    assert [len(each) for each in other.pending() if isinstance(each, tuple)] == [2]
    feed.close()
    assert feed.followers == 0
    assert [each async for each in one] == []


async def test_who_waits_for_a_while_gets_what_comes_or_what_stands_for_nothing() -> None:
    feed = ChangeFeed()
    follower, nothing = feed.subscribe(), Overflow()
    assert await follower.within(0.01, nothing) is nothing
    feed.publish(batch(1))
    assert await follower.within(None, nothing) == batch(1)
    follower.close()
    assert await follower.within(5, nothing) is None
