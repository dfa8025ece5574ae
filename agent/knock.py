"""How the other processes of the agent reach its daemon; imports next to nothing, for attach's sake."""

from __future__ import annotations

import socket
from pathlib import Path

MESSAGE_BYTES = 1024


def connect(path: Path, timeout_seconds: float) -> socket.socket:
    """A connection to the daemon's socket. Raises `OSError` when nobody listens or in time."""
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.settimeout(timeout_seconds)
    try:
        door.connect(str(path))
    except OSError:
        door.close()
        raise
    return door


def ask(path: Path, message: str, timeout_seconds: float) -> str:
    """Send one message to the daemon and return its answer. Raises `OSError`, `TimeoutError` included."""
    with connect(path, timeout_seconds) as door:
        door.send(message.encode())
        return door.recv(MESSAGE_BYTES).decode(errors="replace")
