"""The screens in every language: nothing is left in English, every line fits, a switch is at once and remembered."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from appliance.api.message import MESSAGES
from tests.zstui.conftest import SMALL, Cloud, Screens, screens
from tests.zstui.test_recycle_bin import data_volume
from zstui import cells, words
from zstui.frame import Tabs, Totals
from zstui.i18n import LANGUAGES, begin, first_language, known, tr
from zstui.i18n.pseudo import PSEUDO, Pseudo, strange
from zstui.i18n.server_texts import HOLE, TEXTS, said
from zstui.i18n.sources import SOURCES
from zstui.mirror import Row
from zstui.nouns import MAIN, NOUNS, Noun
from zstui.screens.form import Form

WIDE = (160, 48)
TINY = (40, 10)

DATA = re.compile(
    r"\b\w+=\S+|ROOT-for-\S+|Root volume for \S+|"
    r"https?://\S+|[\w/.-]*/[\w/.-]+|\d+[smhd]\b|\d+(\.\d+)? ?[KMGT]?i?B\b|[\d.]+[KMGT]\b|"
    r"\b(zstui|web-\d|iso|node-[ab]|zone1|cluster1|local|images|wire|lan|tiny|small|default|provider|eth1|user data|"
    r"GHz|GiB|MiB|DHCP|DNS|KVM|CPU|qcow2|raw|kvm|tcg|root|admin|uuid|simulator|Linux|Flat Network Service Provider|"
    r"Userdata|auto|capability|eth\d)\b|:\w+|\b[0-9a-f]*[a-f][0-9a-f]*(…|(?=[\s.\]]|$))"
)
"""What is no language: addresses, paths, sizes, ages, names that the test gave, and what machines say."""

CALL = re.compile(r"(zstui call|>>>) .*")
"""A line of a call, which is typed the same in every language."""

CAMEL = re.compile(r"\b([A-Za-z]+[a-z0-9][A-Z]\w*|[0-9a-f]{32})\b")
"""Names of messages, parameters and classes, and uuids."""


IDS = re.compile(r"\[[\w.,-]+\]|/\S+keymap\.toml")
"""Ids of keys on the page of help, and the file that they are for: typed the same in every language."""


def english(on: Screens) -> list[str]:
    """Words on the screen that were never looked up."""
    found = []
    for line in on.text():
        rest = CAMEL.sub("", DATA.sub("", CALL.sub("", IDS.sub("", line))))
        found += [
            f"{word} in {line.strip()}" for word in re.findall(r"[A-Za-z]{3,}", rest) if word not in KEYS
        ]
    return found


NAMES_ONLY = {
    "AuditEntry",
    "SystemTag",
    "NetworkServiceProvider",
    "NetworkServiceL3NetworkRef",
    "GlobalConfig",
}
"""Lists of what is written the same everywhere: calls and their parameters, tags, types of services, settings."""

KEYS = {
    "Home",
    "End",
    "Esc",
    "Tab",
    "Del",
    "Space",
    "PgUp",
    "PgDn",
    "Enter",
    "vnc",
    "http",
    "noVNC",
    "socket",
    "zstack",
}


@asynccontextmanager
async def speaking(
    cloud: Cloud, name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Screens]:
    """The app, begun in a language, with two VMs on its list."""
    monkeypatch.setenv("ZSTUI_LANG", name)
    async with screens(cloud.socket, size, connected=False) as on:
        await on.sees("web-1", "◉")
        await on.until(lambda: on.app.mirror.status == "live")
        await on.pilot.pause()
        yield on


@asynccontextmanager
async def speaking_alone(
    cloud: Cloud, name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Screens]:
    """The app, begun in a language, with no VM."""
    monkeypatch.setenv("ZSTUI_LANG", name)
    async with screens(cloud.socket, size, connected=False) as on:
        await on.until(lambda: on.app.mirror.status == "live")
        await on.pilot.pause()
        yield on


async def tour(on: Screens, look: Callable[[str], None], nouns: Iterable[Noun]) -> None:
    """Every screen, and a look at each."""
    look("list of VMs")
    for noun in nouns:
        await on.browser.action_show(noun.id)
        await on.pilot.pause()
        look(f"list of {noun.title}")
        if on.browser.table.row is not None and on.app.size.width < 120:
            await on.press("enter")
            look(f"detail of {noun.title}")
            await on.press("escape")
    await on.press("1")
    for key in ("question_mark", "x", "y", "colon", "ctrl+p", "D", "n", "E", "e", "L", "slash"):
        await on.press(key)
        await on.pilot.pause(0.05)
        look(f"after {key}")
        await on.press("escape")
        await on.pilot.pause()


PROPER = {"ISO"}
"""Values that are called so in every language."""


def in_catalogues() -> set[str]:
    """All that real catalogues have."""
    sources = [text for source in SOURCES.values() for text in source()]
    return {each for text in sources for each in ((text,) if isinstance(text, str) else text)}


def asked_for(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What the pseudo-language, which makes any text, is asked for from now on."""
    asked: set[str] = set()
    made = Pseudo.gettext

    def gettext(self: Pseudo, message: str) -> str:
        asked.add(message)
        return made(self, message)

    monkeypatch.setattr(Pseudo, "gettext", gettext)
    return asked


@pytest.mark.parametrize("size", [SMALL, pytest.param(WIDE, marks=pytest.mark.long)])
async def test_no_word_on_any_screen_is_left_in_english(
    cloud: Cloud, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a line not fit: made texts are longer than any, and so is a name in wide letters."""
    offering = cloud.uuids["small"]
    await cloud.make("AddImage", name="web-4", url="http://images.example/i.iso", format="iso", mediaType="ISO",
                     backupStorageUuids=[cloud.uuids["images"]])  # fmt: skip
    cloud.uuids["disk"] = (await cloud.make("CreateDiskOffering", name="small", diskSize=1 << 30))["uuid"]
    cloud.uuids["small"] = offering
    for name in ("web-1", "台北-測試-很長的名字-這裡還有更多"):
        uuid = await cloud.vm(name)
    await data_volume(cloud, "web-2", uuid)
    for volume in await cloud.session.query("Volume", vmInstanceUuid=uuid):
        await cloud.session.call("CreateVolumeSnapshot", volumeUuid=volume["uuid"], name="web-3")
    left: dict[str, list[str]] = {}
    wrong = []
    asked = asked_for(monkeypatch)
    async with speaking(cloud, PSEUDO, size, monkeypatch) as on:

        def look(where: str) -> None:
            found = english(on)
            if found:
                left[where] = found
            wrong.extend((where, line) for line in on.text() if cells.width(line) != size[0])

        await tour(on, look, [each for each in NOUNS.values() if each.kinds[0] not in NAMES_ONLY])
    assert not left, "\n".join(f"{where}: {found}" for where, found in left.items())
    assert wrong == []
    assert asked - in_catalogues() - PROPER == set()


@pytest.mark.long
async def test_every_label_and_help_of_every_form_is_in_the_catalogue(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_for(monkeypatch)
    async with speaking_alone(cloud, PSEUDO, SMALL, monkeypatch) as on:
        for form in sorted(MESSAGES):
            if not form.startswith(("Query", "Get")):
                shown = Form(form, on.app.mirror)
                await on.app.push_screen(shown)
                for field in shown.fields.values():
                    tr(field.label), field.help
                shown.dismiss(None)
                await on.until(lambda: on.app.screen is on.browser, "the form gone")
    assert asked - in_catalogues() - PROPER == set()


async def test_the_header_is_whole_at_80_columns(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every list, and with as many VMs and as much memory as take the most room."""
    async with speaking_alone(cloud, "en", SMALL, monkeypatch) as on:
        for at in range(1000):
            on.app.mirror._put(Row("VmInstance", str(at), {"state": "Running"}))
        for row in on.app.mirror.all("Host"):
            row.data.update(availableCpuCapacity=0, availableMemoryCapacity=0)
        for noun in NOUNS.values():
            await on.browser.action_show(noun.id)
            totals, tabs = on.app.screen.query_one(Totals), on.app.screen.query_one(Tabs)
            for name in (*LANGUAGES, PSEUDO):
                on.app.speak(name)
                for line in (totals, tabs):
                    whole = [*line.left(), *line.right()]
                    assert sum(cells.width(part.text) for part in whole) <= SMALL[0], (noun.id, name, whole)
                assert tr(noun.title) in "".join(part.text for part in tabs.left())


@pytest.mark.parametrize("name", ["zh_CN", "en"])
async def test_every_line_fits_a_tiny_terminal(
    cloud: Cloud, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At usual sizes, that is seen of every screen in `test_every_screen.py`."""
    for each in ("web-1", "台北-測試-很長的名字-這裡還有更多"):
        await cloud.vm(each)
    wrong = []
    async with speaking(cloud, name, TINY, monkeypatch) as on:

        def look(where: str) -> None:
            wrong.extend((where, line) for line in on.text() if cells.width(line) != TINY[0])

        await tour(on, look, (*MAIN, NOUNS["bin"], NOUNS["mig"], NOUNS["bin"]))
    assert wrong == []


async def test_a_key_and_a_click_change_the_language_and_it_is_remembered(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, WIDE) as on:
        await on.sees("web-1", "◉ Running", "CHANGED", "stop", "Hosts")
        await on.press("f2")
        await on.sees("web-1", "◉ 运行中", "物理机", "停止", "简")
        at = on.text()[0].index("简")
        await on.pilot.click("Totals", offset=(cells.width(on.text()[0][:at]), 0))
        await on.sees("◉ 執行中", "實體主機", "繁")
    kept = json.loads((tmp_path / "state" / "zstui" / "screens.json").read_text())
    assert kept["language"] == "zh_TW"
    monkeypatch.delenv("ZSTUI_LANG")
    async with screens(cloud.socket, WIDE, connected=False) as on:
        await on.sees("web-1", "◉ 執行中")


async def test_what_is_typed_in_a_form_stays_when_the_language_changes(cloud: Cloud) -> None:
    async with screens(cloud.socket, WIDE) as on:
        await on.press("n")
        await on.sees("Create VM")
        await on.write("web-9")
        await on.press("f2")
        await on.sees("创建云主机", "web-9", "名称")


@pytest.mark.long
async def test_what_is_open_is_said_in_the_language_that_is_chosen_then(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dialogs and panels, too: what was opened in English holds no word of it any more."""
    await cloud.vm("web-1")
    left = {}
    async with screens(cloud.socket, WIDE) as on:
        await on.sees("web-1", "◉ Running")
        opened = [partial(on.press, key) for key in ("D", "x", "y", "o", "full_stop", "colon", "ctrl+p", "n", "e", "C",
                                                     "R", "T", "question_mark")]  # fmt: skip
        panels = ("move", "snapshots", "boot")
        opened += [partial(on.app.run_action, f"screen.panel('{each}')", on.browser) for each in panels]
        for number, show in enumerate(opened):
            await show()
            await on.until(lambda: on.app.screen is not on.browser, "what is opened")
            await on.pilot.pause(0.2)
            on.app.speak(PSEUDO)
            await on.pilot.pause(0.2)
            # Commands and what machines say are no language; a cut word of theirs is not known for one.
            found = [each for each in english(on) if not each.startswith(("vncviewer", "Userd"))]
            if found:
                left[number] = sorted(found)[:3]
            on.app.speak("en")
            await on.press("escape")
            await on.until(lambda: on.app.screen is on.browser, "the list again")
    assert left == {}, left


async def test_lists_are_found_and_sorted_by_what_they_show(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, SMALL) as on:
        await on.press("f2")
        await on.sees("◉ 运行中")
        for typed in ("运行中", "running"):
            on.browser.table.set_filter(typed)
            assert len(on.browser.table.listing) == 1
        on.browser.table.set_filter("!running")
        assert len(on.browser.table.listing) == 0


@pytest.mark.parametrize(
    "text",
    [
        f"startIp[10.0.0.2], endIp[10.0.0.9]: the range 10.0.0.2-10.0.0.9 overlaps with 10.0.0.1-10.0.0.4 "
        f"[ipRange uuid:{'a' * 32}]; give addresses outside of that, or delete it first",
        f"instanceOfferingUuid[{'a' * 32}]: no host has enough memory: take a smaller instance offering, stop VMs, or "
        "add a host with AddKVMHost; ruled out last: node-1 has 63.0 GiB of memory left, and 931.3 GiB are needed",
        "field[diskSize] of message[org.x.Y] must be a whole number, but actual is 1X",
        "EnsureNic failed, as the simulator was told it should",
        "Nonsense is no request to a host; those are Copy, CopyFiles",
        "expected the node content, but found '<stream end>'",
    ],
)
@pytest.mark.parametrize("name", ["zh_CN", "zh_TW"])
def test_no_half_of_a_refusal_stays_in_english(name: str, text: str) -> None:
    begin(name)
    left = re.sub(r"AddKVMHost|node-1|G?iB|uuid|IP |[a-z]*IpRange|ipRange|instanceOfferingUuid|startIp|endIp|a{32}"
                  r"|<stream end>|diskSize|org\.x\.Y|1X|EnsureNic|Nonsense|Copy(Files)?", "", said(text))  # fmt: skip
    assert not re.search(r"[A-Za-z]{2}", left), said(text)


def test_the_first_language_is_what_was_asked_for_then_chosen_then_the_locale() -> None:
    assert first_language({"ZSTUI_LANG": "zh_TW", "LANG": "en_US.UTF-8"}, "zh_CN") == "zh_TW"
    assert first_language({"LANG": "en_US.UTF-8"}, "zh_CN") == "zh_CN"
    assert first_language({"LANG": "zh_TW.UTF-8"}) == "zh_TW"
    assert first_language({"LC_ALL": "de_DE", "LANG": "zh_CN.UTF-8"}) == "en"
    assert [known(each) for each in ("zh-Hant", "zh_HK.UTF-8", "zh", "zh_CN.GB18030", "C", "fr_FR")] == [
        "zh_TW", "zh_TW", "zh_CN", "zh_CN", "", "",
    ]  # fmt: skip


def test_dates_and_ages_are_as_the_language_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = "Jan 30, 2016 3:01:03 PM"
    monkeypatch.setattr(words, "now", lambda: words.seconds(wire) + 3 * 86400)
    expected = {
        "en": ("Jan 30", "2016-01-30 15:01:03", "3d"),
        "zh_CN": ("1月30日", "2016年1月30日 15:01:03", "3天"),
        "zh_TW": ("1月30日", "2016年1月30日 15:01:03", "3天"),
    }
    for name, texts in expected.items():
        begin(name)
        assert (words.clock(wire), words.date(wire), words.age(wire)) == texts


def test_the_appliances_words_are_known_by_their_patterns() -> None:
    begin("zh_CN")
    assert said("web-1: Running → Stopped (shut down inside the guest)") == (
        "web-1：运行中 → 已停止（在云主机内部关机）"
    )
    assert said("field[name] is mandatory, can not be null") == "字段[name]为必填项，不能为空"
    assert said("something that nobody knows") == "something that nobody knows"
    assert said(
        "no host has enough CPU that also is the one designated, has hypervisor KVM: enable or reconnect it; "
        "ruled out last: a"
    ).startswith("没有物理机既满足“是指定的那台、")
    assert said("host-1: silent for 6 s") == "host-1：已有 6 秒没有响应"
    assert (
        said("field[name] of message[a.B] is mandatory, can not be null")
        == "消息[a.B]的字段[name]为必填项，不能为空"
    )
    assert said("CreateVmInstance web: VM a[uuid:b] is on no host [SYS.1006]") == (
        "CreateVmInstance web：云主机 a[uuid:b] 不在任何物理机上 [SYS.1006]"
    )
    assert said(
        "no host is Enabled and Connected: enable or reconnect a host, or add one with AddKVMHost; ruled out last: "
        "node a is Disconnected; c is in a cluster that is Disabled; b is another"
    ).endswith("最后被排除的：node a 状态为未连接；c 所在集群的状态为已停用；b 是另一台")
    begin("en")
    assert said("crashed") == "crashed"


def test_every_known_text_is_one_that_is_said() -> None:
    root = Path(__file__).resolve().parents[2]
    written = set()
    for room in ("appliance", "agent", "zstui"):
        for file in (root / room).rglob("*.py"):
            if file.name != "server_texts.py":
                for node in ast.walk(ast.parse(file.read_text())):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        written.add(node.value)
    everything = "\0".join(written)
    lost = [
        text
        for text in TEXTS
        for part in [max(re.split(r"\{\w+\}| of message\[|\]|, ", text), key=len)]
        if part.strip(" ,():") not in everything and HOLE.sub("", text).strip(" :→()")
    ]
    assert lost == []


def test_names_of_messages_stay_and_their_titles_are_translated() -> None:
    begin("zh_TW")
    assert tr("create VM") == "建立雲主機"
    assert "CreateVmInstance" in MESSAGES
    assert strange("Quit") != "Quit"


def test_how_many_there_are_is_said_in_the_language_too() -> None:
    begin("zh_CN")
    texts = {
        "cluster c[uuid:1] holds 1 host; delete them first": "集群 c[uuid:1] 中有 1 台物理机；请先删除",
        "cluster c[uuid:1] holds 3 hosts; delete them first": "集群 c[uuid:1] 中有 3 台物理机；请先删除",
        "nothing is known of these VMs": "nothing is known of these VMs",
    }
    assert {text: said(text) for text in texts} == texts
