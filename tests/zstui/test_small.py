"""On ten lines of forty cells: what matters is in sight, or scrolls into it."""

from __future__ import annotations

import pytest
from textual.containers import VerticalScroll
from textual.widgets import TextArea

from tests.zstui.conftest import SMALL, Cloud, screens
from zstui.mirror import Row
from zstui.said import Keys
from zstui.screens.confirm import Confirm
from zstui.sheet import Sheet

TINY = (40, 10)


async def test_the_planner_shows_a_rule_hosts_and_keys(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, TINY) as on:
        await on.sees("web-1")
        await on.press("m")
        await on.sees("a running VM moves", "▐  node-", "Esc back", "Tab reads the rules")
        await on.press("tab", "G")
        await on.until(lambda: on.app.screen.query_one(Sheet).scroll_offset.y > 0, "the rules scroll")
        await on.sees("longer on a busy host", "▐  node-")


async def test_the_planner_scrolls_to_the_last_host_and_says_all_of_why_not(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    for number in range(8):
        await cloud.make("AddKVMHost", name=f"more-{number}", managementIp=f"10.0.1.{number}", username="root",
                         password="x", clusterUuid=cloud.uuids["cluster1"])  # fmt: skip
    await cloud.session.call("ChangeHostState", uuid=cloud.uuids["more-7"], stateEvent="disable")
    async with screens(cloud.socket, TINY) as on:
        await on.sees("web-1")
        await on.press("m")
        await on.sees("▐  ")
        await on.press(*["pagedown"] * 3)
        await on.sees("it is here", "Esc back")
        await on.press("up")
        await on.sees("▐  more-7", "is Disabled; enable it first")


async def test_the_planner_wraps_a_reason_that_is_cut_and_names_the_host_that_the_vm_is_on(
    cloud: Cloud,
) -> None:
    uuid = await cloud.vm("web-1")
    [vm] = await cloud.session.query("VmInstance", uuid=uuid)
    here = next(name for name in ("node-a", "node-b") if cloud.uuids[name] == vm["hostUuid"])
    other = "node-b" if here == "node-a" else "node-a"
    await cloud.session.call("StopVmInstance", uuid=uuid)
    await cloud.vm("web-2-of-a-long-name")
    async with screens(cloud.socket) as on:
        await on.browser.go("vol")
        await on.press("/", *"web-2", "enter")
        await on.sees("Ready")
        await on.press("m")
        await on.sees("✗ the VM of a root volume must be stopped; web-2-of-a-long-…", "it is here")
        whole = " ".join(on.whole().split())
        assert "must be stopped; web-2-of-a-long-name is Running" in whole.split("it is here")[1]
        assert other in whole
        assert here in whole


async def test_consoles_say_how_they_are_left(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, TINY) as on:
        await on.sees("web-1")
        for key in "cV":
            await on.press(key)
            await on.sees("live", "^] leave")
            await on.press("ctrl+right_square_bracket")


async def test_a_question_keeps_its_answers_and_scrolls_what_will_be_lost(cloud: Cloud) -> None:
    async with screens(cloud.socket, TINY) as on:
        lines = [f"what is lost, number {number}" for number in range(30)]
        on.app.push_screen(Confirm(lambda: "Really?", lambda: "delete", lambda: lines, typed="web"))
        await on.sees("Really?", "number 0", "Cancel", "delete", "Enter delete · Esc cancel")
        dialog = on.app.screen.query_one(".dialog", VerticalScroll)
        await on.until(lambda: dialog.max_scroll_y > 0, "it can be scrolled")
        await on.press(*["pagedown"] * 9)
        await on.sees("number 29", "Type web to go on", "Cancel", "delete")


async def test_the_console_panel_keeps_its_keys(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, TINY) as on:
        await on.sees("web-1")
        await on.press("C")
        await on.sees("Console of web-1", "protocol", "c copy", "s serial", "g screen", "Esc back")
        await on.press("G")
        await on.sees("password", "Esc back")


def test_a_line_of_keys_ends_between_two() -> None:
    shown = Keys(lambda: "f .vv text · v .vv · Esc back")
    assert shown._lines(15) == ["f .vv text", "v .vv", "Esc back"]
    assert shown._lines(18) == ["f .vv text · v .vv", "Esc back"]
    assert shown._lines(99) == ["f .vv text · v .vv · Esc back"]


async def test_why_a_console_is_not_open_is_in_words(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    await cloud.session.call("StopVmInstance", uuid=uuid)
    async with screens(cloud.socket) as on:
        await on.sees("◌ Stopped")
        from zstui.screens.watching import watch

        watch(on.browser, on.app.mirror.rows["VmInstance"][uuid], "serial")
        await on.sees("◌ the VM is off", "^] leave", "Enter try again")
        on.app.mirror._put(Row("VmInstance", uuid, {"uuid": uuid, "name": "web-1", "state": "Starting"}))
        await on.press("enter")
        await on.sees("◌ the VM is Starting")


@pytest.mark.parametrize("size", [TINY, SMALL])
async def test_what_is_said_in_passing_covers_neither_the_row_nor_the_command_line(
    cloud: Cloud, size: tuple[int, int]
) -> None:
    async with screens(cloud.socket, size) as on:
        for number in range(40):
            vm = {"uuid": f"v{number}", "name": f"web-{number:02}", "state": "Stopped"}
            on.app.mirror._put(Row("VmInstance", f"v{number}", vm))
        await on.sees("web-00", "? help")
        for turn, (key, name) in enumerate((("G", "web-39"), ("g", "web-00"), ("G", "web-39"))):
            await on.press(key)
            await on.misses("that is said")  # there is no room for two
            on.app.tell(f"the {turn}. that is said takes two lines of forty")
            await on.sees(f"the {turn}. that is said")
            await on.until(lambda name=name: name in on.text()[on.app.cursor_position.y], name)
            assert "? help" in on.text()[-1]


async def test_what_is_said_after_all_was_taken_back_is_seen(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, TINY) as on:
        await on.sees("web-1")
        for turn in range(3):
            on.app.tell(f"the {turn}. that is said takes two lines of forty")
            await on.sees(f"the {turn}. that is said")
            await on.hush()
            await on.misses("that is said")


async def test_user_data_is_written_on_ten_lines_too(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, TINY) as on:
        await on.sees("web-1")
        await on.press("e")
        await on.sees("user data of web-1", "^s save", "Esc back")
        await on.until(lambda: not on.app.screen.query_one(TextArea).read_only)
        await on.write("hello")
        await on.sees("hello")
