"""The agent's wire is at least half as fast as a bare echo over the same SSH connection: bar 5."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh

from agent.protocol import Call, Done, Ping, encode
from appliance.api.host import Host
from appliance.config import Config, agent_bundle
from appliance.core import DatabasePins
from appliance.hosts.deploy import SshDialer
from appliance.hosts.fleet import Fleet
from appliance.hosts.link import Link
from appliance.reconcile.context import target_of
from appliance.reconcile.machine import DatabaseRoster
from appliance.store.database import Database
from tests.bench.measure import compare, timed
from tests.e2e.stage import Stage

AT_ONCE = 256
REQUESTS = 8192
BAR = 2.0
"""Twice the time for as many requests is half the rate."""


class Echo:
    """Lines to a program that says them again, many under way, all of a loop's turn in one write."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._process = process
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._outbox: list[bytes] = []
        self._reader = asyncio.create_task(self._read())

    async def say(self, line: bytes) -> bytes:
        if not self._outbox:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outbox.append(line)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return await future

    def close(self) -> None:
        self._reader.cancel()
        self._process.close()

    def _flush(self) -> None:
        self._process.stdin.write(b"".join(self._outbox))
        self._outbox.clear()

    async def _read(self) -> None:
        kept = b""
        while data := await self._process.stdout.read(1 << 18):
            *lines, kept = (kept + data).split(b"\n")
            for line in lines:
                self._waiting.popleft().set_result(line)


async def test_requests_are_half_as_fast_as_a_bare_echo(cloud: Stage) -> None:
    await cloud.appliance.stop()
    try:
        async with connected(cloud.appliance.folder) as (link, echo):
            line = encode(Call(id=4711, owner=link.owner, epoch=link.epoch, request=Ping()))

            async def ours() -> float:
                return await timed(lambda: _all_at_once(lambda: link.ask(Ping(), Done)))

            async def bare() -> float:
                return await timed(lambda: _all_at_once(lambda: echo.say(line)))

            compared = await compare(f"{REQUESTS} requests, {AT_ONCE} at once", ours, bare)
    finally:
        await cloud.restart()
    assert compared.ratio <= BAR


@asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[tuple[Link, Echo]]:
    """A link to a host's agent in the appliance's place, and an echo on the same SSH connection."""
    database = await Database.open(folder)
    dialer = SshDialer(Config(folder).keys, DatabasePins(database), agent_bundle)
    fleet = Fleet(
        database,
        DatabaseRoster(database),
        dialer,
        on_event=lambda *_: None,
        on_lost=lambda *_: None,
        on_renewed=lambda _: None,
    )
    try:
        target = target_of((await database.read(lambda snapshot: snapshot.all(Host)))[0])
        await database.raise_epoch()
        await fleet.connect(target)
        connection = await dialer.ssh.connection(target)
        echo = Echo(await connection.create_process("cat", encoding=None))
        yield fleet.link(target), echo
        echo.close()
    finally:
        await fleet.close()
        await database.close()


async def _all_at_once(ask: Callable[[], Awaitable[object]]) -> None:
    left = iter(range(REQUESTS))

    async def some() -> None:
        for _ in left:
            await ask()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())
