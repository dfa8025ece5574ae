"""One appliance process: opened, served until told to stop, and found again by whoever needs it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import resource
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

from appliance.config import Config, agent_bundle, version_text
from appliance.core import Core, DatabasePins
from appliance.hosts.deploy import SshDialer
from appliance.hosts.dialing import EitherDialer
from appliance.hosts.simulated_dialer import SimulatedDialer
from appliance.resources.console_tokens import Address
from appliance.serve.auth import Auth, ensure_admin
from appliance.serve.browser import Browser
from appliance.serve.certificate import is_loopback, server_tls
from appliance.serve.dispatch import Dispatch
from appliance.serve.entrance import Entrance
from appliance.serve.events import Broadcast
from appliance.serve.http import Server
from appliance.serve.listen import TcpListener, UnixListener, bind_tcp
from appliance.serve.ssh import SshFace
from appliance.serve.terminal import Terminals
from appliance.starting import Listening, address_text, remember, remembered
from appliance.store.database import Database

log = logging.getLogger(__name__)


async def serve(config: Config) -> None:
    """Run an appliance until SIGTERM or SIGINT. Raises what opening the store or listening raises."""
    # Nobody else of the machine reads a file that it makes, and what it has in memory is in none that a crash leaves.
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = await Database.open(config.folder)
    try:
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        await _serve(config, database, stopping)
    finally:
        await database.close()


async def _name_admin(database: Database) -> None:
    """See that there is an admin, and say the password of one that is new, once."""
    password = await ensure_admin(database, os.environ.get("ZSTUI_ADMIN_PASSWORD"))
    if password is not None:
        sys.stderr.write(f"the password of admin is {password}; it is not shown again\n")
        sys.stderr.flush()


async def _serve(config: Config, database: Database, stopping: asyncio.Event) -> None:
    await _name_admin(database)
    real = SshDialer(config.keys, DatabasePins(database), agent_bundle)
    core = Core(database, EitherDialer(real, simulated := SimulatedDialer()), simulated)
    dispatch = Dispatch(
        database, Auth(database), version=version_text(), node_uuid=database.owner, live=core.live
    )
    broadcast = Broadcast(database, core.figures)
    entrance, terminals = Entrance(dispatch), Terminals(config.faces_socket, config.homes)
    ssh = SshFace(entrance, terminals, config.keys / "face_host_key")
    server = Server(
        dispatch,
        broadcast,
        transfers=core.transfers,
        live=core.live,
        names=[socket.gethostname(), *config.names],
        pages=Browser(entrance, terminals).table(),
    )
    tasks = [
        asyncio.create_task(core.run(), name="core"),
        asyncio.create_task(broadcast.run(), name="broadcast"),
        asyncio.create_task(stopping.wait(), name="stop"),
    ]
    ready = asyncio.create_task(core.ready.wait(), name="ready")
    try:
        await asyncio.wait([ready, *tasks], return_when=asyncio.FIRST_COMPLETED)
        core.live.consoles.address = await _listen(server, ssh, config)
        # What is there now stays: the collector need not walk it again and again.
        gc.freeze()
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        try:
            terminals.close()
            await ssh.stop()
            await server.stop()
            await dispatch.audit.close()
        finally:
            await _end(ready, *tasks)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and raise what one has failed for once all have ended: until then they use the store."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            task.result()


async def _listen(server: Server, ssh: SshFace, config: Config) -> Address | None:
    """Begin to listen, and have the folder remember where; returns where browsers reach the server."""
    config = _still_free(config)
    await server.start(*_listeners(config))
    await ssh.start(config.ssh)
    if not config.again:
        taken = address_text(next(iter(server.addresses), None))
        shown = address_text(ssh.address)
        remember(config.folder, Listening(taken, config.names, ssh=shown, plain_http=config.plain_http))
    return _address(server, config)


def _still_free(config: Config) -> Config:
    """An address that is only remembered may be somebody else's by now: that is said, and the rest is taken."""
    pid, troubles = os.getpid(), []
    if config.again and (taken := _taken(config.listen)):
        troubles.append(
            f"{taken}; only the socket in {config.folder} leads to this appliance: free that address and end process "
            f"{pid}, which the next zstui starts again, or give that another one by --listen"
        )
        config = replace(config, listen=None)
    if config.again and (taken := _taken(config.ssh)):
        troubles.append(
            f"{taken}; the full screen is not shown by SSH: free that address and end process "
            f"{pid}, which the next zstui starts again, or give that another one by --ssh"
        )
        config = replace(config, ssh=None)
    for trouble in troubles:
        log.error(trouble)
    # Before the socket answers: who has started the appliance asks for it then.
    trouble = next(iter(troubles), "")
    remember(config.folder, replace(remembered(config.folder), trouble=trouble))
    return config


def _taken(address: tuple[str, int] | None) -> str:
    """Why an address cannot be had; empty when it can, or there is to be none."""
    if address is not None:
        try:
            bind_tcp(TcpListener(*address)).close()
        except OSError as failed:
            return failed.strerror or str(failed)
    return ""


def _listeners(config: Config) -> list[UnixListener | TcpListener]:
    """The folder's sockets, and the address if there is to be one; TLS where it is not loopback."""
    listeners: list[UnixListener | TcpListener] = [
        UnixListener(config.socket),
        UnixListener(config.faces_socket, trusted=False),
    ]
    if config.listen is not None:
        host, port = config.listen
        plain = config.plain_http or is_loopback(host)
        if plain and not is_loopback(host):
            log.warning("passwords and sessions go to %s without TLS, as --plain-http says", host)
        tls = None if plain else server_tls(config.folder, host, config.names)
        listeners.append(TcpListener(host, port, tls))
    return listeners


def _address(server: Server, config: Config) -> Address | None:
    """Where browsers reach the server; None when it listens on its socket only."""
    if config.listen is None:
        return None
    host, port = server.addresses[0]
    anywhere = ipaddress.ip_address(host).is_unspecified
    scheme = "http" if config.plain_http or is_loopback(config.listen[0]) else "https"
    return Address(scheme, socket.gethostname() if anywhere else host, port)
