"""The metadata server: HTTP inside each network's namespace, for callers known by where they come from."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from aiohttp import web

from agent import netns
from agent.handover import hand_over, take
from agent.keeper import keep, kept
from agent.paths import Paths

PORT = 80
CONNECTIONS_PER_SOURCE = 8
REQUEST_BYTES = 8192
"""A longer request, its body included, is cut off."""

CONNECTION_SECONDS = 10.0
BACKLOG = 1024
"""Connections of a network that wait where nobody takes them yet. The guard lets each guest call a hundred times
at once (`agent/guard.py`), so that it takes ten of them to keep the others out.
"""

LAST_SECONDS = 1.0
"""How long a daemon that makes way waits for those who have connected and not asked."""

log = logging.getLogger(__name__)

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Reply:
    """A status and a body, in plain text."""

    status: int
    body: str = ""


@dataclass(frozen=True)
class Question:
    """One request. `refusal` is set where it is refused whoever asks; it is put on record even so."""

    l3_uuid: str
    source: str
    path: str
    user_agent: str
    refusal: Reply | None


Answering = Callable[[Question], Reply]


class _Bounded(asyncio.Protocol):
    """One connection of a guest, with the limits that the HTTP library does not set."""

    def __init__(self, inner: asyncio.Protocol, open_now: dict[str, set[_Bounded]]) -> None:
        self._inner = inner
        self._open = open_now
        self._received = 0
        self._source = ""
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._source = str(transport.get_extra_info("peername")[0])
        others = self._open.setdefault(self._source, set())
        if len(others) >= CONNECTIONS_PER_SOURCE:
            self._transport.abort()
            self._transport = None
            return
        others.add(self)
        self._deadline = asyncio.get_running_loop().call_later(CONNECTION_SECONDS, self.cut)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._received += len(data)
        if self._received > REQUEST_BYTES:
            self._transport.write(_TOO_LARGE)
            self._transport.close()
            return
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, reason: Exception | None) -> None:
        if self._transport is None:
            return
        self._transport = None
        if self._deadline is not None:
            self._deadline.cancel()
        others = self._open.get(self._source, set())
        others.discard(self)
        if not others:
            self._open.pop(self._source, None)
        self._inner.connection_lost(reason)
        self.ended.set()

    def cut(self) -> None:
        """End the connection now, answered or not."""
        if self._transport is not None:
            self._transport.abort()


@dataclass(frozen=True)
class _Listener:
    """The open sockets of one network."""

    listening: socket.socket
    http: web.Server
    server: asyncio.Server
    connections: dict[str, set[_Bounded]]

    def open_now(self) -> list[_Bounded]:
        """Its connections of all guests."""
        return [each for group in self.connections.values() for each in group]


class MetadataServer:
    """Serves every network that wants user data. `answer` is set by who knows the NICs."""

    def __init__(self) -> None:
        self.answer: Answering = lambda _: Reply(503)
        self._listeners: dict[str, _Listener] = {}
        self._handed_over: dict[str, socket.socket] = {}
        self._begun = False
        self._paths: Paths | None = None
        self._keeping = asyncio.Lock()

    async def take_over(self, paths: Paths) -> None:
        """Have the sockets on which guests have been kept waiting since the daemon before made way, or died."""
        self._paths = paths
        self._handed_over = await asyncio.to_thread(take, paths)
        if not self._handed_over:
            try:
                self._handed_over = await asyncio.to_thread(kept, paths)
            except OSError as failed:
                log.info("nobody has kept what guests ask: %s", failed)

    async def begin(self) -> None:
        """Answer from now on; until then who connects waits. What was taken over for no network is closed."""
        self._begun = True
        for left in self._handed_over.values():
            left.close()
        self._handed_over.clear()
        for listener in self._listeners.values():
            await listener.server.start_serving()
        await self.have_kept()

    async def have_kept(self) -> bool:
        """Have the supervisor keep what is listened on: who connects after a crash is to wait, not to be refused.

        Whether it does.
        """
        async with self._keeping:
            if self._paths is None or not self._begun:
                return False
            # Copies, since what is closed meanwhile gives its number to something else.
            copies = {l3_uuid: each.listening.dup() for l3_uuid, each in self._listeners.items()}
            try:
                numbers = {l3_uuid: each.fileno() for l3_uuid, each in copies.items()}
                await asyncio.to_thread(keep, self._paths, numbers)
            except OSError as failed:
                log.info("nobody keeps what guests ask: %s", failed)
                return False
            finally:
                for each in copies.values():
                    each.close()
            return True

    async def listen(self, l3_uuid: str, namespace: str) -> None:
        """Serve on port 80 of every address in a namespace; a network already served is left alone.

        Raises `OSError` when the namespace is not there or the port is taken.
        """
        if l3_uuid in self._listeners:
            return
        listening = self._handed_over.pop(l3_uuid, None)
        if listening is None or not netns.has_socket(namespace, listening):
            listening = await netns.inside(namespace, _open_socket)
        http = web.Server(
            partial(self._handle, l3_uuid),
            access_log=None,
            keepalive_timeout=CONNECTION_SECONDS,
            lingering_time=0,
            max_line_size=REQUEST_BYTES,
            max_field_size=REQUEST_BYTES,
        )
        connections: dict[str, set[_Bounded]] = {}
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Bounded(http(), connections), sock=listening, backlog=BACKLOG, start_serving=self._begun
        )
        self._listeners[l3_uuid] = _Listener(listening, http, server, connections)
        await self.have_kept()

    async def close(self, l3_uuid: str) -> None:
        """Serve a network no more; its open connections end at once."""
        listener = self._listeners.pop(l3_uuid, None)
        if listener is None:
            return
        listener.server.close()
        for connection in listener.open_now():
            connection.cut()
        await listener.http.shutdown(1.0)
        # Kept, it would take connections that nobody answers, and its namespace would stay.
        await self.have_kept()

    async def make_way(self, paths: Paths) -> None:
        """Answer who has connected, and hand over to the next daemon who does from now on."""
        self._paths = None  # the supervisor goes, too
        hand_over(paths, {l3_uuid: each.listening for l3_uuid, each in self._listeners.items()})
        for listener in self._listeners.values():
            listener.server.close()
        open_now = [each for listener in self._listeners.values() for each in listener.open_now()]
        ends = [asyncio.create_task(each.ended.wait()) for each in open_now]
        if ends:
            _, late = await asyncio.wait(ends, timeout=LAST_SECONDS)
            for end in late:
                end.cancel()
        for l3_uuid in list(self._listeners):
            await self.close(l3_uuid)

    def kick(self, l3_uuid: str, source: str) -> None:
        """End the open connections of an address: whoever gets it next starts with none."""
        listener = self._listeners.get(l3_uuid)
        for connection in list(listener.connections.get(source, ())) if listener else ():
            connection.cut()

    async def _handle(self, l3_uuid: str, request: web.BaseRequest) -> web.StreamResponse:
        reply = self._reply(l3_uuid, request)
        response = web.Response(
            status=reply.status, body=reply.body.encode(), content_type="text/plain", charset="utf-8"
        )
        response.headers["Server"] = "zstui"
        response.headers["Cache-Control"] = "no-store"
        if reply.status == 405:
            response.headers["Allow"] = "GET, HEAD"
        response.force_close()
        return response

    def _reply(self, l3_uuid: str, request: web.BaseRequest) -> Reply:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        if peer is None:
            return Reply(400)
        refusal = None
        if request.method not in {"GET", "HEAD"}:
            refusal = Reply(405)
        elif "X-Forwarded-For" in request.headers:
            # A proxy in the guest was talked into asking for someone else.
            refusal = Reply(403, "requests that were forwarded are not answered\n")
        agent = request.headers.get("User-Agent", "")
        path = request.raw_path.partition("?")[0]
        return self.answer(Question(l3_uuid, str(peer[0]), path, agent, refusal))


def _open_socket() -> socket.socket:
    """A listening socket in the namespace we are in. Its packets live for one hop only."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
        listening.setblocking(False)
        listening.bind(("0.0.0.0", PORT))  # nosec B104  # inside the namespace of one network
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
