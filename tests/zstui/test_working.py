"""What a screen works for ends with it, wherever its answer comes."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
from typing import Any

import pytest
from textual import events
from textual.message import Message
from textual.screen import Screen
from textual.widgets import ContentSwitcher

import zstui.screens
from tests.zstui.conftest import Cloud, screens
from zstui.app import Zstui
from zstui.mirror import FIGURES, STATUS, Batch, Mirror
from zstui.screens.addresses import AddressMap
from zstui.screens.working import Working

VM_KEYS = "0 n e x y L question_mark colon ctrl+p D E C c V m v b R enter"
OPENED = (*(("vm", key) for key in VM_KEYS.split()), ("net", "i"), ("net", "w"))
"""Lists, and keys that open each a screen above them."""


async def test_an_answer_that_comes_while_its_screen_goes_ends_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with screens(cloud.socket) as on:
        asked, gone = asyncio.Event(), asyncio.Event()
        await on.press("3")
        await on.sees("lan", "i addresses")

        async def late(*args: Any, **rules: Any) -> list[dict[str, Any]]:
            del args, rules
            asked.set()
            await gone.wait()
            return []

        monkeypatch.setattr(on.app.calls.session, "query", late)
        monkeypatch.setattr(AddressMap, "on_unmount", lambda self: gone.set(), raising=False)
        await on.press("i")
        await asyncio.wait_for(asked.wait(), 5)
        await on.press("escape")
        await on.misses("Addresses of lan")
        assert gone.is_set()
        await on.sees("◉ live")


async def test_what_is_told_while_a_screen_goes_ends_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each screen in turn is told of everything at the worst of times: its widgets are gone, it is not yet."""
    await cloud.vm("web-1")
    monkeypatch.setattr(Working, "_dispatch_message", _told_of_all_as_it_goes)
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        for noun, key in OPENED:
            await on.browser.go(noun)
            await on.press(key)
            await on.until(lambda: on.app.screen is not on.browser, f"{key} opens a screen")
            gone = on.app.screen
            gone.dismiss(None)
            await on.until(lambda gone=gone: not gone.is_running, f"what {key} has opened goes")
            await on.until(lambda: on.app.screen is on.browser)
        await on.sees("◉ live")


async def test_screens_come_and_go_as_fast_as_keys_are_typed(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        for _ in range(5):
            await on.press(
                "0", "1", "n", "escape", "e", "escape", "question_mark", "escape", "colon", "escape"
            )
            on.app.mirror._tell(_all_of(on.app.mirror))
        await on.until(lambda: on.app.screen is on.browser)
        await on.sees("web-1", "◉ live")


async def test_one_that_leaves_while_the_first_list_comes_leaves_quietly(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = ContentSwitcher.mount

    def left(self: ContentSwitcher, *widgets: Any, **options: Any) -> Any:
        self.app.exit()
        self.app._prune(self.screen)
        return mount(self, *widgets, **options)

    monkeypatch.setattr(ContentSwitcher, "mount", left)
    app = Zstui(cloud.socket)
    async with app.run_test() as pilot:
        while app.return_code is None:
            await pilot.pause(0.02)
    assert app._exception is None


def _all_of(mirror: Mirror) -> Batch:
    return {
        STATUS: {"": None},
        FIGURES: {"": None},
        **{kind: dict(rows) for kind, rows in mirror.rows.items()},
    }


async def _told_of_all_as_it_goes(self: Any, message: Message) -> None:
    if isinstance(message, events.Unmount):
        mirror = self.app.mirror
        for hear in [*mirror.listeners]:
            hear(_all_of(mirror))
        for hear in [*self.app.calls.listeners]:
            hear()
        for _ in range(5):
            await asyncio.sleep(0)
    await super(Working, self)._dispatch_message(message)


def screen_kinds() -> list[type[Screen[Any]]]:
    names = [each.name for each in pkgutil.iter_modules(zstui.screens.__path__)]
    modules = [importlib.import_module(f"zstui.screens.{name}") for name in names]
    return [
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and issubclass(kind, Screen)
    ]


def test_every_screen_ends_its_work_and_listens_as_long_as_it_has_widgets() -> None:
    kinds = screen_kinds()
    assert len(kinds) > 16
    assert [kind.__name__ for kind in kinds if not issubclass(kind, Working)] == []
    assert [kind.__name__ for kind in kinds if "listeners.append(" in inspect.getsource(kind)] == []
