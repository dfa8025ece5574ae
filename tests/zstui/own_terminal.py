"""The full screen as a process of its own, on a terminal of its own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PROGRAM = (
    "import sys\nfrom pathlib import Path\nfrom zstui.app import run\nsys.exit(run(Path(sys.argv[1])))\n"
)


class OwnTerminal:
    """The program, and the end of the terminal that a user has."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self._master: int | None = master

    async def read(self) -> bytes:
        """What was drawn since."""
        assert self._master is not None, "the terminal has hung up"
        return await asyncio.to_thread(os.read, self._master, 4096)

    def write(self, keys: bytes) -> None:
        """What a user types, or the terminal says."""
        assert self._master is not None, "the terminal has hung up"
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """Make it larger or smaller, as a user does who draws the window's edge."""
        assert self._master is not None, "the terminal has hung up"
        _resize(self._master, columns, rows)

    def hang_up(self) -> None:
        """Close it."""
        if self._master is not None:
            os.close(self._master)
            self._master = None


@asynccontextmanager
async def own_terminal(
    folder: Path, before: str = "", *, columns: int = 80, rows: int = 24, **environment: str
) -> AsyncIterator[OwnTerminal]:
    """A full screen for an appliance that is not there; `before` is Python that runs first."""
    master, slave = pty.openpty()
    _resize(slave, columns, rows)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", before + PROGRAM, os.fspath(folder / "a.sock"),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(slave)
    terminal = OwnTerminal(process, master)
    try:
        yield terminal
    finally:
        terminal.hang_up()
        if process.returncode is None:
            process.kill()
            await process.wait()


def _resize(descriptor: int, columns: int, rows: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
