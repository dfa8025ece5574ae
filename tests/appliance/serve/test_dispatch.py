"""The one path of every call: what is refused and where, what is written, what is answered again."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from appliance.api.account import ADMIN_UUID, Account
from appliance.api.errors import (
    ApiError,
    InternalError,
    InvalidArgument,
    NoSession,
    NotAllowed,
    NotBuilt,
    OperationFailed,
    ResourceNotFound,
)
from appliance.api.job import LongJob
from appliance.api.message import BY_JAVA, MESSAGES
from appliance.api.zone import Zone
from appliance.serve.dispatch import Origin
from appliance.serve.zstack import Call, Reply
from appliance.store.database import Database

from .conftest import PASSWORD, Face, Session

SOCKET = Origin("socket", trusted=True)
TCP = Origin("127.0.0.1:1", trusted=False)
ID = "b" * 32
ABSENT = "c" * 32


def call(message: str, session: str | None = None, /, *, call_id: str | None = None, **fields: Any) -> Call:
    kind = MESSAGES[message]
    return Call(kind.java, kind, fields, session, call_id)


async def ask(face: Face, wanted: Call, origin: Origin = SOCKET) -> Reply:
    return await face.dispatch.answer(wanted, origin)


def error_of(reply: Reply) -> ApiError:
    assert reply.body["success"] is False
    return ApiError.from_wire(reply.body["error"])


async def zones(database: Database) -> list[str]:
    return sorted(zone.name for zone in await database.read(lambda snapshot: snapshot.all(Zone)))


async def test_a_call_done_at_once_leaves_a_job_that_says_so(face: Face) -> None:
    reply = await ask(face, call("CreateZone", name="z", description="d"))
    assert reply.done
    assert reply.body["inventory"]["name"] == "z"
    assert reply.job_uuid is not None
    job = await face.database.read(lambda snapshot: snapshot.find(LongJob, reply.job_uuid))
    assert job is not None
    assert (job.name, job.state, job.progress, job.account_uuid) == (
        "CreateZone",
        "Succeeded",
        100,
        ADMIN_UUID,
    )
    assert job.target_resource_uuid == reply.body["inventory"]["uuid"]
    assert json.loads(job.job_data) == {"name": "z", "description": "d"}
    again = await face.dispatch.job(reply.job_uuid)
    assert again is not None
    assert again.body == reply.body


async def test_the_job_of_a_call_that_does_away_with_something_keeps_its_name(face: Face) -> None:
    made = await ask(face, call("CreateZone", name="z"))
    gone = await ask(face, call("DeleteZone", uuid=made.body["inventory"]["uuid"]))
    job = await face.database.read(lambda snapshot: snapshot.find(LongJob, gone.job_uuid))
    assert job is not None
    assert (job.target_resource_name, job.target_resource_type) == ("z", "Zone")


async def test_a_repeated_id_gets_the_first_answer(face: Face) -> None:
    first = await ask(face, call("CreateZone", call_id=ID, name="z"))
    second = await ask(face, call("CreateZone", call_id=ID, name="z"))
    assert first.job_uuid == second.job_uuid == ID
    assert first.body == second.body
    assert await zones(face.database) == ["z"]


async def test_an_id_is_of_one_call_only(face: Face) -> None:
    await ask(face, call("CreateZone", call_id=ID, name="z"))
    other = await ask(face, call("DeleteZone", call_id=ID, uuid=ABSENT))
    assert isinstance(error_of(other), InvalidArgument)


async def test_a_promise_is_under_way_until_its_job_ends(face: Face) -> None:
    zone = (await ask(face, call("CreateZone", name="z"))).body["inventory"]["uuid"]
    promised = await ask(face, call("ChangeZoneState", call_id=ID, uuid=zone, stateEvent="disable"))
    assert (promised.done, promised.job_uuid) == (False, ID)
    again = await ask(face, call("ChangeZoneState", call_id=ID, uuid=zone, stateEvent="disable"))
    assert (again.done, again.job_uuid) == (False, ID)
    await face.end_job(ID, "Succeeded", None)
    ended = await face.dispatch.job(ID)
    assert ended is not None
    assert ended.body["inventory"]["uuid"] == zone
    assert ended.body["success"] is True


async def test_a_failed_job_says_its_error(face: Face) -> None:
    zone = (await ask(face, call("CreateZone", name="z"))).body["inventory"]["uuid"]
    await ask(face, call("ChangeZoneState", call_id=ID, uuid=zone, stateEvent="disable"))
    await face.end_job(ID, "Failed", json.dumps(OperationFailed("no").to_wire()))
    ended = await face.dispatch.job(ID)
    assert ended is not None
    assert ended.done
    assert error_of(ended).details == "no"


async def test_a_refusal_leaves_nothing(face: Face) -> None:
    reply = await ask(face, call("CreateZone", name="refuse"))
    assert isinstance(error_of(reply), OperationFailed)
    assert reply.result_class == "org.zstack.header.zone.APICreateZoneEvent"
    assert await zones(face.database) == []
    assert await face.database.read(lambda snapshot: snapshot.all(LongJob)) == []


async def test_a_fault_is_logged_and_not_told(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    reply = await ask(face, call("CreateZone", name="crash"))
    error = error_of(reply)
    assert isinstance(error, InternalError)
    assert "secret of the inside" not in json.dumps(reply.body)
    assert "secret of the inside" in caplog.text
    reference = re.search(r"reference ([0-9a-f]{8})", error.details)
    assert reference is not None
    assert reference.group(1) in caplog.text


async def test_what_is_wrong_comes_before_who_asks(face: Face) -> None:
    assert isinstance(error_of(await ask(face, call("CreateZone"), TCP)), InvalidArgument)
    reply = await ask(face, call("CreateZone", name="z"), TCP)
    assert isinstance(error_of(reply), NoSession)
    assert reply.result_class == "org.zstack.header.message.APIEvent"
    assert (await ask(face, call("QueryZone"), TCP)).result_class == "org.zstack.header.message.APIReply"


async def test_what_is_named_comes_before_who_asks_too(face: Face) -> None:
    for session in (None, "x" * 32):
        reply = await ask(face, call("UpdateZone", session, uuid=ABSENT, name="n"), TCP)
        assert isinstance(error_of(reply), ResourceNotFound)
        assert reply.result_class == "org.zstack.header.message.APIEvent"
    zone = (await ask(face, call("CreateZone", name="z"))).body["inventory"]["uuid"]
    assert isinstance(error_of(await ask(face, call("UpdateZone", uuid=zone, name="n"), TCP)), NoSession)


async def test_what_is_refused_unlooked_at_has_a_general_class_and_what_is_tried_its_own(face: Face) -> None:
    lost = await ask(face, call("UpdateZone", uuid=ABSENT, name="n"))
    assert lost.result_class == "org.zstack.header.message.APIEvent"
    tried = await ask(face, call("CreateZone", name="refuse"))
    assert tried.result_class == "org.zstack.header.zone.APICreateZoneEvent"


async def test_references_must_exist(face: Face) -> None:
    error = error_of(await ask(face, call("UpdateZone", uuid=ABSENT, name="n")))
    assert isinstance(error, ResourceNotFound)
    assert error.details == f"invalid field[uuid], resource[uuid:{ABSENT}, type:ZoneVO] not found"
    image = call("AddImage", name="i", url="upload://x", format="qcow2", backupStorageUuids=[ABSENT, ID])
    assert error_of(await ask(face, image)).details == (
        f"invalid field[backupStorageUuids], resource[uuids:[{ABSENT}, {ID}], type:BackupStorageVO] not found"
    )


async def test_what_is_absent_deletes_well(face: Face) -> None:
    assert (await ask(face, call("DeleteZone", uuid=ABSENT))).body == {"success": True}


@pytest.mark.parametrize(
    ("role", "name", "allowed"),
    [
        ("read-only", "QueryZone", True),
        ("read-only", "CreateUserTag", False),
        ("operator", "AddImage", True),
        ("operator", "CreateZone", False),
        ("admin", "CreateZone", True),
        ("nonsense", "QueryZone", False),
    ],
)
async def test_roles(face: Face, remote: Session, role: str, name: str, allowed: bool) -> None:
    session = (await remote.log_in("admin", PASSWORD))["uuid"]

    def demote(tx: Any) -> None:
        tx.update(tx.find(Account, ADMIN_UUID), role=role)

    await face.database.write(demote)
    fields = {"name": "n", "resourceType": "ZoneVO", "resourceUuid": ID[:12] + "4" + ID[:3] + "a" + ID[:15],
              "tag": "t", "url": "upload://x", "format": "raw", "backupStorageUuids": [ID]}  # fmt: skip
    reply = await ask(face, call(name, session, **fields), TCP)
    denied = not reply.body["success"] and isinstance(error_of(reply), NotAllowed)
    assert denied is not allowed


async def test_queries_count_and_choose(face: Face) -> None:
    for name in ("a", "b", "c"):
        await ask(face, call("CreateZone", name=name))
    counted = await ask(face, call("QueryZone", count="true"))
    assert counted.body == {"total": 3, "success": True}
    chosen = await ask(face, call("QueryZone", fields=["name"], limit=2, replyWithCount=True, sortBy="name"))
    assert chosen.body == {"inventories": [{"name": "a"}, {"name": "b"}], "total": 3, "success": True}
    assert chosen.job_uuid is None


async def test_a_reader_answers_from_a_snapshot_without_nulls(face: Face) -> None:
    reply = await ask(face, call("GetGlobalConfig", category="vm", name="expungePeriod"))
    assert reply.body == {"value": "86400", "success": True}


async def test_declared_but_not_carried_out_says_so(face: Face) -> None:
    tag = call("CreateUserTag", resourceType="ZoneVO", resourceUuid=ID, tag="t")
    assert isinstance(error_of(await ask(face, tag)), NotBuilt)
    java = "org.zstack.network.service.eip.APIQueryEipMsg"
    assert java not in BY_JAVA
    assert isinstance(error_of(await ask(face, Call(java, None, {}), TCP)), NotBuilt)


async def test_calls_are_logged_without_secrets(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await ask(face, call("LogInByAccount", accountName="admin", password="hush"), TCP)
    assert "LogInByAccount" in caplog.text
    assert "hush" not in caplog.text


async def test_versions_and_readiness_need_no_session(face: Face) -> None:
    assert (await ask(face, call("GetVersion"), TCP)).body == {"version": "0.1.0", "success": True}
    assert (await ask(face, call("IsReadyToGo"), TCP)).body["managementNodeId"] == "n" * 32
    face.dispatch.ready = lambda: False
    assert error_of(await ask(face, call("IsReadyToGo"), TCP)).code == "SYS.1010"
