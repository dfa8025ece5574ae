"""The details of a row say what there is to say, and nothing of what it has not."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from tests.zstui.conftest import LARGE, Cloud, screens
from zstui import words
from zstui.detail import leaves
from zstui.details import details
from zstui.further_columns import who
from zstui.i18n import begin, tr
from zstui.mirror import Batch, Mirror, Row
from zstui.sheet import Sheet


@pytest.mark.parametrize(
    ("inventory", "shown"),
    [
        ({"username": "ops", "sshPort": 2222}, "ops@10.0.0.9:2222"),
        ({"hypervisorType": "Simulator"}, "10.0.0.9"),
    ],
)
def test_where_a_host_is(inventory: dict[str, object], shown: str) -> None:
    row = Row("Host", "h", {"name": "h", "managementIp": "10.0.0.9", **inventory})
    items = details(row, Mirror(("Host", "VmInstance", "LongJob")))
    assert [item.text for item in items if item.label == "address"] == [shown]


async def test_the_page_of_what_was_deleted_elsewhere_says_so(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.press("2")
        await on.sees("node-a", "node-b")
        await on.press("enter")
        await on.sees("node-a", "◉ Connected", "reconnect")
        await cloud.session.call("DeleteHost", uuid=cloud.uuids["node-a"])
        await on.sees("✗ gone", "This was deleted. What was known of it last:")
        sheet = on.app.screen.query_one(Sheet)
        assert {item.paint for item in sheet.items[1:]} <= {"faint", "head"}
        await on.misses("reconnect")
        await on.press("r")
        await on.sees("r does nothing here")
        await on.press("escape")
        await on.sees("node-b", "Hosts  1")


async def test_the_page_of_what_left_the_recycle_bin_says_so(cloud: Cloud) -> None:
    vm = await cloud.vm("web-1")
    await cloud.session.call("DestroyVmInstance", uuid=vm)
    async with screens(cloud.socket) as on:
        await on.browser.go("bin")
        await on.sees("web-1", "23h")
        await on.press("enter")
        await on.sees("Esc back", "expunged")
        await cloud.session.call("ExpungeVmInstance", uuid=vm)
        await on.sees("✗ gone", "This is no longer in the recycle bin.")
        await on.misses("recover")


PAGES = {
    "en": ("VM state  event", "migrate VM  job", "create VM  job"),
    "zh_CN": ("云主机状态  事件", "迁移云主机  任务", "创建云主机  任务"),
    "zh_TW": ("雲主機狀態  事件", "遷移雲主機  任務", "建立雲主機  任務"),
}
"""The titles of pages of an event and of two jobs."""


@pytest.mark.parametrize("name", PAGES)
async def test_the_pages_of_events_and_jobs_have_words_for_titles(cloud: Cloud, name: str) -> None:
    """An event has nothing more to do with it; a job has."""
    uuid = await cloud.vm("web-1")
    await cloud.session.call("MigrateVm", vmInstanceUuid=uuid)
    event, move, create = PAGES[name]
    async with screens(cloud.socket) as on:
        on.app.speak(name)
        more = f"x {tr('more')}"
        await on.press("7", "slash")
        await on.write("VmStateChanged")
        await on.press("enter")
        assert more not in on.whole()
        await on.press("enter")
        await on.sees(event)
        assert more not in on.whole()
        await on.press("escape")
        await on.press("6")
        for call, title in (("MigrateVm", move), ("job:CreateVmI", create)):
            await on.press("slash")
            on.browser.query_one(Input).value = call
            await on.press("enter", "enter")
            await on.sees(title, more)
            assert "VmMove" not in on.whole()
            await on.press("escape")


async def test_nothing_is_offered_where_nothing_can_be_made_or_done(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.press("7")
        await on.sees("web-1")
        await on.press("n")
        await on.sees("Events: none is made by hand")
        assert "x shows" not in on.whole()
        await on.press("6", "n")
        await on.sees("Jobs: none is made by hand; x shows what can be done")


def test_what_only_grows_is_not_gone_when_it_leaves_memory() -> None:
    job, host = Row("LongJob", "j", {}), Row("Host", "h", {})
    batch: Batch = {"LongJob": {"j": None}, "Host": {"h": None}}
    assert not leaves(batch, job)
    assert leaves(batch, host)
    assert not leaves({"Host": {"other": None}}, host)


@pytest.mark.parametrize(
    ("spoken", "later", "past"), [("en", ", in 23h", ", 2h ago"), ("zh_CN", "，23小时后", "，2小时前")]
)
def test_what_is_to_come_is_not_said_to_be_past(
    spoken: str, later: str, past: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(spoken)
    dates = {"createDate": "Nov 30, 2026 3:00:00 PM", "expiredDate": "Dec 1, 2026 4:20:54 PM"}
    monkeypatch.setattr(words, "now", lambda: words.seconds("Nov 30, 2026 5:00:00 PM"))
    row = Row("AccessToken", "t", {"name": "ci", **dates})
    said = {item.label: item.text for item in details(row, Mirror(()))}
    assert said[tr("expires")].endswith(later)
    assert said[tr("create date")].endswith(past)


async def test_a_job_whose_call_had_a_password_is_read_like_any_other(cloud: Cloud) -> None:
    async with screens(cloud.socket, LARGE) as on:
        await on.press("6")
        await on.sees("add KVM host")
        on.browser.table.set_filter("sftp")
        await on.sees("zstui call AddSftpBackupStorage", "password='******'")


@pytest.mark.parametrize(
    ("kind", "data", "labels"),
    [
        (
            "Quota",
            {"name": "vm.num", "identityUuid": "a" * 32, "identityType": "AccountVO"},
            {"account"},
        ),
        ("VmNic", {"uuid": "n" * 32, "metaData": "7"}, {"VM number"}),
    ],
)
def test_labels_say_what_a_field_holds_where_its_name_does_not(
    kind: str, data: dict[str, str], labels: set[str]
) -> None:
    assert labels <= {item.label for item in details(Row(kind, "k", dict(data)), Mirror(()))}


def test_a_session_says_where_it_was_opened_and_an_account_is_named_once() -> None:
    mirror = Mirror(("Account",))
    mirror.rows["Account"]["a"] = Row("Account", "a", {"uuid": "a", "name": "alice"})
    row = Row("Session", "s", {"digest": "s", "accountUuid": "a", "userUuid": "a", "source": ""})
    assert "the appliance's machine" in {item.text for item in details(row, mirror) if item.label == "source"}
    assert who(row, mirror)[0] == "alice"
