"""Pages for browsers: the full screen, by a login that gives a ticket and textual-serve's protocol; a VM's screen."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from aiohttp import WSMsgType, web

from appliance.api.errors import BadRequest, NoSession
from appliance.serve.entrance import Entrance, Guest
from appliance.serve.route import HEADERS, Route, json_answer, origin_of
from appliance.serve.terminal import Size, Terminal, Terminals

TICKET_SECONDS = 30.0
"""The page that got a ticket uses it at once."""

HEARTBEAT_SECONDS = 20.0
"""A tab that has gone without a word is known to be gone after so long."""

MESSAGE_BYTES = 1 << 20
LOGIN_BYTES = 4096
KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css", "ttf": "font/ttf"}

POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "font-src 'self'", "img-src data:",
    "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
))  # fmt: skip
"""What a page of ours may load: what we serve, and nothing written into it."""

PAGE_HEADERS = {**HEADERS, "Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer",
                "Cross-Origin-Opener-Policy": "same-origin"}  # fmt: skip

TERMINAL = {
    "textual.js": "js/textual.js",
    "xterm.css": "css/xterm.css",
    "mono.ttf": "fonts/RobotoMono-VariableFont_wght.ttf",
}
"""What is textual-serve's: xterm.js and what speaks the protocol, by the name that pages know it by."""

OURS = (
    *("terminal.html", "terminal.js", "terminal.css", "words.js"),
    *("console.html", "console.js", "console.css", "rfb.js", "keys.js"),
)


class Browser:
    """The routes of the page; tickets are kept in memory, each opens one full screen."""

    def __init__(self, entrance: Entrance, terminals: Terminals) -> None:
        self._entrance = entrance
        self._terminals = terminals
        self._tickets: dict[str, tuple[Guest, str, str]] = {}
        self._expiring: set[asyncio.Task[None]] = set()

    def table(self) -> tuple[Route, ...]:
        """The pages, what they are made of, the login of one, and its stream."""
        return (
            Route(("GET",), "/", "anyone", self._page),
            Route(("GET",), "/console", "anyone", self._console),
            Route(("GET",), "/pages/{name}", "anyone", self._part),
            Route(("POST",), "/terminal", "anyone", self._log_in),
            Route(("GET",), "/terminal/{ticket}", "ticket", self._terminal),
        )

    @cached_property
    def _parts(self) -> Mapping[str, Traversable]:
        ours, theirs = files("appliance.serve") / "pages", files("textual_serve") / "static"
        return {
            **{name: ours / name for name in OURS},
            **{name: theirs.joinpath(place) for name, place in TERMINAL.items()},
        }

    async def _page(self, _: web.Request) -> web.StreamResponse:
        return self._file("terminal.html")

    async def _console(self, _: web.Request) -> web.StreamResponse:
        return self._file("console.html")

    async def _part(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._parts:
            raise web.HTTPNotFound
        return self._file(name)

    def _file(self, name: str) -> web.Response:
        kind = KINDS[name.rpartition(".")[2]]
        charset = "; charset=utf-8" if kind.startswith("text/") else ""
        return web.Response(
            body=self._parts[name].read_bytes(), headers={**PAGE_HEADERS, "Content-Type": kind + charset}
        )

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        """Check who is there and give a ticket for one full screen."""
        said = await _login_of(request)
        self._terminals.check_room()
        guest = await self._entrance.admit(said["name"], said["secret"], origin_of(request).source)
        ticket = secrets.token_urlsafe(32)
        self._tickets[ticket] = (guest, said["language"], said["wish"])
        task = asyncio.create_task(self._expire(ticket))
        self._expiring.add(task)
        task.add_done_callback(self._expiring.discard)
        return json_answer({"ticket": ticket})

    async def _expire(self, ticket: str) -> None:
        """End the session of a ticket that nobody has used."""
        await asyncio.sleep(TICKET_SECONDS)
        guest, _, _ = self._tickets.pop(ticket, (None, "", ""))
        if guest is not None:
            await self._entrance.leave(guest)

    async def _terminal(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=MESSAGE_BYTES, timeout=2.0)
        if not socket.can_prepare(request).ok:
            raise BadRequest("a full screen is opened by a WebSocket, as the page at / does")
        guest, language, wish = self._tickets.pop(request.match_info["ticket"], (None, "", ""))
        if guest is None:
            raise NoSession("the ticket is unknown, used, or too old; log in again")
        try:
            size = Size.of(_number(request, "width"), _number(request, "height"))
            opened = self._terminals.open(guest, size, term="xterm-256color", language=language, wish=wish)
            async with opened as terminal:
                await socket.prepare(request)
                why = await terminal.carry(_typed(socket, terminal), socket.send_bytes)
                await socket.close(message=why.encode())
        finally:
            await self._entrance.leave(guest)
        return socket


async def _typed(socket: web.WebSocketResponse, terminal: Terminal) -> None:
    """Take what the page says: `["stdin", text]`, `["resize", {"width", "height"}]`, `["ping", text]`, focus."""
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            return
        try:
            kind, *rest = json.loads(message.data)
        except (ValueError, TypeError):
            return
        match kind, rest:
            case "stdin", [str(text)]:
                await terminal.write(text.encode("utf-8", "replace"))
            case "resize", [dict(size)]:
                terminal.resize(Size.of(size.get("width"), size.get("height")))
            case "ping", [str(text)]:
                await socket.send_json(["pong", text[:64]])


async def _login_of(request: web.Request) -> dict[str, str]:
    """Name, secret, language, and the one that was chosen if any was, out of a login. Raises BadRequest."""
    if (request.content_length or LOGIN_BYTES + 1) > LOGIN_BYTES:
        raise BadRequest(f"a login has a Content-Length, of {LOGIN_BYTES} bytes at most")
    try:
        said: Any = json.loads(await request.read())
    except ValueError as error:
        raise BadRequest("a login is JSON: name, secret and language") from error
    if not isinstance(said, dict):
        raise BadRequest("a login is one JSON object")
    found = {key: said.get(key, "") for key in ("name", "secret", "language", "wish")}
    if not all(isinstance(value, str) for value in found.values()) or not found["secret"]:
        raise BadRequest("a login has a name, a secret and a language, all texts")
    return found


def _number(request: web.Request, name: str) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
