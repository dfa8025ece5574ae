"""Who asked for what: every call is in the log, with its caller, its place and its end, and without secrets."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import aiohttp
import pytest

from appliance.api.account import ADMIN_UUID, hash_password
from appliance.api.account import Session as Opened
from appliance.api.audit import AuditEntry
from appliance.api.setting import GlobalConfig
from appliance.client import Session
from appliance.serve.audit import Audit
from appliance.serve.audit_command import audit_once
from appliance.store.database import Database

from .conftest import PASSWORD, Face


async def entries(face: Face) -> list[AuditEntry]:
    await face.dispatch.audit.close()
    return await face.dispatch.database.read(lambda snapshot: snapshot.all(AuditEntry, order_by="sequence"))


async def test_what_changes_something_is_written_down_with_it(face: Face, local: Session) -> None:
    zone = (await local.call("CreateZone", name="z"))["inventory"]
    # Before anything else is flushed: it was in the zone's own transaction.
    [made] = await face.dispatch.database.read(lambda snapshot: snapshot.all(AuditEntry))
    assert (made.message, made.parameters, made.code) == ("CreateZone", {"name": "z"}, None)
    assert (made.account_uuid, made.source, made.target_uuid) == (ADMIN_UUID, "socket", zone["uuid"])
    assert made.job_uuid is not None


async def test_what_is_refused_is_written_down_with_the_reason(face: Face, local: Session) -> None:
    with pytest.raises(Exception, match="not wanted"):
        await local.call("CreateZone", name="refuse")
    [refused] = await entries(face)
    assert (refused.message, refused.code) == ("CreateZone", "SYS.1006")
    assert refused.details == "zone[refuse] is not wanted"


async def test_strangers_and_their_guesses_are_written_down_without_the_password(
    face: Face, remote: Session
) -> None:
    with pytest.raises(Exception, match="no session"):
        await remote.call("QueryZone")
    with pytest.raises(Exception, match="wrong account"):
        await remote.call("LogInByAccount", accountName="admin", password=hash_password("guess"))
    inventory = (await remote.call("LogInByAccount", accountName="admin", password=hash_password(PASSWORD)))[
        "inventory"
    ]
    remote.session_uuid = inventory["uuid"]
    await remote.call("QueryZone")
    query, wrong, right, asked = sorted(await entries(face), key=lambda each: each.create_date)
    assert (query.account_uuid, query.code) == (None, "ID.1001")
    assert (wrong.account_uuid, wrong.parameters["accountName"]) == (None, "admin")
    assert right.account_uuid == asked.account_uuid == ADMIN_UUID
    assert right.session_digest == asked.session_digest is not None
    assert asked.source.startswith("127.0.0.1:")
    written = str([query, wrong, right, asked])
    for secret in (PASSWORD, hash_password(PASSWORD), hash_password("guess"), inventory["uuid"]):
        assert secret not in written


async def test_alike_questions_of_a_moment_are_one_entry(face: Face, local: Session) -> None:
    for _ in range(5):
        await local.call("QueryZone", limit=3)
    await local.call("QueryZone", limit=4)
    assert sorted((each.parameters["limit"], each.times) for each in await entries(face)) == [(3, 5), (4, 1)]


async def test_questions_are_left_out_where_that_is_set(face: Face, local: Session) -> None:
    def leave_out(tx: Any) -> None:
        tx.update(tx.get(GlobalConfig, "audit.reads"), value="false")

    await face.dispatch.database.write(leave_out)
    await local.call("QueryZone")
    with pytest.raises(Exception, match="not found"):
        await local.call("UpdateZone", uuid="c" * 32, name="x")
    assert [each.message for each in await entries(face)] == ["UpdateZone"]


async def test_requests_that_are_no_calls_are_written_down(face: Face) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{face.url}/metrics") as answer:
        assert answer.status == 401
    [asked] = await entries(face)
    assert (asked.message, asked.code) == ("GET /metrics", "ID.1001")


async def test_nothing_is_lost_while_the_store_refuses(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    audit, write = Audit(database), database.write

    async def refuse(_: Any) -> None:
        from appliance.store.errors import StoreFull

        raise StoreFull("no room")

    asked = AuditEntry(sequence=0, create_date=0, source="s", message="QueryZone")  # type: ignore[arg-type]
    audit.note(asked)
    monkeypatch.setattr(database, "write", refuse)
    await audit.close()
    assert "the end of the audit log cannot be written: no room" in caplog.text
    audit.note(asked)
    monkeypatch.setattr(database, "write", write)
    await audit.close()
    [kept] = await database.read(lambda snapshot: snapshot.all(AuditEntry))
    assert kept.times == 2


async def test_entries_that_nobody_waits_for_come_by_themselves(face: Face, local: Session) -> None:
    await local.call("QueryZone")
    async with asyncio.timeout(5):
        while not await face.dispatch.database.read(lambda snapshot: snapshot.all(AuditEntry)):
            await asyncio.sleep(0.05)


async def test_the_command_lists_and_verifies(face: Face, local: Session) -> None:
    await local.call("CreateZone", name="one", description="\n\x1b[2J")
    with pytest.raises(Exception, match="not wanted"):
        await local.call("CreateZone", name="refuse")
    await face.dispatch.audit.close()

    async def say(*words: str) -> tuple[int, str]:
        out, err = io.StringIO(), io.StringIO()
        return await audit_once(face.socket, list(words), out=out, err=err), out.getvalue() + err.getvalue()

    code, text = await say("message=CreateZone")
    first, second = text.splitlines()
    assert code == 0
    assert "admin  socket  CreateZone name=one description=\\n\\u001b[2J: done" in first
    assert second.endswith("SYS.1006 zone[refuse] is not wanted")
    assert (await say("code!=null", "message=CreateZone"))[1].splitlines() == [second]


async def test_reads_are_in_the_log_and_listed_on_demand(face: Face, local: Session, remote: Session) -> None:
    opened = await remote.call("LogInByAccount", accountName="admin", password=hash_password(PASSWORD))
    await local.call("CreateZone", name="one")
    await local.call("QueryZone")
    with pytest.raises(Exception, match="no session"):
        await remote.call("QueryZone")
    async with aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {opened['inventory']['uuid']}"}
        async with http.get(f"{face.url}/metrics", headers=headers) as answer:
            assert answer.status == 200
    await face.dispatch.audit.close()

    async def listed(*words: str) -> list[str]:
        out = io.StringIO()
        assert await audit_once(face.socket, [*words], out=out, err=out, as_json=True) == 0
        return [json.loads(line)["message"] for line in out.getvalue().splitlines()]

    assert sorted(await listed()) == ["CreateZone", "LogInByAccount", "QueryZone"]
    assert sorted(await listed("limit=1000")) == ["CreateZone", "LogInByAccount", "QueryZone"]
    assert {"QueryZone", "GET /metrics"} <= set(await listed("onlyRead=true"))
    assert len(await listed("message=QueryZone")) == 2
    assert await face.dispatch.database.audit_findings() == []


async def test_sessions_are_kept_by_digest_only(face: Face, remote: Session) -> None:
    await remote.call("LogInByAccount", accountName="admin", password=hash_password(PASSWORD))
    [session] = await face.dispatch.database.read(lambda snapshot: snapshot.all(Opened))
    assert [each.session_digest for each in await entries(face)] == [session.digest[:16]]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
async def test_nobody_says_by_a_header_where_a_call_comes_from(face: Face, header: str) -> None:
    """Neither in the log, nor to slip past the limit of guesses, nor to use a session from elsewhere."""
    said = "for=203.0.113.9" if header == "Forwarded" else "203.0.113.9"
    call = {"org.zstack.header.identity.APILogInByAccountMsg": {"accountName": "admin", "password": "guess"}}
    answers = []
    async with aiohttp.ClientSession() as http:
        for number in range(12):
            headers = {header: said.replace("113.9", f"113.{number}")}
            async with http.post(f"{face.url}/zstack/api/", json=call, headers=headers) as answer:
                answers.append(await answer.text())
    assert "too many wrong passwords" in answers[-1]
    found = await entries(face)
    assert found
    assert {each.source.partition(":")[0] for each in found} == {"127.0.0.1"}
    assert "203.0.113" not in str(found)
