"""Full screens that run here for users elsewhere: each a child process in a terminal of its own."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import pty
import re
import signal
import struct
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.api.errors import OperationFailed
from appliance.serve.entrance import Guest
from appliance.starting import SESSION, program

log = logging.getLogger(__name__)

TERMINALS = 16
"""How many may be open at once: each is a process of some 60 MB."""

IDLE_SECONDS = 3600.0
"""A full screen that nobody has touched for so long is closed, and its session ended."""

END_SECONDS = 2.0
CHUNK_BYTES = 1 << 16
LARGEST = (500, 200)
"""Columns and rows: no real screen has more."""

KEPT = ("PATH", "PYTHONPATH", "TZ")
"""What a child has of the appliance's environment; nothing that could hold a secret."""

TERM = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,31}")
WISHED = "ZSTUI_LANG"
"""The language that the screen speaks whatever it spoke before."""

LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z]{2,4})*(\.[A-Za-z0-9-]{1,16})?")


@dataclass(frozen=True)
class Size:
    """Columns and rows of a screen, kept to what one can have."""

    columns: int
    rows: int

    @classmethod
    def of(cls, columns: Any, rows: Any) -> Size:
        """A size as somebody else says it: what is no number, or none that can be, becomes one that can."""
        sides = []
        for said, usual, most in zip((columns, rows), (80, 24), LARGEST, strict=True):
            number = said if isinstance(said, int) and said > 0 else usual
            sides.append(min(number, most))
        return cls(*sides)


class Terminal:
    """One full screen: what it draws is read, what is typed is written. Made by `Terminals.open`."""

    def __init__(self, master: int, process: asyncio.subprocess.Process) -> None:
        self._master = master
        self._process = process
        self._patience = asyncio.timeout(None)

    async def carry(self, typed: Coroutine[Any, Any, None], draw: Callable[[bytes], Awaitable[None]]) -> str:
        """Carry what is drawn to `draw` while `typed` feeds it, until the first of both ends.

        Returns why it ended if the user may not know, else an empty text.
        """
        ways = [asyncio.create_task(typed), asyncio.create_task(self._drawn(draw))]
        try:
            async with asyncio.timeout(IDLE_SECONDS) as self._patience:
                ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ended:
                with contextlib.suppress(ConnectionError):
                    way.result()
        except TimeoutError:
            return f"closed, since nothing was typed for {IDLE_SECONDS / 60:g} minutes"
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
        return ""

    async def write(self, data: bytes) -> None:
        """Type something; waits while the child does not read."""
        loop = asyncio.get_running_loop()
        if not self._patience.expired():
            self._patience.reschedule(loop.time() + IDLE_SECONDS)
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._master, rest) :]
            except BlockingIOError:
                await self._until(loop.add_writer, loop.remove_writer)
            except OSError:
                return  # it has ended, which who reads from it learns

    def resize(self, size: Size) -> None:
        """Tell the child that its screen has another size."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))

    def hang_up(self) -> None:
        """Ask the child to end; who carries what it draws then comes to an end."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGHUP)

    async def close(self) -> None:
        """End the child: by hanging up, and if that does not do, for good."""
        master, self._master = self._master, -1
        os.close(master)
        self.hang_up()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _drawn(self, draw: Callable[[bytes], Awaitable[None]]) -> None:
        while data := await self._read():
            await draw(data)

    async def _read(self) -> bytes:
        """What the child has drawn since; nothing when it has ended."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return os.read(self._master, CHUNK_BYTES)
            except BlockingIOError:
                await self._until(loop.add_reader, loop.remove_reader)
            except OSError:
                return b""  # Linux's word for a terminal that nobody has open any more

    async def _until(self, watch: Callable[..., Any], leave: Callable[[int], Any]) -> None:
        """Wait until the terminal is ready for something."""
        ready = asyncio.Event()
        watch(self._master, ready.set)
        try:
            await ready.wait()
        finally:
            leave(self._master)


class Terminals:
    """The full screens that are open. `socket` is where they reach the appliance, with their user's session only."""

    def __init__(self, socket: Path, folder: Path) -> None:
        self._socket = socket
        self._folder = folder
        self._open: set[Terminal] = set()
        self._opening = 0

    def check_room(self) -> None:
        """Raises OperationFailed when no more may be opened."""
        if len(self._open) + self._opening >= TERMINALS:
            raise OperationFailed(
                f"{TERMINALS} full screens are open here, which is the limit; close one, or run zstui --connect "
                "on your own machine"
            )

    @contextlib.asynccontextmanager
    async def open(
        self, guest: Guest, size: Size, *, term: str, language: str, wish: str = ""
    ) -> AsyncIterator[Terminal]:
        """A full screen for a guest while the body runs. Raises OperationFailed when there are too many."""
        self.check_room()
        self._opening += 1
        try:
            terminal = await self._start(guest, size, term, language, wish)
        finally:
            self._opening -= 1
        self._open.add(terminal)
        log.info("a full screen for %s from %s", guest.name, guest.source)
        try:
            yield terminal
        finally:
            self._open.discard(terminal)
            await terminal.close()
            log.info("the full screen for %s from %s has ended", guest.name, guest.source)

    def close(self) -> None:
        """Ask all that are open to end."""
        for terminal in self._open:
            terminal.hang_up()

    async def _start(self, guest: Guest, size: Size, term: str, language: str, wish: str) -> Terminal:
        home = self._folder / guest.uuid
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        master, slave = pty.openpty()
        try:
            os.set_blocking(master, False)
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))
            process = await asyncio.create_subprocess_exec(
                *program(),
                "--connect",
                str(self._socket),
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=home,
                env=environment(os.environ, guest, home, term, language, wish),
                start_new_session=True,
            )
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        return Terminal(master, process)


def environment(
    own: Mapping[str, str], guest: Guest, home: Path, term: str, language: str, wish: str = ""
) -> dict[str, str]:
    """What a child is told: its session, never by words that others can list; what its user said of the screen."""
    fits = TERM.fullmatch(term) is not None and term != "dumb"
    spoken = language.replace("-", "_") if LANGUAGE.fullmatch(language) else "en_US"
    return {
        **{name: own[name] for name in KEPT if name in own},
        "HOME": str(home),
        "TERM": term if fits else "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": spoken if "." in spoken else f"{spoken}.UTF-8",
        "PYTHONUTF8": "1",
        SESSION: guest.session_uuid,
        **({WISHED: wish} if LANGUAGE.fullmatch(wish) else {}),
    }
