"""The HTTP server, on a socket file and on addresses: routes, each with its policy, and nothing besides."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiohttp import hdrs, web

from appliance.api.errors import (
    ApiError,
    BadRequest,
    InternalError,
    InvalidArgument,
    NotAllowed,
    NotBuilt,
    NotReady,
    ResourceNotFound,
)
from appliance.api.message import ROLES, Role
from appliance.client import short_socket_path
from appliance.resources.registry import Caller
from appliance.serve.console import OpenConsole, console
from appliance.serve.dispatch import Dispatch, Origin
from appliance.serve.events import HEARTBEAT_SECONDS, Broadcast
from appliance.serve.zstack import Reply, envelope, read_call

log = logging.getLogger(__name__)

BODY_LIMIT = 1 << 20
BODY_SECONDS = 60.0
UPLOAD_CHUNK = 1 << 20
WAIT_LIMIT_SECONDS = 60.0
"""How long a question about a job may be kept: below what proxies and clients take for dead."""

STUCK_SECONDS = 60.0
"""A watcher that takes nothing for so long is cut off."""

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

EVENTS = "/events"

Policy = Literal["per-call", "job-uuid", "console-token"] | Role
"""Who may use a route: whoever may send the message in it; whoever knows the job's uuid, or has a token; a role."""

Upload = Callable[[str, AsyncIterator[bytes], int | None], Awaitable[None]]
"""Takes the bytes of an image that waits for them: its uuid, the bytes, their number if known."""


@dataclass(frozen=True)
class UnixListener:
    """Listen on a socket file that only its owner can open; who can is trusted as the admin."""

    path: Path


@dataclass(frozen=True)
class TcpListener:
    """Listen on an address. Port 0 takes a free one."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True)
class Route:
    """A path, how it may be asked, who may, and what answers."""

    methods: tuple[str, ...]
    path: str
    policy: Policy
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = field(compare=False)


class Server:
    """Serves calls, jobs, events and uploads on any number of listeners.

    `names` are host names, beyond localhost and the address itself, that a URL may have.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        broadcast: Broadcast,
        *,
        upload: Upload | None = None,
        open_console: OpenConsole | None = None,
        names: Collection[str] = (),
    ) -> None:
        self._dispatch = dispatch
        self._broadcast = broadcast
        self._upload = upload
        self._open_console = open_console
        self._names = frozenset({"localhost", *(name.lower() for name in names)})
        self._stopping = asyncio.Event()
        self._sockets: list[tuple[socket.socket, TcpListener | UnixListener]] = []
        self._routes = {route.path: route for route in self._table()}
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._guard])
        for route in self._routes.values():
            for method in route.methods:
                app.router.add_route(method, route.path, route.answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, handle_signals=False)

    async def start(self, *listeners: UnixListener | TcpListener) -> None:
        """Begin to listen. Raises OSError, naming the address, for one that cannot be had."""
        await self._runner.setup()
        try:
            await self._listen(listeners)
        except BaseException:
            await self.stop()
            raise

    async def _listen(self, listeners: Collection[UnixListener | TcpListener]) -> None:
        for listener in listeners:
            sock = _bind_unix(listener.path) if isinstance(listener, UnixListener) else _bind_tcp(listener)
            tls = listener.tls if isinstance(listener, TcpListener) else None
            self._sockets.append((sock, listener))
            await web.SockSite(self._runner, sock, ssl_context=tls).start()
            log.info("listening on %s", sock.getsockname())

    async def stop(self) -> None:
        """Stop to listen, end all streams and waits, let calls that run end."""
        self._stopping.set()
        self._broadcast.close()
        await self._runner.cleanup()
        for sock, listener in self._sockets:
            sock.close()
            if isinstance(listener, UnixListener):
                listener.path.unlink(missing_ok=True)
        self._sockets.clear()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The addresses and ports it listens on."""
        return [
            sock.getsockname()[:2] for sock, listener in self._sockets if isinstance(listener, TcpListener)
        ]

    def _table(self) -> tuple[Route, ...]:
        ask, call = ("GET", "PUT"), ("POST", "PUT")
        return (
            Route(call, "/zstack/api", "per-call", self._call),
            Route(call, "/zstack/api/", "per-call", self._call),
            Route(ask, "/zstack/api/result/{uuid}", "job-uuid", self._result),
            Route(ask, "/zstack/api/result/{uuid}/", "job-uuid", self._result),
            Route(("GET",), EVENTS, "reader", self._events),
            Route(("PUT",), "/zstack/upload/{uuid}", "operator", self._receive),
            Route(("GET",), "/websockify", "console-token", self._console),
            Route(("GET",), "/healthz", "anyone", self._health),
        )

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Check where a request comes from and who may, and turn what goes wrong into JSON."""
        try:
            self._check_host(request)
            if request.match_info.http_exception is not None:
                raise request.match_info.http_exception
            await self._check_policy(request)
            return await handler(request)
        except ApiError as error:
            return _error(error, error.http_status)
        except web.HTTPException as refusal:
            return _error(
                BadRequest(f"{refusal.reason}: {request.method} {request.path[:200]}"), refusal.status
            )
        except ConnectionError:
            raise
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("fault %s in %s %s", reference, request.method, request.path[:200])
            return _error(InternalError(f"a fault in the appliance, reference {reference}"), 500)

    def _check_host(self, request: web.Request) -> None:
        """Refuse what a web page made a browser send: a foreign Origin, or a name that was bent to us."""
        if _origin(request).trusted:
            return
        given = request.headers.get(hdrs.HOST, "").lower()
        sockname = request.transport.get_extra_info("sockname") if request.transport else None
        own = {sockname[0].partition("%")[0]} if sockname else set()
        if _host_of(given) not in self._names | own:
            raise NotAllowed(f"Host {given[:200]!r} is not a name of this appliance; use its address")
        page = request.headers.get(hdrs.ORIGIN)
        if page is not None and page.lower().partition("://")[2] != given:
            raise NotAllowed(f"a page of {page[:200]!r} may not call this appliance")

    async def _check_policy(self, request: web.Request) -> None:
        resource = request.match_info.route.resource
        route = self._routes.get(resource.canonical) if resource else None
        if route is None:
            raise NotAllowed("this path has no policy, so nobody may use it")
        policy = route.policy
        if policy == "per-call" or policy == "job-uuid" or policy == "console-token" or policy == "anyone":
            return
        await self._check_role(request, policy)

    async def _check_role(self, request: web.Request, role: Role) -> Caller:
        scheme, _, session = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        session_uuid = session.strip() if scheme.lower() in ("oauth", "bearer") and session.strip() else None
        caller = await self._dispatch.who(session_uuid, _origin(request))
        if ROLES.index(caller.role) < ROLES.index(role):
            raise NotAllowed(f"{request.path} needs the role {role}, but the caller has {caller.role}")
        if request.path == EVENTS and not caller.is_admin:
            raise NotAllowed(f"{EVENTS} tells what all accounts do; only the admin may follow it")
        return caller

    async def _call(self, request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                raw = await request.read()
            call = read_call(raw)
        except web.HTTPRequestEntityTooLarge:
            return _error(InvalidArgument(f"the body is longer than {BODY_LIMIT} bytes"), 413)
        except TimeoutError:
            return _error(BadRequest(f"the body did not come within {BODY_SECONDS:g} s"), 408)
        except ApiError as error:
            return _error(error, 400)
        return _json(envelope(await self._dispatch.answer(call, _origin(request))))

    async def _result(self, request: web.Request) -> web.StreamResponse:
        uuid = request.match_info["uuid"]
        reply = await self._job(uuid, _wait_of(request)) if re.fullmatch(r"[0-9a-f]{32}", uuid) else None
        if reply is None:
            raise ResourceNotFound(f"no job[uuid:{uuid[:64]}]; it may be too old, or never was")
        return _json(envelope(reply))

    async def _job(self, uuid: str, wait_seconds: float) -> Reply | None:
        """A job when it has ended or the wait is over; nobody's wait holds up the end of the server."""
        asking = asyncio.create_task(self._dispatch.job(uuid, wait_seconds))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([asking, stopping], return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else await self._dispatch.job(uuid)
        finally:
            asking.cancel()
            stopping.cancel()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        now = asyncio.get_running_loop().time
        checked = now()
        with self._broadcast.listen() as listener:
            async for block in listener:
                try:
                    async with asyncio.timeout(STUCK_SECONDS):
                        await response.write(block)
                    if now() - checked >= HEARTBEAT_SECONDS:
                        await self._check_role(request, "reader")
                        checked = now()
                except (TimeoutError, ConnectionError, ApiError):
                    break
        return response

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        uuid = request.match_info["uuid"]
        if self._upload is None:
            raise NotBuilt("this appliance takes no uploads")
        if not re.fullmatch(r"[0-9a-f]{32}", uuid):
            raise ResourceNotFound(f"no image[uuid:{uuid[:64]}] waits for bytes")
        await self._dispatch.check_upload(await self._check_role(request, "operator"), uuid)
        await self._upload(uuid, request.content.iter_chunked(UPLOAD_CHUNK), request.content_length)
        return _json({})

    async def _console(self, request: web.Request) -> web.StreamResponse:
        if self._open_console is None:
            raise NotBuilt("this appliance opens no consoles")
        return await console(request, self._open_console)

    async def _health(self, _: web.Request) -> web.StreamResponse:
        if not self._dispatch.ready():
            raise NotReady("the appliance is starting; try again in a moment")
        return _json({"ready": True})


def _wait_of(request: web.Request) -> float:
    """Seconds that a question may be kept, out of its `wait`."""
    text = request.query.get("wait", "0")
    try:
        wait = float(text)
    except ValueError:
        wait = -1.0
    if not 0 <= wait <= WAIT_LIMIT_SECONDS:
        raise InvalidArgument(f"wait={text[:20]} is not a number of seconds from 0 to {WAIT_LIMIT_SECONDS:g}")
    return wait


def _origin(request: web.Request) -> Origin:
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport else None
    if sock is not None and sock.family == socket.AF_UNIX:
        return Origin("socket", trusted=True)
    peer = transport.get_extra_info("peername") if transport else None
    return Origin(f"{peer[0]}:{peer[1]}" if peer else "gone", trusted=False)


def _host_of(header: str) -> str:
    """The name or address in a Host header, without port, brackets and final dot."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].rstrip(".")


def _json(body: Any, status: int = 200) -> web.Response:
    return web.json_response(body, status=status, headers=HEADERS)


def _error(error: ApiError, status: int) -> web.Response:
    return _json({"error": error.to_wire(), "success": False}, status)


def _bind_tcp(listener: TcpListener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listener.host, listener.port))
    except OSError as error:
        sock.close()
        raise OSError(
            error.errno, f"cannot listen on {listener.host}:{listener.port}: {error.strerror}"
        ) from error
    return sock


def _bind_unix(path: Path) -> socket.socket:
    """A socket file of mode 0600 from its first moment; one that a dead appliance left is replaced."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    address = short_socket_path(path, folder)
    try:
        if _answers(address):
            raise OSError(f"another appliance listens on {path}; connect to it, or stop it first")
        path.unlink(missing_ok=True)
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock


def _answers(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
    return True
