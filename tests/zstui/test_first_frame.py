"""The first frame: there before the screens are, and what is typed at it finds them."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.zstui.conftest import SMALL, Screens
from zstui import later
from zstui.app import Zstui
from zstui.i18n import language
from zstui.screens.chooser import Chooser


def test_it_has_the_users_colours_from_the_beginning(tmp_path: Path) -> None:
    Zstui(tmp_path / "no.sock").remembered.put("theme", "zstui-light")
    app = Zstui(tmp_path / "no.sock")
    assert app.theme == "zstui-light"
    assert app.theme_variables["background"].lower() == "#fbfbfd"
    assert app.has_class("-light-mode")


async def test_it_is_painted_while_the_screens_are_still_to_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, opening = asyncio.Event(), later.opening

    async def waited_for() -> Callable[[Zstui], None]:
        await there.wait()
        return await opening()

    monkeypatch.setattr(later, "opening", waited_for)
    app = Zstui(tmp_path / "no.sock")
    async with app.run_test(size=SMALL) as pilot:
        on = Screens(app, pilot)
        await on.sees("zstui", "◍ connecting")
        assert "Overview" not in on.whole()
        for key in ("f2", "2", "colon"):
            await pilot.press(key)
        there.set()
        await on.until(lambda: isinstance(app.screen, Chooser), "what `:` opens")
        assert language() == "zh_CN"
        assert on.browser.noun.id == "host"


@pytest.mark.parametrize(
    ("entry", "heavy"),
    [
        ("zstui.app", ("aiohttp", "asyncssh", "yaml", "pyte", "appliance.api", "zstui.screens.browser")),
        ("zstui.opening", ("aiohttp", "asyncssh", "yaml", "pyte", "msgspec")),
        ("zstui.connection", ("asyncssh", "yaml", "pyte", "msgspec")),
    ],
)
def test_only_what_it_needs_is_imported_for_it(entry: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {entry}; print([each for each in {heavy} if each in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "[]\n"


async def test_unreachable_objects_are_looked_for_once_all_is_imported() -> None:
    usual = gc.get_threshold()
    gc.disable()
    try:
        await later.opening()
        assert not gc.isenabled()
        await later.connection()
        assert gc.isenabled()
        assert gc.get_freeze_count()
    finally:
        gc.enable()
        gc.unfreeze()
        gc.set_threshold(*usual)
