"""What ZStack's clients rely on, sentence by sentence, over HTTP on a cloud of the simulator."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from appliance.api.message import MESSAGES, QueryMessage
from appliance.api.resource import Timestamp
from appliance.api.shape import shape_of
from tests.served_cloud import CALL, PASSWORD, Wire, served
from tests.simulated_cloud import GIB, SimulatorCloud

on_one_loop = pytest.mark.asyncio(loop_scope="module")

DATE = re.compile(
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [1-9]\d?, \d{4} ([1-9]|1[0-2]):\d\d:\d\d [AP]M"
)
UUID = re.compile(r"[0-9a-f]{32}")
IDENTITY = "org.zstack.header.identity"
GENERAL_REPLY = "org.zstack.header.message.APIReply"
ADMIN = "36c27e8ff05c4780bf6d2fa65700f22e"
QUERIES = sorted(name for name, kind in MESSAGES.items() if issubclass(kind, QueryMessage))


@pytest.fixture(autouse=True)
def handlers() -> None:
    """All messages are answered by what answers them in the product."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Wire]:
    """A cloud of the simulator with a running VM that has tags."""
    cloud = SimulatorCloud(tmp_path_factory.mktemp("wire") / "data")
    await cloud.start()
    await cloud.build()
    cloud.uuids["vm"] = (await cloud.vm(name="web", userTags=["shop"], systemTags=["hostname::web"]))["uuid"]
    async with served(cloud) as running:
        yield running
    await cloud.stop()


# --- envelope -------------------------------------------------------------------------------------------


@on_one_loop
async def test_what_is_answered_at_once_has_no_uuid(wire: Wire) -> None:
    answer = await wire.begin("QueryZone")
    assert set(answer.wire) == {"state", "createdDate", "finishedDate", "result"}
    assert answer.wire["state"] == "Done"
    assert isinstance(answer.wire["result"], str)
    assert DATE.fullmatch(answer.wire["createdDate"])
    assert DATE.fullmatch(answer.wire["finishedDate"])


@on_one_loop
async def test_a_job_is_polled_until_it_is_done(wire: Wire) -> None:
    """As the command line of 1.0 asks: a length of 0, and a connection for each question."""
    job_id = "0123456789abcdef" * 2
    started = await wire.begin("RebootVmInstance", uuid=wire.cloud.uuids["vm"], id=job_id)
    assert (started.status, started.wire["uuid"]) == (200, job_id)
    assert set(started.wire) == {"uuid", "state", "createdDate"}
    asked = {"Content-Length": "0", "Connection": "close", "Content-Type": "application/json"}
    forms = [(method, slash) for method in ("GET", "PUT") for slash in ("", "/")]
    async with asyncio.timeout(20):
        while True:
            found = [
                await wire.exchange(method, f"/zstack/api/result/{job_id}{slash}", b"", asked)
                for method, slash in forms
            ]
            assert all(each.status == 200 for each in found)
            if all(each.wire["state"] == "Done" for each in found):
                break
    for each in found:
        assert each.result_class == "org.zstack.header.vm.APIRebootVmInstanceEvent"
        assert set(each.wire) == {"uuid", "state", "createdDate", "finishedDate", "result"}
        assert each.body is not None
        assert each.body["inventory"]["state"] == "Running"


@on_one_loop
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["/zstack/api", "/zstack/api/"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_both_paths_both_methods_and_any_content_type(
    wire: Wire, method: str, path: str, kind: str
) -> None:
    body = json.dumps({MESSAGES["GetVersion"].java: {}}).encode()
    answer = await wire.exchange(method, path, body, {"Content-Type": kind})
    assert (answer.status, answer.body) == (200, {"version": "0.1.0", "success": True})


@on_one_loop
async def test_base_fields_and_unknown_ones_are_ignored(wire: Wire) -> None:
    answer = await wire.begin(
        "QueryZone", timeout=5, id="short", serviceId="x", headers={"a": [1]}, creatingTime=1, nonsense={"x": None},
        nul="a\0b", half="\ud800", **{"\udc00": 1},
    )  # fmt: skip
    assert answer.body is not None
    assert len(answer.body["inventories"]) == 1


@on_one_loop
async def test_an_unknown_job_is_404(wire: Wire) -> None:
    answer = await wire.exchange("GET", f"/zstack/api/result/{'d' * 32}")
    assert (answer.status, answer.error["code"]) == (404, "SYS.1003")


# --- replies --------------------------------------------------------------------------------------------


@on_one_loop
@pytest.mark.parametrize("name", QUERIES)
async def test_inventories_have_dates_as_zstack_writes_them_and_nothing_hidden(wire: Wire, name: str) -> None:
    """Sent without `conditions`, as today's client does; `Wire` sees to it that there is no null."""
    answer = await wire.begin(name, replyWithCount=True, limit=50)
    assert answer.wire["state"] == "Done"
    assert answer.body is not None
    assert answer.body["success"] is True
    assert answer.body["total"] >= len(answer.body["inventories"])
    kind = MESSAGES[name].resource
    dates = {column.wire for column in kind.columns.values() if column.kind is Timestamp}
    hidden = {column.wire for column in kind.columns.values() if column.private} | {
        "password",
        "passwordHash",
    }
    for inventory in answer.body["inventories"]:
        assert not hidden & inventory.keys()
        for wire_name in dates & inventory.keys():
            assert DATE.fullmatch(inventory[wire_name]), (wire_name, inventory[wire_name])


@on_one_loop
async def test_a_query_counts_and_chooses(wire: Wire) -> None:
    counted = await wire.begin("QueryHost", count="true")
    assert counted.body == {"total": 2, "success": True}
    conditions = [
        {"name": "name", "op": "like", "value": "%host%"},
        {"name": "status", "op": "=", "value": "Connected"},
    ]
    chosen = await wire.begin(
        "QueryHost", fields=["name", "uuid"], conditions=conditions, sortBy="name", limit="1"
    )
    assert chosen.body == {
        "inventories": [{"name": "host1", "uuid": wire.cloud.uuids["host1"]}], "success": True,
    }  # fmt: skip


@on_one_loop
async def test_every_scalar_may_come_as_text(wire: Wire) -> None:
    given = {"name": 7, "cpuNum": "2", "cpuSpeed": "10", "memorySize": str(GIB), "sortKey": "-1"}
    made = await wire.call("CreateInstanceOffering", **given)
    assert made.body is not None
    inventory = made.body["inventory"]
    numbers = {name: inventory[name] for name in ("cpuNum", "cpuSpeed", "memorySize", "sortKey")}
    assert (inventory["name"], numbers) == (
        "7", {"cpuNum": 2, "cpuSpeed": 10, "memorySize": GIB, "sortKey": -1},
    )  # fmt: skip
    uuid = inventory["uuid"]
    assert UUID.fullmatch(uuid)
    found = await wire.begin(
        "QueryInstanceOffering", conditions=[{"name": "cpuNum", "op": "=", "value": 2}], replyWithCount="True",
        start="0", limit=10.0,
    )  # fmt: skip
    assert found.body is not None
    assert (found.body["total"], found.body["inventories"][0]["uuid"]) == (1, uuid)
    capacity = await wire.begin("GetCpuMemoryCapacity", all="true")
    assert capacity.body is not None
    assert capacity.body["totalCpu"] == 200_000


@on_one_loop
async def test_tags_cut_at_commas_arrive_whole(wire: Wire) -> None:
    text = "userdata::groups:\\n - ubuntu: [foo,bar]\\n - cloud-users\\nusers:\\n - default, admin"
    fields = wire.cloud.vm_fields(name="cut", systemTags=text.split(","))
    made = await wire.call("CreateVmInstance", **fields)
    assert made.body is not None
    tags = await wire.begin(
        "QuerySystemTag", conditions=[
            {"name": "resourceUuid", "op": "=", "value": made.body["inventory"]["uuid"]},
            {"name": "tag", "op": "like", "value": "userdata::%"},
        ],
    )  # fmt: skip
    assert tags.body is not None
    assert [tag["tag"] for tag in tags.body["inventories"]] == [text]


@on_one_loop
@pytest.mark.parametrize(
    "uuid", ["x" * 32, ADMIN.upper(), ADMIN[:31], "0" * 32, ADMIN[:12] + "6" + ADMIN[13:]]
)
async def test_a_uuid_given_by_the_caller_must_be_one(wire: Wire, uuid: str) -> None:
    async with wire.cloud.untouched():
        answer = await wire.call("CreateZone", name="z", resourceUuid=uuid)
    assert answer.error["code"] == "SYS.1007"


@on_one_loop
async def test_a_uuid_given_by_the_caller_is_kept(wire: Wire) -> None:
    given = ADMIN[:-1] + "0"
    made = await wire.call("CreateZone", name="z", resourceUuid=given)
    assert made.body is not None
    assert made.body["inventory"]["uuid"] == given
    assert made.body["inventory"]["type"] == "zstack"
    assert (await wire.call("DeleteZone", uuid=given)).body == {"success": True}
    assert (await wire.call("DeleteZone", uuid=given)).body == {"success": True}


# --- sessions -------------------------------------------------------------------------------------------


def digest(password: str) -> str:
    return hashlib.sha512(password.encode()).hexdigest()


@on_one_loop
async def test_a_session_from_login_to_logout(wire: Wire) -> None:
    login = {"accountName": "admin", "password": digest(PASSWORD)}
    # The command line of 1.0 sends the session that it had, also when it logs in.
    opened = await wire.post({f"{IDENTITY}.APILogInByAccountMsg": {**login, "session": {"uuid": "f" * 32}}})
    assert opened.result_class == f"{IDENTITY}.APILogInReply"
    assert opened.body is not None
    session = opened.body["inventory"]
    assert UUID.fullmatch(session["uuid"])
    assert session["accountUuid"] == session["userUuid"] == ADMIN
    assert set(session) == {"uuid", "accountUuid", "userUuid", "expiredDate", "createDate"}

    async def holds() -> Any:
        answer = await wire.post({f"{IDENTITY}.APIValidateSessionMsg": {"sessionUuid": session["uuid"]}})
        assert answer.result_class == f"{IDENTITY}.APIValidateSessionReply"
        return answer.body

    assert await holds() == {"validSession": True, "success": True}
    for _ in range(2):
        out = await wire.post({f"{IDENTITY}.APILogOutMsg": {"sessionUuid": session["uuid"]}})
        assert (out.result_class, out.body) == (f"{IDENTITY}.APILogOutReply", {"success": True})
    assert await holds() == {"validSession": False, "success": True}
    refused = await wire.begin("QueryZone", session={"uuid": session["uuid"]})
    assert (refused.status, refused.result_class, refused.error["code"]) == (200, GENERAL_REPLY, "ID.1001")


@on_one_loop
@pytest.mark.parametrize(
    "password", [PASSWORD, digest(PASSWORD).upper(), digest(digest(PASSWORD)), digest("")]
)
async def test_only_the_lower_case_digest_of_a_password_opens(wire: Wire, password: str) -> None:
    answer = await wire.begin("LogInByAccount", accountName="admin", password=password)
    assert answer.error["code"] == "ID.1000"


@on_one_loop
@pytest.mark.parametrize("session", [None, {}, {"uuid": None}, {"uuid": ""}, {"uuid": 5}, "x", [], ADMIN])
async def test_without_a_session_only_what_needs_none_is_answered(wire: Wire, session: Any) -> None:
    ready = await wire.post({MESSAGES["IsReadyToGo"].java: {"session": session}})
    assert ready.body == {"managementNodeId": "n" * 32, "success": True}
    assert ready.result_class == "org.zstack.header.apimediator.APIIsReadyToGoReply"
    version = await wire.post({MESSAGES["GetVersion"].java: {"session": session}})
    assert version.result_class == "org.zstack.header.managementnode.APIGetVersionReply"
    refused = await wire.begin("CreateZone", name="z", session=session)
    assert refused.error["code"] == "ID.1001"
    free = {name for name, kind in MESSAGES.items() if kind.role == "anyone"}
    assert free == {"LogInByAccount", "LogInByUser", "LogOut", "ValidateSession", "IsReadyToGo", "GetVersion"}


@on_one_loop
async def test_an_earlier_session_in_a_header_counts_for_nothing(wire: Wire) -> None:
    body = json.dumps({MESSAGES["QueryZone"].java: {}}).encode()
    answer = await wire.exchange("POST", CALL, body, {"Cookie": f"session={wire.session_uuid}"})
    assert answer.error["code"] == "ID.1001"


def test_every_query_has_a_shape() -> None:
    assert all(shape_of(MESSAGES[name].resource).java for name in QUERIES)
    assert len(QUERIES) > 30
