"""Each error text of ZStack's that belongs to a built message is asserted once, over HTTP or where it says."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from appliance.api.message import MESSAGES, DeleteMessage
from tests.served_cloud import Wire, served
from tests.simulated_cloud import SimulatorCloud

on_one_loop = pytest.mark.asyncio(loop_scope="module")

TESTS = Path(__file__).resolve().parents[1]
ABSENT = "0" * 12 + "4" + "0" * 3 + "a" + "0" * 15
GENERAL = ("org.zstack.header.message.APIReply", "org.zstack.header.message.APIEvent")
HERE = "here"


@dataclass(frozen=True)
class Text:
    """A text of ZStack's: its section of the facts, its words, the message it belongs to, who asserts it."""

    section: int
    words: str
    """Between `…` stand the parts that never change."""
    message: str
    held: str
    """`here`, a file of tests, or the issue that builds the message."""


TEXTS = (
    Text(1, "] of message[…] is mandatory, can not be null", "CreateZone", HERE),
    Text(1, "valid value for field[…] of message[…] are […], but actual is ", "ChangeZoneState", HERE),
    Text(1, "] exceeds max length of string. expected was <= …, actual was ", "CreateZone", HERE),
    Text(1, "] must be a nonempty list", "CreateVmInstance", HERE),
    Text(1, "] cannot be an empty string", "AddSimulatorHost", HERE),
    Text(1, "] must be in range of […, …]", "CreateInstanceOffering", HERE),
    Text(1, "invalid field[…], resource[uuid:…, type:…] not found", "StartVmInstance", HERE),
    Text(1, "invalid field[…], resource[uuids:[…], type:…] not found", "CreateVmInstance", HERE),
    Text(1, "no service configuration file declares message: ", "", HERE),
    Text(1, "Session expired", "QueryZone", HERE),
    Text(5, "unknown QueryOp type[", "QueryHost", "appliance/store/test_query.py"),
    Text(5, "of query condition …cannot be null", "QueryHost", "appliance/store/test_query.py"),
    Text(5, "is invalid, no such field on inventory class", "QueryHost", "appliance/store/test_query.py"),
    Text(5, "annotated as …@Unqueryable field", "QueryHost", "appliance/store/test_query_joins.py"),
    Text(5, "is not a primitive of the inventory …; you cannot …;valid fields are [",
         "QueryHost", "appliance/store/test_query.py"),
    Text(5, "illegal sortBy[…], entity[…] doesn't have this field", "QueryHost", "appliance/store/test_query.py"),
    Text(5, "cannot find field[…] on class[…], wrong subquery name[", "QueryHost", "appliance/store/test_query.py"),
    Text(8, "current vm instance state[…] doesn't allow to proceed message[…], allowed states are [",
         "RebootVmInstance", HERE),
    Text(8, "there has been a host having managementIp[", "AddSimulatorHost", HERE),
    Text(8, "is not in status of deleted. This is operation is to recover a deleted data volume",
         "RecoverDataVolume", "issue 4"),
    Text(8, "is not deleted yet, can't expunge it", "ExpungeDataVolume", "issue 4"),
    Text(8, "is Root volume, can't be deleted", "DeleteDataVolume", "issue 4"),
    Text(8, "is already in status of deleted", "DeleteDataVolume", "issue 4"),
    Text(8, "is not deleted on any backup storage", "RecoverImage", "issue 4"),
    Text(8, "is not on the backup storage[uuid:", "RecoverImage", "issue 4"),
    Text(8, "] is not Deleted on the backup storage[", "RecoverImage", "issue 4"),
    Text(8, "] is already on the host[uuid:", "LocalStorageMigrateVolume", "issue 4"),
    Text(8, "Please detach it before migration", "LocalStorageMigrateVolume", "issue 4"),
    Text(8, "please stop it before migration", "LocalStorageMigrateVolume", "issue 4"),
    Text(8, "] already has an ISO[uuid:…] attached", "AttachIsoToVmInstance", "appliance/resources/test_boot.py"),
    Text(8, "invalid boot device[…] in boot order[", "SetVmBootOrder", "appliance/resources/test_boot.py"),
)  # fmt: skip
"""All texts of the facts' sections 1, 5 and 8. Those of 6 and 7 stand with their nouns."""


@dataclass(frozen=True)
class Row:
    """What is sent, with `{…}` for what the cloud has, and what must come back."""

    section: int
    message: str
    fields: dict[str, Any]
    code: str
    text: str
    cause: str = ""
    status: int = 200
    general: bool = True
    """Whether the answer has ZStack's general class, because it was refused before anything was tried."""
    session: str | None = None


def java(name: str) -> str:
    return MESSAGES[name].java


VM = {"name": "v", "instanceOfferingUuid": "{offering}", "imageUuid": "{image}", "l3NetworkUuids": ["{l3}"]}
HOST = {
    "name": "h",
    "managementIp": "10.0.0.9",
    "clusterUuid": "{cluster}",
    "memoryCapacity": 1,
    "cpuCapacity": 1,
}
SIZE = {"name": "o", "cpuNum": 1, "cpuSpeed": 1, "memorySize": 1}

ROWS = (
    Row(1, "CreateZone", {}, "SYS.1007",
        f"field[name] of message[{java('CreateZone')}] is mandatory, can not be null"),
    Row(1, "CreateZone", {"name": None}, "SYS.1007",
        f"field[name] of message[{java('CreateZone')}] is mandatory, can not be null"),
    Row(1, "ChangeZoneState", {"uuid": "{zone}", "stateEvent": "stop"}, "SYS.1007",
        f"valid value for field[stateEvent] of message[{java('ChangeZoneState')}] are [enable, disable], "
        f"but actual is stop"),
    Row(1, "CreateZone", {"name": "x" * 256}, "SYS.1007",
        f"field[name] of message[{java('CreateZone')}] exceeds max length of string. "
        f"expected was <= 255, actual was 256"),
    Row(1, "CreateVmInstance", {**VM, "l3NetworkUuids": []}, "SYS.1007",
        "field[l3NetworkUuids] must be a nonempty list"),
    Row(1, "AddSimulatorHost", {**HOST, "managementIp": ""}, "SYS.1007",
        "field[managementIp] cannot be an empty string"),
    Row(1, "CreateInstanceOffering", {**SIZE, "cpuNum": "0"}, "SYS.1007",
        "field[cpuNum] must be in range of [1, 1024]"),
    Row(1, "CreateInstanceOffering", {**SIZE, "cpuSpeed": 1 << 31}, "SYS.1007",
        "field[cpuSpeed] must be in range of [1, 2147483647]"),
    Row(1, "StartVmInstance", {"uuid": ABSENT}, "SYS.1003",
        f"invalid field[uuid], resource[uuid:{ABSENT}, type:VmInstanceVO] not found"),
    Row(1, "CreateVmInstance", {**VM, "l3NetworkUuids": ["{l3}", ABSENT]}, "SYS.1003",
        f"invalid field[l3NetworkUuids], resource[uuids:[{ABSENT}], type:L3NetworkVO] not found"),
    Row(1, "RecoverVmInstance", {}, "SYS.1007",
        f"field[vmInstanceUuid] of message[{java('RecoverVmInstance')}] is mandatory, can not be null",
        general=False),
    Row(1, "RecoverVmInstance", {"vmInstanceUuid": ABSENT}, "SYS.1003",
        f"invalid field[vmInstanceUuid], resource[uuid:{ABSENT}, type:VmInstanceVO] not found"),
    Row(1, "org.zstack.APINoSuchMsg", {}, "PORTAL.1000",
        "no service configuration file declares message: org.zstack.APINoSuchMsg", status=400),
    Row(1, "QueryZone", {}, "ID.1001", "Session expired", session=ABSENT),
    Row(1, "CreateZone", {"name": "z"}, "ID.1001", "Session expired", session=ABSENT),
    # What is wrong comes before who asks.
    Row(1, "StartVmInstance", {"uuid": ABSENT}, "SYS.1003",
        f"invalid field[uuid], resource[uuid:{ABSENT}, type:VmInstanceVO] not found", session=ABSENT),
    Row(1, "CreateZone", {}, "SYS.1007",
        f"field[name] of message[{java('CreateZone')}] is mandatory, can not be null", session=ABSENT),
    Row(8, "RebootVmInstance", {"uuid": "{stopped}"}, "SYS.1006",
        f"current vm instance state[Stopped] doesn't allow to proceed message[{java('RebootVmInstance')}], "
        f"allowed states are [Running]", cause="VM.1010", general=False),
    Row(8, "GetVmConsoleAddress", {"uuid": "{stopped}"}, "SYS.1006",
        f"current vm instance state[Stopped] doesn't allow to proceed message[{java('GetVmConsoleAddress')}], "
        f"allowed states are [Running]", cause="VM.1010", general=False),
    Row(8, "AddSimulatorHost", {**HOST, "managementIp": "10.0.0.1"}, "SYS.1007",
        "there has been a host having managementIp[10.0.0.1]", general=False),
    Row(8, "UpdateHost", {"uuid": "{host2}", "managementIp": "10.0.0.1"}, "SYS.1007",
        "there has been a host having managementIp[10.0.0.1]", general=False),
)  # fmt: skip

DESCRIPTIONS = {
    "SYS.1003": "A resource can not be found",
    "SYS.1006": "An operation failed",
    "SYS.1007": "One or more API argument is invalid",
    "ID.1001": "The session is invalid, either wrong session id or the session has been expired",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    """A cloud of the simulator with a stopped VM, over HTTP; no row may change it."""
    cloud = SimulatorCloud(tmp_path_factory.mktemp("texts") / "data")
    await cloud.start()
    await cloud.build()
    cloud.uuids["stopped"] = (await cloud.vm())["uuid"]
    await cloud.call("StopVmInstance", uuid=cloud.uuids["stopped"])
    async with served(cloud) as running:
        yield running
    await cloud.stop()


def filled(value: Any, uuids: dict[str, str]) -> Any:
    """A value with the cloud's uuids in the places that ask for them."""
    if isinstance(value, list):
        return [filled(each, uuids) for each in value]
    found = re.fullmatch(r"\{(\w+)\}", value) if isinstance(value, str) else None
    return uuids[found[1]] if found else value


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.section}-{row.message}-{row.text[:40]}")
@on_one_loop
async def test_a_refusal_has_zstacks_code_and_words(wire: Wire, row: Row) -> None:
    fields = {name: filled(value, wire.cloud.uuids) for name, value in row.fields.items()}
    if row.session is not None:
        fields["session"] = {"uuid": row.session}
    async with wire.cloud.untouched():
        answer = await wire.call(row.message, **fields)
    error = answer.error
    assert (answer.status, error["code"], error["details"]) == (row.status, row.code, row.text)
    assert error.get("cause", {}).get("code", "") == row.cause
    if row.cause:
        assert error["cause"]["details"] == error["details"]
    assert error["description"] == DESCRIPTIONS.get(row.code, error["description"])
    if answer.status == 200:
        assert (answer.result_class in GENERAL) is row.general
        assert answer.wire["state"] == "Done"


@on_one_loop
async def test_a_wrong_password(wire: Wire) -> None:
    answer = await wire.call("LogInByAccount", accountName="admin", password="password")
    assert (answer.error["code"], answer.error["description"]) == (
        "ID.1000", "Unable to authenticate a user",
    )  # fmt: skip


@on_one_loop
async def test_an_appliance_that_starts(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire.dispatch, "ready", lambda: False)
    answer = await wire.post({java("IsReadyToGo"): {}})
    assert (answer.status, answer.error["code"], answer.result_class) == (200, "SYS.1010", GENERAL[0])
    assert '"success": false' in answer.wire["result"]


DELETES = sorted(
    name
    for name, kind in MESSAGES.items()
    if (issubclass(kind, DeleteMessage) or name in ("DestroyVmInstance", "DeleteTag"))
    and [each.wire for each in kind.parameters.values() if each.required] == ["uuid"]
)


@pytest.mark.parametrize("name", DELETES)
@on_one_loop
async def test_what_is_absent_deletes_well(wire: Wire, name: str) -> None:
    async with wire.cloud.untouched():
        answer = await wire.call(name, uuid=ABSENT)
    assert (answer.body, answer.result_class) == ({"success": True}, MESSAGES[name].result_class)


def parts(text: Text) -> list[str]:
    return [part for part in text.words.split("…") if len(part) > 1]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: f"{text.section}-{text.words[:40]}")
def test_every_text_of_a_built_message_is_asserted(text: Text) -> None:
    if text.held == HERE:
        assert any(holds(row.text, text) for row in ROWS if row.section == text.section)
    elif text.held.startswith("issue"):
        assert text.message not in MESSAGES or asserted_somewhere(text), (
            f"{text.message} is built: assert its text"
        )
    else:
        assert asserts(TESTS / text.held, text)


def holds(said: str, text: Text) -> bool:
    return all(part in said for part in parts(text))


@cache
def said_in(path: Path) -> tuple[str, ...]:
    """Every text in a file of tests, whole however many lines it is written on."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            pieces = [each.value if isinstance(each, ast.Constant) else "…" for each in node.values]
            found.append("".join(str(each) for each in pieces))
    return tuple(found)


def asserts(path: Path, text: Text) -> bool:
    return any(holds(said, text) for said in said_in(path))


def asserted_somewhere(text: Text) -> bool:
    return any(asserts(path, text) for path in TESTS.rglob("test_*.py") if path != Path(__file__))


def test_the_table_has_no_row_that_no_text_asks_for() -> None:
    here = [text for text in TEXTS if text.held == HERE]
    for row in ROWS:
        assert any(holds(row.text, text) for text in here if text.section == row.section), row.text
