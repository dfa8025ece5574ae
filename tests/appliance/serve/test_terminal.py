"""Full screens for users elsewhere: who gets one, what it is told, and that it ends."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncssh
import pytest

from appliance.api.account import Session
from appliance.serve import browser, terminal
from appliance.serve.browser import POLICY, Browser
from appliance.serve.entrance import Entrance, Guest
from appliance.serve.events import Broadcast
from appliance.serve.http import Server
from appliance.serve.listen import TcpListener, UnixListener
from appliance.serve.ssh import SshFace, host_key
from appliance.serve.terminal import Size, Terminals, environment

from .conftest import PASSWORD, Face

GUEST = Guest("admin", "a" * 32, "test", "the-session", opened=True)


class Doors:
    """The faces of an appliance, on addresses of their own."""

    def __init__(self, face: Face, folder: Path) -> None:
        self.face = face
        socket = folder / "faces.sock"
        self.terminals = Terminals(socket, folder / "homes")
        entrance = Entrance(face.dispatch)
        self.ssh = SshFace(entrance, self.terminals, folder / "key")
        pages = Browser(entrance, self.terminals).table()
        self.server = Server(face.dispatch, Broadcast(face.database), pages=pages)
        self.listeners = (UnixListener(socket, trusted=False), TcpListener("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.addresses[0][1]}"

    async def log_in(self, http: aiohttp.ClientSession, **said: Any) -> tuple[int, dict[str, Any]]:
        login = {"name": "admin", "secret": PASSWORD, **said}
        async with http.post(f"{self.url}/terminal", data=json.dumps(login).encode()) as got:
            return got.status, await got.json()

    async def sessions(self) -> int:
        return await self.face.database.read(lambda snapshot: snapshot.count(Session))


@pytest.fixture
async def doors(face: Face, tmp_path: Path) -> AsyncIterator[Doors]:
    made = Doors(face, tmp_path)
    await made.server.start(*made.listeners)
    await made.ssh.start(("127.0.0.1", 0))
    yield made
    made.terminals.close()
    await made.ssh.stop()
    await made.server.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_page_loads_nothing_but_ours(doors: Doors, http: aiohttp.ClientSession) -> None:
    names = ["terminal.html", *browser.OURS, *browser.TERMINAL]
    for path in ["/", *(f"/pages/{name}" for name in names)]:
        async with http.get(doors.url + path) as got:
            assert got.status == 200, path
            assert got.headers["Content-Security-Policy"] == POLICY
            assert await got.read()
    for path in ("/pages/server.py", "/pages/..%2fbrowser.py"):
        async with http.get(doors.url + path) as got:
            assert got.status == 404
    assert "unsafe" not in POLICY
    assert "*" not in POLICY


async def test_a_ticket_opens_one_screen_whose_session_ends_with_it(
    doors: Doors, http: aiohttp.ClientSession
) -> None:
    status, said = await doors.log_in(http)
    assert status == 200
    assert await doors.sessions() == 1
    async with http.ws_connect(f"{doors.url}/terminal/{said['ticket']}?width=90&height=30") as socket:
        await socket.send_str(json.dumps(["ping", "7"]))
        seen = [await socket.receive() for _ in range(2)]
        assert aiohttp.WSMsgType.BINARY in {each.type for each in seen}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(f"{doors.url}/terminal/{said['ticket']}")
        assert refused.value.status == 401
    async with asyncio.timeout(10):
        while await doors.sessions():
            await asyncio.sleep(0.02)


async def test_a_ticket_that_nobody_uses_ends_its_session(
    doors: Doors, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "TICKET_SECONDS", 0.0)
    _, said = await doors.log_in(http)
    async with asyncio.timeout(10):
        while await doors.sessions():
            await asyncio.sleep(0.02)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await http.ws_connect(f"{doors.url}/terminal/{said['ticket']}")


@pytest.mark.parametrize(
    ("said", "status", "word"),
    [
        ({"secret": "wrong"}, 401, "wrong account name or password"),
        ({"name": "nobody"}, 401, "wrong account name or password"),
        ({"secret": "zst_nothing"}, 401, "the access token is unknown"),
        ({"secret": ""}, 400, "a login has a name"),
        ({"name": 3}, 400, "all texts"),
        ({"name": "x" * 5000}, 400, "at most"),
    ],
)
async def test_others_are_refused_with_words(
    doors: Doors, http: aiohttp.ClientSession, said: dict[str, Any], status: int, word: str
) -> None:
    got, body = await doors.log_in(http, **said)
    assert (got, word in body["error"]["details"]) == (status, True), body
    assert await doors.sessions() == 0


async def test_the_lock_out_is_shared_by_all_ways_in(doors: Doors, http: aiohttp.ClientSession) -> None:
    for _ in range(10):
        await doors.log_in(http, secret="wrong")
    status, body = await doors.log_in(http)
    assert (status, "too many wrong passwords" in body["error"]["details"]) == (401, True)
    with pytest.raises(asyncssh.PermissionDenied):
        await ssh_to(doors)


async def test_no_more_screens_than_the_limit(
    doors: Doors, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "TERMINALS", 1)
    _, said = await doors.log_in(http)
    async with http.ws_connect(f"{doors.url}/terminal/{said['ticket']}") as socket:
        assert (await socket.receive()).type is aiohttp.WSMsgType.BINARY
        status, body = await doors.log_in(http)
        assert (status, "which is the limit" in body["error"]["details"]) == (409, True), body
        async with await ssh_to(doors) as line:
            done = await line.run(term_type="xterm", term_size=(80, 24))
            assert "which is the limit" in str(done.stderr)


async def test_a_screen_that_nobody_touches_is_closed(
    doors: Doors, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "IDLE_SECONDS", 0.3)
    async with await ssh_to(doors) as line:
        done = await line.run(term_type="xterm", term_size=(80, 24))
        assert "nothing was typed" in str(done.stderr)


async def test_the_socket_of_screens_trusts_nobody(doors: Doors, tmp_path: Path) -> None:
    connector = aiohttp.UnixConnector(path=str(tmp_path / "faces.sock"))
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.get("http://localhost/metrics") as got,
    ):
        assert got.status == 401


def test_a_child_is_told_its_session_and_no_secret_of_ours(tmp_path: Path) -> None:
    own = {"PATH": "/bin", "ZSTUI_ADMIN_PASSWORD": "secret", "LD_PRELOAD": "x", "HOME": "/nowhere"}
    told = environment(own, GUEST, tmp_path, "screen-256color", "zh-TW")
    assert (told["ZSTUI_SESSION"], told["LANG"], told["TERM"]) == (
        "the-session", "zh_TW.UTF-8", "screen-256color",
    )  # fmt: skip
    assert "secret" not in told.values()
    assert "LD_PRELOAD" not in told
    assert "ZSTUI_LANG" not in told
    assert environment(own, GUEST, tmp_path, "xterm", "en", "zh-TW")["ZSTUI_LANG"] == "zh-TW"
    odd = environment(own, GUEST, tmp_path, "x/../y", "$(id)", "$(id)")
    assert "ZSTUI_LANG" not in odd
    assert (odd["TERM"], odd["LANG"]) == ("xterm-256color", "en_US.UTF-8")
    assert "the-session" not in repr(GUEST)


@pytest.mark.parametrize("said", [(0, -5), (None, "x"), (10**9, 10**9), (True, 3.5)])
def test_a_size_is_one_that_a_screen_has(said: tuple[Any, Any]) -> None:
    size = Size.of(*said)
    assert 1 <= size.columns <= 500
    assert 1 <= size.rows <= 200


def test_the_key_is_kept_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "ssh" / "key"
    first = host_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert host_key(path).get_fingerprint() == first.get_fingerprint()


async def ssh_to(doors: Doors) -> asyncssh.SSHClientConnection:
    assert doors.ssh.address is not None
    return await asyncssh.connect(
        *doors.ssh.address,
        username="admin",
        password=PASSWORD,
        known_hosts=None,
        client_keys=None,
        config=None,
    )


def test_the_pages_say_the_same_in_every_language() -> None:
    pages = Path(browser.__file__).parent / "pages"
    blocks = re.findall(r'(?ms)^  "(\S+)": \{$(.*?)^  \},$', (pages / "words.js").read_text())
    spoken = {name: set(re.findall(r"\b(\w+): \"", block)) for name, block in blocks}
    assert set(spoken) == {"en", "zh-CN", "zh-TW"}
    assert len(spoken["en"]) > 15
    assert spoken["en"] == spoken["zh-CN"] == spoken["zh-TW"]
    for page in pages.glob("*.*"):
        used = set(re.findall(r'(?:word\("|data-text=")(\w+)"', page.read_text()))
        assert used <= spoken["en"], page
