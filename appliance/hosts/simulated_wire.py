"""Both directions of a link to a simulated host, in memory."""

from __future__ import annotations

import asyncio
from typing import Protocol

from agent.protocol import MAX_FRAME_BYTES


class Listener(Protocol):
    """The host at the other end."""

    reachable: bool

    def receive(self, wire: SimulatedWire, line: bytes) -> None:
        """A frame from the appliance."""

    def cut(self, reason: str) -> None:
        """The link breaks."""


class SimulatedWire:
    """Both directions of a link to a simulated host."""

    def __init__(self, host: Listener) -> None:
        self._host = host
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._rest = b""
        self._ended = False

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        """Frames for the host."""
        if self._ended or not self._host.reachable:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, (*lines, self._rest))) > MAX_FRAME_BYTES:
            self._host.cut("a frame was too long")
            self.end()
            return
        for line in lines:
            self._host.receive(self, line)

    def close(self) -> None:
        """The appliance hangs up."""
        self.end()

    def deliver(self, data: bytes) -> None:
        """Bytes for the appliance."""
        if not self._ended and self._host.reachable:
            self._inbox.put_nowait(data)

    def end(self) -> None:
        """No more bytes."""
        if not self._ended:
            self._ended = True
            self._inbox.put_nowait(b"")
