"""The session that every face calls through, against a real server on real sockets."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from serve.conftest import PASSWORD, Face, cheap_passwords, database, face, handlers, local, remote, serving

from appliance.api.account import hash_password
from appliance.api.errors import (
    ApiError,
    InvalidArgument,
    NoSession,
    OperationFailed,
    TimedOut,
    UnknownMessage,
)
from appliance.client import Session, Unreachable
from appliance.serve.auth import ensure_admin
from appliance.store.database import Database

__all__ = ["cheap_passwords", "database", "face", "handlers", "local", "remote"]  # fixtures

ID = "b" * 32


async def test_a_port_without_tls_is_not_said_to_permit_nothing(face: Face) -> None:
    with pytest.raises(Unreachable, match=r"\[SSL"):
        await Session.connect(face.url.replace("http:", "https:"))


async def test_nothing_there_says_what_to_do(tmp_path: Path) -> None:
    for target in (tmp_path / "no.sock", tmp_path / "no" / "no.sock", "http://127.0.0.1:1"):
        with pytest.raises(
            Unreachable, match=r": (Connection refused|No such file or directory); see that it runs|start one"
        ):
            await Session.connect(target)
    with pytest.raises(InvalidArgument, match="is no address"):
        await Session.connect("127.0.0.1:8080")


async def test_over_tcp_a_login_comes_first(remote: Session) -> None:
    with pytest.raises(NoSession):
        await remote.call("CreateZone", name="z")
    inventory = await remote.log_in("admin", PASSWORD)
    assert remote.session_uuid == inventory["uuid"]
    assert (await remote.call("CreateZone", name="z"))["inventory"]["name"] == "z"
    await remote.log_out()
    assert remote.session_uuid is None
    with pytest.raises(ApiError) as caught:
        await remote.log_in("admin", "wrong")
    assert caught.value.code == "ID.1000"


async def test_both_spellings_and_no_third(local: Session) -> None:
    zone = (await local.call("CreateZone", name="z", resource_uuid=None))["inventory"]["uuid"]
    job = await local.call_job("ChangeZoneState", uuid=zone, state_event="disable")
    other = await local.call_job("ChangeZoneState", uuid=zone, stateEvent="disable")
    assert job != other
    with pytest.raises(InvalidArgument, match="no parameter stateEven"):
        await local.call("ChangeZoneState", uuid=zone, state_even="disable")
    with pytest.raises(UnknownMessage):
        await local.call("Nonsense")
    with pytest.raises(ApiError, match="not built"):
        await local.call("org.zstack.network.service.eip.APIQueryEipMsg")


async def test_errors_come_back_as_they_were(local: Session) -> None:
    with pytest.raises(OperationFailed, match="not wanted"):
        await local.call("CreateZone", name="refuse")
    with pytest.raises(OperationFailed):
        await local.call_job("CreateZone", name="refuse")


@pytest.mark.parametrize("watching", [False, True])
async def test_a_job_is_waited_for(face: Face, local: Session, watching: bool) -> None:
    zone = (await local.call("CreateZone", name="z"))["inventory"]["uuid"]
    stream = local.events()
    if watching:
        await anext(stream)
    async with asyncio.TaskGroup() as group:
        if watching:
            group.create_task(drain(stream, until=ID))
        job = await local.call_job("ChangeZoneState", uuid=zone, state_event="disable")
        waiting = group.create_task(local.wait(job, 10))
        await asyncio.sleep(0)
        await face.end_job(job, "Succeeded", json.dumps({"inventory": {"uuid": zone}}))
        assert (await waiting)["inventory"]["uuid"] == zone
        await local.call("CreateZone", name="end", resource_uuid=ID[:12] + "4" + ID[:3] + "b" + ID[:15])
    await stream.aclose()


async def drain(stream: AsyncIterator, until: str) -> None:
    async for push in stream:
        if push.inventory.get("name") == "end":
            return


async def test_a_wait_has_an_end(local: Session) -> None:
    zone = (await local.call("CreateZone", name="z"))["inventory"]["uuid"]
    with pytest.raises(TimedOut, match="still runs"):
        await local.call("ChangeZoneState", uuid=zone, state_event="disable", timeout_seconds=0.1)


@pytest.mark.parametrize("over", ["socket", "url"])
async def test_a_wait_for_an_appliance_that_is_gone_says_what_becomes_of_the_job(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: str
) -> None:
    monkeypatch.setattr("appliance.client.LOST_SECONDS", 0.0)
    await ensure_admin(database, PASSWORD)
    async with serving(database, tmp_path / "a.sock") as served:
        session = await Session.connect(served.socket if over == "socket" else served.url)
        await session.log_in("admin", PASSWORD)
        zone = (await session.call("CreateZone", name="z"))["inventory"]["uuid"]
        job = await session.call_job("ChangeZoneState", uuid=zone, stateEvent="disable")
    with pytest.raises(Unreachable) as lost:
        await session.wait(job, 30)
    assert lost.value.details.endswith(
        f"; job[uuid:{job}] goes on in the next appliance, which any zstui command on its data folder starts; "
        f"see how it ends with zstui call QueryLongJob uuid={job}"
    )
    await session.close()


async def test_what_is_answered_at_once_is_no_job(local: Session) -> None:
    with pytest.raises(InvalidArgument, match="no job"):
        await local.call_job("GetVersion")


async def test_queries_find_by_equality_and_list(local: Session) -> None:
    for name in ("a", "b", "c"):
        await local.call("CreateZone", name=name)
    assert [each["name"] for each in await local.query("Zone", name="b")] == ["b"]
    found = await local.query("Zone", ("name", "in", ["a", "c"]), fields=["name"], sort_by="name")
    assert found == [{"name": "a"}, {"name": "c"}]
    assert len(await local.query("Zone", limit=2)) == 2
    with pytest.raises(InvalidArgument, match="condition name"):
        await local.query("Zone", nonsense=1)


async def test_events_tell_of_changes_and_survive_a_restart(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    async with serving(database, path) as first:
        session = await Session.connect(path)
        stream = session.events()
        assert (await anext(stream)).kind == "ready"
        zone = (await session.call("CreateZone", name="z"))["inventory"]["uuid"]
        seen = [await anext(stream), await anext(stream)]
        assert {each.resource for each in seen} == {"Zone", "LongJob"}
        assert next(each for each in seen if each.resource == "Zone").uuid == zone
        await first.server.stop()
        assert (await anext(stream)).kind == "lost"
    async with serving(database, path), asyncio.timeout(10):
        assert (await anext(stream)).kind == "reconnected"
        await session.call("DeleteZone", uuid=zone)
        kinds = {(each.resource, each.op) for each in [await anext(stream), await anext(stream)]}
        assert ("Zone", "delete") in kinds
        await session.close()
        assert [each async for each in stream] == []


async def test_a_stream_without_session_is_refused(remote: Session) -> None:
    with pytest.raises(NoSession):
        await anext(remote.events())
    await remote.log_in("admin", PASSWORD)
    stream = remote.events()
    assert (await anext(stream)).kind == "ready"
    await stream.aclose()


async def test_a_file_is_uploaded_with_progress(face: Face, local: Session, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(os.urandom((2 << 20) + 5))
    seen: list[tuple[int, int]] = []
    await local.upload(ID, path, lambda sent, total: seen.append((sent, total)))
    assert face.uploads[ID] == path.read_bytes()
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)
    with pytest.raises(ApiError, match="no image"):
        await local.upload("nonsense", path)


async def test_an_answer_lost_on_the_way_is_asked_for_again() -> None:
    """The connection breaks after the first call arrived: the second carries the same id."""
    ids: list[str] = []

    async def api(request: web.Request) -> web.Response:
        body = await request.json()
        [fields] = body.values()
        ids.append(fields["id"])
        if len(ids) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"state": "Done", "result": json.dumps({"x": {"success": True, "n": 1}})})

    async def health(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/zstack/api/", api)
    app.router.add_get("/healthz", health)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with await Session.connect(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
            assert await session.call("CreateZone", name="z") == {"n": 1}
    finally:
        await runner.cleanup()
    assert len(ids) == 2
    assert ids[0] == ids[1]


async def test_a_call_too_long_is_not_sent(local: Session) -> None:
    with pytest.raises(InvalidArgument, match="bytes long"):
        await local.call("CreateSystemTag", resource_type="x", resource_uuid=ID, tag="x" * (1 << 20))


def test_passwords_are_hashed_as_zstacks_clients_do() -> None:
    assert hash_password("password").startswith(
        "b109f3bbbc244eb82441917ed06d618b9008dd09b3befd1b5e07394c706a8bb9"
    )
