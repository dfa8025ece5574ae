"""What a screen works for ends with it, wherever its answer comes."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
from typing import Any

import pytest
from textual.screen import Screen

import zstui.screens
from tests.zstui.conftest import Cloud, screens
from zstui.screens.addresses import AddressMap
from zstui.screens.working import Working


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


def test_every_screen_that_works_ends_its_work() -> None:
    names = [each.name for each in pkgutil.iter_modules(zstui.screens.__path__)]
    modules = [importlib.import_module(f"zstui.screens.{name}") for name in names]
    kinds = [
        kind
        for module in modules
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and issubclass(kind, Screen)
    ]
    working = [kind for kind in kinds if "self.run_worker(" in inspect.getsource(kind)]
    assert len(working) > 8
    assert [kind.__name__ for kind in working if not issubclass(kind, Working)] == []
