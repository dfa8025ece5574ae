"""Listening sockets that go from a daemon that makes way to the next one: who connects meanwhile waits, and is served.

Between the two a process of its own holds them, which is of the version that goes; how they are taken from it is the
same in all versions: descriptors with their names, a line each, until the end.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from agent.paths import Paths
from agent.version import own_command, own_environment

HOLD_SECONDS = 30.0
"""When no daemon has come by then, none is about to: who connects had better be told than wait."""
TAKE_SECONDS = 10.0

_AT_ONCE = 200
"""The kernel takes no more than 253 descriptors in a message."""
_MESSAGE_BYTES = 64 << 10


def hand_over(paths: Paths, sockets: dict[str, socket.socket]) -> None:
    """Leave sockets to a process that holds them until they are taken. Whoever calls closes its own."""
    if not sockets:
        return
    path = _door(paths)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        # It listens before anybody can ask, so that the next daemon waits for it rather than miss it.
        door.bind(str(path))
        path.chmod(0o600)
        door.listen(1)
        subprocess.Popen(
            [
                *own_command("hold"),
                str(door.fileno()),
                *(f"{name}={each.fileno()}" for name, each in sockets.items()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=own_environment(),
            pass_fds=[door.fileno(), *(each.fileno() for each in sockets.values())],
            start_new_session=True,
        )


def hold(door: int, held: list[str]) -> int:
    """Be that process: give descriptors away by their names (`NAME=NUMBER`), once, to who comes to the door."""
    with socket.socket(fileno=door) as listening:
        listening.settimeout(HOLD_SECONDS)
        try:
            taker, _ = listening.accept()
        except TimeoutError:
            Path(listening.getsockname()).unlink(missing_ok=True)
            return 1
        with taker:
            send_all(taker, {name: int(number) for name, number in (each.rsplit("=", 1) for each in held)})
    return 0


def take(paths: Paths) -> dict[str, socket.socket]:
    """What was handed over, by its name; nothing where nobody made way, as after a crash."""
    found: dict[str, socket.socket] = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.settimeout(TAKE_SECONDS)
        try:
            door.connect(str(_door(paths)))
            receive_all(door, found)
        except (FileNotFoundError, ConnectionError, TimeoutError):
            # Who held them is gone; what it had not given is closed, and is opened anew.
            return found
    _door(paths).unlink(missing_ok=True)
    return found


def send_all(door: socket.socket, held: dict[str, int]) -> None:
    """Give descriptors through a connection, with their names. Raises `OSError`."""
    for start in range(0, len(held), _AT_ONCE):
        some = dict(list(held.items())[start : start + _AT_ONCE])
        socket.send_fds(door, ["\n".join(some).encode()], list(some.values()))


def receive_all(
    door: socket.socket, found: dict[str, socket.socket] | None = None
) -> dict[str, socket.socket]:
    """Take sockets through a connection until it ends, into what was found before. Raises `OSError`."""
    found = {} if found is None else found
    while some := _received(door):
        found |= some
    return found


def _received(door: socket.socket) -> dict[str, socket.socket]:
    names, descriptors, _, _ = socket.recv_fds(door, _MESSAGE_BYTES, _AT_ONCE, socket.MSG_CMSG_CLOEXEC)
    sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    return dict(zip(names.decode().split("\n"), sockets, strict=True)) if names else {}


def _door(paths: Paths) -> Path:
    return paths.run / "handover.sock"
