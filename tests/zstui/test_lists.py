"""The lists beside the main ones: each has a title, columns that can be told apart, and names in place of uuids."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appliance.api.errors import ApiError
from appliance.api.message import MESSAGES, QueryMessage
from appliance.client import Session
from appliance.hosts.simulated_dialer import SimulatedDialer
from tests.zstui.conftest import LARGE, SMALL, Cloud, fill, screens, serving
from zstui.mirror import Mirror, Row
from zstui.nouns import NOUNS, noun_of
from zstui.plain import Plain
from zstui.references import kind_meant
from zstui.states import state_that_matters


@pytest.fixture
async def owned(tmp_path: Path) -> AsyncIterator[Cloud]:
    """A cloud whose account has a row, so that it has a name."""
    dialer, socket = SimulatedDialer(), tmp_path / "appliance.sock"
    async with (
        serving(tmp_path / "data", dialer, socket, account=True) as server,
        await Session.connect(socket) as session,
    ):
        made = Cloud(socket, dialer, session, server, {})
        await fill(made)
        yield made


def test_everything_that_can_be_queried_has_a_list_with_a_title_and_columns_of_its_own() -> None:
    for message in MESSAGES.values():
        if issubclass(message, QueryMessage):
            assert noun_of(message.resource.__name__) is not None, message.__name__
    for noun in NOUNS.values():
        titles = [column.title for column in noun.columns]
        assert len(titles) == len(set(titles)), noun.id
        assert noun.title[0].isupper(), noun.id
    words = [word for noun in NOUNS.values() for word in noun.words]
    assert len(words) == len(set(words))


def test_the_name_of_a_field_says_what_it_means() -> None:
    said = {"hostUuid": "Host", "lastHostUuid": "Host", "defaultL3NetworkUuid": "L3Network", "resourceUuid": "",
            "rootImageUuid": "Image", "vmInstanceUuid": "VmInstance", "name": ""}  # fmt: skip
    assert {wire: kind_meant(wire) for wire in said} == said


@pytest.mark.parametrize("size", [SMALL, (120, 36)])
async def test_the_audit_log_begins_with_the_last_call(owned: Cloud, size: tuple[int, int]) -> None:
    uuid = await owned.vm("web-1")
    await owned.session.call("StopVmInstance", uuid=uuid)
    async with screens(owned.socket, size) as on:
        await on.press("colon")
        await on.write("audit")
        await on.press("enter")
        await on.sees("CALL", "StopVmInstance", "CreateVmInstance", "web-1", "admin")
        lines = on.text()
        calls = [next(at for at, line in enumerate(lines) if call in line) for call in (
            "StopVmInstance", "CreateVmInstance")]  # fmt: skip
        assert calls == sorted(calls)


async def test_lists_and_details_name_what_uuids_mean(owned: Cloud) -> None:
    await owned.vm("web-1")
    async with screens(owned.socket, LARGE) as on:
        await on.press("colon")
        await on.write("usedip")
        await on.press("enter")
        await on.sees("Used addresses", "lan")
        await on.press("6")
        await on.sees("create VM")
        await on.press("enter")
        await on.until(lambda: any("account" in line and "admin" in line for line in on.text()))


async def test_a_line_names_what_uuids_mean(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    plain = Plain(cloud.session)
    await plain.answer("vm")
    shown = await plain.answer("show web-1")
    assert "network: lan" in shown
    [storage] = {line for line in shown if line.startswith("storage: ")}
    assert storage == "storage: local"


async def test_quotas_of_bytes_are_sizes(cloud: Cloud) -> None:
    await cloud.session.call("CreateAccount", name="acme", password="a" * 128)
    async with screens(cloud.socket) as on:
        await on.browser.go("quota")
        await on.sees("vm.memorySize", "volume.capacity")
        lines = {line.split()[0]: line.split() for line in on.text() if "acme" in line}
        assert lines["vm.memorySize"][2] == "80G"
        assert lines["vm.num"][2].isdigit()


async def test_a_host_that_takes_no_vms_does_not_look_like_any_other(cloud: Cloud) -> None:
    """At the smallest size: what matters most of a host stands in one column, with its own sign."""
    for name, event in (("node-a", "disable"), ("node-b", "maintain")):
        await cloud.session.call("ChangeHostState", uuid=cloud.uuids[name], stateEvent=event)
    async with screens(cloud.socket) as on:
        await on.press("2")
        await on.sees("◌ Disabled", "◒ Maintenance", "CPU ALLOTTED")
        await on.press("slash")
        await on.write("state:maint")
        await on.sees("Hosts  1 of 2")


@pytest.mark.parametrize(
    ("status", "state", "shown"),
    [("Connected", "Enabled", "Connected"), ("Connected", "PreMaintenance", "PreMaintenance"),
     ("Connecting", "Disabled", "Disabled"), ("Disconnected", "Maintenance", "Disconnected")],
)  # fmt: skip
def test_what_matters_most_of_a_host(status: str, state: str, shown: str) -> None:
    assert state_that_matters(Row("Host", "h", {"status": status, "state": state})) == shown


async def test_what_is_disabled_does_not_look_like_any_other(cloud: Cloud) -> None:
    await cloud.make("CreateDiskOffering", name="disk", diskSize=1 << 26)
    await cloud.make("CreateDataVolume", name="data-1", diskOfferingUuid=cloud.uuids["disk"])
    for kind, name in (("Image", "tiny"), ("PrimaryStorage", "local"), ("Volume", "data-1")):
        await cloud.session.call(f"Change{kind}State", uuid=cloud.uuids[name], stateEvent="disable")
    async with screens(cloud.socket) as on:
        for noun, name in (("img", "tiny"), ("store", "local"), ("vol", "data-1")):
            await on.browser.go(noun)
            await on.until(lambda name=name: any(name in line and "◌ Disabled" in line for line in on.text()))
        on.browser.table.set_filter("state:disabled")
        await on.sees("data-1")


@pytest.mark.parametrize(
    ("status", "shown"), [("Ready", "Disabled"), ("Deleted", "Deleted"), ("Creating", "Creating")]
)
def test_what_cannot_be_used_says_that_before_that_it_is_not_to_be(status: str, shown: str) -> None:
    assert state_that_matters(Row("Image", "i", {"status": status, "state": "Disabled"})) == shown


def audited(message: str, **data: Any) -> Row:
    """An entry of the audit log."""
    return Row(
        "AuditEntry",
        "1",
        {"sequence": 1, "message": message, "createDate": "Jan 30, 2026 3:01:03 PM", **data},
    )


def audit_shown(title: str, row: Row, mirror: Mirror) -> str:
    """What stands in a column of its list."""
    return next(column.show(row, mirror)[0] for column in NOUNS["audit"].columns if column.title == title)


async def test_the_audit_log_says_what_calls_were_on_by_name_or_by_kind() -> None:
    mirror = Mirror(("VmInstance", "LongJob", "Event"))
    mirror.rows["VmInstance"]["v" * 32] = Row("VmInstance", "v" * 32, {"uuid": "v" * 32, "name": "web-1"})

    def on(message: str, **data: Any) -> str:
        return audit_shown("ON", audited(message, **data), mirror)

    assert on("StopVmInstance", targetUuid="v" * 32) == "web-1"
    assert (
        on("CreateCluster", targetUuid="z" * 32, parameters={"name": "rack-1", "zoneUuid": "z" * 32})
        == "rack-1"
    )
    mirror._drop("VmInstance", "v" * 32)
    assert on("ExpungeVmInstance", targetUuid="v" * 32) == "web-1", "it is gone, and was called so"
    assert on("ExpungeVmInstance", targetUuid="w" * 32) == "VM", "nobody knows its name"
    told = {
        "sequence": 9,
        "resourceUuid": "w" * 32,
        "resourceName": "web-2",
        "createDate": "Jan 30, 2026 3:01:03 PM",
    }
    mirror._put(Row("Event", "9", told))
    mirror.flush()
    assert on("ExpungeVmInstance", targetUuid="w" * 32) == "web-2", "an event says so"


async def test_the_audit_log_has_room_for_what_calls_were_on(owned: Cloud) -> None:
    await owned.make("CreateDiskOffering", name="disk", diskSize=1 << 26)
    await owned.make("CreateDataVolume", name="data-volume-1", diskOfferingUuid=owned.uuids["disk"])
    await owned.session.call("ChangeVolumeState", uuid=owned.uuids["data-volume-1"], stateEvent="disable")
    for host in owned.dialer.hosts.values():
        host.faults.by_verb["StartDomain"] = 1.0
    with pytest.raises(ApiError):
        await owned.vm("web-1")
    async with screens(owned.socket) as on:
        await on.browser.go("audit")
        await on.sees(" ON ", "OUTCOME")
        await on.until(
            lambda: any("ChangeVolumeState" in line and "data-volume-1" in line for line in on.text())
        )
        outcomes = [line for line in on.text() if "CreateVmInstance" in line]
        assert all("web-1" in line for line in outcomes)
        assert "VM.1000" in outcomes[0], on.whole()


async def test_tags_say_what_they_are_on_whatever_that_is(cloud: Cloud) -> None:
    await cloud.make("CreateDiskOffering", name="disk", diskSize=1 << 26)
    volume = await cloud.make("CreateDataVolume", name="data-1", diskOfferingUuid=cloud.uuids["disk"])
    await cloud.make("CreateUserTag", resourceType="VolumeVO", resourceUuid=volume["uuid"], tag="blue")
    async with screens(cloud.socket) as on:
        await on.browser.go("tag")
        await on.until(lambda: any("blue" in line and "data-1" in line for line in on.text()))
