"""Where the server listens: a socket file that only its owner can open, and addresses."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from appliance.client import short_socket_path


@dataclass(frozen=True)
class UnixListener:
    """Listen on a socket file that only its owner can open; who can is trusted as the admin, unless said otherwise."""

    path: Path
    trusted: bool = True


@dataclass(frozen=True)
class TcpListener:
    """Listen on an address. Port 0 takes a free one."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


def bind_tcp(listener: TcpListener) -> socket.socket:
    """A socket on an address. Raises OSError, naming the address."""
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listener.host, listener.port))
    except OSError as error:
        sock.close()
        raise OSError(
            error.errno, f"cannot listen on {listener.host}:{listener.port}: {error.strerror}"
        ) from error
    return sock


def bind_unix(path: Path) -> socket.socket:
    """A socket file of mode 0600 from its first moment; one that a dead appliance left is replaced."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    address = short_socket_path(path, folder)
    try:
        if _answers(address):
            raise OSError(f"another appliance listens on {path}; connect to it, or stop it first")
        path.unlink(missing_ok=True)
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock


def _answers(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
    return True
