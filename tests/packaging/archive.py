"""Debian's archive for a machine that has no network: as a mirror at an address of its own, and as an HTTP proxy."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.e2e.debian_image import mirror

PACKAGES = Path(__file__).resolve().parents[2] / "build" / "packages"
ADDRESS = ("127.0.0.1", 3128)
URL = f"http://{ADDRESS[0]}:{ADDRESS[1]}"
_BOUND = (
    "import socket, sys\n"
    "bound = socket.create_server((sys.argv[1], int(sys.argv[2])))\n"
    "socket.send_fds(socket.socket(fileno=0), [b'x'], [bound.fileno()])\n"
)


class Archive:
    """Listens on `ADDRESS` inside a machine, and fetches from outside what it is asked for, packages only once."""

    def __init__(self, first: str) -> None:
        """`first` is a process of the machine."""
        self.asked: list[str] = []
        """What was asked for, as it was: a whole URL where this was taken for a proxy."""
        self._server = ThreadingHTTPServer(ADDRESS, _handler(self.asked), bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = _listening(first)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _listening(first: str) -> socket.socket:
    """A socket that listens in the network of another process."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = [
            "nsenter",
            "--target",
            first,
            "--net",
            sys.executable,
            "-c",
            _BOUND,
            ADDRESS[0],
            str(ADDRESS[1]),
        ]
        subprocess.run(words, stdin=theirs, check=True, timeout=30)
        _, (descriptor,), _, _ = socket.recv_fds(ours, 1, 1)
    return socket.socket(fileno=descriptor)


def _handler(asked: list[str]) -> type[BaseHTTPRequestHandler]:
    base = mirror().rstrip("/").removesuffix("/debian")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            # Whoever is asked for, what is signed by Debian is the same everywhere.
            place = re.sub(r"^http://[^/]+", "", self.path)
            try:
                body = _fetched(f"{base}{place}")
            except urllib.error.HTTPError as refused:
                self._answer(refused.code, b"")
                return
            self._answer(200, body)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler


def _fetched(url: str) -> bytes:
    kept = PACKAGES / Path(url).name
    if kept.suffix == ".deb" and kept.is_file():
        return kept.read_bytes()
    with urllib.request.urlopen(url, timeout=120) as answer:
        body: bytes = answer.read()
    if kept.suffix == ".deb":
        PACKAGES.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{threading.get_ident()}")
        part.write_bytes(body)
        part.replace(kept)
    return body
