"""The end of the screens while something is still on its way to them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual.widgets import ContentSwitcher

from tests.zstui.conftest import SMALL, Screens
from zstui.app import Zstui
from zstui.table import LiveTable


async def test_the_widgets_may_go_while_a_list_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounting, gone, mount = asyncio.Event(), asyncio.Event(), ContentSwitcher.mount

    async def slow(lists: ContentSwitcher, table: LiveTable) -> None:
        await mount(lists, table)
        mounting.set()
        await gone.wait()

    app = Zstui(tmp_path / "no.sock")
    async with app.run_test(size=SMALL) as pilot:
        on = Screens(app, pilot)
        await on.until(lambda: any(each.query(LiveTable) for each in app.screen_stack), "the first list")
        monkeypatch.setattr(ContentSwitcher, "mount", slow)
        coming = asyncio.ensure_future(on.browser.action_show("host"))
        await mounting.wait()
        await on.browser.query_one("#body").remove()
        gone.set()
        await coming
        await pilot.pause()
