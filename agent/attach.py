"""Hand this process's standard input and output to the daemon, starting one first if none answers."""

from __future__ import annotations

import os
import socket
import sys
import time

from agent.knock import MESSAGE_BYTES, ask, connect
from agent.paths import Paths
from agent.version import own_command, own_environment, version

START_SECONDS = 10.0
"""A daemon that does not answer within this has a problem that waiting does not solve."""

_RETRY_SECONDS = 0.02


def attach(paths: Paths) -> int:
    """Run a link until the daemon closes it. Returns the exit status; standard error says what is wrong."""
    paths.make()
    deadline = time.monotonic() + START_SECONDS
    supervise_at = 0.0
    problem = "it was never reached"
    while time.monotonic() < deadline:
        try:
            door = connect(paths.socket, max(0.1, deadline - time.monotonic()))
        except OSError as absent:
            problem = str(absent)
            if time.monotonic() >= supervise_at:
                start_supervisor()
                supervise_at = time.monotonic() + 0.5
            _pause()
            continue
        with door:
            answer = _hand_over(door)
            if answer == "ok":
                _wait_for_the_end(door)
                return 0
        problem = answer
        if answer.startswith("other "):
            _retire_other(paths)
        _pause()
    print(  # noqa: T201
        f"zstui-agent: no daemon within {START_SECONDS:g} s: {problem}; "
        f"see {paths.state}/daemon.log and {paths.state}/daemon.err on this host",
        file=sys.stderr,
    )
    return 1


def start_supervisor() -> None:
    """Start a supervisor that outlives this process. It leaves by itself when there is one already."""
    import subprocess

    subprocess.run(
        own_command("supervise"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=own_environment(),
        check=False,
    )


def _hand_over(door: socket.socket) -> str:
    try:
        socket.send_fds(door, [f"link {version()}".encode()], [0, 1])
        return door.recv(MESSAGE_BYTES).decode(errors="replace") or "it hung up"
    except OSError as failed:
        return str(failed)


def _wait_for_the_end(door: socket.socket) -> None:
    # The daemon has copies now. Ours must go, or the other end would not see it close the link.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    door.settimeout(None)
    try:
        door.recv(MESSAGE_BYTES)
    except ConnectionResetError:
        return


def _retire_other(paths: Paths) -> None:
    """A daemon of another build runs: it must go before ours can start."""
    try:
        ask(paths.socket, "retire", 2.0)
    except OSError:
        return


def _pause() -> None:
    # This process is one thread that does nothing else, so it may block.
    time.sleep(_RETRY_SECONDS)  # noqa: TID251
