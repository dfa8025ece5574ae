"""The stream of a VM's console, as a face has it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp

from appliance.api.console import ConsoleEnd, ConsoleEnded, Gap, Notice


class ConsoleStream:
    """What a console shows, and the way to type into it. One task reads it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._left = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[bytes | Gap | Notice]:
        """All that comes; raises ConsoleEnded at the end, unless the stream was closed here."""
        while True:
            message = await self._socket.receive()
            if self._left:
                return
            match message.type:
                case aiohttp.WSMsgType.BINARY:
                    yield message.data
                case aiohttp.WSMsgType.TEXT:
                    yield _said(message.data)
                case aiohttp.WSMsgType.CLOSE:
                    raise ConsoleEnded(_end(message.data), str(message.extra or "the console ended"))
                case _:
                    raise ConsoleEnded(ConsoleEnd.CLOSED, "the connection to the appliance broke")

    async def send(self, data: bytes) -> None:
        """Type; waits while the way is full. Raises ConsoleEnded when there is no way any more."""
        try:
            await self._socket.send_bytes(data)
        except ConnectionError as gone:
            raise ConsoleEnded(ConsoleEnd.CLOSED, "the connection to the appliance broke") from gone

    async def close(self) -> None:
        """Leave."""
        self._left = True
        await self._socket.close()


def _said(text: str) -> Gap | Notice:
    said = json.loads(text)
    if "gap" in said:
        return Gap(int(said["gap"]))
    return Notice(str(said.get("code", "")), str(said.get("notice", "")))


def _end(code: int | None) -> ConsoleEnd:
    return ConsoleEnd(code) if code in list(ConsoleEnd) else ConsoleEnd.CLOSED
