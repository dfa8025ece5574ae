"""Lists and details say in words what rows hold, and at the smallest size keep what matters most."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.api.resource import RESOURCES
from tests.zstui.conftest import Cloud, screens
from zstui import words
from zstui.cells import width
from zstui.columns import fit_columns
from zstui.details import details
from zstui.i18n import LANGUAGES, begin, tr
from zstui.mirror import Mirror, Row
from zstui.nouns import NOUNS
from zstui.picks import resource_choices
from zstui.table_lines import EDGE

UUID = "c8e643a9" * 4
SMALLEST = 80


def fitted(noun_id: str, row: Row, mirror: Mirror, cells: int = SMALLEST) -> dict[str, str]:
    """What a list of one row shows at a width, by the titles of columns."""
    columns = NOUNS[noun_id].columns
    shown = {column: column.show(row, mirror)[0] for column in columns}
    widths = {
        column.title: max(min(width(text), column.most), width(column.heading))
        for column, text in shown.items()
        if text or column.rank == 0
    }
    return {column.title: shown[column] for column, _ in fit_columns(columns, widths, cells - EDGE)}


def told(kind: str, **data: Any) -> dict[str, str]:
    """What the detail says of a row, by its labels."""
    return {item.label: item.text for item in details(Row(kind, "x", data), Mirror(()))}


def a_mirror(*rows: Row) -> Mirror:
    mirror = Mirror(tuple({row.kind for row in rows}))
    for row in rows:
        mirror.rows[row.kind][row.key] = row
    return mirror


def test_what_a_guest_fetched_stands_before_who_counted_it() -> None:
    mirror = a_mirror(
        Row("VmInstance", "v", {"name": "web-production-1"}), Row("Host", "h", {"name": "node-1"})
    )
    row = Row("UserdataFetch", "f", {
        "hostUuid": "h", "sequence": 12, "vmInstanceUuid": "v", "vmNicUuid": UUID, "httpStatus": 404,
        "createDate": "Jan 30, 2016 3:01:03 PM", "path": "/2009-04-04/meta-data/instance-id",
        "userAgent": "Cloud-Init/24.1",
    })  # fmt: skip
    shown = fitted("userdatafetch", row, mirror)
    assert list(shown)[:4] == ["VM", "PATH", "HTTP STATUS", "AGE"]
    assert (shown["VM"], shown["HTTP STATUS"]) == ("web-production-1", "404")


@pytest.mark.parametrize("cells", [SMALLEST, 160])
def test_a_digest_pushes_no_address_out(cells: int) -> None:
    mirror = a_mirror(Row("Account", "a", {"name": "admin"}))
    data = {"digest": UUID * 2, "accountUuid": "a", "userUuid": "", "expiredDate": "Jan 30, 2016 3:01:03 PM",
            "createDate": "Jan 30, 2016 3:01:03 PM"}  # fmt: skip
    shown = fitted("session", Row("Session", "s", {**data, "source": "192.168.100.200"}), mirror, cells)
    assert {"ACCOUNT", "SOURCE", "EXPIRES", "AGE"} <= set(shown)
    assert shown["SOURCE"] == "192.168.100.200"
    assert (
        fitted("session", Row("Session", "s", {**data, "source": ""}), mirror)["SOURCE"]
        == "the appliance's machine"
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("tag", ["web", "userdata::" + "x" * 60])
def test_a_tag_is_on_a_row_with_a_name_in_every_language(language: str, tag: str) -> None:
    begin(language)
    mirror = a_mirror(Row("VmInstance", "v", {"name": "web-1"}))
    row = Row("SystemTag", "t", {"tag": tag, "resourceUuid": "v", "resourceType": "PrimaryStorageVO", "inherent": True,
                                 "createDate": "Jan 30, 2016 3:01:03 PM"})  # fmt: skip
    shown = fitted("tag", row, mirror)
    assert shown["ON"] == "web-1"
    assert list(shown) == ["TAG", "ON", "RESOURCE", "TYPE", "AGE"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_values_of_a_row_have_one_label(language: str) -> None:
    begin(language)
    for kind in (noun_kind for noun in NOUNS.values() for noun_kind in noun.kinds):
        wires = [each.wire for each in RESOURCES[kind].columns.values() if not each.private]
        labels = [tr(words.label(wire)) for wire in wires]
        assert len(labels) == len(set(labels)), (kind, sorted(labels))


def test_policies_and_tokens_say_in_words_what_they_allow() -> None:
    statements = [{"name": "a", "effect": "Allow", "actions": ["instance:start", "instance:stop"]},
                  {"name": "b", "effect": "Deny", "actions": [".*"]}]  # fmt: skip
    data = {"name": "ops", "statements": statements}
    shown = fitted("policy", Row("Policy", "p", data), Mirror(()))
    assert shown["STATEMENTS"] == "allows: instance:start, instance:stop  denies: .*"
    assert (
        told("Policy", **data).items() >= {"allows": "instance:start, instance:stop", "denies": ".*"}.items()
    )
    for scope, said in (([], "all messages"), (["Query*", "/events"], "Query*, /events")):
        assert told("AccessToken", name="ci", scope=scope)["scope"] == said
        assert fitted("accesstoken", Row("AccessToken", "t", {"name": "ci", "scope": scope}), Mirror(()))[
            "SCOPE"
        ] == said  # fmt: skip


def test_what_has_no_name_is_not_named_by_a_piece_of_its_uuid() -> None:
    assert UUID[:8] not in told("VolumeSnapshot", name="before", treeUuid=UUID).values()
    assert "TREE" not in {column.title for column in NOUNS["volumesnapshot"].columns}


def test_an_entry_of_the_audit_log_is_read_in_the_users_language() -> None:
    begin("zh_CN")
    reason = (
        "127.0.0.9:22 refuses the connection: nothing listens there; start sshd on it, or give the port that "
        "its sshd has"
    )
    shown = told("AuditEntry", details=f"managementIp[127.0.0.9]: {reason}", source="socket", stage="ended")
    assert "拒绝连接" in shown[tr("details")]
    assert "refuses" not in shown[tr("details")]
    assert (shown[tr("source")], shown[tr("stage")]) == ("本机套接字", "任务已结束")
    no_host = (
        "no host is Enabled and Connected: enable or reconnect a host, enable its cluster, or add a host with "
        "AddKVMHost; ruled out last: node-a"
    )
    assert "no host" not in told("AuditEntry", code="HOST_ALLOCATION.1000", details=no_host)[tr("details")]


async def test_lengths_of_time_take_units(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        on.browser.open_form("CreateAccessToken")
        await on.sees("Make a token for a program; it is shown this once", "30d")
        assert "inventory" not in on.whole()
        form = on.app.screen
        assert form.values()["expiresIn"] == 30 * 86400  # type: ignore[attr-defined]
        for typed, seconds in (("12h", 43200), ("90", 90), ("soon", "soon")):
            form.fields["expiresIn"].fill(typed)  # type: ignore[attr-defined]
            assert form.values()["expiresIn"] == seconds  # type: ignore[attr-defined]


def test_a_host_is_chosen_by_what_keeps_it_from_vms_and_by_shares_that_say_of_what() -> None:
    capacity = {"totalCpuCapacity": 4, "availableCpuCapacity": 3}
    row = Row("Host", "h", {"name": "h", "status": "Connected", "state": "Disabled", **capacity})
    [choice] = resource_choices(a_mirror(row), "Host")
    assert choice.paint == "dim"
    assert choice.note.startswith("◌ Disabled")
    assert choice.note.endswith("cpu allotted 25%")
