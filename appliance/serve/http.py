"""The HTTP server, on a socket file and on addresses: routes, each with its policy, and nothing besides."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, Collection

from aiohttp import hdrs, web

from appliance.api.errors import (
    ApiError,
    BadRequest,
    InternalError,
    InvalidArgument,
    NotAllowed,
    NotReady,
    ResourceNotFound,
    UnknownMessage,
)
from appliance.api.image import AddImage, ExportImageFromBackupStorage
from appliance.api.message import ROLES, Role
from appliance.api.token import EVENTS, METRICS, WATCHING
from appliance.plans.naming import is_address
from appliance.resources.registry import Caller, Live
from appliance.resources.token import check_scope
from appliance.serve.audit import entry_of_request
from appliance.serve.connection import listen
from appliance.serve.console import Consoles
from appliance.serve.dispatch import Dispatch
from appliance.serve.events import Broadcast
from appliance.serve.listen import TcpListener, UnixListener, bind_tcp, bind_unix
from appliance.serve.metrics import CONTENT_TYPE, metrics
from appliance.serve.rest import Rest
from appliance.serve.route import (
    BODY_SECONDS,
    HEADERS,
    Route,
    bearer_of,
    error_answer,
    json_answer,
    origin_of,
    wait_of,
)
from appliance.serve.transfer import Transfers, export, image_of, receive
from appliance.serve.zstack import Reply, envelope, read_call

log = logging.getLogger(__name__)

BODY_LIMIT = 1 << 20
TOO_LONG = f"the body is longer than {BODY_LIMIT} bytes"
STOP_SECONDS = 2.0
STUCK_SECONDS = 60.0
"""A watcher that takes nothing for so long is cut off."""

CHECK_SECONDS = 15.0
"""How often a watcher's session is looked at again."""


class Server:
    """Serves calls, jobs, events and uploads on any number of listeners.

    `names` are the host names, beyond localhost, of web pages that may call; `pages` are routes of faces.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        broadcast: Broadcast,
        *,
        transfers: Transfers | None = None,
        live: Live | None = None,
        names: Collection[str] = (),
        pages: Collection[Route] = (),
    ) -> None:
        self._dispatch = dispatch
        self._broadcast = broadcast
        self._transfers = transfers
        self._names = frozenset({"localhost", *(name.lower() for name in names)})
        self._stopping = asyncio.Event()
        self._consoles = Consoles(dispatch, live, self._stopping)
        self._sockets: list[tuple[socket.socket, TcpListener | UnixListener]] = []
        rest = Rest(dispatch, self._job)
        table = (*self._table(), *rest.table(), *pages)
        self._policies = {route.path: route.policy for route in table}
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._guard])
        for route in table:
            for method in route.methods:
                app.router.add_route(method, route.path, route.answer)
        self._runner = web.AppRunner(app, shutdown_timeout=STOP_SECONDS, handle_signals=False)
        self._servers: list[asyncio.Server] = []

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
            sock = bind_unix(listener.path) if isinstance(listener, UnixListener) else bind_tcp(listener)
            tls = listener.tls if isinstance(listener, TcpListener) else None
            self._sockets.append((sock, listener))
            if self._runner.server is None:
                raise RuntimeError("the server listens before it is set up")
            trusted = isinstance(listener, UnixListener) and listener.trusted
            self._servers.append(await listen(self._runner.server, sock, tls, trusted=trusted))
            log.info("listening on %s", sock.getsockname())

    async def stop(self) -> None:
        """Stop to listen, end all streams and waits; calls that run are cut off after `STOP_SECONDS`."""
        self._stopping.set()
        self._broadcast.close()
        for server in self._servers:
            server.close()
        self._servers.clear()
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
            Route(("GET",), EVENTS, "read-only", self._events),
            Route(("PUT", "HEAD"), "/zstack/upload/{uuid}", "operator", self._receive),
            Route(("GET", "HEAD"), "/zstack/export/{uuid}", "operator", self._export),
            Route(("GET",), "/websockify", "console-token", self._consoles.serve),
            Route(("GET",), METRICS, "read-only", self._metrics),
            Route(("GET",), "/healthz", "anyone", self._health),
        )

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Check where a request comes from and who may, and turn what goes wrong into JSON."""
        try:
            self._check_page(request)
            if request.match_info.http_exception is not None:
                raise request.match_info.http_exception
            await self._check_policy(request)
            return await handler(request)
        except ApiError as error:
            return error_answer(error, error.http_status)
        except web.HTTPException as refusal:
            return error_answer(_said_of(refusal, request), refusal.status)
        except ConnectionError:
            raise
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("fault %s in %s %s", reference, request.method, request.path[:200])
            return error_answer(InternalError(f"a fault in the appliance, reference {reference}"), 500)

    def _check_page(self, request: web.Request) -> None:
        """Refuse what a web page made a browser send: a foreign one, or one whose name was bent to us.

        A browser says the page's Origin with all that could change something. What comes without is no
        page's, so any name will do: whoever sends it has a session, or learns no more than anybody may.
        """
        page = request.headers.get(hdrs.ORIGIN)
        if page is None or origin_of(request).trusted:
            return
        given = request.headers.get(hdrs.HOST, "").lower()
        if page.lower().partition("://")[2] != given:
            raise NotAllowed(f"a page of {page[:200]!r} may not call this appliance")
        host = _host_of(given)
        if host not in self._names and not is_address(host.partition("%")[0]):
            raise NotAllowed(
                f"pages at {given[:200]!r} may not call this appliance; use its address, or start it with --name "
                f"{host[:200]!r} if that is a name of its own"
            )

    async def _check_policy(self, request: web.Request) -> None:
        resource = request.match_info.route.resource
        policy = self._policies.get(resource.canonical) if resource else None
        if policy is None:
            raise NotAllowed("this path has no policy, so nobody may use it")
        if policy == "per-call" or policy == "job-uuid" or policy == "anyone":
            return
        if policy == "console-token" or policy == "ticket":
            return
        caller, refusal = None, None
        try:
            caller = await self._check_role(request, policy)
        except ApiError as error:
            refusal = error
            raise
        finally:
            asked = f"{request.method} {request.path}"
            source = origin_of(request).source
            self._dispatch.audit.note(entry_of_request(asked, policy, caller, source, refusal))

    async def _check_role(self, request: web.Request, role: Role) -> Caller:
        caller = await self._dispatch.who(bearer_of(request), origin_of(request))
        if ROLES.index(caller.role) < ROLES.index(role):
            raise NotAllowed(f"{request.path} needs the role {role}, but the caller has {caller.role}")
        if request.path in WATCHING:
            if not caller.is_admin:
                raise NotAllowed(f"{request.path} tells what all accounts do; only the admin may have it")
            check_scope(caller, request.path)
        return caller

    async def _call(self, request: web.Request) -> web.StreamResponse:
        packed = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
        try:
            if packed.lower() != "identity":
                raise BadRequest(
                    f"Content-Encoding {packed[:200]!r} is not unpacked here; send the body plain"
                )
            async with asyncio.timeout(BODY_SECONDS):
                raw = await request.read()
            call = read_call(raw)
        except web.HTTPRequestEntityTooLarge:
            return error_answer(InvalidArgument(TOO_LONG), 413)
        except TimeoutError:
            return error_answer(BadRequest(f"the body did not come within {BODY_SECONDS:g} s"), 408)
        except ApiError as error:
            return error_answer(error, 400)
        return json_answer(envelope(await self._dispatch.answer(call, origin_of(request))))

    async def _result(self, request: web.Request) -> web.StreamResponse:
        uuid = request.match_info["uuid"]
        reply = await self._job(uuid, wait_of(request)) if re.fullmatch(r"[0-9a-f]{32}", uuid) else None
        if reply is None:
            raise ResourceNotFound(f"no job[uuid:{uuid[:64]}]; it may be too old, or never was")
        return json_answer(envelope(reply))

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
            await self._broadcast.begin(listener, request.headers.get("Last-Event-ID"))
            async for block in listener:
                try:
                    async with asyncio.timeout(STUCK_SECONDS):
                        await response.write(block)
                    if now() - checked >= CHECK_SECONDS:
                        await self._check_role(request, "read-only")
                        checked = now()
                except (TimeoutError, ConnectionError, ApiError):
                    break
        return response

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        uuid, transfers = image_of(request, self._transfers)
        await self._dispatch.check_image(await self._check_role(request, "operator"), AddImage, uuid)
        return await receive(request, uuid, transfers)

    async def _export(self, request: web.Request) -> web.StreamResponse:
        uuid, transfers = image_of(request, self._transfers)
        caller = await self._check_role(request, "operator")
        await self._dispatch.check_image(caller, ExportImageFromBackupStorage, uuid)
        return await export(request, uuid, transfers)

    async def _metrics(self, _: web.Request) -> web.StreamResponse:
        watchers, calls = len(self._broadcast.listeners), self._dispatch.calls
        text = await self._dispatch.database.read(lambda snapshot: metrics(snapshot, calls, watchers))
        return web.Response(body=text.encode(), headers={**HEADERS, "Content-Type": CONTENT_TYPE})

    async def _health(self, _: web.Request) -> web.StreamResponse:
        if not self._dispatch.ready():
            raise NotReady("the appliance is starting; try again in a moment")
        return json_answer({"ready": True})


def _said_of(refusal: web.HTTPException, request: web.Request) -> ApiError:
    """What is wrong with a request that the router takes no further."""
    asked = f"{request.method} {request.path[:200]}"
    if isinstance(refusal, web.HTTPMethodNotAllowed):
        methods = ", ".join(sorted(refusal.allowed_methods))
        return UnknownMessage(f"{asked} is no route; that path takes {methods}")
    if isinstance(refusal, web.HTTPNotFound):
        return UnknownMessage(f"{asked} is no route; /openapi.json lists those that are")
    if isinstance(refusal, web.HTTPRequestEntityTooLarge):
        return InvalidArgument(TOO_LONG)
    return BadRequest(f"{refusal.reason}: {asked}")


def _host_of(header: str) -> str:
    """The name or address in a Host header, without port, brackets and final dot."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].rstrip(".")
