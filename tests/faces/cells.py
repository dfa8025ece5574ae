"""What a program has drawn on a terminal, in cells, and waiting for something to be there."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import struct
import termios
import time
from collections.abc import Callable

import pyte

SECONDS = 60.0
UNKNOWN = re.compile(rb"\x1b\[[<>=?]?[0-9;]*\$p|\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?u")
"""Questions to a terminal, and the keyboard's modes: nothing that is drawn, and nothing pyte knows."""


class Cells:
    """A screen that is drawn on. A wide character fills two cells, and is once in a line's text."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._fed = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """Draw what a program wrote."""
        self._stream.feed(UNKNOWN.sub(b"", data))
        self._fed.set()

    @property
    def lines(self) -> list[str]:
        """The lines as they are now."""
        buffer, columns = self.screen.buffer, range(self.screen.columns)
        return ["".join(buffer[row][column].data for column in columns) for row in range(self.screen.lines)]

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)

    def place(self, text: str, line: int | None = None) -> tuple[int, int]:
        """Line and column of the first cell of a text. It must be there."""
        for row in range(self.screen.lines) if line is None else [line]:
            cells = [self.screen.buffer[row][column].data for column in range(self.screen.columns)]
            at = "".join(cells).find(text)
            if at >= 0:
                starts = [column for column, data in enumerate(cells) for _ in data]
                return row, starts[at]
        raise AssertionError(f"no {text} on\n{self.text}")

    async def sees(self, *texts: str) -> None:
        """Wait until all texts are there."""
        await self.until(lambda shown: all(text in shown for text in texts), f"{texts}")

    async def misses(self, text: str) -> None:
        """Wait until a text is gone."""
        await self.until(lambda shown: text not in shown, f"end of {text}")

    async def until(self, fits: Callable[[str], bool], what: str, seconds: float = SECONDS) -> float:
        """Wait until the screen fits; how long that took."""
        began = time.monotonic()
        while not fits(self.text):
            self._fed.clear()
            try:
                async with asyncio.timeout(began + seconds - time.monotonic()):
                    await self._fed.wait()
            except TimeoutError:
                raise AssertionError(f"no {what} on\n{self.text}") from None
        return time.monotonic() - began


class Program:
    """A program in a terminal of its own."""

    def __init__(self, *words: str, environment: dict[str, str], columns: int = 80, rows: int = 24) -> None:
        self._words = words
        self._environment = {**environment, "TERM": "xterm-256color"}
        self._size = (columns, rows)
        self.cells = Cells(columns, rows)
        self.drawn = 0
        """How many bytes it has written."""

    async def __aenter__(self) -> Program:
        self._master, slave = os.openpty()
        self.resize(*self._size)
        os.set_blocking(self._master, False)
        self.process = await asyncio.create_subprocess_exec(
            *self._words, stdin=slave, stdout=slave, stderr=slave, env=self._environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        os.close(self._master)

    def press(self, keys: str) -> None:
        """Type keys, as a terminal sends them."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.cells.screen.resize(rows, columns)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:
            asyncio.get_running_loop().remove_reader(self._master)
            return
        self.drawn += len(data)
        self.cells.feed(data)
