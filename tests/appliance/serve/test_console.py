"""A VM's console through the appliance: one token, one connection, one VM."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from appliance.api.console import RequestConsoleAccess
from appliance.api.job import LongJob
from appliance.hosts.vnc import GREETING, OPEN
from appliance.resources import console_tokens
from appliance.resources.console_tokens import Address, ConsoleTokens, Ticket
from appliance.resources.registry import Caller
from appliance.serve.auth import Auth
from appliance.serve.dispatch import Dispatch
from appliance.serve.events import Broadcast
from appliance.serve.http import Server
from appliance.serve.listen import TcpListener, UnixListener
from tests.simulated_cloud import Body, Cloud


@pytest.fixture(autouse=True)
def handlers() -> None:
    """Every message's own handler, not the few of the other tests here."""


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    made = Cloud(tmp_path / "cloud")
    await made.start()
    await made.build()
    yield made
    await made.stop()


def dispatch(cloud: Cloud) -> Dispatch:
    auth = Auth(cloud.database)
    return Dispatch(cloud.database, auth, version="1", node_uuid="n" * 32, live=cloud.core.live)


@pytest.fixture
async def server(cloud: Cloud) -> AsyncIterator[Server]:
    live = cloud.core.live
    made = Server(dispatch(cloud), Broadcast(cloud.database), live=live)
    await made.start(TcpListener("127.0.0.1", 0))
    live.consoles.address = Address("http", *made.addresses[0])
    yield made
    await made.stop()


async def access(cloud: Cloud, vm: Body) -> Body:
    return await cloud.call("RequestConsoleAccess", vmInstanceUuid=vm["uuid"])


@contextlib.asynccontextmanager
async def viewer(where: Body) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    url = f"ws://{where['hostname']}:{where['port']}/websockify"
    asked = {"token": where["token"]}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, params=asked, protocols=("binary",)) as socket,
    ):
        yield socket


async def refusal(where: Body) -> tuple[int, dict[str, Any]]:
    """The status and error of a token that opens nothing."""
    url = f"http://{where['hostname']}:{where['port']}/websockify"
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MTIzNDU2Nzg5MDEyMzQ1Ng==",
    }  # fmt: skip
    asked = {"token": where["token"]}
    async with aiohttp.ClientSession() as http, http.get(url, params=asked, headers=headers) as got:
        return got.status, (await got.json())["error"]


async def test_a_token_opens_the_console_of_its_vm_once(cloud: Cloud, server: Server) -> None:
    where = await access(cloud, await cloud.vm())
    assert where.keys() == {"scheme", "hostname", "port", "token"}
    assert (where["scheme"], where["hostname"], where["port"]) == ("http", *server.addresses[0])
    async with viewer(where) as socket:
        assert socket.protocol == "binary"
        assert await socket.receive_bytes(timeout=5) == GREETING
        await socket.send_bytes(GREETING)
        assert await socket.receive_bytes(timeout=5) == bytes([1, OPEN])
    status, error = await refusal(where)
    assert (status, error["code"]) == (403, "ID.1002")
    assert "RequestConsoleAccess" in error["details"]


async def test_an_unknown_token_and_no_websocket_are_refused(cloud: Cloud, server: Server) -> None:
    where = await access(cloud, await cloud.vm())
    assert (await refusal({**where, "token": "x"}))[0] == 403
    assert (await refusal({**where, "token": ""}))[0] == 403
    url = f"http://{where['hostname']}:{where['port']}/websockify"
    async with aiohttp.ClientSession() as http, http.get(url, params={"token": where["token"]}) as got:
        assert (got.status, (await got.json())["error"]["code"]) == (400, "SYS.1008")
    async with viewer(where) as socket:  # what was no WebSocket has used up nothing
        assert await socket.receive_bytes(timeout=5) == GREETING


async def test_a_token_of_a_vm_that_stopped_opens_nothing(cloud: Cloud, server: Server) -> None:
    vm = await cloud.vm()
    where = await access(cloud, vm)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    status, error = await refusal(where)
    assert (status, error["cause"]["code"]) == (409, "VM.1010")
    error = await cloud.refused("RequestConsoleAccess", vmInstanceUuid=vm["uuid"])
    assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "VM.1010")
    assert error["details"].endswith("allowed states are [Running]")


async def test_a_token_is_written_down_nowhere(cloud: Cloud, server: Server) -> None:
    token = (await access(cloud, await cloud.vm()))["token"]
    jobs = await cloud.database.read(lambda snapshot: snapshot.all(LongJob, name="RequestConsoleAccess"))
    assert len(jobs) == 1
    assert token not in json.dumps(await cloud.rows(), default=str) + str(jobs)


async def test_without_an_address_a_token_is_for_the_socket(cloud: Cloud, tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    served = Server(dispatch(cloud), Broadcast(cloud.database), live=cloud.core.live)
    await served.start(UnixListener(socket))
    try:
        where = await access(cloud, await cloud.vm())
        assert where.keys() == {"token"}
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as http,
            http.ws_connect("ws://localhost/websockify", params=where) as viewing,
        ):
            assert await viewing.receive_bytes(timeout=5) == GREETING
    finally:
        await served.stop()


def test_a_token_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = ConsoleTokens()
    ticket = Ticket(RequestConsoleAccess(vm_instance_uuid="vm"), Caller("account", "admin", None, "here"))
    first = tokens.give(ticket)
    monkeypatch.setattr(console_tokens, "TOKEN_SECONDS", -1.0)
    late = tokens.give(ticket)
    assert (tokens.take(first), tokens.take(first), tokens.take(late)) == (ticket, None, None)
