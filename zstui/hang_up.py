"""A screen ends with its terminal, whoever started it and whether or not a signal says so."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending_with(terminal: int) -> Iterator[None]:
    """While this lasts, end this process by SIGHUP as soon as its terminal, a descriptor, hangs up.

    The kernel sends SIGHUP to the leader of a terminal's session only. A screen that another program waits for,
    like make, is not told and would read the end of its input for ever, and one below nohup is told and does
    not listen. A thread looks, since the loop itself may stand in a write to a terminal that is no more.
    """
    ours, theirs = os.pipe()
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    watch = threading.Thread(target=_watch, args=(terminal, ours), name="zstui-hang-up", daemon=True)
    watch.start()
    try:
        yield
    finally:
        os.close(theirs)
        watch.join()
        os.close(ours)
        signal.signal(signal.SIGHUP, before)


def _watch(terminal: int, until: int) -> None:
    """Wait for a hang-up of the terminal, or of the pipe that says that nobody cares any more."""
    looked_at = select.poll()
    for each in (terminal, until):
        looked_at.register(each, 0)  # hang-ups are told without being asked for
    if terminal in dict(looked_at.poll()):
        os.kill(os.getpid(), signal.SIGHUP)
