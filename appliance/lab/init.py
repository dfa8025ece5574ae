"""The first process of a lab host: it mounts the host's private folders, runs its daemons, reaps orphans.

It runs alone, from a file, with the standard library only, as pid 1 of the host's own pid namespace:
whatever is left behind by a process becomes its child and is reaped at once (libvirt waits for that),
and when it ends the kernel ends all that runs in the host.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from time import monotonic
from typing import Any

RESTART_SECONDS = 0.5
STOP_SECONDS = 3.0


class Supervisor:
    """The daemons of one host, each started again when it ends."""

    def __init__(self, services: dict[str, list[str]], logs: dict[str, int]) -> None:
        self._services = services
        self._logs = logs
        self._running: dict[int, str] = {}
        self._due: dict[str, float] = {}
        self.stopping = False

    def start(self, name: str) -> None:
        """Start one daemon, its output going to its log."""
        log = self._logs[name]
        process = subprocess.Popen(
            self._services[name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
        # Popen is told that it ended: the reaper below collects every child, this one too.
        process.returncode = 0
        self._running[process.pid] = name
        report(f"started {name}, pid {process.pid}")

    def run(self, wake: int) -> None:
        """Reap and restart until told to stop."""
        for name in self._services:
            self.start(name)
        self._run_local()
        while not self.stopping:
            wait = min(self._due.values(), default=monotonic() + 3600) - monotonic()
            if select.select([wake], [], [], max(wait, 0))[0]:
                os.read(wake, 4096)
            self.reap()
            for name in [name for name, at in self._due.items() if at <= monotonic()]:
                del self._due[name]
                self.start(name)

    def _run_local(self) -> None:
        """Run /etc/rc.local once, if the host has it: what was installed may so begin at boot."""
        script = Path("/etc/rc.local")
        if os.access(script, os.X_OK):
            process = subprocess.Popen([script], stdin=subprocess.DEVNULL, start_new_session=True)
            process.returncode = 0
            report(f"started {script}, pid {process.pid}")

    def reap(self) -> bool:
        """Collect every child that has ended; False once there is none left."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                name = self._running.pop(pid, None)
                if name is not None:
                    report(f"{name}, pid {pid}, ended with {os.waitstatus_to_exitcode(status)}")
                    self._due[name] = monotonic() + RESTART_SECONDS
        return False

    def stop(self, wake: int) -> None:
        """Ask all that runs in the host to end; what does not is killed by the kernel when we are gone."""
        report("stopping")
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGTERM)
        limit = monotonic() + STOP_SECONDS
        while self.reap() and monotonic() < limit:
            if select.select([wake], [], [], max(limit - monotonic(), 0))[0]:
                os.read(wake, 4096)


def report(text: str) -> None:
    """One line for the host's own log."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def mount_folders(spec: dict[str, Any]) -> None:
    """Put the host's own folders over the machine's; those that may hide the lab's own folder come last."""
    # Copies of other hosts' namespaces would keep them alive after they were deleted.
    for path in Path("/run/netns").glob("*"):
        subprocess.run(["umount", "-n", "-l", str(path)], check=False, capture_output=True)
    for source, target in spec["binds"]:
        Path(target).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-n", "--bind", source, target], check=True)
    subprocess.run(["mount", "-n", "-t", "tmpfs", "-o", "mode=755,size=256m", "tmpfs", "/run"], check=True)
    for name in ("sshd", "lock", "libvirt", "user", "sudo", "netns"):
        Path("/run", name).mkdir()
    boot = Path("/run/boot_id")
    boot.write_text(f"{uuid.uuid4()}\n")
    subprocess.run(["mount", "-n", "--bind", str(boot), "/proc/sys/kernel/random/boot_id"], check=True)


def main() -> None:
    """Become the host described by the file named in the first argument."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    # Opened before the host's folders may hide the place of the logs.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    logs = {name: os.open(f"{spec['logs']}/{name}.log", flags, 0o600) for name in spec["services"]}
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    supervisor = Supervisor(spec["services"], logs)

    def stop(_number: int, _frame: object) -> None:
        supervisor.stopping = True

    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    socket.sethostname(spec["hostname"])
    mount_folders(spec)
    os.chdir("/")
    os.environ.clear()
    os.environ.update(spec["environment"])
    supervisor.run(wake)
    supervisor.stop(wake)


if __name__ == "__main__":
    main()
