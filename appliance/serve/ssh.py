"""The full screen by SSH: whoever logs in sees it, and can do nothing else with the line."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import asyncssh

from appliance.api.errors import ApiError
from appliance.serve.entrance import Entrance, Guest
from appliance.serve.listen import TcpListener, bind_tcp
from appliance.serve.terminal import CHUNK_BYTES, Size, Terminal, Terminals

log = logging.getLogger(__name__)

LOGIN_SECONDS = 60
LINES = 64
"""Connections at once, logged in or not."""

ALIVE_SECONDS = 30
REFUSED = 1


class SshFace:
    """Listens for SSH, checks passwords as the API does, and shows a full screen to each terminal."""

    def __init__(self, entrance: Entrance, terminals: Terminals, key: Path) -> None:
        self.entrance = entrance
        self._terminals = terminals
        self._key = key
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self.lines: set[asyncssh.SSHServerConnection] = set()
        self._leaving: set[asyncio.Task[None]] = set()

    async def start(self, address: tuple[str, int] | None) -> None:
        """Begin to listen, if there is to be an address. Raises OSError, naming it, when it cannot be had."""
        if address is None:
            return
        host, port = address
        key = await asyncio.to_thread(host_key, self._key)
        self._acceptor = await asyncssh.listen(
            sock=bind_tcp(TcpListener(host, port)),
            server_factory=lambda: _Line(self),
            server_host_keys=[key],
            process_factory=self._show,
            encoding=None,
            line_editor=False,
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            login_timeout=LOGIN_SECONDS,
            keepalive_interval=ALIVE_SECONDS,
            server_version="zstui",
        )
        log.info("listening for SSH on %s, key %s", self.address, key.get_fingerprint())

    @property
    def address(self) -> tuple[str, int] | None:
        """The address and port it listens on."""
        return self._acceptor.get_addresses()[0][:2] if self._acceptor is not None else None

    async def stop(self) -> None:
        """Stop to listen, end all lines, and their sessions."""
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
        for line in list(self.lines):
            line.close()
            await line.wait_closed()
        if self._leaving:
            await asyncio.wait(self._leaving)

    def left(self, guest: Guest) -> None:
        """End the session of a line that has ended."""
        task = asyncio.get_running_loop().create_task(self.entrance.leave(guest))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _show(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """One channel of a line: a full screen where it has a terminal, else words."""
        guest: Guest = process.get_extra_info("connection").get_extra_info("guest")
        refusal = _refusal(process)
        if refusal:
            _say(process, refusal)
            return
        columns, rows, *_ = process.term_size
        asked = {name: process.env.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")}
        language = next((value for value in asked.values() if value), "")
        try:
            opened = self._terminals.open(
                guest, Size.of(columns, rows), term=process.term_type or "", language=language
            )
            async with opened as terminal:
                why = await terminal.carry(_typed(process, terminal), lambda data: _draw(process, data))
        except ApiError as error:
            _say(process, error.details)
            return
        if why:
            process.stderr.write(f"\r\nzstui: {why}\r\n".encode())
        process.exit(0)


class _Line(asyncssh.SSHServer):
    """One connection: its login, and nothing but terminals on it; what is not overridden here is refused."""

    def __init__(self, face: SshFace) -> None:
        self._face = face
        self._guest: Guest | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._conn = conn
        if len(self._face.lines) >= LINES:
            conn.abort()
            return
        self._face.lines.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._face.lines.discard(self._conn)
        if self._guest is not None:
            self._face.left(self._guest)

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        host, port, *_ = self._conn.get_extra_info("peername")
        try:
            self._guest = await self._face.entrance.admit(username, password, f"{host}:{port}")
        except ApiError as error:
            log.info("ssh from %s:%s: %s", host, port, error.details)
            self._conn.send_auth_banner(f"zstui: {_plain(error.details)}\r\n")
            return False
        self._conn.set_extra_info(guest=self._guest)
        return True


def host_key(path: Path) -> asyncssh.SSHKey:
    """The key that this face is known by, made at the first need and only its owner's to read."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
        part.replace(path)
    return asyncssh.read_private_key(path)


async def _typed(process: asyncssh.SSHServerProcess[bytes], terminal: Terminal) -> None:
    """Hand on what is typed, and each new size, until the line is closed."""
    while True:
        try:
            data = await process.stdin.read(CHUNK_BYTES)
        except asyncssh.TerminalSizeChanged as size:
            terminal.resize(Size.of(size.width, size.height))
            continue
        except (asyncssh.BreakReceived, asyncssh.SignalReceived):
            continue
        if not data:
            return
        await terminal.write(data)


async def _draw(process: asyncssh.SSHServerProcess[bytes], data: bytes) -> None:
    process.stdout.write(data)
    await process.stdout.drain()


def _refusal(process: asyncssh.SSHServerProcess[bytes]) -> str:
    """Why a channel gets no full screen; empty when it does."""
    wanted = process.command or process.subsystem
    if wanted is not None:
        return (
            f"{_plain(wanted)!r} is not run: this shows the full screen and nothing else. For single calls use "
            "zstui --connect URL call, or HTTP"
        )
    if process.term_type is None:
        return "the full screen needs a terminal; ask for one with ssh -t"
    return ""


def _say(process: asyncssh.SSHServerProcess[bytes], words: str) -> None:
    process.stderr.write(f"zstui: {words}\r\n".encode())
    process.exit(REFUSED)


def _plain(said: Any) -> str:
    """Somebody's text, without what a terminal might obey."""
    return "".join(each if each.isprintable() else "?" for each in str(said))[:200]
