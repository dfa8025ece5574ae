"""The API's words are read as words in each language, sizes in units, and nobody meets a piece of a uuid."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from appliance.api.message import MESSAGES
from appliance.api.resource import RESOURCES
from tests.zstui.conftest import Cloud, screens
from zstui.cells import width
from zstui.columns import shown
from zstui.details import details
from zstui.i18n import LANGUAGES, begin, sentences, tr
from zstui.i18n.server_texts import said
from zstui.jobs import target_of
from zstui.matching import terms
from zstui.mirror import Mirror, Row
from zstui.moved_keys import read_keymap
from zstui.nouns import NOUNS
from zstui.paint import state_piece
from zstui.palette import jump_find
from zstui.plain import Plain
from zstui.recycle_bin import KIND
from zstui.rows import names_of
from zstui.screens.recovering import how_long
from zstui.values import HAPPENINGS, KINDS, english, word

ROOT = Path(__file__).resolve().parents[2]
WIDE = (160, 48)
CAMEL = re.compile(r"[a-z][A-Z]")
TYPED = {"namespace", "metric_name", "boot_order"}
"""Parameters that no form asks for by a choice."""

INNER = {"FigureBlock", "JournalEntry", "Tally"}
"""Resources that nobody is told of."""


def test_no_choice_and_no_event_is_read_as_the_name_of_a_class() -> None:
    parameters = [each for kind in MESSAGES.values() for each in kind.parameters.values()]
    choices = {choice for each in parameters if each.name not in TYPED for choice in each.choices}
    assert {each for each in choices if CAMEL.search(english(each))} == set()
    files = (file.read_text() for file in (ROOT / "appliance").rglob("*.py"))
    calls = (node for text in files for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    firsts = (call.args[0] for call in calls if getattr(call.func, "attr", "") == "note" and call.args)
    notes = {first.value for first in firsts if isinstance(first, ast.Constant) and first.value}
    assert len(notes) > 20
    assert notes == set(HAPPENINGS)
    assert set(RESOURCES) - set(KINDS) == INNER
    assert set(KINDS) <= set(RESOURCES)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            ("root volume template", "basic", "system administrator", "volume", "job failed", "Cancelled"),
        ),
        ("zh_CN", ("根云盘镜像", "基本网络", "系统管理员", "云盘", "任务失败", "已取消")),
        ("zh_TW", ("根磁碟區映像檔", "基本網路", "系統管理員", "磁碟區", "任務失敗", "已取消")),
    ],
)
def test_words_of_the_api_are_words_of_the_language(language: str, expected: tuple[str, ...]) -> None:
    begin(language)
    raw = ("RootVolumeTemplate", "L3BasicNetwork", "SystemAdmin", "VolumeVO", "JobFailed", "Canceled")
    assert tuple(map(word, raw)) == expected
    assert shown(Row("Event", "1", {"name": "JobFailed"}), "name") == expected[4]
    assert shown(Row("Zone", "1", {"name": "JobFailed"}), "name") == "JobFailed"
    assert state_piece("Canceled")[0].endswith(expected[5])


@pytest.mark.parametrize(
    ("language", "root", "data", "used"),
    [("zh_CN", "根云盘", "数据云盘", "用于"), ("zh_TW", "根磁碟區", "資料磁碟區", "用於")],
)
def test_a_kind_of_volume_has_one_name_and_what_has_an_address_is_nobody(
    language: str, root: str, data: str, used: str
) -> None:
    """In the list, on a VM's page, among images; and an address is used by a VM, which is no person."""
    begin(language)
    assert [word(each) for each in ("Root", "Data")] == [root, data]
    assert [tr(each) for each in ("root volume", "data volume")] == [root, data]
    assert all(word(f"{each}VolumeTemplate").startswith(word(each)) for each in ("Root", "Data"))
    assert [column.heading for column in NOUNS["usedip"].columns][1] == used
    [kind] = (column for column in NOUNS["vol"].columns if column.title == "TYPE")
    assert kind.most >= width(data)


def test_a_root_volume_says_whose_it_is() -> None:
    mirror = Mirror(("VmInstance",))
    uuid = "a" * 32
    mirror.rows["VmInstance"][uuid] = Row("VmInstance", uuid, {"uuid": uuid, "name": "web-1"})
    volume = Row("Volume", "v", {"name": "ROOT-for-web-1", "description": f"Root volume for VM[uuid:{uuid}]"})
    assert [item.text for item in details(volume, mirror) if item.label == "description"] == [
        "root volume of web-1"
    ]


def test_bytes_in_what_the_appliance_says_are_read_in_units() -> None:
    assert said("tiny: ready, 33292288 bytes") == "tiny: ready, 31.8 MiB"
    assert said("Call x: file.gap: only 33292288 bytes have arrived [SYS.1006]") == (
        "Call x: file.gap: only 31.8 MiB have arrived [SYS.1006]"
    )
    assert said("userdata has 65537 bytes, 65536 at most") == "userdata has 65,537 B, 65,536 B at most"
    assert said("nobody knows 5000 bytes") == "nobody knows 5000 bytes"
    begin("zh_CN")
    assert said("tiny: ready, 33292288 bytes") == "tiny：就绪，31.8 MiB"


def test_what_agents_say_is_translated_and_what_nobody_knows_stays_whole() -> None:
    begin("zh_CN")
    assert said("move memory and disks (3 of 5 MiB, 2.8 MiB/s, 1:07 left)") == (
        "移动内存和磁盘（3 / 5 MiB，2.8 MiB/s，剩余 1:07）"
    )
    assert said("s1: taken without the guest holding its writes back, since no guest agent answers") == (
        "s1：创建快照时云主机没有暂停写入，原因：没有客户机代理应答"
    )
    assert said("url[file:///x]: /x is below none of the folders allowed: /srv") == (
        "url[file:///x]：/x 不在任何允许的文件夹下：/srv"
    )
    assert said("web-1: nobody knows why") == "web-1: nobody knows why"
    begin("zh_TW")
    assert said("nothing arrived for 6 s") == "已有 6 秒沒有資料到達"


def test_sentences_of_chinese_have_no_blank_between() -> None:
    assert sentences("One.", "Two.", "") == "One. Two."
    assert sentences("一。", "ISO 二。") == "一。ISO 二。"


def test_several_rows_are_counted_and_spoken_of_as_several() -> None:
    rows = [Row("VmInstance", each, {"name": each}) for each in "ab"]
    mirror = Mirror(("GlobalConfig",))
    assert names_of(rows) == "2 VMs"
    assert how_long(mirror, "VmInstance", "u", final=False, number=2).startswith("They can be recovered")
    begin("zh_CN")
    assert names_of(rows) == "2 台云主机"


def test_a_job_is_of_a_name_or_of_a_kind_and_of_no_piece_of_a_uuid() -> None:
    mirror = Mirror(("Zone",))
    gone = Row("LongJob", "j", {"targetResourceUuid": "9" * 32, "targetResourceType": "DiskOffering"})
    assert target_of(gone, mirror) == "disk offering"
    assert target_of(Row("LongJob", "j", {}), mirror) == ""


@pytest.mark.parametrize("typed", ["state:", "!state:", "!", "@", "st: "])
def test_a_key_that_is_not_typed_to_its_end_bars_no_row(typed: str) -> None:
    assert terms(typed, NOUNS["vm"].columns, "en") == ()
    assert [term.value for term in terms("web 52:", NOUNS["vm"].columns, "en")] == ["web", "52:"]


def test_the_jump_list_offers_words_that_people_type() -> None:
    mirror = Mirror(())
    offered = {choice.title for choice in jump_find(mirror)("")}
    assert {":cfg", ":iso", ":lang", ":theme", ":local", ":snap"} <= offered
    assert not [title for title in offered if len(title) > len(":overview")]
    found = next(iter(jump_find(mirror)("vm /state:running Web")))
    assert (found.value, found.title) == (("find", "vm", "state:running Web"), ":vm /state:running Web")
    assert next(iter(jump_find(mirror)("iso alp"))).value == ("find", "img", "kind:iso alp")
    assert KIND not in offered


@pytest.mark.parametrize("language", LANGUAGES)
def test_english_names_of_lists_are_found_in_each_language(language: str) -> None:
    """And the words of their titles, in English and in the language that is spoken."""
    begin(language)
    find = jump_find(Mirror(()))
    for noun in NOUNS.values():
        for title in (noun.title, tr(noun.title)):
            for typed in (title.split()[-1], title.split()[-1].upper(), title.split()[0]):
                assert ("noun", noun.id) in [choice.value for choice in find(typed)], (noun.id, typed)
    for typed in ("zones", "clusters", "offerings", "accounts"):
        assert next(iter(find(typed))).value == ("noun", typed[: {"offerings": 3}.get(typed, -1)])
    assert ("action", "app.next_theme") in [choice.value for choice in find("colours")]


def test_what_is_called_as_is_typed_comes_first_whatever_else_has_that_word() -> None:
    mirror = Mirror(())
    vm = {"name": "other", "state": "Running"}
    mirror.rows["VmInstance"] = {key: Row("VmInstance", key, {**vm, "name": name})
                                 for key, name in (("a", "other-2"), ("b", "other"), ("c", "another"))}  # fmt: skip
    titles = [choice.title for choice in jump_find(mirror)("Other")]
    assert titles == ["other", ":theme", "other-2", "another"]
    assert next(iter(jump_find(mirror)("theme"))).title == ":theme"


async def test_the_rest_of_the_line_of_a_jump_is_the_filter(cloud: Cloud) -> None:
    for name in ("web-1", "db-1"):
        await cloud.vm(name)
    async with screens(cloud.socket, WIDE) as on:
        await on.press("colon")
        await on.write("vm /state:running web")
        await on.press("enter")
        await on.sees("/state:running web", "web-1")
        assert len(on.browser.table.listing) == 1


async def test_used_addresses_are_called_by_address_and_by_who_has_them(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, WIDE) as on:
        await on.browser.go("usedip")
        await on.sees("USED BY", "web-1", "DHCP server")
        row = on.browser.table.row
        assert row is not None
        assert row.name == row.get("ip")


async def test_what_may_only_read_is_offered_no_key_that_changes(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, WIDE) as on:
        on.app.read_only = True
        assert {key for key, _, _ in on.browser.hints()} <= {"v", "J", "R", "i"}
        await on.press("S")
        await on.sees("this session only reads")


def test_what_agents_refuse_with_and_what_yaml_expects_is_translated() -> None:
    begin("zh_CN")
    fault = "EnsureNic failed, as the simulator was told it should"
    assert said(f"{fault} [simulator.fault]") == f"{said(fault)} [simulator.fault]"
    assert said(fault) != fault
    wrong = said("expected ',' or ']', but got '<stream end>'")
    assert " or " not in wrong
    assert "stream" not in wrong


@pytest.mark.parametrize(("language", "expected"), [("en", "nonsense: there is no such action"),
                                                    ("zh_CN", "nonsense：没有这个操作"),
                                                    ("zh_TW", "nonsense：沒有這個操作")])  # fmt: skip
def test_what_is_wrong_with_a_key_map_is_said_in_the_users_language(
    language: str, expected: str, tmp_path: Path
) -> None:
    begin(language)
    file = tmp_path / "keymap.toml"
    file.write_text('[keys]\nnonsense = "f9"\n')
    assert read_keymap(file, {}) == ({}, [expected])


@pytest.mark.parametrize(("language", "cpu"), [("en", "cpu 1"), ("zh_CN", "CPU 1"), ("zh_TW", "CPU 1")])
async def test_plain_lines_write_their_words_as_the_language_does(
    cloud: Cloud, language: str, cpu: str
) -> None:
    await cloud.vm("web-1")
    begin(language)
    [line] = [line for line in await Plain(cloud.session).answer("vm") if "web-1" in line]
    assert cpu in line
