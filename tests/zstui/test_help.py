"""Help is had on every screen, names keys that do something there, and a key that does nothing says so."""

from __future__ import annotations

import re

import pytest

from tests.zstui.conftest import LARGE, Cloud, Screens, screens
from zstui.app import Zstui
from zstui.i18n import LANGUAGES
from zstui.keymap import key_name
from zstui.screens.addresses import Addresses
from zstui.screens.boot import Boot
from zstui.screens.console import Console
from zstui.screens.help import Help, help_items
from zstui.screens.serial import Serial
from zstui.screens.services import Services
from zstui.screens.snapshots import Snapshots
from zstui.screens.userdata import VmUserdata
from zstui.screens.vnc import Vnc
from zstui.sheet import Sheet


def told(on: object, about: object) -> str:
    """All that help says of a screen."""
    return "\n".join(f"{item.label} {item.text}" for item in help_items(about))  # type: ignore[arg-type]


async def test_every_panel_has_its_help(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    lan = cloud.uuids["lan"]
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        for noun, key, screen, says in (
            ("vm", "b", Boot, "Next order"), ("net", "i", Addresses, "delete a range"),
            ("net", "w", Services, "Take a service away"),
        ):  # fmt: skip
            for help_key in ("question_mark", "f1"):
                await on.browser.go(noun, lan if noun == "net" else None)
                await on.press(key)
                await on.until(lambda kind=screen: isinstance(on.app.screen, kind))
                await on.press(help_key)
                await on.until(lambda: isinstance(on.app.screen, Help))
                await on.sees("Keys", says)
                assert "a list by name" not in on.whole()
                await on.press("escape", "escape")
                await on.until(lambda: on.app.screen is on.browser)
        await on.press("n")
        await on.sees("Create")
        await on.press("f1")
        await on.until(lambda: isinstance(on.app.screen, Help))


async def test_the_overview_names_no_key_of_rows_and_each_says_that_it_does_nothing(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        assert "all that can be done to this row" in told(on, on.browser)
        await on.press("0")
        await on.sees("Enter go there" if "Enter go there" in on.whole() else "hour or day")
        said = told(on, on.app.screen)
        for words in ("to this row", "name and description", "Start", "Reboot", "uuid, address", "tags"):
            assert words not in said
        assert "Plot an hour or a day" in said
        for key in ("x", "D", "E", "e", "C", "y", "r", "T"):
            await on.press(key)
            await on.sees(f"{key} does nothing here; ? shows what does")


async def test_the_title_of_a_console_and_the_help_name_the_key_of_the_pane(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("◉ Running")
        assert "F12 pane or whole" in told(on, on.browser)
        await on.press("c")
        await on.until(lambda: isinstance(on.app.screen, Serial))
        await on.sees("F12 pane")
        await on.press("f12")
        await on.sees("F12 whole")


async def test_one_who_only_reads_is_offered_no_key_that_changes(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    app = Zstui(cloud.socket, read_only=True)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        on = Screens(app, pilot)
        await on.sees("◉ Running")
        await on.press("e")
        await on.until(lambda: isinstance(on.app.screen, VmUserdata))
        await on.sees("^r as served")
        for hint in ("^s save", "^k", "^n"):
            assert hint not in on.whole()
        await on.press("ctrl+s")
        await on.sees("this session only reads")


async def test_the_help_of_one_who_only_reads_names_no_key_that_changes(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    app = Zstui(cloud.socket, read_only=True)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        on = Screens(app, pilot)
        await on.sees("◉ Running")
        of_list = told(on, on.browser)
        await on.press("e")
        await on.until(lambda: isinstance(on.app.screen, VmUserdata))
        of_editor = told(on, on.app.screen)
        await on.press("escape", "ctrl+p")
        await on.sees("Everything")
        await on.write("new")
        await on.misses("Make a new one")
    for words in ("Make a new one", "Start", "Stop", "Reboot", "Destroy", "Change name", "to this row", "serial",
                  "by VNC", "Move to", "boot order", "tags", "forms and questions", "call that failed"):  # fmt: skip
        assert words not in of_list, words
    for words in ("save", "SSH keys", "at next boot"):
        assert words not in of_editor, words
    for words in ("Show snapshots", "Open user data", "Go to a list or a row", "only reads"):
        assert words in of_list, words
    assert "as served" in of_editor


@pytest.mark.parametrize("key", ["v", "e", "C", "b", "m", "L", "n", "x", "R", "0", "D"])
async def test_help_is_in_the_users_language(cloud: Cloud, key: str) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press(key)
        await on.until(lambda: on.app.screen is not on.browser)
        on.app.speak("zh_CN")
        said = re.sub(
            r"\[[\w.-]+\]|/[\w./-]+", "", "\n".join(item.text for item in help_items(on.app.screen))
        )  # type: ignore[arg-type]
        known = {"VNC", "IP", "SSH", "ISO", "DHCP", "API", "web", "db", "uuid", "Esc"}
        assert [word for word in re.findall(r"[A-Za-z]{2,}", said) if word not in known] == []


async def test_help_names_every_key_that_is_the_panels_own(cloud: Cloud) -> None:
    """Also those that what is focused there would take for scrolling."""
    await cloud.vm("web-1")
    async with screens(cloud.socket, (40, 10), connected=False) as on:
        await on.sees("web-1")
        await on.until(lambda: on.app.mirror.status == "live")
        await on.press("C")
        await on.until(lambda: isinstance(on.app.screen, Console))
        await on.until(
            lambda: "vncviewer" in "".join(item.text for item in on.app.screen.query_one(Sheet).items)
        )
        assert "g VNC screen" in told(on, on.app.screen)
        await on.press("g")
        await on.until(lambda: isinstance(on.app.screen, Vnc))
        await on.press("ctrl+right_square_bracket")
        await on.until(lambda: on.app.screen is on.browser)
        await on.press("v")
        await on.until(lambda: isinstance(on.app.screen, Snapshots))
        assert "↑ k Up" in told(on, on.app.screen)


@pytest.mark.parametrize("name", LANGUAGES)
async def test_the_keys_of_the_prompt_are_all_named_at_80_columns(cloud: Cloud, name: str) -> None:
    async with screens(cloud.socket) as on:
        on.app.speak(name)
        await on.press("L")
        await on.sees("Esc ", "F1 ")


async def test_where_no_service_is_left_to_add_the_panel_says_so(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.browser.go("net", cloud.uuids["lan"])
        await on.press("w")
        await on.sees("Services of lan")
        while "Enter adds" in on.whole():
            before = on.whole()
            await on.press("enter")
            await on.until(lambda before=before: on.whole() != before)
            await on.pilot.pause(0.1)
        await on.sees("x takes one away")
        await on.press("enter")
        await on.until(lambda: on.whole().count("has nothing more to give") == 2)


@pytest.mark.parametrize(
    ("key", "shown"),
    [("plus", "+"), ("at", "@"), ("ctrl+plus", "^+"), ("equals_sign", "="), ("number_sign", "#"), ("f5", "F5"),
     ("question_mark", "?"), ("underscore", "_"),
     ("minus", "-"), ("greater_than_sign", ">"), ("asterisk", "*"),
     ("backslash", "\\"), ("tab", "Tab"), ("insert", "insert"),
     ("ctrl+right_square_bracket", "^]"), ("S", "S")],
)  # fmt: skip
def test_keys_are_shown_as_people_write_them(key: str, shown: str) -> None:
    assert key_name(key) == shown
