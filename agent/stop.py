"""End daemon and supervisor on purpose; guests, their networks and their volumes go on without them."""

from __future__ import annotations

import sys
import time

from agent.handover import take
from agent.knock import ask
from agent.paths import Paths
from agent.pidfile import PidFile

STOP_SECONDS = 15.0

_RETRY_SECONDS = 0.05


def stop(paths: Paths) -> int:
    """Return 0 once neither runs, 1 when they did not end in time."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if not any(PidFile(paths.run / f"{name}.pid").holder() for name in ("daemon", "supervisor")):
            for left in take(paths).values():
                left.close()  # nobody comes after us
            return 0
        _retire(paths)
        # This process is one thread that does nothing else, so it may block.
        time.sleep(_RETRY_SECONDS)  # noqa: TID251
    print(f"zstui-agent: still running after {STOP_SECONDS:g} s; see {paths.state}", file=sys.stderr)  # noqa: T201
    return 1


def _retire(paths: Paths) -> None:
    """A daemon that does not listen is just starting or just ending: the next turn sees which."""
    try:
        ask(paths.socket, "retire", 2.0)
    except OSError:
        return
