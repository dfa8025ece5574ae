"""The consoles of a simulated VM: a VNC server with bars of colours, and a serial line that repeats what is typed."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Callable

from agent.protocol import Done, KeepSerialHistory, ReadSerialHistory, SerialFrame, SerialHistory, Struct
from appliance.hosts.vnc import CHALLENGE_BYTES, GREETING, OPEN, PASSWORD, WELL, answer


def history(logs: dict[str, bytes], request: ReadSerialHistory | KeepSerialHistory) -> Struct:
    """Tell or keep what guests said on other hosts, by their uuids: here they say nothing by themselves."""
    if isinstance(request, ReadSerialHistory):
        return SerialHistory(data=logs.get(request.vm_uuid, b""))
    if request.vm_uuid in logs:
        logs[request.vm_uuid] = logs[request.vm_uuid] or request.data
    return Done()


WIDTH, HEIGHT = 64, 40
BARS = (0xFFFFFF, 0xFFFF00, 0x00FFFF, 0x00FF00, 0xFF00FF, 0xFF0000, 0x0000FF, 0x000000)
_PIXELS = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_BEGIN = struct.pack(">HH", WIDTH, HEIGHT) + _PIXELS + struct.pack(">I", 9) + b"simulated"
REFUSED = struct.pack(">I", 1)

LENGTHS = {0: 20, 3: 10, 4: 8, 5: 6}
COUNTED = {2: (4, 2, ">H", 4), 6: (8, 4, ">I", 1)}
"""Of messages by their first byte: their lengths; or of their head, where a count is in it, and of each."""

WELCOME = b"This guest is simulated: it repeats what is typed.\r\n"
KEPT_BYTES = 64 << 10
LOOK_SECONDS = 0.1


class SimulatedConsole:
    """The stream to a VNC server: bars of colours, and each key that goes down moves them by one."""

    def __init__(self, take_password: Callable[[], str] | None = None) -> None:
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._inbox.put_nowait(GREETING)
        self._take_password = take_password
        """Gives the password that is good now, which then is no more; None for a console without one."""
        self._challenge = secrets.token_bytes(CHALLENGE_BYTES)
        self._meeting = (
            ((12, bytes([1, PASSWORD])), (1, self._challenge), (CHALLENGE_BYTES, b""), (1, _BEGIN))
            if take_password
            else ((12, bytes([1, OPEN])), (1, WELL), (1, _BEGIN))
        )
        """What a viewer says at first: how long that is, and what is answered."""
        self._said = b""
        self._met = 0
        self._keys = 0
        self._shown = -1
        self._awaited = False

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        return await self._inbox.get()

    def write(self, data: bytes) -> None:
        """What the viewer says."""
        self._said += data
        while (length := self._length()) is not None and len(self._said) >= length:
            message, self._said = self._said[:length], self._said[length:]
            self._answer(message)

    def _length(self) -> int | None:
        """How long what comes next is; None while that is not known."""
        if self._met < len(self._meeting):
            return self._meeting[self._met][0]
        if not self._said:
            return None
        if self._said[0] in COUNTED:
            head, at, form, each = COUNTED[self._said[0]]
            if len(self._said) < head:
                return None
            (count,) = struct.unpack_from(form, self._said, at)
            return head + int(count) * each
        return LENGTHS.get(self._said[0], 1)

    def _answer(self, message: bytes) -> None:
        if self._met < len(self._meeting):
            self._inbox.put_nowait(self._meeting[self._met][1] or self._judge(message))
            self._met += 1
            return
        kind = message[0]
        self._keys += kind == 4 and message[1]
        if kind == 3:
            self._awaited = True
            self._shown = self._shown if message[1] else -1
        if self._awaited and self._shown != self._keys:
            self._awaited, self._shown = False, self._keys
            self._inbox.put_nowait(self._picture())

    def _judge(self, said: bytes) -> bytes:
        """Whether the viewer knows the password."""
        password = self._take_password() if self._take_password else ""
        if password and said == answer(password, self._challenge):
            return WELL
        self._inbox.put_nowait(REFUSED)
        return b""

    def _picture(self) -> bytes:
        line = b"".join(
            BARS[(x * len(BARS) // WIDTH + self._keys) % len(BARS)].to_bytes(4, "little")
            for x in range(WIDTH)
        )
        return struct.pack(">BxHHHHHi", 0, 1, 0, 0, WIDTH, HEIGHT, 0) + line * HEIGHT

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
