"""The way in for every face: one session with an appliance, over its socket or over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any, Self

import aiohttp

from appliance.api.account import hash_password
from appliance.api.completion import OFFERED, Named, Where, known_by, lookups
from appliance.api.errors import (
    ApiError,
    InvalidArgument,
    NotAllowed,
    OperationFailed,
    TimedOut,
)
from appliance.api.message import Message, only_reads, query_of
from appliance.api.parse import condition_text, equality, message_named, wire_fields
from appliance.api.resource import Resource, camel
from appliance.client_answers import Unreachable, body_of, checked, connection_errors
from appliance.client_console import ConsoleStream
from appliance.client_events import Push, blocks, push_of
from appliance.client_files import CHUNK_BYTES, PartFile, Patience, Progress, chunks

__all__ = ["Push", "Session", "Unreachable"]

CALL_SECONDS = 1800.0
"""How long a call may take unless told otherwise; ZStack's clients wait as long."""

LOST_SECONDS = 60.0
"""How long a wait for a job bears an appliance that does not answer: it may be restarting."""

WAIT_SECONDS = 20.0
"""How long the appliance may keep a question about a job until the job ends."""

PAUSE_SECONDS = 0.2
"""The least time between two such questions, of an appliance that is just going or coming."""

QUIET_SECONDS = 45.0
"""An event stream without even a heartbeat for so long is dead."""

HEARTBEAT_SECONDS = 30.0
RECONNECT_SECONDS = (0.2, 5.0)
CALL_BYTES = 1 << 20
ENDLESS = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=None)
EVERYTHING = 1_000_000
SUN_PATH_LIMIT = 107


def short_socket_path(path: Path, folder_fd: int) -> str:
    """A path to a socket that fits into a socket address, however deep its folder, which is open as an fd."""
    return str(path) if len(os.fsencode(path)) <= SUN_PATH_LIMIT else f"/proc/self/fd/{folder_fd}/{path.name}"


class Session:
    """A connection to an appliance. Make one with `await Session.connect(target)`; close it when done.

    Methods raise ApiError: the appliance's own, or Unreachable when it does not answer.
    """

    def __init__(self, http: aiohttp.ClientSession, base: str, target: Path | str) -> None:
        self.target = target
        self.session_uuid: str | None = None
        self.read_only = False
        """Whether calls that change anything are refused here, before they are sent."""
        self._http = http
        self._base = base
        self._folder_fd: int | None = None

    @classmethod
    async def connect(
        cls, target: Path | str, *, session_uuid: str | None = None, tls: ssl.SSLContext | None = None
    ) -> Self:
        """Connect to a socket (a Path) or to `http(s)://host:port`; see that an appliance answers there."""
        folder_fd = None
        connector: aiohttp.BaseConnector
        if isinstance(target, Path):
            base = "http://localhost"
            try:
                folder_fd = os.open(target.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                raise Unreachable(f"no appliance runs on {target}: {error.strerror}; start one") from error
            connector = aiohttp.UnixConnector(path=short_socket_path(target, folder_fd))
        else:
            base = str(target).rstrip("/")
            if not base.startswith(("http://", "https://")):
                raise InvalidArgument(f"{base!r} is no address; write http://HOST:PORT")
            connector = aiohttp.TCPConnector(ssl=tls if tls is not None else True)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)
        session = cls(aiohttp.ClientSession(connector=connector, timeout=timeout), base, target)
        session._folder_fd = folder_fd
        session.session_uuid = session_uuid
        try:
            await session._exchange("GET", "/healthz")
        except BaseException:
            await session.close()
            raise
        return session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; jobs go on. Streams of `events` end."""
        await self._http.close()
        if self._folder_fd is not None:
            os.close(self._folder_fd)
            self._folder_fd = None

    async def log_in(self, name: str, password: str) -> dict[str, Any]:
        """Log in with a plain password; later calls are made in that session. Returns its inventory."""
        reply = await self.call("LogInByAccount", account_name=name, password=hash_password(password))
        inventory: dict[str, Any] = reply["inventory"]
        self.session_uuid = str(inventory["uuid"])
        return inventory

    async def log_out(self) -> None:
        """End the session at the appliance."""
        if self.session_uuid is not None:
            await self.call("LogOut", session_uuid=self.session_uuid)
            self.session_uuid = None

    async def call(
        self, message: str, /, *, timeout_seconds: float = CALL_SECONDS, **parameters: Any
    ) -> dict[str, Any]:
        """Carry out a message, named short or by Java class, and wait for it. Returns its reply's fields.

        Parameters are named in snake_case or camelCase. Raises TimedOut when a job takes longer than given;
        the job goes on.
        """
        java, kind = message_named(message)
        envelope = await self._send(java, kind, wire_fields(kind, parameters))
        if envelope.get("state") == "Done":
            return body_of(envelope)
        try:
            return await self.wait(str(envelope["uuid"]), timeout_seconds)
        except ApiError as error:
            error.accepted = True
            raise

    async def call_job(self, message: str, /, **parameters: Any) -> str:
        """Start a message that is a job and return the job's uuid at once. A refused call raises."""
        java, kind = message_named(message)
        envelope = await self._send(java, kind, wire_fields(kind, parameters))
        if envelope.get("state") == "Done":
            body_of(envelope)
        if "uuid" not in envelope:
            raise InvalidArgument(f"{message} is answered at once; it is no job")
        return str(envelope["uuid"])

    async def wait(self, job_uuid: str, timeout_seconds: float = CALL_SECONDS) -> dict[str, Any]:
        """Wait for a job to end and return its reply's fields, or raise its error."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._ended(job_uuid)
        except TimeoutError as error:
            raise TimedOut(f"job[uuid:{job_uuid}] still runs after {timeout_seconds:g} s") from error

    async def _ended(self, job_uuid: str) -> dict[str, Any]:
        now = asyncio.get_running_loop().time
        answered = now()
        while True:
            asked = now()
            try:
                path = f"/zstack/api/result/{job_uuid}?wait={WAIT_SECONDS:g}"
                envelope = await self._exchange("GET", path)
                answered = now()
                if envelope.get("state") == "Done":
                    return body_of(envelope)
            except Unreachable as lost:
                if now() - answered > LOST_SECONDS:
                    raise Unreachable(
                        f"{lost.details}; job[uuid:{job_uuid}] goes on in the next appliance, which any zstui command "
                        f"on its data folder starts; see how it ends with zstui call QueryLongJob uuid={job_uuid}"
                    ) from lost
            await asyncio.sleep(max(0.0, asked + PAUSE_SECONDS - now()))

    async def named(self, resource: type[Resource], typed: str, where: Where) -> Named:
        """Some resources whose name or uuid begins with a text and that meet conditions, for completion."""
        uuid, names = camel(resource.primary), known_by(resource)
        found: dict[str, str] = {}
        for conditions in lookups(resource, typed, where):
            rows = await self.query(resource.__name__, *conditions, limit=OFFERED, fields=[uuid, *names])
            found |= {
                str(each[uuid]): " ".join(str(each[name]) for name in names if name in each) for each in rows
            }
        return list(found.items())[:OFFERED]

    async def query(
        self,
        resource: str,
        /,
        *conditions: tuple[str, str, Any],
        limit: int = EVERYTHING,
        start: int | None = None,
        sort_by: str | None = None,
        sort_direction: str | None = None,
        fields: list[str] | None = None,
        **equal: Any,
    ) -> list[dict[str, Any]]:
        """The inventories of a resource that meet all conditions.

        Keywords are equalities (a list: any of these; None: is null); others are `(name, op, value)`.
        """
        wanted = [{"name": name, "op": op, "value": condition_text(value)} for name, op, value in conditions]
        wanted += [equality(name, value) for name, value in equal.items()]
        reply = await self.call(
            query_of(resource),
            conditions=wanted,
            limit=limit,
            start=start,
            sort_by=camel(sort_by) if sort_by else None,
            sort_direction=sort_direction,
            fields=[camel(each) for each in fields] if fields else None,
        )
        inventories: list[dict[str, Any]] = reply.get("inventories", [])
        return inventories

    async def upload(self, image_uuid: str, path: Path, progress: Progress | None = None) -> None:
        """Send a local file as the content of an image added with `upload://`, going on where that stopped."""
        size = (await asyncio.to_thread(path.stat)).st_size
        patience = Patience()
        while True:
            try:
                start = await self._arrived(image_uuid)
                patience.note(start)
                if start < size or size == 0:
                    await self._send_file(image_uuid, path, start, size, progress)
                return
            except Unreachable as broken:
                await patience.pause(broken)

    async def _arrived(self, image_uuid: str) -> int:
        """How much of an upload is there; 0 where the upload itself will say what is wrong."""
        with connection_errors(self.target):
            url = f"{self._base}/zstack/upload/{image_uuid}"
            async with self._http.head(url, headers=self._headers()) as response:
                return int(response.headers.get("Upload-Offset", "0")) if response.status == 200 else 0

    async def _send_file(self, to: str, path: Path, start: int, size: int, tell: Progress | None) -> None:
        headers = {"Content-Length": str(size - start), "Upload-Offset": str(start), **self._headers()}
        url = f"{self._base}/zstack/upload/{to}"
        with closing(await asyncio.to_thread(path.open, "rb")) as source, connection_errors(self.target):
            # Nobody but aiohttp ends the chunks: it may be in the middle of one when this is cancelled.
            content = chunks(source, start, size, tell)
            async with self._http.put(url, data=content, headers=headers, timeout=ENDLESS) as response:
                checked(response.status, await response.read())

    async def download(self, image_uuid: str, path: Path, progress: Progress | None = None) -> str:
        """Write an image to a local file, going on where that stopped; its MD5, once that is proved."""
        found = await self.call("ExportImageFromBackupStorage", image_uuid=image_uuid)
        file, patience = PartFile(path, int(found["size"])), Patience()
        while (start := await file.length()) < file.size:
            patience.note(start)
            try:
                await self._receive_file(str(found["imageUrl"]), file, start, progress)
            except Unreachable as broken:
                await patience.pause(broken)
        return await file.finish(str(found["exportMd5Sum"]))

    async def _receive_file(self, url: str, file: PartFile, start: int, progress: Progress | None) -> None:
        headers = {"Range": f"bytes={start}-", **self._headers()} if start else self._headers()
        with connection_errors(self.target):
            async with self._http.get(f"{self._base}{url}", headers=headers, timeout=ENDLESS) as response:
                if response.status != (206 if start else 200):
                    checked(response.status, await response.read())
                await file.write(response.content.iter_chunked(CHUNK_BYTES), start, progress)

    async def console(self, vm_uuid: str, console: str) -> ConsoleStream:
        """Open the `serial` or `vnc` console of a running VM. Close the stream when done."""
        reply = await self.call("RequestConsoleAccess", vm_instance_uuid=vm_uuid, console=console)
        url, token = f"{self._base}/websockify", {"token": str(reply["inventory"]["token"])}
        with connection_errors(self.target):
            try:
                socket = await self._http.ws_connect(
                    url, params=token, protocols=("binary",), heartbeat=HEARTBEAT_SECONDS
                )
            except aiohttp.WSServerHandshakeError as refused:
                raise OperationFailed(
                    f"the {console} console of VM[uuid:{vm_uuid}] was closed while it was opened "
                    f"(HTTP {refused.status}); try again"
                ) from refused
        return ConsoleStream(socket)

    async def events(self) -> AsyncIterator[Push]:
        """What changes, from now on, for ever: `ready` first, then changes; reconnects by itself.

        Ends when the session is closed; raises when the appliance refuses the session.
        """
        first, standing, pause = True, False, RECONNECT_SECONDS[0]
        while not self._http.closed:
            try:
                async with aclosing(self._stream()) as stream:
                    async for push in stream:
                        again = push.kind == "ready" and not first
                        first, standing, pause = False, True, RECONNECT_SECONDS[0]
                        yield Push("reconnected") if again else push
            except Unreachable:
                if first and not self._http.closed:
                    raise
            except RuntimeError:
                if not self._http.closed:  # else aiohttp's word for reading on after `close`
                    raise
            if self._http.closed:
                return
            if standing:
                yield Push("lost")
            standing = False
            await asyncio.sleep(pause)
            pause = min(pause * 2, RECONNECT_SECONDS[1])

    async def _stream(self) -> AsyncGenerator[Push, None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=QUIET_SECONDS)
        with connection_errors(self.target):
            url = f"{self._base}/events"
            async with self._http.get(url, headers=self._headers(), timeout=timeout) as got:
                if got.status != 200:
                    checked(got.status, await got.read())
                async for block in blocks(got.content):
                    push = push_of(block)
                    if push is not None:
                        yield push

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"OAuth {self.session_uuid}"} if self.session_uuid else {}

    async def _send(self, java: str, kind: type[Message] | None, fields: dict[str, Any]) -> dict[str, Any]:
        """Post a call. It carries an id of its own, so that asking again cannot do it twice."""
        if self.read_only and not (kind is not None and only_reads(kind)):
            name = java.rpartition(".")[2] if kind is None else kind.__name__
            raise NotAllowed(f"{name} is not sent: this session only reads")
        session = {"uuid": self.session_uuid} if self.session_uuid else {}
        call = {java: {**fields, "id": uuid.uuid4().hex, "session": session}}
        try:
            return await self._exchange("POST", "/zstack/api/", call)
        except Unreachable as error:
            if isinstance(error.__cause__, aiohttp.ClientConnectorError):
                raise
        return await self._exchange("POST", "/zstack/api/", call)

    async def _exchange(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        if data is not None and len(data) > CALL_BYTES:
            raise InvalidArgument(f"the call is {len(data)} bytes long; an appliance takes {CALL_BYTES}")
        headers = {"Content-Type": "application/json"} if data is not None else {}
        with connection_errors(self.target):
            async with self._http.request(
                method, f"{self._base}{path}", data=data, headers=headers
            ) as response:
                return checked(response.status, await response.read())
