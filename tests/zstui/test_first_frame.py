"""The first frame: there before the screens are, and what is typed at it finds them."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import RenderableType
from textual.screen import Screen

from tests.zstui.conftest import LIMIT_SECONDS, SMALL, Screens
from zstui import later
from zstui.app import Zstui
from zstui.i18n import language
from zstui.mirror import Row
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


async def test_what_comes_next_waits_for_one_frame_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Textual has more to paint each time, and what it calls after a refresh comes a sixtieth of a second later."""
    painted: set[Screen[Any]] = set()
    tick, display, begun = Screen._on_timer_update, Zstui._display, asyncio.Event()

    def painting(app: Zstui, screen: Screen[Any], update: RenderableType | None) -> None:
        painted.add(screen)
        display(app, screen, update)

    def ticking(screen: Screen[Any]) -> None:
        if screen not in painted:
            tick(screen)

    async def connection(*, certificates: bool = False) -> Callable[[Zstui], Awaitable[None]]:
        del certificates
        begun.set()
        return lambda _: asyncio.sleep(0)

    monkeypatch.setattr(Zstui, "_display", painting)
    monkeypatch.setattr(Screen, "_on_timer_update", ticking)
    monkeypatch.setattr(later, "connection", connection)
    running = asyncio.create_task(Zstui(tmp_path / "no.sock").run_async(headless=True, size=SMALL))
    async with asyncio.timeout(LIMIT_SECONDS):
        await begun.wait()
    running.cancel()
    await asyncio.wait({running})


async def test_the_name_of_a_row_may_be_typed_before_the_rows_are_there(tmp_path: Path) -> None:
    app = Zstui(tmp_path / "no.sock")
    async with app.run_test(size=SMALL) as pilot:
        on = Screens(app, pilot)
        await on.until(lambda: len(app.screen_stack) > 1, "the first screen")
        await on.write(":web-1")
        await on.press("enter")
        await on.sees("Go to", "Reading …")
        app.mirror._put(Row("VmInstance", "u", {"uuid": "u", "name": "web-1"}))
        app.mirror._set_status("live")
        await on.until(lambda: app.screen is on.browser, "what was asked for")
        await on.until(lambda: on.browser.table.cursor == "u", "the row")
        await on.write(":web-2")
        await on.press("enter")
        await on.sees("Go to", "nothing by that name")


def test_certificates_of_the_machine_are_read_only_where_nobody_says_whom_to_trust() -> None:
    code = """
import asyncio, ssl
from zstui import later
read = []
usual = ssl.SSLContext.set_default_verify_paths
ssl.SSLContext.set_default_verify_paths = wrapped = lambda context: read.append(context) or usual(context)
asyncio.run(later.connection({asked}))
print(bool(read), ssl.SSLContext.set_default_verify_paths is wrapped)
"""
    for asked, said in (("", "False True"), ("certificates=True", "True True")):
        done = subprocess.run(
            [sys.executable, "-c", code.format(asked=asked)],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout == f"{said}\n"


@pytest.mark.parametrize(
    ("entry", "heavy"),
    [
        ("zstui.app", ("aiohttp", "asyncssh", "yaml", "pyte", "appliance.api", "zstui.screens.browser")),
        (
            "zstui.opening",
            (
                *("aiohttp", "asyncssh", "yaml", "pyte", "msgspec", "textual.widgets._text_area"),
                *(
                    f"zstui.screens.{name}"
                    for name in ("addresses", "console", "form", "planner", "services", "shell", "snapshots")
                ),
            ),
        ),
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
