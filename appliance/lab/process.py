"""The processes of a lab host: found by their network namespace, ended without touching any other."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from appliance.lab.command import LabError

NAMESPACES = Path("/run/netns")


def inside(namespace: str) -> list[int]:
    """The process ids, as seen from here, of all that run in a named network namespace."""
    try:
        wanted = (NAMESPACES / namespace).stat()
    except OSError:
        return []
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            own = (entry / "ns/net").stat()
            if (own.st_ino, own.st_dev) == (wanted.st_ino, wanted.st_dev):
                found.append(int(entry.name))
    return sorted(found)


def first(namespace: str) -> int | None:
    """The first process (pid 1 inside) of the host in that namespace, or None if the host is off."""
    for pid in inside(namespace):
        if is_first(pid):
            return pid
    return None


def is_first(pid: int) -> bool:
    """Whether the process is pid 1 of a pid namespace just below ours."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    ids = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
    return len(ids) == 2 and ids[1] == "1"


def started(pid: int) -> str:
    """When the process started, in clock ticks since boot: with the pid it names one process for good."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


async def end(pid: int, *, grace_seconds: float) -> None:
    """Ask a process to stop, kill it after the grace time (0: at once), return when it has ended.

    Raises LabError if the kernel has not ended it 10 s after it was killed.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if grace_seconds > 0:
            _send(handle, signal.SIGTERM)
            if await _ended(handle, grace_seconds):
                return
        _send(handle, signal.SIGKILL)
        if not await _ended(handle, 10.0):
            raise LabError(f"process {pid} was killed but has not ended within 10 s")
    finally:
        os.close(handle)


async def clear(namespace: str, *, grace_seconds: float) -> None:
    """End every process in a network namespace: the host's first process, then what is left."""
    head = first(namespace)
    if head is not None:
        await end(head, grace_seconds=grace_seconds)
    for _ in range(20):
        rest = inside(namespace)
        if not rest:
            return
        for pid in rest:
            await end(pid, grace_seconds=0)
    raise LabError(f"processes keep appearing in the namespace {namespace}: {inside(namespace)}")


def _send(handle: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, number)


async def _ended(handle: int, limit_seconds: float) -> bool:
    """Wait until the process behind a pidfd has ended; False if the limit came first."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(handle, over.set)
    try:
        async with asyncio.timeout(limit_seconds):
            await over.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
    return True
