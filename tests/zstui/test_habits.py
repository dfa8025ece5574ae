"""Habits of those who live in it: finding, ordering, columns, ways back, and a face that only reads."""

from __future__ import annotations

import ast
import asyncio
import io
import json
from functools import partial
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from textual._border import BORDER_CHARS
from textual.color import Color
from textual.scrollbar import ScrollBarRender

from appliance.api.errors import NotAllowed
from appliance.client import Session
from tests.zstui.conftest import LARGE, SMALL, Cloud, Screens, screens
from zstui import themes
from zstui.app import Zstui
from zstui.cells import width
from zstui.i18n import begin
from zstui.matching import terms
from zstui.nouns import NOUNS
from zstui.plain import run_plain
from zstui.remembered import Remembered
from zstui.themes import Ascii, only_ascii
from zstui.trail import Trail


async def test_a_filter_finds_by_column_by_host_and_by_what_is_not_there(cloud: Cloud) -> None:
    for name in ("web-1", "web-2", "db-1"):
        await cloud.vm(name)
    await cloud.session.call("StopVmInstance", uuid=cloud.uuids["web-2"])
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("◌ Stopped")
        listing = on.browser.table.listing

        def found(text: str) -> set[str]:
            on.browser.table.set_filter(text)
            return {listing.rows[listing.key_at(place)].name for place in range(len(listing))}

        assert found("web") == {"web-1", "web-2"}
        assert found("state:running") == {"web-1", "db-1"}
        assert found("!state:running") == {"web-2"}
        assert found("name:web !stopped") == {"web-1"}
        hosts = {row.name: on.app.mirror.name(row.get("hostUuid")) for row in listing.rows.values()}
        for host in ("node-a", "node-b"):
            expected = {name for name, each in hosts.items() if each == host}
            assert found(f"@{host}") == expected
        assert found("nothing:running") == set()


def test_a_key_that_names_no_column_is_text() -> None:
    begin("en")
    columns = NOUNS["vm"].columns
    [mac] = terms("fa:16:3e", columns, "en")
    assert (mac.value, mac.column) == ("fa:16:3e", None)
    [address] = terms("!addr:10.9", columns, "en")
    assert address.column is not None
    assert (address.column.title, address.value, address.negated) == ("ADDRESS", "10.9", True)


async def test_order_and_columns_are_chosen_in_menus_and_remembered(cloud: Cloud, tmp_path: Path) -> None:
    for name in ("web-1", "web-2"):
        await cloud.vm(name)
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("web-2", "IMAGE")
        await on.press("o")
        await on.sees("Order by")
        await on.write("name")
        await on.press("enter")
        await on.until(lambda: on.browser.table.listing.downward)
        await on.press("full_stop")
        await on.sees("Columns to show")
        await on.write("image")
        await on.press("space", "enter")
        await on.until(lambda: "IMAGE" not in on.whole(), "IMAGE gone")
    kept = json.loads((tmp_path / "state" / "zstui" / "screens.json").read_text())["views"]["vm"]
    assert kept == {"order": "-NAME", "hidden": ["IMAGE"]}
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("web-2", "NAME ▾")
        assert "IMAGE" not in on.whole()


async def test_the_way_back_and_forth_through_lists(cloud: Cloud) -> None:
    async with screens(cloud.socket, LARGE) as on:
        for key in ("2", "3"):
            await on.press(key)
        await on.until(lambda: on.browser.noun.id == "net")
        await on.press("left_square_bracket")
        assert on.browser.noun.id == "host"
        await on.press("left_square_bracket", "left_square_bracket")
        assert on.browser.noun.id == "vm"
        await on.press("right_square_bracket")
        assert on.browser.noun.id == "host"
        await on.press("minus")
        assert on.browser.noun.id == "vm"
        await on.press("minus")
        assert on.browser.noun.id == "host"


def test_who_goes_back_and_then_elsewhere_has_no_way_forth() -> None:
    trail = Trail("a")
    for place in ("b", "c"):
        trail.visit(place)
    assert trail.step(-1) == "b"
    trail.visit("d")
    assert trail.step(1) == "d"
    assert (trail.back(), trail.step(-1), trail.step(-1), trail.step(-1)) == ("b", "d", "b", "a")


def test_a_list_asked_for_by_its_name_is_no_step_from_another() -> None:
    trail = Trail("vm")
    for place in ("ev", "vm", "ev", "vm"):
        trail.visit(place)
        assert trail.crumbs(4) == [place]
    trail.follow("host")
    trail.follow("cluster")
    assert trail.crumbs(4) == ["vm", "host", "cluster"]
    trail.climb("host")
    assert trail.crumbs(4) == ["vm", "host"]
    trail.visit("host")
    assert trail.crumbs(4) == ["host"]
    assert (trail.step(-1), trail.crumbs(4)) == ("host", ["vm", "host"])
    assert (trail.step(-1), trail.crumbs(4)) == ("cluster", ["vm", "host", "cluster"])
    assert (trail.step(1), trail.back(), trail.crumbs(4)) == ("host", "cluster", ["vm", "host", "cluster"])


async def test_the_way_is_of_rows_that_were_followed_and_not_of_keys(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("web-1")
        for key in ("7", "1", "7", "1"):
            await on.press(key)
        await on.sees("web-1")
        assert "›" not in on.whole()
        await on.press("J")
        await on.sees("VMs › Hosts")
        await on.browser.run_action("climb('vm')")
        await on.until(lambda: on.browser.noun.id == "vm" and "›" not in on.whole())
        await on.press("left_square_bracket")
        await on.sees("VMs › Hosts")
        await on.press("3")
        await on.until(lambda: on.browser.noun.id == "net" and "›" not in on.whole())


async def test_a_session_that_only_reads_refuses_before_it_sends(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with await Session.connect(cloud.socket) as session:
        session.read_only = True
        assert len(await session.query("VmInstance")) == 1
        for message, fields in (
            ("StopVmInstance", {"uuid": uuid}),
            ("CreateZone", {"name": "z"}),
            ("CreateAccessToken", {"name": "t"}),
        ):
            with pytest.raises(NotAllowed, match=f"^{message} is not sent"):
                await session.call(message, **fields)


async def asks_nothing(on: Screens, *keys: str) -> None:
    """Each key says that nothing can be changed, on the screen that it was pressed on."""
    shown = on.app.screen
    for key in keys:
        await on.hush()
        await on.misses("this session only reads")
        await on.press(key)
        await on.sees("this session only reads")
        assert on.app.screen is shown


async def test_a_face_that_only_reads_says_so_and_changes_nothing(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    app = Zstui(cloud.socket, read_only=True)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        on = Screens(app, pilot)
        await on.sees("web-1", "read only")
        for key in "S", "D", "n", "E", "x", "m", "C":
            await on.press(key)
            await on.sees("this session only reads")
            assert on.app.screen is on.browser, "nothing is asked that cannot be done"
            on.browser.say("")
            await on.misses("this session only reads")
        await on.press("L")
        await on.write(f"StopVmInstance uuid={uuid}")
        await on.press("enter")
        await on.sees("StopVmInstance is not sent")
        await on.press("escape")
        await on.press("v")
        await on.sees("Snapshots of")
        await asks_nothing(on, "n", "R", "D", "E")
        await on.press("escape", "e")
        await on.sees("no user data yet")
        await on.write("#!/bin/sh")
        await asks_nothing(on, "ctrl+s", "ctrl+n", "ctrl+k")
        assert "#!/bin/sh" not in on.whole()
        await on.press("escape", "3", "i")
        await on.sees("Addresses of")
        await asks_nothing(on, "n", "D")
    [vm] = await cloud.session.query("VmInstance", uuid=uuid)
    assert vm["state"] == "Running"


def test_a_file_of_memories_that_is_broken_is_as_none(tmp_path: Path) -> None:
    file = tmp_path / "zstui" / "screens.json"
    file.parent.mkdir()
    file.write_text("{broken")
    remembered = Remembered(file)
    assert remembered.get("language", "") == ""
    assert str(file) in remembered.problem
    remembered.put("language", "zh_CN")
    assert Remembered(file).get("language", "") == "zh_CN"
    assert Remembered(file).get("language", {}) == {}


async def test_keys_are_where_the_user_put_them(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file = tmp_path / "config" / "zstui" / "keymap.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[keys]\n"verb.S" = "f8"\n"nonsense" = "f9"\n')
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("web-1", "F8 stop", "nonsense: there is no such action")
        await on.press("f8")
        await on.sees("Sure? Press F8 to stop web-1")
        await on.press("f8")
        await on.sees("◌ Stopped")


def at_cursor(on: Screens, name: str) -> bool:
    """Whether the terminal's own cursor is on the line of a name."""
    return name in on.text()[on.app.cursor_position.y][:12]


async def test_the_terminals_cursor_stands_on_the_chosen_row(cloud: Cloud) -> None:
    for name in ("web-1", "web-2"):
        await cloud.vm(name)
    async with screens(cloud.socket, SMALL) as on:
        await on.sees("web-2")
        for key in ("down", "up", "G"):
            await on.press(key)
            name = on.browser.table.row.name if on.browser.table.row else ""
            assert name.startswith("web-")
            await on.until(partial(at_cursor, on, name), name)


async def test_colours_are_chosen_by_key_and_remembered(cloud: Cloud) -> None:
    async with screens(cloud.socket, SMALL) as on:
        for name in ("zstui-light", "zstui-contrast", "ansi-dark", "ansi-light", "zstui", "zstui-light"):
            await on.press("f3")
            assert on.app.theme == name
    async with screens(cloud.socket, SMALL, connected=False) as on:
        await on.until(lambda: on.app.theme == "zstui-light")


async def test_a_terminal_of_ascii_signs_shows_names_as_they_are(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSTUI_ASCII", "1")
    for name in ("web-1", "数据库-主", "台北-測試", "Ünïcode-é"):
        await cloud.vm(name)
    async with screens(cloud.socket, SMALL, connected=False) as on:
        await on.sees("web-1", "* Running", "数据库-主", "台北-測試", "Ünïcode-é")
        signs = {each for line in on.text() for each in line if not each.isascii() and not each.isalpha()}
        assert signs == set()
        assert all(width(line) == SMALL[0] for line in on.text())
        await on.press("L")
        await on.sees("Enter run")
        await on.press("escape")
        on.app.speak("zh_CN")
        await on.sees("运行中", "网络")
        assert "?" not in on.whole().replace("? 帮助", "")


def test_only_signs_become_ascii_and_keep_their_cells() -> None:
    drawn = [Segment("▐ ◉ 台北 ━╌⣿ 正在读取… ｑ café 🙂 ×")]
    [shown] = Ascii().apply(drawn, Color(0, 0, 0))
    assert shown.text == "> * 台北 #-# 正在读取~ ｑ café 🙂 x"
    assert shown.cell_length == drawn[0].cell_length


def painted_signs() -> set[str]:
    """Every sign that is written down in the screens' code, and those that are made or that Textual brings."""
    files = (Path(themes.__file__).parent).rglob("*.py")
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    texts += [*ScrollBarRender.VERTICAL_BARS, *ScrollBarRender.HORIZONTAL_BARS]
    texts += [line for lines in BORDER_CHARS.values() for ends in lines for line in ends]
    texts += map(chr, (*range(0x2800, 0x2900), *range(0x2400, 0x2422), *range(0x2500, 0x25A0)))
    return {each for text in texts for each in text if not each.isascii() and not each.isalpha()}


def test_no_sign_that_is_ever_painted_becomes_a_question_mark() -> None:
    signs = sorted(each for each in painted_signs() if cell_len(each))
    assert {"▇", "◉", "⣿", "└", "■", "▌", "␛"} <= set(signs)
    [shown] = Ascii().apply([Segment("".join(signs))], Color(0, 0, 0))
    assert "?" not in shown.text, dict(zip(signs, shown.text, strict=False))
    left = {each for each in shown.text if not each.isascii()}
    assert left <= set("£°±\xa0⺀。\ufffd"), "as letters are: in each font, or what names are made of"


def test_signs_that_mean_different_things_stay_different() -> None:
    for signs in ("◉◌◍?✗ ", "■□DR·", "▴▾", "━╌", "✓✗"):
        [shown] = Ascii().apply([Segment(signs)], Color(0, 0, 0))
        assert len(set(shown.text)) == len(signs)
    [shown] = Ascii().apply([Segment("├─ └─ │")], Color(0, 0, 0))
    assert shown.text == "+- +- |"


def test_ascii_is_told_by_the_locale() -> None:
    assert only_ascii({"LANG": "en_US.ISO-8859-1"})
    assert not only_ascii({"LANG": "zh_CN.UTF-8"})
    assert not only_ascii({"LANG": "C"})
    assert not only_ascii({"LANG": "en_US.ISO-8859-1", "ZSTUI_ASCII": "0"})


def test_the_linux_console_has_only_ascii_unless_it_is_said_to_have_more() -> None:
    assert only_ascii({"TERM": "linux", "LANG": "zh_CN.UTF-8"})
    assert not only_ascii({"TERM": "linux", "LANG": "zh_CN.UTF-8", "ZSTUI_ASCII": "0"})
    assert not only_ascii({"TERM": "xterm-256color", "LANG": "zh_CN.UTF-8"})


async def test_on_the_linux_console_signs_are_ascii_without_being_asked(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "linux")
    for number in range(30):
        await cloud.vm(f"web-{number}")
    async with screens(cloud.socket, SMALL, connected=False) as on:
        await on.sees("web-1", "* Running")
        assert on.whole().isascii()
        assert "?" not in on.whole().replace("? help", "")


async def test_the_same_lists_without_a_screen(cloud: Cloud) -> None:
    for name in ("web-1", "db-1"):
        await cloud.vm(name)
    await cloud.session.call("StopVmInstance", uuid=cloud.uuids["db-1"])
    asked = "vm state:stopped\nvm\nshow web-1\ncall QueryZone name=zone1\nbananas\nshow nobody\nquit\n"
    out = io.StringIO()
    code = await asyncio.to_thread(run_plain, cloud.socket, source=io.StringIO(asked), out=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "VMs: 1"
    assert lines[1].startswith("db-1, state Stopped, address 10.9.0.")
    assert lines[2] == "VMs: 2"
    assert "state: Running" in lines
    assert '            "name": "zone1",' in lines
    assert lines[-2:] == [
        "bananas is nothing that can be typed here; help says what is",
        "VMs: there is no nobody",
    ]
    assert code == 1
    assert not any("◉" in line or "\x1b" in line for line in lines)


async def test_plain_lines_only_read_when_told_so(cloud: Cloud) -> None:
    out = io.StringIO()
    asked = io.StringIO("call CreateZone name=z\n")
    assert await asyncio.to_thread(run_plain, cloud.socket, source=asked, out=out, read_only=True) == 1
    assert "CreateZone is not sent: this session only reads [ID.1002]" in out.getvalue()


async def test_the_palette_finds_by_english_words_in_each_language(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, SMALL) as on:
        on.app.speak("zh_TW")
        for typed, found in (("zones", ":zone"), ("create zone", "建立區域")):
            await on.press("ctrl+p")
            await on.write(typed)
            await on.sees(found)
            await on.press("escape")
        await on.press("colon")
        await on.write("zones")
        await on.press("enter")
        await on.sees("區域  1", "zone1")
        await on.press("1", "x")
        await on.write("reboot VM")
        await on.sees("重新啟動雲主機")


@pytest.mark.parametrize(
    ("name", "again"), [("en", "Esc filters again"), ("zh_CN", "Esc 重新筛选"), ("zh_TW", "Esc 重新篩選")]
)
async def test_a_filter_that_hides_the_row_gone_to_comes_back(cloud: Cloud, name: str, again: str) -> None:
    """By Esc, and when the list is shown again from elsewhere."""
    for each in ("web-1", "web-2", "db-1"):
        await cloud.vm(each)
    async with screens(cloud.socket, SMALL) as on:
        on.app.speak(name)
        table = on.browser.table

        async def jump() -> None:
            await on.press("colon")
            await on.write("db-1")
            await on.press("enter")
            await on.until(lambda: table.row is not None and table.row.name == "db-1", "the row")
            await on.sees("/web", again, "web-2")

        await on.until(lambda: len(table.listing) == 3, "the rows")
        table.set_filter("web")
        await jump()
        await on.press("escape")
        await on.misses(again)
        assert (table.listing.filter, len(table.listing)) == ("web", 2)
        for keys in (("2", "1"), ("2", "minus"), ("2", "left_square_bracket")):
            await jump()
            await on.press(*keys)
            await on.until(lambda: on.browser.table is table)
            assert (table.listing.filter, len(table.listing)) == ("web", 2)
        await jump()
        await on.press("slash")
        await on.write("db")
        await on.press("enter", "escape")
        assert (table.listing.filter, len(table.listing)) == ("", 3)
