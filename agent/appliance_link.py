"""One connection to the appliance: lines in, frames out, all frames of a loop tick in one write."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from agent.protocol import MAX_FRAME_BYTES, READY_LINE

log = logging.getLogger(__name__)

READ_BYTES = 256 << 10
MAX_UNSENT_BYTES = 64 << 20
"""More than this unsent: the other end has stopped reading, and the link is closed."""


class ApplianceLink:
    """A pair of file descriptors taken over from `agent attach`, driven by the event loop."""

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        on_line: Callable[[ApplianceLink, bytes], None],
        on_close: Callable[[ApplianceLink], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._on_line = on_line
        self._on_close = on_close
        self._partial = b""
        self._unsent: list[bytes] = []
        self._stuck = b""
        self._scheduled = False
        self.closed = False
        self.greeted = False
        self.heard_at = self._loop.time()

    def open(self) -> None:
        """Say that the agent is ready, and begin to read."""
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self.send(READY_LINE)
        try:
            self._loop.add_reader(self._read_fd, self._read)
        except PermissionError:
            self.close("its input is a file, which cannot be waited for")

    def send(self, frame: bytes) -> None:
        """Send a frame at the end of this loop tick, together with all others; lost on a closed link."""
        if self.closed:
            return
        self._unsent.append(frame)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def close(self, reason: str) -> None:
        """Let go of both descriptors. Frames not yet written are dropped: their answers are recorded."""
        if self.closed:
            return
        self._write_some()
        self.closed = True
        log.info("link closed: %s", reason)
        self._loop.remove_reader(self._read_fd)
        self._loop.remove_writer(self._write_fd)
        for descriptor in {self._read_fd, self._write_fd}:
            os.close(descriptor)
        self._on_close(self)

    def _read(self) -> None:
        try:
            chunk = os.read(self._read_fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as failed:
            self.close(f"reading failed: {failed.strerror}")
            return
        if not chunk:
            self.close("the other end hung up")
            return
        self.heard_at = self._loop.time()
        lines = (self._partial + chunk).split(b"\n")
        self._partial = lines.pop()
        for line in lines:
            if self.closed:
                return
            if len(line) > MAX_FRAME_BYTES:
                self.close("a frame was too long")
                return
            self._on_line(self, line)
        if len(self._partial) > MAX_FRAME_BYTES:
            self.close("a frame was too long")

    def _flush(self) -> None:
        self._scheduled = False
        if self.closed:
            return
        failure = self._write_some()
        if failure is not None:
            self.close(f"writing failed: {failure}")
        elif len(self._stuck) > MAX_UNSENT_BYTES:
            self.close("the other end does not read")
        elif self._stuck:
            self._loop.add_writer(self._write_fd, self._flush)
        else:
            self._loop.remove_writer(self._write_fd)

    def _write_some(self) -> str | None:
        if self._unsent:
            self._stuck += b"".join(self._unsent)
            self._unsent.clear()
        if not self._stuck:
            return None
        try:
            written = os.write(self._write_fd, self._stuck)
        except BlockingIOError:
            return None
        except OSError as failed:
            return failed.strerror
        self._stuck = self._stuck[written:]
        return None
