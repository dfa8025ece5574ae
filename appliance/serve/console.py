"""A VM's console over a WebSocket, opened by a token that is good once: VNC as it is, or its serial line."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from aiohttp import WSMsgType, web

from agent.protocol import SerialFrame, SerialFrames
from appliance.api.console import ConsoleEnd
from appliance.api.errors import ApiError, BadRequest, HostUnreachable, NotAllowed, NotBuilt
from appliance.api.vm import VmInstance
from appliance.hosts.link import Pipe
from appliance.resources.console import OpenConsole, open_console
from appliance.resources.console_tokens import Ticket
from appliance.resources.registry import Live
from appliance.serve.dispatch import Dispatch

HEARTBEAT_SECONDS = 30.0
MESSAGE_BYTES = 1 << 20
STUCK_SECONDS = 60.0
"""A viewer or a guest that takes nothing for so long is cut off."""

CHECK_SECONDS = 5.0
"""How often it is looked at whether the viewer still may."""

LAST_SECONDS = 2.0
"""How long after a VM went off the last that it wrote may take."""

REASON_BYTES = 123
"""What a WebSocket's last frame holds."""


class ConsoleEnded(Exception):
    """A console's stream is over."""

    def __init__(self, code: ConsoleEnd, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Consoles:
    """The way from a token to bytes, for as long as its caller may have them."""

    def __init__(self, dispatch: Dispatch, live: Live | None, stopping: asyncio.Event) -> None:
        self._dispatch = dispatch
        self._live = live
        self._stopping = stopping

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Carry bytes between a viewer and a console until one of them, or what may be, ends it."""
        if self._live is None:
            raise NotBuilt("this appliance opens no consoles")
        socket = web.WebSocketResponse(
            protocols=("binary",), heartbeat=HEARTBEAT_SECONDS, max_msg_size=MESSAGE_BYTES, timeout=2.0
        )
        if not socket.can_prepare(request).ok:
            raise BadRequest("a console is opened by a WebSocket, as noVNC does")
        ticket = self._live.consoles.take(request.query.get("token", ""))
        if ticket is None:
            raise NotAllowed(
                "this console token is unknown, used or too old; get one with RequestConsoleAccess"
            )
        await self._dispatch.check_still(ticket.caller, ticket.request)
        console = await open_console(self._live, ticket.request)
        try:
            await socket.prepare(request)
            end = await self._carry(socket, console, ticket)
        finally:
            console.pipe.close()
        with suppress(ConnectionError):
            await socket.close(code=end.code, message=_cut(end.reason))
        return socket

    async def _carry(
        self, socket: web.WebSocketResponse, console: OpenConsole, ticket: Ticket
    ) -> ConsoleEnded:
        out = _frames_out if console.framed else _bytes_out
        ways = [
            asyncio.create_task(each)
            for each in (_in(socket, console.pipe), out(console.pipe, socket), self._watch(ticket))
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            end = next((way.result() for way in done if way.result() is not None), None)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
        return end or await self._why(console, ticket)

    async def _watch(self, ticket: Ticket) -> ConsoleEnded:
        """Look whenever the VM changes, and every so often, whether the stream may go on."""
        live, vm_uuid = self._of(ticket)
        changes = live.database.feed.watch(vm_uuid)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                change = asyncio.ensure_future(anext(changes, None))
                await asyncio.wait(
                    [change, stopping], timeout=CHECK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                change.cancel()
                try:
                    await self._dispatch.check_still(ticket.caller, ticket.request)
                except ApiError as refused:
                    return ConsoleEnded(ConsoleEnd.NOT_ALLOWED, refused.details)
                if await self._is_off(ticket):
                    await asyncio.sleep(LAST_SECONDS)
                    return ConsoleEnded(ConsoleEnd.VM_OFF, "the VM is off")
            return ConsoleEnded(ConsoleEnd.STOPPING, "the appliance is stopping")
        finally:
            changes.close()
            stopping.cancel()

    async def _why(self, console: OpenConsole, ticket: Ticket) -> ConsoleEnded:
        """Why a stream ended that said nothing: its VM's state may come a moment later."""
        live, _ = self._of(ticket)
        for _ in range(10):
            if await self._is_off(ticket):
                return ConsoleEnded(ConsoleEnd.VM_OFF, "the VM is off")
            if not live.fleet.connected(console.target):
                return ConsoleEnded(
                    ConsoleEnd.HOST_AWAY, f"the host {console.target.address} is not connected"
                )
            await asyncio.sleep(LAST_SECONDS / 10)
        return ConsoleEnded(ConsoleEnd.CLOSED, "the console ended the connection")

    async def _is_off(self, ticket: Ticket) -> bool:
        live, vm_uuid = self._of(ticket)
        vm = await live.database.read(lambda snapshot: snapshot.find(VmInstance, vm_uuid))
        return vm is None or vm.power == "off"

    def _of(self, ticket: Ticket) -> tuple[Live, str]:
        if self._live is None:
            raise RuntimeError("a console is open where there are none")
        return self._live, ticket.request.vm_instance_uuid


async def _in(socket: web.WebSocketResponse, pipe: Pipe) -> ConsoleEnded | None:
    """What is typed, no faster than it is taken."""
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                pipe.write(message.data)
                async with asyncio.timeout(STUCK_SECONDS):
                    await pipe.drain()
    except TimeoutError:
        return ConsoleEnded(ConsoleEnd.CLOSED, f"the console has taken nothing for {STUCK_SECONDS:g} s")
    except (ConnectionError, HostUnreachable):
        return None
    return ConsoleEnded(ConsoleEnd.CLOSED, "the viewer left")


async def _bytes_out(pipe: Pipe, socket: web.WebSocketResponse) -> ConsoleEnded | None:
    try:
        while data := await pipe.read():
            async with asyncio.timeout(STUCK_SECONDS):
                await socket.send_bytes(data)
    except (ConnectionError, TimeoutError):
        pass
    return None


async def _frames_out(pipe: Pipe, socket: web.WebSocketResponse) -> ConsoleEnded | None:
    frames = SerialFrames()
    try:
        while data := await pipe.read():
            for frame in frames.feed(data):
                if frame.kind == "end":
                    return _end_of(frame)
                async with asyncio.timeout(STUCK_SECONDS):
                    await _send(socket, frame)
    except (ConnectionError, TimeoutError, ValueError):
        pass
    return None


async def _send(socket: web.WebSocketResponse, frame: SerialFrame) -> None:
    if frame.kind == "data":
        await socket.send_bytes(frame.body)
    elif frame.kind == "gap":
        await socket.send_str(json.dumps({"gap": int(frame.body)}))
    else:
        code, _, words = frame.body.decode(errors="replace").partition(" ")
        await socket.send_str(json.dumps({"notice": words, "code": code}))


def _end_of(frame: SerialFrame) -> ConsoleEnded:
    code, _, words = frame.body.decode(errors="replace").partition(" ")
    return ConsoleEnded(ConsoleEnd.VM_OFF if code == "domain.off" else ConsoleEnd.CLOSED, words)


def _cut(reason: str) -> bytes:
    """As much of a reason as fits, in whole letters."""
    return reason.encode()[:REASON_BYTES].decode(errors="ignore").encode()
