"""The connection: lost and found again by itself, and a login where one is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.client import Session
from appliance.hosts.simulated_dialer import SimulatedDialer
from tests.zstui.conftest import PASSWORD, Cloud, fill, screens, serving
from zstui.banner import Banner
from zstui.mirror import Row


async def test_a_lost_connection_is_said_and_mended(tmp_path: Path) -> None:
    dialer, socket = SimulatedDialer(), tmp_path / "a.sock"
    async with serving(tmp_path / "data", dialer, socket) as server, await Session.connect(socket) as session:
        cloud = Cloud(socket, dialer, session, server, {})
        await fill(cloud)
        await cloud.vm("web-1")
        running = screens(socket)
        on = await running.__aenter__()
        await on.sees("◉ live", "web-1")
    try:
        await on.sees("not connected, data as of", "trying again", "? stale", "web-1")
        await on.press("s")
        await on.sees("The appliance is not connected")
        async with serving(tmp_path / "data", dialer, socket), await Session.connect(socket) as session:
            await session.call("UpdateVmInstance", uuid=cloud.uuids["web-1"], name="web-2")
            await on.sees("◉ live", "web-2")
            await on.misses("not connected, data")
            await running.__aexit__(None, None, None)
    except BaseException:
        await running.__aexit__(None, None, None)
        raise


async def test_nothing_there_yet_is_waited_for(tmp_path: Path) -> None:
    socket = tmp_path / "a.sock"
    async with screens(socket, connected=False) as on:
        await on.sees("not connected yet")
        async with serving(tmp_path / "data", SimulatedDialer(), socket):
            await on.sees("◉ live", "No VMs yet")


async def test_a_url_wants_a_login(tmp_path: Path) -> None:
    serve = serving(tmp_path / "data", SimulatedDialer(), tmp_path / "a.sock", account=True)
    async with serve as server:
        url = f"http://127.0.0.1:{server.addresses[0][1]}"
        async with screens(url, connected=False) as on:
            await on.sees(f"Log in to {url}", "password")
            await on.write("wrong")
            await on.press("enter")
            await on.sees("wrong account name or password")
            await on.write(PASSWORD)
            await on.press("enter")
            await on.sees("◉ live", "No VMs yet")


async def test_an_empty_cloud_says_what_to_make_first(tmp_path: Path) -> None:
    dialer, socket = SimulatedDialer(), tmp_path / "a.sock"
    async with (
        serving(tmp_path / "data", dialer, socket),
        await Session.connect(socket) as session,
        screens(socket) as on,
    ):
        await on.sees("No VMs yet. Make first what it needs", ":zone", ":host", ":img", ":off")
        await session.call("CreateZone", name="zone1")
        await on.misses(":zone")
        await on.press("2")
        await on.sees("No hosts yet. Make first", ":cluster")
        assert ":img" not in on.whole()


async def test_news_that_come_while_a_screen_is_taken_down_find_nothing_to_draw(tmp_path: Path) -> None:
    """A screen loses its parts before it stops following."""
    async with screens(tmp_path / "no.sock", connected=False) as on:
        await on.press("0")
        await on.until(lambda: on.app.screen is not on.browser, "the overview")
        for screen in on.app.screen_stack:
            await screen.remove_children()
        on.app.mirror.set_stale("the connection broke")
        on.app.mirror._put(Row("VmInstance", "a", {"uuid": "a", "name": "web-1"}))
        on.app.mirror.flush()
        await on.pilot.pause()
        assert on.app.is_running


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("the connection broke", "连接已中断"),
        ("no appliance runs on /a.sock: Connection refused; start one", "/a.sock 上没有运行管理服务"),
    ],
)
async def test_why_nothing_answers_is_said_in_the_users_language(
    tmp_path: Path, reason: str, told: str
) -> None:
    async with screens(tmp_path / "no.sock", connected=False) as on:
        on.app.speak("zh_CN")
        on.app.mirror.set_stale(reason)
        drawn = "".join(part.text for part in on.browser.query_one(Banner).left())  # before it is tried again
        assert told in drawn
        assert reason not in drawn
