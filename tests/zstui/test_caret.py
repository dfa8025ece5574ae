"""The terminal's own cursor stands where the user is, on every screen: braille lines and screen readers follow it."""

from __future__ import annotations

from textual.widgets import Button, Input

from tests.zstui.conftest import LARGE, SMALL, Cloud, Screens, screens
from zstui.cells import width
from zstui.mirror import Row


def behind(on: Screens) -> str:
    """The rest of the line from the terminal's own cursor on."""
    place = on.app.cursor_position
    line = on.text()[place.y]
    at = next(index for index in range(len(line) + 1) if width(line[:index]) >= place.x)
    return line[at:]


async def points_at(on: Screens, text: str) -> None:
    await on.until(lambda: behind(on).startswith(text), f"the cursor at {text!r}, not at {behind(on)[:20]!r}")


async def test_it_stands_in_forms_where_one_types_or_chooses(cloud: Cloud) -> None:
    async with screens(cloud.socket, SMALL) as on:
        await on.press("n")
        await on.sees("* name")
        entry = on.app.screen.focused
        assert isinstance(entry, Input)
        await on.until(lambda: on.app.cursor_position == entry.content_region.offset, "at the empty field")
        await on.write("台b")
        await on.until(lambda: on.app.cursor_position.x == entry.content_region.x + 3, "behind what is typed")
        await on.press("left")
        await points_at(on, "b")
        await on.press("tab")
        await on.until(lambda: on.app.screen.focused is not entry)
        focused = on.app.screen.focused
        assert focused is not None
        await on.until(lambda: on.app.cursor_position == focused.content_region.offset, "at the next field")


async def test_it_stands_on_what_is_chosen_wherever_one_chooses(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("web-1")
        await points_at(on, "web-1")
        await on.press("D")
        await on.sees("Destroy web-1?")
        for _ in range(2):
            button = on.app.screen.focused
            assert isinstance(button, Button)
            await on.until(lambda it=button: on.app.cursor_position == it.content_region.offset)
            await on.press("tab")
        await on.press("escape")
        await points_at(on, "web-1")
        await on.press("y")
        await on.sees("clipboard")
        await points_at(on, "uuid")
        await on.press("down")
        await points_at(on, "name")
        await on.press("escape", "question_mark")
        await on.sees("Esc")
        await on.until(lambda: on.app.cursor_position in on.app.screen.query_one("Sheet").region)
        await on.press("escape")
        await points_at(on, "web-1")


async def test_it_stands_on_what_needs_attention_and_in_panels(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, SMALL) as on:
        await on.sees("web-1")
        full = {"name": "full", "status": "Disconnected"}
        on.app.mirror._put(Row("PrimaryStorage", "full", full))
        await on.press("0")
        await on.sees("needs attention", "▐")
        await points_at(on, "▐")
        await on.press("escape")
        await on.press("b")
        await on.sees("Esc back")
        await on.until(lambda: on.app.cursor_position in on.app.screen.query_one("Sheet").region)
        await on.press("escape", "v")
        await on.sees("Snapshots of")
        await on.until(lambda: on.app.cursor_position in on.app.screen.query_one("Choices").region)
        await on.press("escape")
        await points_at(on, "web-1")
        await on.browser.go("net")
        await points_at(on, "lan")
        await on.press("w")
        await on.sees("1. provider")
        await on.press("shift+tab")
        await points_at(on, "◉ Flat")
