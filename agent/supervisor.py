"""Keep the daemon alive, as the daemon keeps this alive: either one is back within a second of its end."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from agent.keeper import Keeper
from agent.knock import ask
from agent.logs import capped_file, log_to
from agent.paths import Paths
from agent.pidfile import PidFile
from agent.version import own_command, own_environment

log = logging.getLogger(__name__)

ASK_SECONDS = 5.0
"""How often a daemon that lives is asked whether it answers, and how long it may take."""

MISSED_ANSWERS = 3
"""A daemon that missed so many is stopped hard: it hangs, and a new one would not."""

_FIRST_DELAY_SECONDS = 0.05
_LONGEST_DELAY_SECONDS = 5.0
_STABLE_SECONDS = 10.0


def supervise(paths: Paths) -> int:
    """Become the supervisor, in the background and outside the caller's session; returns at once there."""
    paths.make()
    if os.fork() != 0:
        return 0
    os.setsid()
    _let_go_of_stdio()
    own = PidFile(paths.run / "supervisor.pid")
    if own.take():
        log_to(paths.state / "supervisor.log")
        retired_mark(paths).unlink(missing_ok=True)
        _Supervisor(paths).run()
    return 0


def retired_mark(paths: Paths) -> Path:
    """A file that the daemon leaves when it ends on purpose, so that nobody starts it again."""
    return paths.run / "retired"


class _Supervisor:
    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._daemon = PidFile(paths.run / "daemon.pid")
        self._keeper = Keeper(paths)
        self._missed = 0

    def run(self) -> None:
        """Start the daemon whenever there is none, until it retires."""
        delay = _FIRST_DELAY_SECONDS
        while not retired_mark(self._paths).exists():
            began = time.monotonic()
            pid = self._daemon.holder()
            if pid is None:
                self._start_and_wait()
            else:
                log.info("the daemon runs already as %d", pid)
                self._wait(pid, partial(self._holds, pid))
            stable = time.monotonic() - began > _STABLE_SECONDS
            delay = _FIRST_DELAY_SECONDS if stable else min(delay * 2, _LONGEST_DELAY_SECONDS)
            if delay == _LONGEST_DELAY_SECONDS:
                self._keeper.drop()  # of a daemon that does not come up: who connects had better be told than wait
            # This process is one thread that does nothing else, so it may block.
            time.sleep(delay)  # noqa: TID251
        log.info("the daemon retired; so does its supervisor")

    def _holds(self, pid: int) -> bool:
        return self._daemon.holder() == pid

    def _start_and_wait(self) -> None:
        with capped_file(self._paths.state / "daemon.err") as complaints:
            child = subprocess.Popen(
                own_command("serve"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                env=own_environment(),
                start_new_session=True,
            )
        log.info("started the daemon as %d", child.pid)
        self._wait(child.pid, lambda: child.poll() is None)
        log.info("the daemon %d ended with status %d", child.pid, child.wait())

    def _wait(self, pid: int, lives: Callable[[], bool]) -> None:
        """Return when the process is gone, after stopping it hard if it hangs."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            end = select.poll()
            end.register(descriptor, select.POLLIN)
            end.register(self._keeper.door, select.POLLIN)
            self._missed = 0
            # The pid may have been another's by the time its descriptor was opened: look again.
            while lives():
                ready = {found for found, _ in end.poll(ASK_SECONDS * 1000)}
                if descriptor in ready:
                    return
                if ready:
                    self._keeper.answer()
                elif self._hangs():
                    log.error("the daemon %d does not answer; stopping it hard", pid)
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)

    def _hangs(self) -> bool:
        try:
            answered = ask(self._paths.socket, "ping", ASK_SECONDS) == "ok"
        except OSError:
            answered = False
        self._missed = 0 if answered else self._missed + 1
        return self._missed >= MISSED_ANSWERS


def _let_go_of_stdio() -> None:
    with contextlib.suppress(OSError):
        os.chdir("/")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    if nowhere > 2:
        os.close(nowhere)
