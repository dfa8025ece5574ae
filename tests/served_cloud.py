"""A cloud behind the real HTTP server, asked as ZStack's clients ask: a body in, an envelope out."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from appliance.api.account import ADMIN_UUID, Account, hash_password
from appliance.api.event import Event
from appliance.api.job import LongJob
from appliance.api.message import MESSAGES
from appliance.serve.auth import Auth
from appliance.serve.dispatch import Dispatch
from appliance.serve.events import Broadcast
from appliance.serve.http import Server
from appliance.serve.listen import TcpListener
from tests.simulated_cloud import CHEAP, Body, Cloud

PASSWORD = "open sesame"
CALL = "/zstack/api/"
POLLS = 200
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: its status, its JSON, and of a call that is done the result's class and body."""

    status: int
    wire: Body
    result_class: str = ""
    body: Body | None = None

    @property
    def error(self) -> Body:
        """The error that it holds; there must be one."""
        found: Body = self.wire["error"] if self.body is None else self.body["error"]
        return found


class Wire:
    """A client that knows HTTP and JSON, and nothing else of the appliance."""

    def __init__(self, cloud: Cloud, dispatch: Dispatch, http: aiohttp.ClientSession, url: str) -> None:
        self.cloud = cloud
        self.dispatch = dispatch
        self.http = http
        self.url = url
        self.session_uuid = ""

    async def exchange(
        self, method: str, path: str, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One HTTP exchange. The answer must be JSON without any null."""
        url = URL(self.url + path, encoded=True)
        body = None if data is None else io.BytesIO(data)
        async with self.http.request(method, url, data=body, headers=headers) as got:
            wire = json.loads(await got.read())
            assert not has_null(wire)
            if "result" not in wire:
                return Answer(got.status, wire)
            [(name, body)] = json.loads(wire["result"]).items()
            assert not has_null(body)
            assert isinstance(body["success"], bool)
            return Answer(got.status, wire, name, body)

    async def post(self, body: Any) -> Answer:
        """Send a body, JSON or bytes as they are, as a call."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.exchange("POST", CALL, data)

    async def begin(self, name: str, /, **fields: Any) -> Answer:
        """The first answer to a call in the session."""
        java = MESSAGES[name].java if name in MESSAGES else name
        return await self.post({java: {"session": {"uuid": self.session_uuid}, **fields}})

    async def call(self, name: str, /, **fields: Any) -> Answer:
        """The answer to a call, polled for as ZStack's clients poll."""
        answer = await self.begin(name, **fields)
        for _ in range(POLLS):
            if answer.body is not None or answer.status != 200:
                return answer
            assert answer.wire["state"] == "Processing"
            await asyncio.sleep(POLL_SECONDS)
            answer = await self.exchange("GET", f"/zstack/api/result/{answer.wire['uuid']}")
        raise AssertionError(f"{name} still runs")

    async def log_in(self) -> None:
        """Open the session that later calls name."""
        answer = await self.begin("LogInByAccount", accountName="admin", password=hash_password(PASSWORD))
        assert answer.body is not None
        self.session_uuid = answer.body["inventory"]["uuid"]


def has_null(value: Any) -> bool:
    """Whether a null is anywhere in a JSON value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(has_null(each) for each in inner)


@asynccontextmanager
async def served(cloud: Cloud) -> AsyncIterator[Wire]:
    """A server on loopback for a cloud that runs, and the admin's client of it."""
    doors = Auth(cloud.database, hasher=CHEAP())
    stored = CHEAP().hash(hash_password(PASSWORD))
    await cloud.database.write(lambda tx: tx.update(tx.get(Account, ADMIN_UUID), password_hash=stored))
    dispatch = Dispatch(cloud.database, doors, version="0.1.0", node_uuid="n" * 32, live=cloud.core.live)
    broadcast = Broadcast(cloud.database)
    server = Server(dispatch, broadcast)
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as http:
        running = group.create_task(broadcast.run())
        await server.start(TcpListener("127.0.0.1", 0))
        try:
            host, port = server.addresses[0]
            wire = Wire(cloud, dispatch, http, f"http://{host}:{port}")
            await wire.log_in()
            yield wire
        finally:
            await server.stop()
            running.cancel()


async def dump(wire: Wire) -> dict[str, Any]:
    """Every row that there is, jobs and events included."""
    rows = await wire.cloud.rows()
    for kind in (LongJob, Event):
        kept = await wire.cloud.database.read(lambda snapshot, kind=kind: snapshot.count(kind))
        rows[kind.name_] = [kept]
    return rows


@asynccontextmanager
async def nothing_changes(wire: Wire) -> AsyncIterator[None]:
    """What the body sends leaves every table as it was, once what was asked for earlier is done."""
    await wire.cloud.idle()
    before = await dump(wire)
    yield
    assert await dump(wire) == before


def coded(answer: Answer) -> str:
    """The code of a refusal; a refused call is 200, what is no call 400, 408 or 413."""
    error = answer.error
    assert answer.status == 200 if answer.body is not None else answer.status in (400, 408, 413), answer
    assert error["code"] not in ("SYS.1000", ""), error
    assert error["details"]
    assert error["description"]
    assert "Traceback" not in json.dumps(answer.wire)
    return str(error["code"])
