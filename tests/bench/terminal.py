"""A program in a terminal of its own: keys go in, and what it paints comes out with the time of each byte."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import signal
import socket
import struct
import sys
import termios
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

QUIET_SECONDS = 0.08
"""So long nothing is painted when all is painted: more than four frames."""

LIMIT_SECONDS = 60.0
ENVIRONMENT = {
    "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "ZSTUI_LANG": "en", "ESCDELAY": "25",
}  # fmt: skip


class Terminal:
    """A running program on a pseudo-terminal, and a line to it beside that."""

    def __init__(self, process: Process, screen: int, control: socket.socket, began: float) -> None:
        self.process = process
        self.began = began
        self.painted = bytearray()
        self.times: list[tuple[float, int]] = []
        """When something was painted (`time.perf_counter`), and how many bytes there were then."""
        self._screen = screen
        self._control = control
        self._more = asyncio.Event()
        self._ended = False
        os.set_blocking(screen, False)
        asyncio.get_running_loop().add_reader(screen, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._screen, 1 << 16)
        except OSError:
            data = b""
        now = time.perf_counter()
        if data:
            self.painted += data
            self.times.append((now, len(self.painted)))
        else:
            self._ended = True
            asyncio.get_running_loop().remove_reader(self._screen)
        self._more.set()

    async def _wait(self, seconds: float) -> bool:
        """Wait for more; whether anything came."""
        self._more.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._more.wait(), seconds)
            return not self._ended
        return False

    async def shows(self, text: str) -> float:
        """Seconds from the start of the program until it first painted a text."""
        wanted = text.encode()
        while wanted not in self.painted:
            assert await self._wait(LIMIT_SECONDS), (
                f"{text!r} was never painted: {bytes(self.painted[-2000:])!r}"
            )
        return self.times[-1][0] - self.began

    async def quiet(self) -> None:
        """Wait until all is painted: nothing comes any more, and not because the program is still at work on it."""
        painted = -1
        while painted < len(self.times):
            painted = len(self.times)
            await self.ask("used")
            await self._wait(QUIET_SECONDS)
        assert not self._ended, f"the program ended: {bytes(self.painted[-2000:])!r}"

    async def key(self, key: bytes) -> tuple[float, float]:
        """Press a key. Returns the seconds until the first byte and until the last byte of what it paints."""
        begun, before = time.perf_counter(), len(self.times)
        os.write(self._screen, key)
        assert await self._wait(LIMIT_SECONDS), f"nothing was painted for {key!r}"
        await self.quiet()
        return self.times[before][0] - begun, self.times[-1][0] - begun

    async def key_shows(self, key: bytes, text: str) -> float:
        """Press a key; seconds until what it paints has a text."""
        begun, before, wanted = time.perf_counter(), len(self.painted), text.encode()
        os.write(self._screen, key)
        while wanted not in self.painted[before:]:
            assert await self._wait(LIMIT_SECONDS), f"{text!r} was never painted after {key!r}"
        return self.times[-1][0] - begun

    async def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self._screen, key)

    async def resize(self, columns: int, rows: int) -> float:
        """Give the terminal another size; seconds until all is painted."""
        begun = time.perf_counter()
        set_size(self._screen, columns, rows)
        self.process.send_signal(signal.SIGWINCH)
        while len(await self.ask("lines")) != rows:
            await self._wait(0.01)
        await self.quiet()
        return self.times[-1][0] - begun

    async def ask(self, do: str, **fields: Any) -> Any:
        """Have the program do something, and wait for what it says of it."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._control, json.dumps({"do": do, **fields}).encode() + b"\n")
        said = b""
        while not said.endswith(b"\n"):
            more = await asyncio.wait_for(loop.sock_recv(self._control, 1 << 16), LIMIT_SECONDS)
            assert more, f"the program ended: {bytes(self.painted[-2000:])!r}"
            said += more
        return json.loads(said)

    def resident(self) -> int:
        """Bytes of memory that the program holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    async def close(self) -> None:
        """End the program."""
        if not self._ended:
            asyncio.get_running_loop().remove_reader(self._screen)
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        os.close(self._screen)
        self._control.close()


def set_size(screen: int, columns: int, rows: int) -> None:
    """Say how large a terminal is."""
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextlib.asynccontextmanager
async def terminal(
    *words: str,
    size: tuple[int, int] = (80, 24),
    environment: dict[str, str] | None = None,
    program: str | Path = sys.executable,
) -> AsyncIterator[Terminal]:
    """Run Python, or another program, with some words in a terminal; `CONTROL` tells it the line beside that."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    screen, inner = pty.openpty()
    set_size(inner, *size)
    given = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TMUX")}
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        program, *words, stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
        pass_fds=(theirs.fileno(),),
        env={**given, **ENVIRONMENT, "CONTROL": str(theirs.fileno()), **(environment or {})},
    )  # fmt: skip
    os.close(inner)
    theirs.close()
    running = Terminal(process, screen, ours, began)
    try:
        yield running
    finally:
        await running.close()
