"""New user data reaches the guest about as soon as its parts allow: bar 7."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.network import namespace_of
from agent.protocol import Capacity, EnsureStorage
from appliance.lab import process
from appliance.store.connection import connect
from tests.bench.measure import Compared, timed
from tests.bench.test_requests import connected
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import STORAGE, Stage

BAR = 3.0
TIMES = 12
REST_SECONDS = 1.5
"""The metadata server lets a guest ask 100 times at once, then 5 times a second."""

ASKER = """
import http.client, json, sys, time
for line in sys.stdin:
    wanted, begun, asked = json.loads(line), time.perf_counter(), 0
    while True:
        asked += 1
        way = http.client.HTTPConnection("169.254.169.254", timeout=5, source_address=(sys.argv[1], 0))
        way.request("GET", "/latest/user-data")
        body = way.getresponse().read().decode()
        way.close()
        if wanted in body:
            break
    print(json.dumps([time.perf_counter() - begun, asked]), flush=True)
"""
"""Asks for user data from the guest's address until it holds what is wanted; says seconds and times asked."""


class Asker:
    """A program in the network of a guest that asks in its name."""

    def __init__(self, running: asyncio.subprocess.Process) -> None:
        self._process = running

    async def get(self, wanted: str) -> float:
        """Seconds until the user data holds some text; an empty text takes one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
        async with asyncio.timeout(20):
            said = await self._process.stdout.readline()
        seconds, _ = json.loads(said)
        return float(seconds)


async def test_a_change_is_served_as_fast_as_its_parts(cloud: Stage, vm: VmFactory, tmp_path: Path) -> None:
    guest = await (await vm("asking", host=1, user_data="#!/bin/sh\ntrue\n")).booted()
    tags = await cloud.session.query("SystemTag", resourceUuid=guest.uuid)
    tag = next(each for each in tags if each["tag"].startswith("userdata::"))
    numbers = itertools.count(1)
    compared = Compared("change of user data, until served")
    async with asking(cloud, guest) as asker:

        async def change() -> None:
            text = f"#!/bin/sh\n# {next(numbers)} of the changes\n"
            await cloud.session.call("UpdateSystemTag", uuid=tag["uuid"], tag=f"userdata::{text}")
            await asker.get(text.splitlines()[1])

        await change()
        for _ in range(TIMES):
            await asyncio.sleep(REST_SECONDS)
            compared.ours.append(await timed(change))
        gets = [await asker.get("") for _ in range(TIMES)]
    commits = [_commit(tmp_path / "reference.db", number) for number in range(TIMES)]
    requests = await _requests(cloud)
    compared.reference = [sum(parts) for parts in zip(commits, requests, gets, strict=True)]
    parts = {"commit": commits, "request": requests, "GET": gets}
    said = ", ".join(f"{name} {statistics.median(each) * 1000:.2f} ms" for name, each in parts.items())
    print(f"\n{compared}\n  reference: {said}")
    assert compared.ratio <= BAR


@asynccontextmanager
async def asking(cloud: Stage, guest: Guest) -> AsyncIterator[Asker]:
    """An asker beside the metadata server, with the guest's address on loopback for as long."""
    l3 = str(guest.nic["l3NetworkUuid"])
    address = ["ip", "address"], [f"{guest.ip}/32", "dev", "lo"]
    pid = process.first(guest.host.name)
    assert pid is not None
    # Its network alone: Python stands in a folder that the host, with a /tmp and /home of its own, need not see.
    enter = ["nsenter", f"--net=/proc/{pid}/root/run/netns/{namespace_of(l3)}", "--"]
    await cloud.in_network(guest.host, l3, [*address[0], "add", *address[1]])
    running = await asyncio.create_subprocess_exec(
        *enter, sys.executable, "-c", ASKER, guest.ip,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Asker(running)
    finally:
        running.kill()
        await running.wait()
        await cloud.in_network(guest.host, l3, [*address[0], "del", *address[1]])


def _commit(path: Path, number: int) -> float:
    """Seconds of one durable commit of a few hundred bytes."""
    connection = connect(path, durable=True, reader=False)
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS tag (number INTEGER PRIMARY KEY, text TEXT)")
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT OR REPLACE INTO tag VALUES (?, ?)", (number, "x" * 300))
        connection.execute("COMMIT")
        return time.perf_counter() - begun
    finally:
        connection.close()


async def _requests(cloud: Stage) -> list[float]:
    """Seconds of single requests to a host that it remembers before it answers, as every change is.

    The appliance is out of the way meanwhile: a host takes requests from one at a time.
    """
    await cloud.appliance.stop()
    try:
        async with connected(cloud.appliance.folder) as (link, _):
            again = EnsureStorage(storage_uuid=cloud.primary, root=STORAGE)

            async def ask() -> None:
                await link.ask(again, Capacity, resource=cloud.primary, generation=1, op=uuid.uuid4().hex)

            await ask()
            return [await timed(ask) for _ in range(TIMES)]
    finally:
        await cloud.restart()
