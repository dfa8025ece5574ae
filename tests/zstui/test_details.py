"""The details of a row say what there is to say, and nothing of what it has not."""

from __future__ import annotations

import pytest

from tests.zstui.conftest import Cloud, screens
from zstui.detail import leaves
from zstui.details import details
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
        await on.sees("r does nothing on this row")
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


def test_what_only_grows_is_not_gone_when_it_leaves_memory() -> None:
    job, host = Row("LongJob", "j", {}), Row("Host", "h", {})
    batch: Batch = {"LongJob": {"j": None}, "Host": {"h": None}}
    assert not leaves(batch, job)
    assert leaves(batch, host)
    assert not leaves({"Host": {"other": None}}, host)
