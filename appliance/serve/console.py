"""A VM's console for a browser: VNC over a WebSocket, opened by a token that is good once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from appliance.api.errors import BadRequest
from appliance.hosts.link import Wire

OpenConsole = Callable[[str], Awaitable[Wire]]
"""The stream of the console that a token is for. Raises `ApiError`."""

HEARTBEAT_SECONDS = 30.0
MESSAGE_BYTES = 1 << 20


async def console(request: web.Request, open_console: OpenConsole) -> web.WebSocketResponse:
    """Carry bytes between a browser and a console until one of them ends it."""
    socket = web.WebSocketResponse(
        protocols=("binary",), heartbeat=HEARTBEAT_SECONDS, max_msg_size=MESSAGE_BYTES, timeout=2.0
    )
    if not socket.can_prepare(request).ok:
        raise BadRequest("a console is opened by a WebSocket, as noVNC does")
    wire = await open_console(request.query.get("token", ""))
    try:
        await socket.prepare(request)
        ways = [asyncio.create_task(_in(socket, wire)), asyncio.create_task(_out(wire, socket))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
    finally:
        wire.close()
    await socket.close()
    return socket


async def _in(socket: web.WebSocketResponse, wire: Wire) -> None:
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                wire.write(message.data)
    except ConnectionError:
        return


async def _out(wire: Wire, socket: web.WebSocketResponse) -> None:
    try:
        while data := await wire.read():
            await socket.send_bytes(data)
    except ConnectionError:
        return
