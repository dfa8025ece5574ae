"""The daemon's socket on its host: `agent attach` hands links over here, the supervisor asks if it lives.

Messages keep their bounds (SOCK_SEQPACKET): `link BUILD` with two descriptors, `ping`, `retire`. Answers
are `ok`, or `other BUILD` where the daemon is of another build than the one that attaches.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.knock import MESSAGE_BYTES
from agent.version import version


class TakesLinks(Protocol):
    """Whoever a new link is for."""

    def adopt(self, read_fd: int, write_fd: int, on_close: Callable[[], None]) -> Closable:
        """Take over the descriptors; call `on_close` once when the link ends."""
        ...


class Closable(Protocol):
    """A link as far as the doorway cares."""

    def close(self, reason: str) -> None:
        """End it; harmless when it has ended."""
        ...


class Doorway:
    """Listens on the socket for as long as the daemon lives."""

    def __init__(self, path: Path, links: TakesLinks, retire: Callable[[], None]) -> None:
        self._path = path
        self._links = links
        self._retire = retire
        self._loop = asyncio.get_running_loop()
        self._open: dict[socket.socket, Closable | None] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)

    def start(self) -> None:
        """Listen. The caller holds the daemon's lock, so a socket that exists is a dead one's."""
        self._path.unlink(missing_ok=True)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)
        self._listener.listen(64)
        self._loop.add_reader(self._listener, self._accept)

    def stop(self) -> None:
        """Stop listening and let go of everyone."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for door in list(self._open):
            self._close(door)

    def _accept(self) -> None:
        try:
            door, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        door.setblocking(False)
        self._open[door] = None
        self._loop.add_reader(door, self._receive, door)

    def _receive(self, door: socket.socket) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(door, MESSAGE_BYTES, 2)
        except BlockingIOError:
            return
        except OSError:
            message, descriptors = b"", []
        word, _, rest = message.decode(errors="replace").partition(" ")
        if word == "link" and len(descriptors) == 2 and rest == version() and self._open[door] is None:
            self._link(door, descriptors[0], descriptors[1])
            return
        for descriptor in descriptors:
            os.close(descriptor)
        if word == "link":
            self._reply(door, f"other {version()}")
        elif word in {"ping", "retire"}:
            self._reply(door, "ok")
        else:
            self._close(door)
        if word == "retire":
            self._retire()

    def _link(self, door: socket.socket, read_fd: int, write_fd: int) -> None:
        self._reply(door, "ok")
        if door not in self._open:
            os.close(read_fd)
            os.close(write_fd)
            return
        self._open[door] = self._links.adopt(read_fd, write_fd, lambda: self._close(door))

    def _reply(self, door: socket.socket, word: str) -> None:
        try:
            door.send(word.encode())
        except OSError:
            self._close(door)

    def _close(self, door: socket.socket) -> None:
        """Let go of a connection, and of the link that came through it: one never outlives the other."""
        if door not in self._open:
            return
        link = self._open.pop(door)
        self._loop.remove_reader(door)
        door.close()
        if link is not None:
            link.close("agent attach is gone")
