"""The agent carried to a machine by SSH, started there, and files moved through it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncssh

from appliance.api.errors import BackupStorageFailed, HostUnreachable, OperationFailed
from appliance.config import BundleMissing
from appliance.hosts.fleet import Admit, Target
from appliance.hosts.link import Pipe, Wire
from appliance.hosts.ssh import Pins, Ssh, sudo

log = logging.getLogger(__name__)

VERSIONS = "/var/lib/zstui-agent/versions"
DAEMON = "/run/zstui-agent/daemon.pid"
"""Where an agent's daemon writes down its process."""
CHUNK_BYTES = 1 << 18
LENGTH_BYTES = 8
"""What `give` says first (`agent/sparse_stream.py`): how many bytes follow."""
DEPLOY_SECONDS = 120.0
LOOK_SECONDS = 20.0
LEAVE_SECONDS = 30.0


class SshWire:
    """An agent's standard input and output, over one SSH channel."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._process = process

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        try:
            return await self._process.stdout.read(CHUNK_BYTES)
        except asyncssh.Error as failed:
            raise ConnectionError(str(failed)) from failed

    def write(self, data: bytes) -> None:
        """Send bytes; asyncssh buffers them."""
        self._process.stdin.write(data)

    def close(self) -> None:
        """Close the channel without waiting for the other side."""
        self._process.channel.abort()


class SshPipe:
    """A stream to something that listens on a machine, through its SSH connection."""

    def __init__(self, reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""
        try:
            return await self._reader.read(CHUNK_BYTES)
        except asyncssh.Error as failed:
            raise ConnectionError(str(failed)) from failed

    def write(self, data: bytes) -> None:
        """Send bytes; asyncssh buffers them."""
        self._writer.write(data)

    async def drain(self) -> None:
        """Wait until asyncssh has room again."""
        try:
            await self._writer.drain()
        except asyncssh.Error as failed:
            raise ConnectionError(str(failed)) from failed

    def close(self) -> None:
        """Close the channel without waiting for the other side."""
        self._writer.channel.abort()


class SshDialer:
    """Machines reached by SSH. `find_bundle` finds the frozen agent's archive, named after its content.

    It is looked for when the first machine is reached, and is the same from then on: a cloud of simulated hosts needs
    none. Raises `OperationFailed` where there is none, before anything is left on the machine.
    """

    def __init__(self, folder: Path, pins: Pins, find_bundle: Callable[[], Path]) -> None:
        self.ssh = Ssh(folder, pins)
        self._find_bundle = find_bundle
        self._bundle: Path | None = None

    async def trust(self, target: Target, password: str, fingerprint: str | None, admit: Admit) -> None:
        """Pin the machine's host key and install the appliance's own, if there is an agent to carry there."""
        self._agent()
        await self.ssh.trust(target, password, fingerprint, admit)

    async def renews(self, target: Target) -> bool:
        """Reach the machine anew, and look whether another version's agent runs there, or ran last."""
        self.ssh.forget(target)
        connection = await self.ssh.connection(target)
        running, *names = await self._look(connection, target, f"ls {VERSIONS}")
        there = {f"{VERSIONS}/{name}" for name in names if name and not name.endswith(".part")}
        if running.startswith(f"{VERSIONS}/"):
            return not running.startswith(f"{self._home()}/")
        return bool(there) and self._home() not in there

    async def dial(self, target: Target, *, renew: bool = True) -> Wire:
        """Start the agent on the machine, carrying this version over first if it is not there.

        That is done whoever is talked to: what is done with files is this version's.
        """
        connection = await self.ssh.connection(target)
        try:
            async with asyncio.timeout(DEPLOY_SECONDS):
                if not await self._present(connection, target):
                    await self._carry(connection, target)
                home = self._home() if renew else await self._running(connection, target)
                process = await connection.create_process(
                    _command(target, home, "attach"), encoding=None, stderr=asyncssh.DEVNULL
                )
        except (asyncssh.Error, OSError, TimeoutError) as failed:
            raise HostUnreachable(f"the agent on {target.address} could not be started: {failed}") from failed
        return SshWire(process)

    async def pipe(self, target: Target, address: str, port: int) -> Pipe:
        """A stream to what listens on an address of the machine."""
        connection = await self.ssh.connection(target)
        try:
            reader, writer = await connection.open_connection(address, port, encoding=None)
        except (asyncssh.Error, OSError) as failed:
            raise HostUnreachable(
                f"{address}:{port} on {target.address} cannot be reached through SSH: {failed}; its sshd must "
                f"allow TCP forwarding"
            ) from failed
        return SshPipe(reader, writer)

    async def leave(self, target: Target, host_uuid: str) -> None:
        """Take the agent and the appliance's key from the machine."""
        connection = await self.ssh.connection(target)
        try:
            done = await connection.run(
                self._command(target, "remove", host_uuid), check=False, timeout=LEAVE_SECONDS
            )
        except (asyncssh.Error, OSError, TimeoutError) as failed:
            raise HostUnreachable(f"the agent stays on {target.address}: {failed}") from failed
        if done.exit_status != 0:
            raise HostUnreachable(f"the agent stays on {target.address}: {_text(done.stderr).strip()[-300:]}")
        await self.ssh.leave(target)

    async def copy(
        self,
        source: Target,
        source_path: str,
        destination: Target,
        destination_path: str,
        *,
        size: int,
        md5: str,
        bytes_per_second: int,
        reserved_bytes: int,
        on_progress: Callable[[int, int], None],
    ) -> None:
        """Copy a file of known size and MD5 through the appliance without its holes; both are checked on arrival."""
        giving = await self._start(source, "give", source_path, str(bytes_per_second))
        taking = await self._start(destination, "take", destination_path, str(size), md5, str(reserved_bytes))
        try:
            await _pump(giving, taking, on_progress)
            await _finish(taking, destination_path, destination)
        finally:
            giving.close()
            taking.close()

    async def arrived(self, destination: Target, path: str) -> int:
        """How many bytes of a file that is uploaded are on the machine."""
        asked = await self._start(destination, "arrived", path)
        try:
            answer = await _finish(asked, path, destination)
        finally:
            asked.close()
        return int(answer.get("size", 0))

    async def upload(
        self,
        destination: Target,
        path: str,
        content: AsyncIterator[bytes],
        size: int,
        start: int,
        *,
        reserved_bytes: int,
    ) -> None:
        """Write the rest of a file on the machine from a stream; what has come stays for the next try."""
        taking = await self._start(destination, "receive", path, str(size), str(start), str(reserved_bytes))
        sent = hashlib.md5(usedforsecurity=False)
        try:
            async for chunk in content:
                sent.update(chunk)
                if refusal := await _give(taking, chunk):
                    raise _refused(path, destination, refusal)
            taking.stdin.write_eof()
            answer = await _finish(taking, path, destination)
        except (asyncssh.Error, OSError) as failed:
            raise BackupStorageFailed(f"{path} on {destination.address}: {failed}") from failed
        finally:
            taking.close()
        if start == 0 and answer.get("md5") != sent.hexdigest():
            raise BackupStorageFailed(f"{path} on {destination.address} arrived damaged; upload it again")

    async def download(self, source: Target, path: str, start: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a file on the machine, from one on."""
        giving = await self._start(source, "send", path, str(start))
        try:
            while chunk := await giving.stdout.read(CHUNK_BYTES):
                yield chunk
            await giving.wait_closed()
            if giving.exit_status != 0:
                raise _refused(path, source, await _complaint(giving))
        except (asyncssh.Error, OSError) as failed:
            raise BackupStorageFailed(f"{path} on {source.address}: {failed}") from failed
        finally:
            giving.close()

    def _agent(self) -> Path:
        """The frozen agent's archive; the one that was found first, since machines are asked by its name."""
        try:
            self._bundle = self._bundle or self._find_bundle()
        except BundleMissing as missing:
            raise OperationFailed(str(missing)) from missing
        return self._bundle

    def _home(self) -> str:
        """The agent's folder on a machine."""
        version = self._agent().name.removesuffix(".tar.gz").removeprefix("zstui-agent-")
        return f"{VERSIONS}/{version}"

    async def _running(self, connection: asyncssh.SSHClientConnection, target: Target) -> str:
        """The folder of the agent that runs on the machine."""
        (running, *_) = await self._look(connection, target, "true")
        home, _, program = running.rpartition("/")
        if not home.startswith(f"{VERSIONS}/") or not program:
            raise HostUnreachable(f"no agent runs on {target.address}")
        return home

    async def _look(
        self, connection: asyncssh.SSHClientConnection, target: Target, further: str
    ) -> list[str]:
        """Lines: the program of the agent that runs on the machine, and what another command says."""
        script = f'echo "$(readlink /proc/$(cat {DAEMON})/exe)"; {further}'
        try:
            done = await connection.run(
                f"{sudo(target)}sh -c '{script}'", check=False, stderr=asyncssh.DEVNULL, timeout=LOOK_SECONDS
            )
        except (asyncssh.Error, OSError, TimeoutError) as failed:
            raise HostUnreachable(f"{target.address} does not say which agent it has: {failed}") from failed
        return _text(done.stdout).split("\n")

    async def _present(self, connection: asyncssh.SSHClientConnection, target: Target) -> bool:
        done = await connection.run(f"{sudo(target)}test -x {self._home()}/zstui-agent", check=False)
        return done.exit_status == 0

    async def _carry(self, connection: asyncssh.SSHClientConnection, target: Target) -> None:
        home = self._home()
        log.info("carrying the agent to %s: %s", target.address, home)
        script = (
            f"set -e; umask 077; mkdir -p {VERSIONS}; rm -rf {VERSIONS}/*.part; mkdir {home}.part; "
            f"tar xzf - -C {home}.part; rm -rf {home}; mv {home}.part {home}"
        )
        process = await connection.create_process(f"{sudo(target)}sh -c '{script}'", encoding=None)
        with self._agent().open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                process.stdin.write(chunk)
                await process.stdin.drain()
        process.stdin.write_eof()
        done = await process.wait(check=False)
        if done.exit_status != 0:
            complaint = _text(done.stderr).strip()[-300:]
            raise HostUnreachable(f"the agent could not be carried to {target.address}: {complaint}")

    async def _start(self, target: Target, *words: str) -> asyncssh.SSHClientProcess[bytes]:
        connection = await self.ssh.connection(target)
        try:
            return await connection.create_process(self._command(target, *words), encoding=None)
        except asyncssh.Error as failed:
            raise BackupStorageFailed(f"no transfer with {target.address}: {failed}") from failed

    def _command(self, target: Target, *words: str) -> str:
        return _command(target, self._home(), *words)


def _command(target: Target, home: str, *words: str) -> str:
    quoted = " ".join("'" + word.replace("'", "'\"'\"'") + "'" for word in words)
    return f"{sudo(target)}{home}/zstui-agent {quoted}"


async def _pump(
    giving: asyncssh.SSHClientProcess[bytes],
    taking: asyncssh.SSHClientProcess[bytes],
    on_progress: Callable[[int, int], None],
) -> None:
    try:
        head = await giving.stdout.readexactly(LENGTH_BYTES)
    except asyncio.IncompleteReadError as nothing:
        raise BackupStorageFailed(f"the copy did not begin: {await _complaint(giving)}") from nothing
    done, total = 0, int.from_bytes(head)
    taking.stdin.write(head)
    while done < total:
        chunk = await giving.stdout.read(CHUNK_BYTES)
        if not chunk:
            raise BackupStorageFailed(
                f"the copy ended at {done} of {total} bytes: {await _complaint(giving)}"
            )
        if refusal := await _give(taking, chunk):
            raise BackupStorageFailed(f"the copy broke at {done} of {total} bytes: {refusal}")
        done += len(chunk)
        on_progress(done, total)
    taking.stdin.write_eof()


async def _give(taking: asyncssh.SSHClientProcess[bytes], chunk: bytes) -> str | None:
    """Send some bytes; why they are not taken, if they are not."""
    try:
        taking.stdin.write(chunk)
        await taking.stdin.drain()
    except (asyncssh.Error, OSError) as failed:
        return await _complaint(taking, failed)
    return None


async def _finish(taking: asyncssh.SSHClientProcess[bytes], path: str, target: Target) -> dict[str, Any]:
    answer = await taking.stdout.read()
    await taking.wait_closed()
    if taking.exit_status != 0:
        raise _refused(path, target, await _complaint(taking))
    parsed = json.loads(answer)
    return parsed if isinstance(parsed, dict) else {}


def _refused(path: str, target: Target, complaint: str) -> BackupStorageFailed:
    """Why a file was not moved. Most complaints name it by themselves."""
    if path in complaint:
        return BackupStorageFailed(f"on {target.address}: {complaint}")
    return BackupStorageFailed(f"{path} on {target.address}: {complaint}")


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


async def _complaint(process: asyncssh.SSHClientProcess[bytes], failed: Exception | None = None) -> str:
    """Why a command ended: its own words, unless its connection broke. One that refuses what it is given says them."""
    text = b""
    with contextlib.suppress(asyncssh.Error, OSError):
        text = await process.stderr.read()
    return text.decode(errors="replace").strip()[-300:] or str(failed or "") or "no reason given"
