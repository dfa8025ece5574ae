"""The lists beside the main ones: each has a title, columns that can be told apart, and names in place of uuids."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.api.message import MESSAGES, QueryMessage
from appliance.client import Session
from appliance.hosts.simulated_dialer import SimulatedDialer
from tests.zstui.conftest import LARGE, SMALL, Cloud, fill, screens, serving
from zstui.mirror import Row
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
