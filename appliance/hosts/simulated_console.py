"""The consoles of a simulated VM: a VNC server with nothing to show, and a serial line that repeats what is typed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.protocol import SerialFrame

GREETING = b"RFB 003.008\n"
NO_PASSWORD = b"\x01\x01"

WELCOME = b"This guest is simulated: it repeats what is typed.\r\n"
KEPT_BYTES = 64 << 10
LOOK_SECONDS = 0.1


class SimulatedConsole:
    """The stream to a VNC server: it greets and asks for no password."""

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

    async def drain(self) -> None:
        """There is always room."""

    def close(self) -> None:
        """The viewer hangs up."""
        self._inbox.put_nowait(b"")


class SimulatedSerial:
    """What a guest has written to its serial line, the last of it."""

    def __init__(self) -> None:
        self.begin = 0
        self.text = bytearray(WELCOME)
        self._wrote = asyncio.Event()

    def write(self, data: bytes) -> None:
        """The guest writes."""
        self.text += data
        left = max(0, len(self.text) - KEPT_BYTES)
        del self.text[:left]
        self.begin += left
        self._wrote.set()
        self._wrote = asyncio.Event()

    async def wait(self) -> None:
        """Until it writes, or for a moment."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wrote.wait()
        except TimeoutError:
            return


class SimulatedSerialPipe:
    """The stream to a serial line, through a door of its host."""

    def __init__(self, key: str, serial: SimulatedSerial, ended: Callable[[], str | None]) -> None:
        self._key = f"{key}\n".encode()
        self._serial = serial
        self._ended = ended
        self._at = serial.begin
        self._said = b""
        self._let_in = asyncio.Event()
        self._over = False

    async def read(self) -> bytes:
        """A frame; empty at the end."""
        await self._let_in.wait()
        while not self._over:
            if self._at < self._serial.begin:
                left_out = self._serial.begin - self._at
                self._at = self._serial.begin
                return SerialFrame(kind="gap", body=str(left_out).encode()).packed()
            if data := bytes(self._serial.text[self._at - self._serial.begin :]):
                self._at += len(data)
                return SerialFrame(kind="data", body=data).packed()
            if (why := self._ended()) is not None:
                self._over = True
                return SerialFrame(kind="end", body=why.encode()).packed()
            await self._serial.wait()
        return b""

    def write(self, data: bytes) -> None:
        """The key, and then what is typed."""
        if self._let_in.is_set():
            self._serial.write(data)
            return
        self._said += data
        if len(self._said) >= len(self._key):
            said, rest = self._said[: len(self._key)], self._said[len(self._key) :]
            self._over = said != self._key
            self._let_in.set()
            if rest and not self._over:
                self._serial.write(rest)

    async def drain(self) -> None:
        """There is always room."""

    def close(self) -> None:
        """The viewer hangs up."""
        self._over = True
        self._let_in.set()
