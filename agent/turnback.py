"""What a bridge took over, until that is confirmed: a process of its own gives it back otherwise.

It is no child of the daemon's session and needs neither the daemon nor its supervisor, since a host that nobody
reaches has nobody who could start them again. The file that says what was taken is what both go by: who changes it
holds the lock of its folder, so that a confirmation and the end of the wait never both happen.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, cast

import msgspec

from agent.ending import end_of
from agent.link import batch, links
from agent.logs import log_to
from agent.protocol import EnsureBridge
from agent.refused import Refused
from agent.run import run
from agent.takeover import Belongings, give_back
from agent.version import own_command, own_environment

LOOK_SECONDS = 0.25
"""How often the process looks whether there is still something to wait for."""

START_SECONDS = 20.0
"""A process that does not stand by then will not; nothing is taken over without it."""

_READY = b"ready\n"
_log = logging.getLogger(__name__)


class Held(msgspec.Struct, frozen=True):
    """One bridge on disk: what was asked, what it took, and until when that awaits confirmation.

    `deadline` is in seconds since the boot named; 0 means that nothing is awaited.
    """

    request: EnsureBridge
    made: bool = False
    belongings: Belongings | None = None
    boot_id: str = ""
    deadline: float = 0.0


def port_of(request: EnsureBridge) -> str:
    """The link that is enslaved: the interface, or the VLAN of it. Empty for a bridge without an uplink."""
    if request.vlan is None:
        return request.physical_interface
    return f"{request.physical_interface}.{request.vlan}"


def now() -> float:
    """Seconds since the boot of the host, those of its sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@contextlib.asynccontextmanager
async def alone(folder: Path) -> AsyncIterator[None]:
    """Be the only process that changes what a folder says; one that dies lets go of it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


async def undo(held: Held) -> None:
    """Remove a bridge and give back what it took. Raises `Refused` where it stays."""
    request = held.request
    seen = await links()
    port = port_of(request)
    has = held.belongings or Belongings(mac="")
    lines = give_back(port, request.bridge, has) if port in seen else [f"link del dev {request.bridge}"]
    if not held.made:
        lines = [line for line in lines if not line.startswith("link del")]
    if request.bridge not in seen and not has.any:
        return
    try:
        await batch(lines, force=True)
    except Refused as refused:
        # Expected where a part was not there; what matters is looked at below.
        _log.info("undoing bridge %s: %s", request.bridge, refused)
    left = await links()
    if held.made and request.bridge in left:
        raise Refused("bridge.failed", f"bridge {request.bridge} could not be removed", transient=True)
    if request.vlan is not None and port in left:
        await run("ip", "link", "del", "dev", port)


class Guarding:
    """Has a process stand by each take-over that awaits confirmation, and another one where that was killed."""

    def __init__(self) -> None:
        self._tasks: dict[Path, asyncio.Task[None]] = {}

    async def stand_by(self, path: Path) -> None:
        """Return once a process stands by what a file says. Raises `Refused` with `bridge.failed` otherwise."""
        process = await _started(path)
        self.leave(path)
        self._tasks[path] = asyncio.create_task(_keep(path, process), name=f"stand by {path.stem}")

    def leave(self, path: Path) -> None:
        """Start no other; a process that runs ends by itself when nothing is awaited."""
        task = self._tasks.pop(path, None)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Leave all of them to themselves."""
        tasks = list(self._tasks.values())
        for path in list(self._tasks):
            self.leave(path)
        if tasks:
            await asyncio.wait(tasks)


async def _keep(path: Path, process: subprocess.Popen[bytes]) -> None:
    while True:
        while process.poll() is None:
            await end_of(process.pid)
        if _awaiting(path) is None:
            return
        _log.error("what stood by %s ended with status %d; starting another", path.stem, process.returncode)
        try:
            process = await _started(path)
        except Refused as refused:
            _log.error("%s", refused)
            await asyncio.sleep(LOOK_SECONDS)


async def _started(path: Path) -> subprocess.Popen[bytes]:
    process = _spawn(path)
    said = cast("IO[bytes]", process.stdout)
    try:
        async with asyncio.timeout(START_SECONDS):
            word = await asyncio.to_thread(said.readline)
    except TimeoutError:
        process.kill()
        word = b""
    said.close()
    if word != _READY:
        raise Refused(
            "bridge.failed",
            "nothing was changed: what gives the addresses back when the host is cut off could not be started; "
            "see turnback.log in the agent's state folder on the host",
            transient=True,
        )
    return process


def _spawn(path: Path) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own; asyncio's would be killed with the daemon's loop."""
    return subprocess.Popen(
        [*own_command("turnback"), str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=own_environment(),
        start_new_session=True,
    )


def turn_back(path: Path) -> int:
    """Be the process that stands by a take-over: undo it when its time is over and nobody confirmed it."""
    log_to(path.parents[1] / "turnback.log")
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    asyncio.run(_stand_by(path))
    return 0


async def _stand_by(path: Path) -> None:
    while (held := _awaiting(path)) is not None:
        left = held.deadline - now()
        if left > 0:
            await asyncio.sleep(min(left, LOOK_SECONDS))
            continue
        async with alone(path.parent):
            held = _awaiting(path)
            if held is not None and held.deadline <= now():
                await _give_back(held)
                _forget(path)


async def _give_back(held: Held) -> None:
    _log.error("bridge %s was not confirmed: giving its addresses back", held.request.bridge)
    try:
        await undo(held)
    except Refused as refused:
        _log.error("%s", refused)


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)


def _awaiting(path: Path) -> Held | None:
    """What a file says, where it awaits confirmation."""
    try:
        held = msgspec.json.decode(path.read_bytes(), type=Held)
    except FileNotFoundError:
        return None
    return held if held.deadline else None
