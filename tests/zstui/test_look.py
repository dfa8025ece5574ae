"""How it looks: wide characters line up, nothing is obeyed, long lists are cheap, screens stay as they are.

The screens in `snapshots/` are text. After a change that is meant, write them anew with
`ZSTUI_SNAPSHOTS=write pytest tests/zstui/test_look.py` and read the difference in review.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from appliance.client import Push
from tests.zstui.conftest import LARGE, SMALL, Cloud, Screens, screens
from zstui import cells, words
from zstui.mirror import Mirror, Row
from zstui.nouns import NOUNS, WATCHED
from zstui.picture import put_right
from zstui.table import LiveTable

FOLDER = Path(__file__).parent / "snapshots"
WRITE = os.environ.get("ZSTUI_SNAPSHOTS") == "write"
SIZES = [SMALL, (60, 15), LARGE, (300, 50)]


def columns_at(line: str, text: str) -> int:
    """The cell at which a text begins on a line."""
    return cells.width(line[: line.index(text)])


@pytest.mark.parametrize("size", SIZES)
async def test_every_line_is_as_wide_as_the_terminal(cloud: Cloud, size: tuple[int, int]) -> None:
    for name in ("数据库-主", "web-1", "台北-測試-很長的名字-這裡還有更多"):
        await cloud.vm(name)
    async with screens(cloud.socket, size) as on:
        await on.until(lambda: on.browser.table.listing.rows and len(on.browser.table.listing) == 3)
        await on.sees("web-1")
        assert {cells.width(line) for line in on.text()} == {size[0]}
        rows = [line for line in on.text() if "◉ Running" in line[: len(line) // 2 + 20]]
        starts = {columns_at(line, "◉ Running") for line in rows if "state" not in line}
        assert len(starts) == 1


async def test_control_characters_are_shown_not_obeyed(cloud: Cloud) -> None:
    await cloud.vm(
        "web-1", description="\x1b[31mred\x07 [bold]x[/bold] [@click=app.quit]y[/] \u202eback\u200b"
    )
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("web-1", "description")
        whole = on.whole()
        assert "␛[31mred␇ [bold]x[/bold] [@click=app.quit]y[/]" in re.sub(r"\s+", " ", whole)
        assert not any(each in whole for each in "\x1b\x07\u202e\u200b")
        await on.press("E")
        await on.sees("Update VM")
        assert not any(each in on.whole() for each in "\x1b\x07")


def test_texts_are_cropped_and_wrapped_by_cells() -> None:
    assert cells.fit("数据库", 5) == "数据…"
    assert cells.fit("数据库", 4) == "数… "
    assert cells.fit("ab", 4, right=True) == "  ab"
    assert cells.wrap("数据库主机", 4) == ["数据", "库主", "机"]
    assert cells.wrap("one two three", 8) == ["one two", "three"]
    assert cells.wrap("vncviewer 172.28.57.31:5900", 20) == ["vncviewer", "172.28.57.31:5900"]
    assert cells.wrap("CPU 使用率超过了百分之九十", 12) == ["CPU 使用率超", "过了百分之九", "十"]
    assert cells.safe("a\nb\x9bc\x7f") == "a␊b\\u009bc␡"


def test_sizes_and_dates_are_in_peoples_words() -> None:
    assert [words.size(each) for each in (0, 1023, 1 << 28, 3 << 29)] == ["0B", "1023B", "256M", "1.5G"]
    assert [words.read_size(each) for each in ("512M", "1.5 GiB", "x", "10")] == [1 << 29, 3 << 29, None, 10]
    assert words.date("Jan 30, 2016 3:01:03 PM") == "2016-01-30 15:01:03"
    assert words.label("l3NetworkUuids") == "networks"


def big_mirror(count: int) -> Mirror:
    """A mirror with many VMs."""
    mirror = Mirror(WATCHED)
    for number in range(count):
        uuid = f"{number:032x}"
        mirror.rows["VmInstance"][uuid] = Row("VmInstance", uuid, {
            "uuid": uuid, "name": f"vm-{number}", "state": "Running", "cpuNum": 1, "memorySize": 1 << 28,
            "imageUuid": "i", "vmNics": [{"ip": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}],
        })  # fmt: skip
    return mirror


async def test_ten_thousand_rows_cost_what_a_screenful_costs(tmp_path: Path) -> None:
    async with screens(tmp_path / "no.sock", connected=False) as on:
        mirror = on.app.mirror
        mirror.rows["VmInstance"] = big_mirror(10_000).rows["VmInstance"]
        table = on.browser.query_one(LiveTable)
        table.reload()
        await on.sees("vm-0", "10000")
        height = table.size.height
        table.lines_drawn = 0
        await on.press(*["pagedown"] * 10)
        assert table.lines_drawn <= 12 * (height + 2)
        await on.press("G")
        await on.sees("vm-9999")
        await on.pilot.pause(0.5)  # for what G has left to paint
        table.lines_drawn = 0
        mirror._apply(change("vm-5", 5, "Stopped"))
        mirror.flush()
        await on.pilot.pause()
        assert table.lines_drawn <= 2, "a row that is not seen was drawn"
        mirror._apply(change("vm-9999", 9999, "Stopped"))
        mirror.flush()
        await on.sees("◌ Stopped")
        assert table.lines_drawn <= height + 4


def change(name: str, number: int, state: str) -> Push:
    """A change of one VM."""
    uuid = f"{number:032x}"
    ip = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    data = {"uuid": uuid, "name": name, "state": state, "cpuNum": 1, "memorySize": 1 << 28, "imageUuid": "i",
            "vmNics": [{"ip": ip}]}  # fmt: skip
    return Push("change", "VmInstance", uuid, "upsert", data)


def test_wide_characters_keep_their_cells_in_pictures() -> None:
    svg = '<text class="terminal-r1" x="12.2" y="20" textLength="36.6" clip-path="url(#l)">数a据</text>'
    wide = 'font-family="Noto Sans Mono CJK SC" font-size="22"'
    assert put_right(svg) == (
        f'<text class="terminal-r1" x="13.4" y="20" {wide} clip-path="url(#l)">数</text>'
        '<text class="terminal-r1" x="36.6" y="20" clip-path="url(#l)">a</text>'
        f'<text class="terminal-r1" x="50.0" y="20" {wide} clip-path="url(#l)">据</text>'
    )


UNSTEADY = (
    (re.compile(r"[0-9a-f]{32}"), "u" * 32),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, \d+s ago"), "2026-01-30 15:01:03, 1s ago"),
    (re.compile(r"\d{4}-\d\d-\d\d (?!15:01:03, 1s)"), "2026-01-30 "),
    (re.compile(r"\d+d ago"), "3955d ago"),
    (re.compile(r"\d\d:\d\d:\d\d"), "15:01:03"),
    (re.compile(r"\d\d:\d\d "), "15:01 "),
    (re.compile(r" [ \d]\ds(?= )"), "  1s"),
    (re.compile(r"\d{4,}d ago"), "3955d ago"),
    (re.compile(r"✓ \d+\.\d s"), "✓ 0.0 s"),
    (re.compile(r"node-[ab]"), "node-x"),
    (re.compile(r"10\.0\.0\.[12]"), "10.0.0.x"),
    (re.compile(r"\S*[0-9a-f]{6,31}\S*|\S*\.qcow2"), "…"),
    (re.compile(r" +$", re.MULTILINE), ""),
)


def without_paths(lines: list[str]) -> list[str]:
    """The lines without the paths of files, which are wrapped in the midst of uuids."""
    kept, inside = [], False
    for line in lines:
        head, file, _ = line.partition("  file  ")
        inside = bool(file) or (inside and bool(line.strip()))
        kept.append(head if inside and file else "" if inside else line)
    return kept


def steady(on: Screens) -> str:
    """The screen without what differs from run to run."""
    text = "\n".join(without_paths(on.text()))
    for pattern, instead in UNSTEADY:
        text = pattern.sub(instead, text)
    return text + "\n"


def compare(name: str, on: Screens) -> None:
    """The screen is as the snapshot has it."""
    path = FOLDER / f"{name}.txt"
    now = steady(on)
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    assert now == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_screens_are_as_they_were(cloud: Cloud, size: tuple[int, int]) -> None:
    for name in ("db-01", "web-01", "数据库-主"):
        await cloud.vm(name)
    uuid = cloud.uuids["db-01"]
    kind = f"{size[0]}x{size[1]}"
    async with screens(cloud.socket, size) as on:
        await on.sees("vms 3/3")
        cloud.host_of(uuid).power_off(uuid, "guest_shutdown")
        await on.sees("(shut down")
        await on.until(lambda: any("◌ Stopped" in line and "shut down" in line for line in on.text()))
        compare(f"vms-{kind}", on)
        for key, noun in (("3", "networks"), ("4", "images")):
            await on.press(key)
            await on.sees(NOUNS["net" if key == "3" else "img"].title)
            await on.pilot.pause()
            compare(f"{noun}-{kind}", on)
        await on.press("1", "n")
        await on.sees("Create VM", "Display name")
        compare(f"create-{kind}", on)
        if size == LARGE:
            return  # behind dialogs stands half of the detail, paths of files in it
        await on.press("escape", "D")
        await on.sees("Destroy db-01?")
        compare(f"destroy-{kind}", on)
        await on.press("escape", "question_mark")
        await on.sees("Keys")
        compare(f"help-{kind}", on)
