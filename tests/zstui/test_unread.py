"""What is not read yet is not nothing: an appliance that takes its time is waited for, and every key still paints."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from appliance.api.errors import OperationFailed
from tests.zstui.conftest import Cloud, Screens, screens
from zstui.nouns import NOUNS


@contextmanager
def silent(on: Screens) -> Iterator[None]:
    """An appliance that answers no query meanwhile."""
    session = on.app.calls.session
    speaks, query = asyncio.Event(), session.query

    async def waits(*words: Any, **options: Any) -> Any:
        await speaks.wait()
        return await query(*words, **options)

    session.query = waits
    try:
        yield
    finally:
        session.query = query
        speaks.set()


@pytest.mark.parametrize(("word", "caption", "empty"), [
    ("audit", "Audit  …", "Nobody has changed"),
    ("user", "Users  …", "None yet"),
    ("quota", "Quotas  …", "None here"),
])  # fmt: skip
async def test_a_list_that_is_not_read_yet_does_not_say_that_it_is_empty(
    cloud: Cloud, word: str, caption: str, empty: str
) -> None:
    async with screens(cloud.socket) as on:
        with silent(on):
            await on.press("colon")
            await on.write(word)
            await on.press("enter")
            await on.sees(caption, "Reading …")
            assert empty not in on.whole()
        await on.misses("Reading …")


async def test_a_tree_that_is_not_read_yet_has_nothing_to_say(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        with silent(on):
            await on.press("v")
            await on.sees("Snapshots of", "Reading …")
            assert "nothing to choose" not in on.whole()
            assert "0 snapshots" not in on.whole()
        await on.sees("0 snapshots")
        await on.misses("Reading …")


async def test_tags_open_where_they_were_asked_for(cloud: Cloud) -> None:
    await cloud.vm("web-1", userTags=["of-the-shop"])
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        with silent(on):
            await on.press("T")
            await on.sees("Tags of web-1", "Reading …")
            await on.press("escape", "3")
            await on.sees("lan")
        await on.pilot.pause(0.2)
        assert "Tags of" not in on.whole()
        await on.press("1", "T")
        await on.sees("Tags of web-1", "of-the-shop", "add a user tag")


async def test_tags_that_cannot_be_read_are_told(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1")

        async def refuses(*_: Any, **__: Any) -> Any:
            raise OperationFailed("its disk is gone")

        on.app.calls.session.query = refuses
        await on.press("T")
        await on.sees("Its disk is gone", "add a user tag")


async def test_the_overview_reads_before_it_says_that_nothing_was_measured(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        session = on.app.calls.session
        call, speaks = session.call, asyncio.Event()

        async def waits(*words: Any, **options: Any) -> Any:
            await speaks.wait()
            return await call(*words, **options)

        session.call = waits
        await on.press("0")
        await on.sees("the last hour", "Reading …")
        hour = on.whole().partition("the last hour")[2].partition("busiest VMs")[0]
        assert "Nothing is measured" not in hour
        speaks.set()
        await on.sees("Nothing is measured yet.")


async def test_each_row_of_a_kind_without_a_public_key_is_there_and_goes(cloud: Cloud) -> None:
    await cloud.make("CreateAccount", name="shop", password="x" * 128)
    async with screens(cloud.socket, (120, 40)) as on:
        whole = await cloud.session.query("Quota")
        await on.browser.go("networkservicel3networkref")
        await on.sees("Network services  2", "DHCP", "Userdata")
        await on.browser.go("quota")
        await on.sees(f"Quotas  {len(whole)}")
        [provider] = await cloud.session.query("NetworkServiceProvider")
        await on.browser.go("networkservicel3networkref")
        await cloud.session.call("DetachNetworkServiceFromL3Network", l3NetworkUuid=cloud.uuids["lan"],
                                 networkServices={provider["uuid"]: ["Userdata"]})  # fmt: skip
        await on.sees("Network services  1")


async def test_what_the_stream_does_not_tell_of_is_read_whenever_it_is_shown(cloud: Cloud) -> None:
    async with screens(cloud.socket, (120, 40)) as on:
        await cloud.make("CreateAccount", name="shop", password="a" * 128)
        for noun, shown in (("audit", "CreateZone"), ("session", "Sessions  0")):
            await on.browser.go(noun)
            await on.sees(shown)
        await cloud.make("CreateZone", name="made-since")
        await cloud.session.call("LogInByAccount", accountName="shop", password="a" * 128)
        await on.browser.go("audit")
        await on.sees("made-since")
        await on.browser.go("session")
        await on.sees("Sessions  1")


@pytest.mark.parametrize("noun", ["audit", "session"])
async def test_what_the_stream_does_not_tell_of_is_read_once_each_time_that_it_is_shown(
    cloud: Cloud, noun: str
) -> None:
    async with screens(cloud.socket) as on:
        session = on.app.calls.session
        asked: list[str] = []
        query = session.query

        async def counts(kind: str, *words: Any, **options: Any) -> Any:
            asked.append(kind)
            return await query(kind, *words, **options)

        session.query = counts
        for times in (1, 2):
            await on.browser.go(noun)
            await on.until(lambda: not on.app.mirror._pushed)
            await on.pilot.pause(0.3)
            assert asked.count(NOUNS[noun].kinds[0]) == times
            await on.browser.go("vm")
