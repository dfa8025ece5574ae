"""The wire as ZStack's clients see it, and what the server refuses."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import socket
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import client_files
from appliance.api.account import Account, LogInByAccount, hash_password
from appliance.api.image import Image
from appliance.client import Session
from appliance.serve.http import BODY_LIMIT
from appliance.serve.listen import TcpListener, UnixListener
from appliance.store.database import Database
from appliance.store.transaction import Transaction

from .conftest import PASSWORD, Face, serving

LOGIN = "org.zstack.header.identity.APILogInByAccountMsg"
ZONE = "org.zstack.header.zone.APICreateZoneMsg"
QUERY = "org.zstack.header.zone.APIQueryZoneMsg"
STATE = "org.zstack.header.zone.APIChangeZoneStateMsg"


async def raw(
    face: Face, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    encoded = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    data = None if encoded is None else io.BytesIO(encoded)
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, face.url + path, data=data, headers=headers) as got,
    ):
        return got.status, await got.json()


def result(envelope: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    [(name, body)] = json.loads(envelope["result"]).items()
    return name, body


async def login(face: Face) -> str:
    call = {LOGIN: {"accountName": "admin", "password": hash_password(PASSWORD), "session": {"uuid": "old"}}}
    _, envelope = await raw(face, "POST", "/zstack/api/", call)
    name, body = result(envelope)
    assert name == "org.zstack.header.identity.APILogInReply"
    assert envelope["state"] == "Done"
    assert "uuid" not in envelope
    return str(body["inventory"]["uuid"])


@pytest.mark.parametrize("path", ["/zstack/api", "/zstack/api/"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_client_of_zstack_logs_in_creates_and_polls(face: Face, method: str, path: str) -> None:
    session = {"uuid": await login(face)}
    status, envelope = await raw(face, method, path, {ZONE: {"name": "z1", "session": session}})
    assert status == 200
    name, body = result(envelope)
    assert name == "org.zstack.header.zone.APICreateZoneEvent"
    assert body["success"] is True
    zone = body["inventory"]["uuid"]
    _, started = await raw(
        face, method, path, {STATE: {"uuid": zone, "stateEvent": "disable", "session": session}}
    )
    assert set(started) == {"uuid", "state", "createdDate"}
    assert started["state"] == "Processing"
    for ask in ("GET", "PUT"):
        _, polled = await raw(face, ask, f"/zstack/api/result/{started['uuid']}")
        assert polled["state"] == "Processing"
    await face.end_job(started["uuid"], "Succeeded", json.dumps({"inventory": {"uuid": zone}}))
    _, polled = await raw(face, "GET", f"/zstack/api/result/{started['uuid']}/")
    assert polled["state"] == "Done"
    assert {"uuid", "createdDate", "finishedDate"} <= polled.keys()
    assert result(polled) == (
        "org.zstack.header.zone.APIChangeZoneStateEvent",
        {"inventory": {"uuid": zone}, "success": True},
    )


async def test_an_expired_session_is_zstacks_failure(face: Face) -> None:
    status, envelope = await raw(
        face, "POST", "/zstack/api/", {ZONE: {"name": "z", "session": {"uuid": "x"}}}
    )
    name, body = result(envelope)
    assert (status, name) == (200, "org.zstack.header.message.APIEvent")
    assert body["success"] is False
    assert body["error"]["code"] == "ID.1001"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SYS.1008"),
        (b"[]", "SYS.1008"),
        (b"\xff\xfe", "SYS.1008"),
        (b'{"no.such.Class":{}}', "PORTAL.1000"),
        (b'{"Nonsense":{}}', "PORTAL.1000"),
        (b'{"CreateEip":{}}', "SYS.1014"),
        pytest.param(b"[" * 200_000, "SYS.1007", id="deep"),
        (b'{"a":NaN}', "SYS.1007"),
    ],
)
async def test_what_is_no_call_is_400_with_a_code(face: Face, body: bytes, code: str) -> None:
    status, answer = await raw(face, "POST", "/zstack/api/", body, {"Content-Type": "text/plain"})
    assert (status, answer["error"]["code"]) == (400, code)


async def test_a_name_of_zstacks_that_is_not_built_says_so(face: Face) -> None:
    status, envelope = await raw(
        face, "POST", "/zstack/api/", {"org.zstack.network.service.eip.APICreateEipMsg": {}}
    )
    name, body = result(envelope)
    assert (status, name, body["error"]["code"]) == (200, "org.zstack.header.message.APIEvent", "SYS.1014")


async def test_a_body_has_a_limit(face: Face) -> None:
    status, answer = await raw(face, "POST", "/zstack/api/", b" " * (BODY_LIMIT + 1))
    assert (status, answer["error"]["code"]) == (413, "SYS.1007")


@pytest.mark.parametrize(
    "uuid", ["a" * 32, "x", "%2e%2e%2fetc", "a" * 5000], ids=["absent", "short", "path", "long"]
)
async def test_unknown_jobs_are_404(face: Face, uuid: str) -> None:
    status, answer = await raw(face, "GET", f"/zstack/api/result/{uuid}")
    assert (status, answer["error"]["code"]) == (404, "SYS.1003")


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/", 404, "GET / is no route; /openapi.json lists those that are"),
        ("GET", "/zstack/api", 405, "GET /zstack/api is no route; that path takes POST, PUT"),
        ("DELETE", "/healthz", 405, "DELETE /healthz is no route; that path takes GET"),
        ("GET", "/zstack/upload/x", 405, "GET /zstack/upload/x is no route; that path takes HEAD, PUT"),
        ("POST", "/api/v1/zonez", 404, "POST /api/v1/zonez is no route; /openapi.json lists those that are"),
    ],
)
async def test_other_paths_answer_in_json(face: Face, method: str, path: str, status: int, says: str) -> None:
    got, answer = await raw(face, method, path)
    assert got == status
    error = answer["error"]
    assert (error["code"], error["description"], error["details"]) == (
        "PORTAL.1000", "No service for the message", says
    )  # fmt: skip


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:1", 200),
        ("LOCALHOST", 200),
        ("cloud.example", 200),
        ("cloud.example:8443", 200),
        ("127.0.0.2", 200),
        ("[::1]:8080", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
async def test_pages_call_by_the_appliances_names_only(face: Face, host: str, status: int) -> None:
    """A page's name may have been bent to us, so that its Host and its Origin are the same; no address can."""
    got, answer = await raw(face, "GET", "/healthz", headers={"Host": host, "Origin": f"http://{host}"})
    assert got == status
    assert status == 200 or answer["error"]["code"] == "ID.1002"
    got, _ = await raw(face, "POST", "/zstack/api", {QUERY: {}}, {"Host": host, "Origin": f"http://{host}"})
    assert got == status


@pytest.mark.parametrize("host", ["zstack.example.com", "vm.local:8093", "[::1]", "192.0.2.7:80", ""])
async def test_programs_call_by_any_name(face: Face, host: str) -> None:
    """Behind a name server, a proxy or a forwarded port: no page sent it, and it says who it is."""
    got, _ = await raw(face, "GET", "/healthz", headers={"Host": host})
    assert got == 200
    got, answer = await raw(face, "POST", "/zstack/api", {QUERY: {}}, {"Host": host})
    assert got == 200
    assert "ID.1001" in answer["result"]


async def test_a_foreign_page_is_refused(face: Face) -> None:
    host = face.url.removeprefix("http://")
    own, _ = await raw(face, "GET", "/healthz", headers={"Origin": f"http://{host}"})
    foreign, _ = await raw(face, "POST", "/zstack/api/", {QUERY: {}}, {"Origin": "http://evil.example"})
    null, _ = await raw(face, "POST", "/zstack/api/", {QUERY: {}}, {"Origin": "null"})
    assert (own, foreign, null) == (200, 403, 403)


@pytest.mark.parametrize(("method", "path"), [("GET", "/events"), ("PUT", f"/zstack/upload/{'a' * 32}")])
@pytest.mark.parametrize("header", [None, "OAuth", "OAuth nonsense", "Basic YWRtaW46YWRtaW4="])
async def test_without_a_session_nothing_streams(
    face: Face, method: str, path: str, header: str | None
) -> None:
    status, answer = await raw(face, method, path, headers={"Authorization": header} if header else None)
    assert (status, answer["error"]["code"]) == (401, "ID.1001")


async def test_the_socket_is_its_owners_only_and_trusted(face: Face, local: Session) -> None:
    mode = face.socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert (await local.call("CreateZone", name="z"))["inventory"]["name"] == "z"


async def test_a_deep_folder_still_has_a_socket(database: Database, tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["d" * 60] * 4)
    folder.mkdir(parents=True)
    path = folder / "appliance.sock"
    async with serving(database, path), await Session.connect(path) as session:
        assert (await session.call("GetVersion"))["version"] == "0.1.0"
    assert not path.exists()


async def test_a_dead_socket_is_replaced_and_a_living_one_is_not(face: Face, database: Database) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with serving(database, face.socket):
            pass
    assert caught.group_contains(OSError, match="another appliance listens")
    dead = face.socket.with_name("dead.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(dead))
    async with serving(database, dead), await Session.connect(dead) as session:
        assert await session.query("Zone") == []


async def test_a_taken_address_says_which(face: Face, database: Database, tmp_path: Path) -> None:
    port = face.server.addresses[0][1]
    with pytest.raises(ExceptionGroup) as caught:
        async with serving(database, tmp_path / "b.sock", port):
            pass
    assert caught.group_contains(OSError, match=f"cannot listen on 127.0.0.1:{port}")


async def test_uploads_arrive_whole(face: Face, tmp_path: Path) -> None:
    uuid = "a" * 32
    content = os.urandom(3 << 20)
    status, _ = await raw(
        face, "PUT", f"/zstack/upload/{uuid}", content, {"Authorization": f"OAuth {await login(face)}"}
    )
    assert status == 200
    assert face.uploads[uuid] == content


@pytest.fixture
async def tenants(face: Face) -> dict[str, dict[str, str]]:
    """What two accounts send to be known; the image `b…b` is one's own."""
    hashed = PasswordHasher().hash(hash_password(PASSWORD))

    def make(tx: Transaction) -> None:
        for name, uuid in (("one", "1" * 32), ("two", "2" * 32)):
            tx.insert(Account(uuid=uuid, name=name, password_hash=hashed))
        tx.account_uuid = "1" * 32
        tx.insert(Image(uuid="b" * 32, name="i", url="upload://i", format="raw"))

    await face.database.write(make)
    known = {}
    for name in ("one", "two"):
        message = LogInByAccount(account_name=name, password=hash_password(PASSWORD))
        session = (await face.dispatch.auth.log_in(message))["inventory"]["uuid"]
        known[name] = {"Authorization": f"OAuth {session}"}
    return known


async def test_an_account_fills_its_own_images_only(face: Face, tenants: dict[str, dict[str, str]]) -> None:
    path = f"/zstack/upload/{'b' * 32}"
    status, answer = await raw(face, "PUT", path, b"x", tenants["two"])
    assert (status, answer["error"]["code"], face.uploads) == (403, "ID.1002", {})
    assert (await raw(face, "PUT", path, b"x", tenants["one"]))[0] == 200
    assert face.uploads == {"b" * 32: b"x"}


async def test_only_the_admin_follows_events(face: Face, tenants: dict[str, dict[str, str]]) -> None:
    status, answer = await raw(face, "GET", "/events", headers=tenants["one"])
    assert (status, answer["error"]["code"]) == (403, "ID.1002")
    assert answer["error"]["details"] == "/events tells what all accounts do; only the admin may have it"


async def test_jobs_are_found_after_a_restart(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    async with serving(database, path), await Session.connect(path) as session:
        job = await session.call_job("CreateZone", name="kept")
    async with serving(database, path), await Session.connect(path) as session:
        assert (await session.wait(job, 5))["inventory"]["name"] == "kept"


HEADER = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=400))
async def test_random_bytes_never_hurt(face: Face, caplog: pytest.LogCaptureFixture, junk: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", face.server.addresses[0][1])
    writer.write(junk + b"\r\n\r\n")
    writer.write_eof()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert not answer.startswith(b"HTTP/1.1 5")
    assert b"Traceback" not in answer
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["name", "uuid", "session", "id", "conditions", "fields", "limit", "systemTags", "timeout"]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(java=st.sampled_from([ZONE, QUERY, STATE, LOGIN]), fields=st.dictionaries(NAMES, JSON), header=HEADER)
async def test_wrong_types_never_hurt(
    local: Session, face: Face, caplog: pytest.LogCaptureFixture, java: str, fields: dict, header: str
) -> None:
    headers = {"Authorization": header, "Content-Type": header or "x"}
    status, _ = await raw(face, "POST", "/zstack/api/", {java: fields}, headers)
    assert status < 500
    async with local._http.post("http://localhost/zstack/api/", json={java: fields}) as got:
        assert got.status < 500
        assert "SYS.1000" not in await got.text()
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def test_listeners_are_values() -> None:
    assert TcpListener("::1", 0) == TcpListener("::1", 0)
    assert UnixListener(Path("a")) != UnixListener(Path("b"))


async def test_a_question_is_kept_until_the_job_ends(face: Face, local: Session) -> None:
    zone = (await local.call("CreateZone", name="z"))["inventory"]["uuid"]
    job = await local.call_job("ChangeZoneState", uuid=zone, stateEvent="disable")
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(face.socket))) as http:

        async def asked(wait: str) -> dict[str, Any]:
            async with http.get(f"http://localhost/zstack/api/result/{job}?wait={wait}") as response:
                return {"status": response.status, **(await response.json())}

        assert (await asked("0.05"))["state"] != "Done"
        kept = asyncio.create_task(asked("30"))
        while not face.database.feed.followers > 1:
            await asyncio.sleep(0.01)
        await face.end_job(job, "Succeeded", "{}")
        async with asyncio.timeout(5):
            assert (await kept)["state"] == "Done"
        assert (await asked("soon"))["status"] == 400


async def test_a_question_that_is_kept_does_not_hold_up_the_end(face: Face, local: Session) -> None:
    zone = (await local.call("CreateZone", name="z"))["inventory"]["uuid"]
    job = await local.call_job("ChangeZoneState", uuid=zone, stateEvent="disable")
    kept = asyncio.create_task(local.wait(job))
    while not face.database.feed.followers > 1:
        await asyncio.sleep(0.01)
    begun = asyncio.get_running_loop().time()
    await face.server.stop()
    assert asyncio.get_running_loop().time() - begun < 1.5
    kept.cancel()


HEAD = b"POST /zstack/api HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /healthz?" + b"q" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        HEAD + b"X-Long: " + b"x" * 9000 + b"\r\n\r\n",
        HEAD + b"X-Nul: a\0b\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
        b"\x16\x03\x01\x02\x00 nothing like it\r\n\r\n",
        b"PATCH\r\n\r\n",
    ],
    ids=["query", "header", "nul", "chunk", "later chunk", "length", "tls", "words"],
)
async def test_what_is_no_http_is_answered_with_a_code(
    face: Face, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", face.server.addresses[0][1])
    writer.write(sent)
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        answer = json.loads(await reader.read())
    writer.close()
    assert head.split()[1] == "400"
    assert "Content-Type: application/json" in head
    assert answer["error"]["code"] == "SYS.1008"
    assert answer["success"] is False
    assert not [record for record in caplog.records if record.exc_info]
    assert (await raw(face, "GET", "/healthz"))[0] == 200


async def test_an_upload_goes_on_where_it_broke(face: Face, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(os.urandom((5 << 20) + 17))
    face.breaks_after = 2 << 20
    told: list[tuple[int, int]] = []
    async with await Session.connect(face.socket) as session:
        await session.upload("a" * 32, image, lambda done, total: told.append((done, total)))
    assert face.uploads["a" * 32] == image.read_bytes()
    assert told[-1] == (image.stat().st_size,) * 2


async def test_an_upload_can_be_cancelled_while_its_file_is_read(
    face: Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any moment, also while a thread reads for it: it ends as cancelled, and its file is closed."""
    image = tmp_path / "image"
    image.write_bytes(os.urandom(3 << 20))
    reading, go_on, read = asyncio.Event(), asyncio.Event(), asyncio.to_thread

    async def slowly(act: Any, *args: Any) -> Any:
        if getattr(act, "__name__", "") == "read":
            reading.set()
            await go_on.wait()
        return await read(act, *args)

    monkeypatch.setattr(client_files.asyncio, "to_thread", slowly)
    async with await Session.connect(face.socket) as session:
        sending = asyncio.create_task(session.upload("a" * 32, image))
        await asyncio.wait_for(reading.wait(), 10)
        sending.cancel()
        await asyncio.wait({sending}, timeout=10)
        assert sending.cancelled()


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-99", 0, 99),
        ("bytes=0-0", 0, 0),
        ("bytes=7-", 7, 2_999_999),
        ("bytes=0-", 0, 2_999_999),
        ("bytes=1048570-2097160", 1_048_570, 2_097_160),
        ("bytes=-100", 2_999_900, 2_999_999),
        ("bytes=-9000000", 0, 2_999_999),
        ("bytes=2999999-9000000", 2_999_999, 2_999_999),
        ("bytes=0-9,20-29", None, None),
        ("bytes=9-3", None, None),
        ("lines=1-2", None, None),
    ],
)
async def test_any_one_part_of_an_image_is_given_out(
    face: Face, asked: str, first: int | None, last: int | None
) -> None:
    content = face.uploads["a" * 32] = os.urandom(3_000_000)
    url, headers = f"{face.url}/zstack/export/{'a' * 32}", {"Authorization": f"OAuth {await login(face)}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(url, headers={"Range": asked}) as part,
    ):
        if first is None or last is None:
            assert (part.status, await part.read()) == (200, content)
            assert "Content-Range" not in part.headers
        else:
            assert (part.status, await part.read()) == (206, content[first : last + 1])
            assert part.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"


async def test_what_could_be_downloaded_is_told_without_a_byte_of_it(face: Face) -> None:
    content = face.uploads["a" * 32] = os.urandom(1_000)
    url, headers = f"{face.url}/zstack/export/{'a' * 32}", {"Authorization": f"OAuth {await login(face)}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.head(url, headers={"Range": "bytes=0-9"}) as told:
            assert (told.status, told.headers["Content-Length"]) == (200, str(len(content)))
            assert (told.headers["Accept-Ranges"], await told.read()) == ("bytes", b"")
        async with http.get(url) as whole:  # on the same connection
            assert (whole.status, whole.headers["ETag"]) == (200, told.headers["ETag"])


async def test_a_download_goes_on_where_it_broke_and_is_proved(face: Face, tmp_path: Path) -> None:
    content = face.uploads["a" * 32] = os.urandom((5 << 20) + 17)
    url, headers = f"{face.url}/zstack/export/{'a' * 32}", {"Authorization": f"OAuth {await login(face)}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.get(url) as whole:
            assert (whole.status, await whole.read()) == (200, content)
            tag = whole.headers["ETag"]
        asked = {"Range": "bytes=1000-", "If-Range": tag}
        async with http.get(url, headers=asked) as rest:
            assert (rest.status, await rest.read()) == (206, content[1000:])
            assert rest.headers["Content-Range"] == f"bytes 1000-{len(content) - 1}/{len(content)}"
        async with http.get(url, headers={**asked, "If-Range": '"another"'}) as changed:
            assert (changed.status, await changed.read()) == (200, content)
        for none in (f"bytes={len(content)}-", "bytes=-0"):
            async with http.get(url, headers={"Range": none}) as beyond:
                assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(content)}")
                assert f"which has {len(content)} bytes" in (await beyond.json())["error"]["details"]
        face.breaks_after = 3 << 20
        with pytest.raises(aiohttp.ClientError):
            async with http.get(url) as broken:
                await broken.read()
    async with aiohttp.ClientSession() as nobody, nobody.get(url) as refused:
        assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_a_rest_body_without_end_is_refused_as_any_other_is(face: Face) -> None:
    status, answer = await raw(face, "POST", "/api/v1/zones", {"name": "x" * (1 << 20)})
    assert (status, answer["error"]["code"]) == (413, "SYS.1007")


@pytest.mark.parametrize("path", ["/healthz", "/nowhere"])
async def test_no_answer_says_what_it_is_made_with(face: Face, path: str) -> None:
    async with aiohttp.ClientSession() as http, http.get(face.url + path) as got:
        assert got.headers["Server"] == "zstui"
