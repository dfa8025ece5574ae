"""Going about: lists, filter, `:`, palette, help, detail, on a small and a large terminal."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.widgets import ContentSwitcher

from appliance.api.errors import NotReady
from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from zstui.caption import Caption
from zstui.mirror import Row
from zstui.nouns import MAIN
from zstui.table import LiveTable


async def test_every_noun_has_its_key(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.sees("◉ live", "hosts 2/2")
        seen = {
            "2": "node-a",
            "3": "10.9.0.0/24",
            "4": "tiny",
            "5": "VM disks",
            "6": "add KVM host",
            "7": "connected",
        }
        for key, text in seen.items():
            await on.press(key)
            await on.sees(text)
        await on.press("1")
        await on.sees("No VMs yet. Press n")
        await on.press("minus")
        await on.sees("connected")


async def test_the_cursor_goes_to_a_row_that_is_told_of_after_its_call_was_answered(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1", "◉ Running")
        await on.browser.go("vm", "late", follow=True)
        on.app.mirror._put(Row("VmInstance", "late", {"uuid": "late", "name": "web-2", "state": "Running"}))
        await on.until(lambda: on.browser.table.cursor == "late", "the cursor on it")
        await on.press("k")
        on.app.mirror._put(Row("VmInstance", "late", {"uuid": "late", "name": "web-2", "state": "Stopped"}))
        await on.sees("◌ Stopped")
        assert on.browser.table.cursor != "late", "it goes there once"


async def test_a_filter_narrows_as_it_is_typed(cloud: Cloud) -> None:
    for name in ("web-1", "web-2", "db-1"):
        await cloud.vm(name)
    async with screens(cloud.socket) as on:
        await on.sees("web-1", "db-1")
        await on.press("slash")
        await on.write("web !web-2")
        await on.sees("1 of 3")
        assert "web-1" in on.whole()
        assert not any(line.split()[:1] == ["web-2"] for line in on.text())
        await on.press("enter")
        await on.sees("Esc shows all")
        await cloud.vm("web-9")
        await on.sees("web-9", "2 of 4")
        await on.press("escape")
        await on.sees("db-1", "web-2")
        await on.press("slash")
        await on.write("nothing")
        await on.sees("No row holds that")


async def test_the_scrollbar_is_painted_with_the_rows_that_are_found(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.until(lambda: on.app.mirror.status == "live", "the rows")
        for number in range(200):
            row = Row("VmInstance", f"v{number}", {"uuid": f"v{number}", "name": f"vm-{number}"})
            on.app.mirror._put(row)
        table = on.browser.table
        await on.until(lambda: table.vertical_scrollbar.window_virtual_size == 201, "its scrollbar")
        await on.hush()
        table.set_filter("vm-1")
        assert table.vertical_scrollbar.window_virtual_size == len(table.listing) + 1 == 112
        assert not table._layout_required, "no other widget has another place"
        table.set_filter("vm-111")
        await on.until(lambda: not table.show_vertical_scrollbar, "no scrollbar beside one row")


async def test_colon_goes_to_lists_and_rows(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        await on.press("colon")
        await on.write("host")
        await on.press("enter")
        await on.sees("node-a", "STATUS")
        await on.press("colon")
        await on.write("web-1")
        await on.sees("VM  ◉ Running")
        await on.press("enter")
        await on.until(lambda: on.browser.noun.id == "vm" and on.browser.table.cursor == uuid)
        await on.press("colon")
        await on.write("volume")
        await on.press("enter")
        await on.sees("ROOT-for-web-1")


async def test_the_palette_finds_actions_rows_and_forms(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        await on.press("ctrl+p")
        await on.sees("Everything", "console", "on web-1")
        await on.write("create zone")
        await on.press("enter")
        await on.sees("Create zone", "Display name")
        await on.press("escape", "ctrl+p")
        await on.write("node-b")
        await on.press("enter")
        await on.until(lambda: on.browser.noun.id == "host")
        await on.until(lambda: on.browser.table.row is not None and on.browser.table.row.name == "node-b")


async def test_help_lists_the_keys_of_the_screen(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.press("question_mark")
        await on.sees("Keys", "Start", "the console's address")
        assert "Focus" not in on.whole()
        assert "selected text" not in on.whole()
        await on.press("escape", "2", "question_mark")
        await on.sees("Reboot, reconnect")
        assert "Start" not in on.whole()


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_detail_stands_where_there_is_room(cloud: Cloud, size: tuple[int, int]) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket, size) as on:
        await on.sees("web-1")
        if size == SMALL:
            assert "hardware" not in on.whole()
            await on.press("enter")
        await on.sees("hardware", "fa:", "root volume")
        cloud.host_of(uuid).power_off(uuid, "crashed")
        await on.sees("crashed")
        await on.press("escape")
        await on.until(lambda: on.app.screen is on.browser)


async def test_marks_stay_on_their_rows(cloud: Cloud) -> None:
    for name in ("b", "c"):
        await cloud.vm(name)
    async with screens(cloud.socket) as on:
        await on.sees("VMs  2")
        await on.press("space")
        await on.sees("1 marked")
        await cloud.vm("a")
        await on.sees("VMs  3")
        assert [row.name for row in on.browser.chosen()] == ["b"]
        assert on.browser.table.row is not None
        assert on.browser.table.row.name == "c"
        await on.press("escape")
        await on.misses("marked")


async def test_titles_tabs_and_hints_can_be_clicked(cloud: Cloud) -> None:
    for name in ("a", "b"):
        await cloud.vm(name)
    async with screens(cloud.socket) as on:
        await on.sees("VMs  2")
        await on.pilot.click(Caption, offset=(5, 1))
        await on.until(lambda: on.browser.table.listing.downward)
        assert on.browser.table.listing.key_at(0) == cloud.uuids["b"]
        await on.pilot.click("Tabs", offset=(23, 0))
        await on.until(lambda: on.browser.noun.id == "host")


def test_numbers_and_words_of_nouns_are_their_own() -> None:
    words = [word for noun in MAIN for word in noun.words]
    assert len(words) == len(set(words))


async def test_a_scrollbar_covers_no_column(cloud: Cloud) -> None:
    for number in range(60):
        name = f"a-zone-of-a-long-name-{number:03}"
        await cloud.session.call("CreateZone", name=name, timeout_seconds=10)
    async with screens(cloud.socket, (120, 36)) as on:
        await on.press("6")
        await on.sees("Jobs")
        rows = [line for line in on.text() if "create zone  " in line]
        assert len(rows) > 20
        assert all("◉ Succeeded" in row[:80] for row in rows[1:])


async def test_a_list_that_could_not_be_read_is_read_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.vm("web")
    async with screens(cloud.socket) as on:
        session = on.app.calls.session
        query = session.query

        async def broken(*words: Any, **fields: Any) -> Any:
            raise NotReady("not now")

        monkeypatch.setattr(session, "query", broken)
        await on.press("colon")
        await on.write("vmnic")
        await on.press("enter")
        await on.sees("Not now.")
        monkeypatch.setattr(session, "query", query)
        await on.press("f5")
        await on.sees("10.9.0.3")


async def test_of_two_lists_asked_for_at_once_the_latter_stays(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    latter, mount = asyncio.Event(), ContentSwitcher.mount

    async def mount_zones_late(lists: ContentSwitcher, table: LiveTable) -> None:
        await mount(lists, table)
        if table.id == "list-zone":
            await latter.wait()

    async with screens(cloud.socket) as on:
        monkeypatch.setattr(ContentSwitcher, "mount", mount_zones_late)
        async with asyncio.TaskGroup() as both:
            both.create_task(on.browser.go("zone"))
            await on.until(lambda: on.browser.noun.id == "zone")
            await on.browser.go("cluster")
            latter.set()
        shown = on.browser.query_one(ContentSwitcher).current
        assert (on.browser.noun.id, shown) == ("cluster", "list-cluster")
        assert [table.id for table in on.browser.query(LiveTable) if table.display] == ["list-cluster"]
