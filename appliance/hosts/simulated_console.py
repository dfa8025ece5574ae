"""The console of a simulated VM: a VNC server that greets, asks for no password, and has nothing to show."""

from __future__ import annotations

import asyncio

GREETING = b"RFB 003.008\n"
NO_PASSWORD = b"\x01\x01"


class SimulatedConsole:
    """The stream to one."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._inbox.put_nowait(GREETING)
        self._greeted = False

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        """What the viewer says: its version is answered, and nothing else."""
        if not self._greeted:
            self._greeted = True
            self._inbox.put_nowait(NO_PASSWORD)

    def close(self) -> None:
        """The viewer hangs up."""
        self._inbox.put_nowait(b"")
