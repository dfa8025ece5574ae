"""Lanes: a key for one purpose between two hosts, with which sshd lets one command run, and that until it is closed."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from agent.paths import Paths
from agent.pidfile import PidFile
from agent.protocol import CloseLane, LaneOffer, OfferLane, OpenLane
from agent.refused import Refused
from agent.run import run
from agent.specs import Specs, sync_folder
from agent.storage import StorageRoots, disk_refused
from agent.version import own_command

CIPHERS = "aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-gcm@openssh.com"
LOOPBACK = "127.0.0.1"
END_SECONDS = 10.0
NAME_SECONDS = 5.0
"""How long it may take to hear which address a name has."""
_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{40,200}={0,2}")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]+(%[\w.-]+)?")
_LOOK_SECONDS = 0.05


class Lanes:
    """The lanes of this host, as source and as target."""

    def __init__(self, paths: Paths, storage: StorageRoots) -> None:
        self._keys = paths.run / "lanes"
        self._keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._paths = paths
        self._storage = storage
        self._specs: Specs[OpenLane] = Specs(paths.state / "lanes", OpenLane)
        self._moving: dict[str, set[asyncio.subprocess.Process]] = {}

    async def offer(self, request: OfferLane) -> LaneOffer:
        """Have a key of this lane: a new one after a reboot, for it is not kept. Raises `Refused`."""
        key = self._key(request.lane_uuid)
        public = _public(key)
        if not public.exists():
            key.unlink(missing_ok=True)
            mark = _mark(request.lane_uuid)
            await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", mark, "-f", str(key))
        kind, blob = public.read_text().split()[:2]
        return LaneOffer(
            public_key=f"{kind} {blob}",
            source_address=await _source_address(request),
            ports=free_ports(request.ports),
        )

    async def open(self, request: OpenLane) -> None:
        """Let sshd admit the holder of the key, for this lane's command only. Raises `Refused`."""
        _check_offer(request)
        for path in request.files:
            self._storage.resolve(path)
        self._specs.put(request.lane_uuid, request)
        await asyncio.to_thread(_admit, request)

    async def close(self, request: CloseLane) -> None:
        """Forget the key on both sides, and end what still uses it. Raises `Refused`."""
        uuid = request.lane_uuid
        for process in self._moving.get(uuid, set()):
            if process.returncode is None:
                process.kill()
        key = self._key(uuid)
        for name in (key, *self._keys.glob(f"{key.name}.*")):
            if name.suffix != ".pid":
                name.unlink(missing_ok=True)
        # First what makes the key good for anything: who begins after that is refused, whatever becomes of the key.
        self._specs.drop(uuid)
        for path in self._keys.glob(f"{uuid}.*.pid"):
            await asyncio.to_thread(end_holder, PidFile(path))
            path.unlink(missing_ok=True)
        await asyncio.to_thread(_dismiss, uuid, request.username)

    @contextmanager
    def moving(self, uuid: str, process: asyncio.subprocess.Process) -> Iterator[None]:
        """A process moves something on a lane while the body runs; closing the lane kills it."""
        self._moving.setdefault(uuid, set()).add(process)
        try:
            yield
        finally:
            self._moving[uuid].discard(process)
            if not self._moving[uuid]:
                del self._moving[uuid]

    def ssh(self, uuid: str, address: str, port: int, username: str, host_key: str) -> list[str]:
        """The command that runs on the lane's other end; a word for it is added. Raises `Refused`."""
        key = self._key(uuid)
        if not key.exists():
            raise Refused(
                "lane.unknown", f"this host has no key of lane {uuid}; offer it again", transient=True
            )
        hosts = key.with_suffix(".hosts")
        hosts.write_text(f"{address if port == 22 else f'[{address}]:{port}'} {host_key}\n")
        options = {
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(hosts),
            "GlobalKnownHostsFile": "none",
            "ConnectTimeout": "10",
            "ServerAliveInterval": "5",
            "ServerAliveCountMax": "3",
            "Compression": "no",
            "LogLevel": "ERROR",
        }
        said = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return [
            "ssh",
            "-F",
            "none",
            "-T",
            "-i",
            str(key),
            "-c",
            CIPHERS,
            *said,
            "-p",
            str(port),
            f"{username}@{address}",
        ]

    def place(self, uuid: str, word: str) -> Path:
        """Where a unix socket of a lane is on this host; it goes when the lane is closed."""
        return self._key(uuid).with_suffix(f".{word}")

    def _key(self, uuid: str) -> Path:
        if not uuid.isalnum():
            raise Refused("lane.uuid", f"{uuid!r} is not a uuid")
        return self._keys / uuid


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody has now."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in held]


def check_free(port: int) -> None:
    """Refuse a port of the loopback that somebody has, as `lane.door`: it leads to him, whoever that is."""
    try:
        socket.create_server((LOOPBACK, port)).close()
    except OSError as failed:
        raise Refused(
            "lane.door", f"{LOOPBACK}:{port} cannot be listened at: {failed.strerror}", transient=True
        ) from failed


def pid_path(paths: Paths, uuid: str, name: str) -> Path:
    """Where a process at a lane's other end says that it runs."""
    return paths.run / "lanes" / f"{uuid}.{name}.pid"


def end_holder(other: PidFile) -> None:
    """Kill the process that holds a pid file, if one does, and wait until it is gone. Raises `Refused`."""
    deadline = time.monotonic() + END_SECONDS
    while (pid := other.holder()) is not None:
        if time.monotonic() > deadline:
            raise Refused("lane.busy", f"process {pid} does not end; it waits for a disk", transient=True)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        # Called in a thread, or in a process that does nothing else.
        time.sleep(_LOOK_SECONDS)  # noqa: TID251


def _public(key: Path) -> Path:
    return key.with_suffix(".pub")


def _mark(uuid: str) -> str:
    return f"zstui-lane-{uuid}"


async def _source_address(request: OfferLane) -> str:
    """The address that this host has on its way to the target."""
    try:
        async with asyncio.timeout(NAME_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                request.address, request.port, type=socket.SOCK_DGRAM
            )
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(place)
            return str(probe.getsockname()[0])
    except OSError as failed:
        raise Refused(
            "lane.no_way",
            f"{request.address} cannot be reached from this host: {failed.strerror or os.strerror(errno.ETIMEDOUT)}",
            transient=True,
        ) from failed


def _authorized_keys(username: str) -> Path:
    try:
        return Path(pwd.getpwnam(username).pw_dir) / ".ssh" / "authorized_keys"
    except KeyError as unknown:
        raise Refused("lane.user", f"{username} is no user of this host") from unknown


def _check_offer(request: OpenLane) -> None:
    """Refuse a key or an address that would be more than that in a line of authorized_keys: a source may lie."""
    if not (_KEY.fullmatch(request.public_key) and _ADDRESS.fullmatch(request.source_address)):
        said = f"{request.public_key[:100]!r} from {request.source_address[:100]!r}"
        raise Refused("lane.offer", f"{said} is no key of a lane")


def _admit(request: OpenLane) -> None:
    path = _authorized_keys(request.username)
    line = (
        f'restrict,from="{request.source_address}",command="{_command(request)}" '
        f"{request.public_key} {_mark(request.lane_uuid)}"
    )
    _rewrite(path, request.lane_uuid, line)


def _command(request: OpenLane) -> str:
    """What sshd runs for the key, whatever is asked for; that is one word of the command."""
    words = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("ZSTUI_AGENT_")]
    words = ["env", *words] if words else []
    words += [*own_command("lane"), request.lane_uuid]
    sudo = "" if request.username == "root" else "sudo -n "
    return f'{sudo}{shlex.join(words)} \\"$SSH_ORIGINAL_COMMAND\\"'


def _dismiss(uuid: str, username: str) -> None:
    path = _authorized_keys(username)
    if path.exists():
        _rewrite(path, uuid, None)


def _rewrite(path: Path, uuid: str, line: str | None) -> None:
    """Put a lane's line into a list of keys in place of the one that is there; all else stays, to the byte."""
    mark = f" {_mark(uuid)}".encode()
    try:
        real = _real(path)
        with _held(real) as file:
            old = file.read()
            # The rest is the user's, who may have written anything; also other ends of lines, into all of them.
            new = b"".join(each for each in BytesIO(old) if not each.rstrip().endswith(mark))
            if line is not None:
                new += (b"" if new.endswith(b"\n") or not new else b"\n") + f"{line}\n".encode()
            if new != old:
                _replace(real, file, new)
    except OSError as failed:
        raise disk_refused(failed, path) from failed


def _real(path: Path) -> Path:
    """Where a list of keys is kept. A link that leads root to another user's file is not followed. Raises `OSError`."""
    real = Path(os.path.realpath(path, strict=True))
    return real if path.lstat().st_uid in (0, real.stat().st_uid) else path


@contextmanager
def _held(path: Path) -> Iterator[BinaryIO]:
    """A file, and no link, that nobody else of us replaces while the body runs. Raises `OSError`."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.lstat()):
                yield file
                return


def _replace(path: Path, old: BinaryIO, content: bytes) -> None:
    """Put a file in place of an old one, as much its owner's: a power cut leaves either whole. Raises `OSError`."""
    part = path.with_name(f"{path.name}.zstui-lane")
    part.unlink(missing_ok=True)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            was = os.fstat(old.fileno())
            os.fchown(descriptor, was.st_uid, was.st_gid)
            shutil.copystat(path, part)  # its mode, and what it is to SELinux
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
