"""From a row to what it belongs to and has to do with; tags, settings and accounts are changed where they stand."""

from __future__ import annotations

import pytest

from tests.zstui.conftest import LARGE, Cloud, screens
from tests.zstui.test_look import big_mirror, compare
from zstui.mirror import Row
from zstui.related import owner_of, related


async def test_one_key_goes_to_the_owner_another_to_anything(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("J")
        await on.until(lambda: on.browser.noun.id == "host")
        [vm] = await cloud.session.query("VmInstance", uuid=uuid)
        await on.until(lambda: on.browser.row is not None and on.browser.row.key == vm["hostUuid"])
        await on.press("R")
        await on.sees("has to do with", "web-1", "cluster1")
        await on.write("web")
        await on.press("enter")
        await on.until(lambda: on.browser.noun.id == "vm")
        await on.press("R")
        await on.sees("What web-1 has to do with", "lan", "tiny", "small")
        await on.write("events")
        await on.press("enter")
        await on.sees("Events", "/web-1", "Starting → Running")


async def test_what_is_related_is_found_among_many() -> None:
    mirror = big_mirror(10_000)
    mirror.rows["Host"]["h" * 32] = Row("Host", "h" * 32, {"uuid": "h" * 32, "name": "node"})
    vm = mirror.rows["VmInstance"][f"{7:032x}"]
    vm.data["hostUuid"] = "h" * 32
    host = mirror.rows["Host"]["h" * 32]
    assert owner_of(vm, mirror) is host
    assert related(host, mirror) == [vm]
    assert owner_of(host, mirror) is None


async def test_tags_are_put_on_changed_and_taken_off(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("T")
        await on.sees("Tags of web-1", "add a user tag")
        await on.press("enter")
        await on.sees("Create user tag")
        await on.write("blue")
        await on.press("ctrl+s")
        await on.sees("zstui call CreateUserTag", "✓")
        [tag] = await cloud.session.query("UserTag", resource_uuid=uuid)
        assert tag["tag"] == "blue"
        await on.browser.go("tag")
        await on.sees("Tags", "blue", "web-1", "user")
        await on.browser.go("vm")
        await on.press("T")
        await on.sees("user; Enter takes it off")
        await on.write("blue")
        await on.press("enter")
        await on.sees("zstui call DeleteTag", "✓")
        assert await cloud.session.query("UserTag", resource_uuid=uuid) == []


async def test_a_setting_is_changed_where_it_stands(cloud: Cloud) -> None:
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go("globalconfig")
        await on.sees("Global configs", "deletionPolicy")
        on.browser.table.set_filter("image deletionPolicy")
        await on.sees("1 of")
        compare("config-160x45", on)
        await on.press("E")
        await on.sees("Update global config")
        await on.sees("◉ Delay", "◌ Never")
        assert "any" not in on.whole(), "a setting has some value"
        await on.press("right", "ctrl+s")
        await on.sees("zstui call UpdateGlobalConfig category=image name=deletionPolicy value=Never")
        await on.until(lambda: on.browser.row is not None and on.browser.row.get("value") == "Never")


@pytest.mark.parametrize("noun", ["account", "tag", "globalconfig"])
async def test_accounts_tags_and_settings_have_lists(cloud: Cloud, noun: str) -> None:
    await cloud.make("CreateAccount", name="guests", password="x" * 128)
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go(noun)
        await on.sees({"account": "guests", "tag": "Tags", "globalconfig": "deletionPolicy"}[noun])
