"""Who watches sees every change once, as it is then, and is told when it missed some."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from appliance.api.account import Session as SessionRow
from appliance.api.resource import Timestamp
from appliance.api.storage import PrimaryStorage, PrimaryStorageClusterRef
from appliance.api.zone import Zone
from appliance.client import Session
from appliance.serve import events
from appliance.serve.events import EMBEDDED_IN, READY, VISIBLE, Broadcast
from appliance.store.database import Database
from appliance.store.transaction import Transaction

from .conftest import Face

STORAGE = PrimaryStorage(uuid="p" * 32, zone_uuid="z" * 32, name="ps", url="/x", mount_path="/x")
REF = PrimaryStorageClusterRef(uuid="r" * 32, primary_storage_uuid=STORAGE.uuid, cluster_uuid="c" * 32)


def zone(number: int, name: str = "z") -> Zone:
    return Zone(uuid=f"{number:032d}", name=name)


async def said_by(listener: events.Listener) -> list[dict[str, Any]]:
    async with asyncio.timeout(5):
        blocks = await anext(listener)
    lines = [line for line in blocks.decode().split("\n") if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.fixture
async def broadcast(database: Database) -> AsyncIterator[Broadcast]:
    made = Broadcast(database)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        running.cancel()


async def test_a_watcher_hears_ready_then_each_change(broadcast: Broadcast, database: Database) -> None:
    with broadcast.listen() as listener:
        assert await anext(listener) == READY
        await database.write(lambda tx: tx.insert(zone(1)))
        [made] = await said_by(listener)
        assert (made["resource"], made["op"], made["inventory"]["name"]) == ("Zone", "upsert", "z")
        await database.write(lambda tx: tx.delete(zone(1)))
        assert await said_by(listener) == [{"resource": "Zone", "uuid": zone(1).uuid, "op": "delete"}]


async def test_an_inventory_changes_with_what_it_shows(broadcast: Broadcast, database: Database) -> None:
    await database.write(lambda tx: tx.insert(STORAGE))
    with broadcast.listen() as listener:
        await anext(listener)
        await database.write(lambda tx: tx.insert(REF))
        assert STORAGE.uuid in [each["uuid"] for each in await said_by(listener)]
        await database.write(lambda tx: tx.delete(REF))
        said = {each["uuid"]: each for each in await said_by(listener)}
        assert said[STORAGE.uuid]["op"] == "upsert"


async def test_holders_are_known_from_before(database: Database) -> None:
    def both(tx: Transaction) -> None:
        tx.insert(STORAGE)
        tx.insert(REF)

    await database.write(both)
    broadcast = Broadcast(database)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(broadcast.run())
        with broadcast.listen() as listener:
            await anext(listener)
            await database.write(lambda tx: tx.insert(zone(1)))
            await said_by(listener)
            await database.write(lambda tx: tx.delete(REF))
            assert STORAGE.uuid in [each["uuid"] for each in await said_by(listener)]
        running.cancel()


async def test_sessions_are_nobodys_business(broadcast: Broadcast, database: Database) -> None:
    row = SessionRow(digest="d", account_uuid="a", user_uuid="a", expired_date=Timestamp(9e9))
    with broadcast.listen() as listener:
        await anext(listener)
        await database.write(lambda tx: tx.insert(row))
        await database.write(lambda tx: tx.insert(zone(1)))
        assert [each["resource"] for each in await said_by(listener)] == ["Zone"]
    assert "Session" not in VISIBLE
    assert PrimaryStorageClusterRef in EMBEDDED_IN


async def test_who_is_too_slow_is_told(
    broadcast: Broadcast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "WAITING_LIMIT", 5)
    with broadcast.listen() as slow, broadcast.listen() as quick:
        await anext(quick)
        for number in range(8):
            await database.write(lambda tx, number=number: tx.insert(zone(number)))
            await said_by(quick)
        async with asyncio.timeout(5):
            blocks = await anext(slow)
    assert b"event: overflow" in blocks
    assert blocks.count(b"event: change") < 6


async def test_silence_has_a_heartbeat(broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    with broadcast.listen() as listener:
        await anext(listener)
        async with asyncio.timeout(5):
            assert (await anext(listener)).startswith(b":")


async def test_one_watcher_does_not_outlive_the_server(face: Face, local: Session) -> None:
    stream = local.events()
    assert (await anext(stream)).kind == "ready"
    async with asyncio.timeout(5):
        await face.server.stop()
        assert (await anext(stream)).kind == "lost"
    await stream.aclose()
