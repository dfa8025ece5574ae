"""Listening sockets that the supervisor keeps beside the daemon: who connects after a crash waits, and is served.

The daemon tells all that it listens on whenever that changes; the next one asks for it.
"""

from __future__ import annotations

import logging
import socket
from pathlib import Path

from agent.handover import receive_all, send_all
from agent.paths import Paths

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
KEEP, GIVE = b"keep", b"give"


class Keeper:
    """The supervisor's part: a door, and the sockets that were told last."""

    def __init__(self, paths: Paths) -> None:
        path = _door(paths)
        path.unlink(missing_ok=True)
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.door.bind(str(path))
        path.chmod(0o600)
        self.door.listen(4)
        self._kept: dict[str, socket.socket] = {}

    def answer(self) -> None:
        """Do what the one who waits at the door asks for: have sockets kept, or given."""
        asking, _ = self.door.accept()
        with asking:
            asking.settimeout(ANSWER_SECONDS)
            try:
                if asking.recv(len(KEEP)) == KEEP:
                    told = receive_all(asking)
                    self.drop()
                    self._kept = told
                else:
                    send_all(asking, {name: each.fileno() for name, each in self._kept.items()})
            except OSError as failed:
                log.warning("what the daemon listens on was not heard or given: %s", failed)

    def drop(self) -> None:
        """Keep nothing any more: who connects is refused."""
        for each in self._kept.values():
            each.close()
        self._kept.clear()


def keep(paths: Paths, sockets: dict[str, int]) -> None:
    """Have the supervisor keep these (names and descriptors) and no others. Raises `OSError` where there is none."""
    with _asked(paths, KEEP) as door:
        send_all(door, sockets)


def kept(paths: Paths) -> dict[str, socket.socket]:
    """What the supervisor has kept of a daemon that died, by its name. Raises `OSError` where there is none."""
    with _asked(paths, GIVE) as door:
        return receive_all(door)


def _asked(paths: Paths, what: bytes) -> socket.socket:
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        door.settimeout(ANSWER_SECONDS)
        door.connect(str(_door(paths)))
        door.send(what)
    except OSError:
        door.close()
        raise
    return door


def _door(paths: Paths) -> Path:
    return paths.run / "keeper.sock"
