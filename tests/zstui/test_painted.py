"""What is sent to a terminal, part by part, adds up to the screen that is meant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.screen import Screen
from textual.strip import Strip

from appliance.client import Session
from appliance.hosts.simulated_dialer import SimulatedDialer
from tests.zstui.conftest import LARGE, LIMIT_SECONDS, SMALL, Cloud, fill, screens, serving
from zstui.app import Zstui
from zstui.detail import OTHERS_SECONDS, Detail
from zstui.frame import News
from zstui.line import Part
from zstui.narrow import narrow
from zstui.screens.browser import FRAME_SECONDS
from zstui.sheet import Sheet, note

Size = tuple[int, int]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[Size], pyte.Screen]:
    """Makes a terminal that gets all that screens paint from then on."""

    def make(size: Size) -> pyte.Screen:
        shown = pyte.Screen(*size)
        stream = pyte.Stream(shown)
        display = Zstui._display

        def both(app: Zstui, screen: Screen[Any], update: Any) -> None:
            sent = narrow(update)
            if isinstance(sent, CompositorUpdate):
                stream.feed(sent.render_segments(app.console).replace("\n", "\r\n"))
            display(app, screen, update)

        monkeypatch.setattr(Zstui, "_display", both)
        return shown

    return make


def top(shown: pyte.Screen) -> list[str]:
    """The first words of the three lines below the tabs."""
    return [" ".join(line.split()[:2]) for line in shown.display[2:5]]


async def test_the_line_that_says_that_nothing_answers_is_painted_as_it_comes_and_goes(
    tmp_path: Path, terminal: Callable[[Size], pyte.Screen]
) -> None:
    """Also when what is hidden, like a detail without room, has just changed."""
    dialer, socket = SimulatedDialer(), tmp_path / "a.sock"
    shown = terminal(SMALL)

    def shows(text: str) -> bool:
        # Only what was sent is looked at: to ask the screen what it means would paint it.
        return any(text in line for line in shown.display)

    async with serving(tmp_path / "data", dialer, socket) as server, await Session.connect(socket) as session:
        cloud = Cloud(socket, dialer, session, server, {})
        await fill(cloud)
        await cloud.vm("web-1")
        running = screens(socket, SMALL, connected=False)
        on = await running.__aenter__()
        try:
            await on.until(lambda: shows("◉ live") and shows("◉ Running"), "the list")
            await session.call("UpdateVmInstance", uuid=cloud.uuids["web-1"], name="web-2")
            await on.until(lambda: shows("web-2"), "the new name")
            await on.pilot.pause(FRAME_SECONDS + OTHERS_SECONDS)
        except BaseException:
            await running.__aexit__(None, None, None)
            raise
    try:
        await on.until(lambda: shows("? stale"), "the end of it")
        await on.pilot.pause(FRAME_SECONDS)
        assert top(shown) == ["not connected,", "VMs 1", "NAME ▴"]
        async with serving(tmp_path / "data", dialer, socket):
            await on.until(lambda: shows("◉ live"), "the appliance again")
            await on.pilot.pause(FRAME_SECONDS)
            assert top(shown) == ["VMs 1", "NAME ▴", "▐ web-2"]
    finally:
        await running.__aexit__(None, None, None)


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        ((0, 0, 12), "0123456789ab"),
        ((0, 4, 6), "....45......"),
        ((0, 7, 10), ".......789.."),
        ((0, 8, 9), "........8..."),
    ],
)
def test_of_a_line_only_the_cells_that_are_other_are_sent(span: tuple[int, int, int], shown: str) -> None:
    line = {0: Strip([Segment("01234567")]), 8: Strip([Segment("89ab")])}
    update = narrow(ChopsUpdate([line], [span], [[8, 12]]))
    assert isinstance(update, CompositorUpdate)
    screen = pyte.Screen(12, 1)
    pyte.Stream(screen).feed("............" + update.render_segments(Console()))
    assert screen.display == [shown]


async def test_of_a_detail_only_the_lines_that_are_other_are_painted(
    cloud: Cloud, terminal: Callable[[Size], pyte.Screen]
) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("◉ Running", "vms 1/1", "→ Running", "memory")
        await on.pilot.pause(FRAME_SECONDS + OTHERS_SECONDS)  # what is gathered still has been painted
        sheet = on.browser.query_one(Detail).query_one(Sheet)
        shown = terminal(LARGE)
        sheet.show([*sheet.items[:1], note("something else"), *sheet.items[2:]])
        await on.until(lambda: "something else" in "".join(shown.display), "the other line")
        assert [line.strip() for line in shown.display if line.strip()] == ["something else"]


async def test_what_changes_while_something_else_is_to_be_painted_is_not_taken_for_painted(
    cloud: Cloud, terminal: Callable[[Size], pyte.Screen]
) -> None:
    """A part of a line is painted from the whole line, of which more may be other than was seen by then."""
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("◉ live", "vms 0/0")
        await on.pilot.pause(FRAME_SECONDS + OTHERS_SECONDS)
        line = on.browser.query_one(News)
        line.say(Part("one "), Part("two"))
        shown = terminal(LARGE)
        await on.until(lambda: "one two" in "\n".join(shown.display), "what is said first")
        line._said[0] = Part("ONE ")
        line.renew()
        line._said[1] = Part("TWO")
        await on.until(lambda: "ONE" in "\n".join(shown.display), "the part that was renewed")
        line.renew()
        await on.until(lambda: "ONE TWO" in "\n".join(shown.display), "the other part")


async def test_a_frame_that_is_owed_takes_nothing_with_it_that_is_to_be_painted(
    cloud: Cloud, terminal: Callable[[Size], pyte.Screen]
) -> None:
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("◉ live", "vms 0/0")
        await on.pilot.pause(FRAME_SECONDS + OTHERS_SECONDS)
        shown = terminal(LARGE)
        screen, line = on.browser, on.browser.query_one(News)
        line.say(Part("said just before"))
        async with asyncio.timeout(LIMIT_SECONDS):
            while line not in screen._dirty_widgets:
                await asyncio.sleep(0)
        on.app._paint_owed()
        await on.until(lambda: "said just before" in "\n".join(shown.display), "what was said")
