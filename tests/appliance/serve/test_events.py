"""Who watches sees every change once, as it is then, and is told when it missed some."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance.api.account import Session as SessionRow
from appliance.api.resource import Timestamp
from appliance.api.storage import PrimaryStorage, PrimaryStorageClusterRef
from appliance.api.zone import Zone
from appliance.client import Session
from appliance.serve import events
from appliance.serve.events import READY, Broadcast
from appliance.store import transaction
from appliance.store.database import Database
from appliance.store.journal import EMBEDDED_IN, VISIBLE
from appliance.store.transaction import Transaction

from .conftest import Face

STORAGE = PrimaryStorage(uuid="p" * 32, zone_uuid="z" * 32, name="ps", url="/x", mount_path="/x")
REF = PrimaryStorageClusterRef(uuid="r" * 32, id=1, primary_storage_uuid=STORAGE.uuid, cluster_uuid="c" * 32)


def zone(number: int, name: str = "z") -> Zone:
    return Zone(uuid=f"{number:032d}", name=name)


@asynccontextmanager
async def listening(broadcast: Broadcast, last_id: str | None = None) -> AsyncIterator[events.Listener]:
    with broadcast.listen() as listener:
        await broadcast.begin(listener, last_id)
        yield listener


async def heard(listener: events.Listener) -> str:
    async with asyncio.timeout(5):
        return (await anext(listener)).decode()


def ids_in(blocks: str) -> list[str]:
    return [line.removeprefix("id: ") for line in blocks.split("\n") if line.startswith("id: ")]


async def said_by(listener: events.Listener) -> list[dict[str, Any]]:
    return changes_in(await heard(listener))


def changes_in(blocks: str) -> list[dict[str, Any]]:
    lines = [line for line in blocks.split("\n") if line.startswith("data: ") and line != "data: {}"]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.fixture
async def broadcast(database: Database) -> AsyncIterator[Broadcast]:
    made = Broadcast(database)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        running.cancel()


async def test_a_watcher_hears_ready_then_each_change(broadcast: Broadcast, database: Database) -> None:
    async with listening(broadcast) as listener:
        assert (await anext(listener)).endswith(READY)
        await database.write(lambda tx: tx.insert(zone(1)))
        [made] = await said_by(listener)
        assert (made["resource"], made["op"], made["inventory"]["name"]) == ("Zone", "upsert", "z")
        await database.write(lambda tx: tx.delete(zone(1)))
        assert await said_by(listener) == [{"resource": "Zone", "uuid": zone(1).uuid, "op": "delete"}]


async def test_an_inventory_changes_with_what_it_shows(broadcast: Broadcast, database: Database) -> None:
    await database.write(lambda tx: tx.insert(STORAGE))
    async with listening(broadcast) as listener:
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
        async with listening(broadcast) as listener:
            await anext(listener)
            await database.write(lambda tx: tx.insert(zone(1)))
            await said_by(listener)
            await database.write(lambda tx: tx.delete(REF))
            assert STORAGE.uuid in [each["uuid"] for each in await said_by(listener)]
        running.cancel()


async def test_sessions_are_nobodys_business(broadcast: Broadcast, database: Database) -> None:
    row = SessionRow(digest="d", account_uuid="a", user_uuid="a", expired_date=Timestamp(9e9))
    async with listening(broadcast) as listener:
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
    async with listening(broadcast) as slow, listening(broadcast) as quick:
        await anext(quick)
        for number in range(8):
            await database.write(lambda tx, number=number: tx.insert(zone(number)))
            await said_by(quick)
        async with asyncio.timeout(5):
            blocks = await anext(slow)
    assert b"event: overflow" in blocks
    assert blocks.count(b"event: change") < 6


async def test_who_comes_back_hears_what_it_missed_once_and_then_what_comes(
    broadcast: Broadcast, database: Database
) -> None:
    for number in (1, 2):
        await database.write(lambda tx, number=number: tx.insert(zone(number)))
    async with listening(broadcast) as listener:
        [left_at] = ids_in(await heard(listener))
    await database.write(lambda tx: tx.update(zone(1), name="a"))
    await database.write(lambda tx: tx.update(zone(1), name="b"))
    await database.write(lambda tx: tx.delete(zone(2)))
    async with listening(broadcast, left_at) as listener:
        blocks = await heard(listener)
        assert blocks.startswith(READY.decode())
        said = changes_in(blocks)
        assert [(each["op"], each.get("inventory", {}).get("name")) for each in said] == [
            ("upsert", "b"), ("delete", None),
        ]  # fmt: skip
        [caught_up] = ids_in(blocks)
        await database.write(lambda tx: tx.insert(zone(3)))
        assert [each["uuid"] for each in await said_by(listener)] == [zone(3).uuid]
    async with listening(broadcast, caught_up) as listener:
        assert [each["uuid"] for each in await said_by(listener)] == [zone(3).uuid]


async def test_nothing_is_lost_or_told_twice_between_what_was_missed_and_what_comes(
    broadcast: Broadcast, database: Database
) -> None:
    async with listening(broadcast) as listener:
        [left_at] = ids_in(await heard(listener))
    with broadcast.listen() as listener:
        await database.write(lambda tx: tx.insert(zone(1)))
        await database.write(lambda tx: tx.insert(zone(2)))
        while len(listener._blocks) < 2:  # they are pushed before it has read what it missed
            await asyncio.sleep(0)
        await broadcast.begin(listener, left_at)
        assert [each["uuid"] for each in await said_by(listener)] == [zone(1).uuid, zone(2).uuid]


@pytest.mark.parametrize("mark", ["", "x", "0-0", "deadbeef-1", "{owner}-99999", "{owner}--1"])
async def test_an_id_that_is_not_ours_or_too_old_means_to_read_again(
    broadcast: Broadcast, database: Database, mark: str
) -> None:
    await database.write(lambda tx: tx.insert(zone(1)))
    async with listening(broadcast, mark.format(owner=database.owner[:8])) as listener:
        blocks = await heard(listener)
        assert "event: overflow" in blocks
        assert ids_in(blocks)


async def test_the_journal_forgets_what_is_long_past(
    broadcast: Broadcast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "ENTRIES_KEPT", 5)
    monkeypatch.setattr(transaction, "_ENTRIES_CHECKED_EACH", 2)
    async with listening(broadcast) as listener:
        [left_at] = ids_in(await heard(listener))
    for number in range(10):
        await database.write(lambda tx, number=number: tx.insert(zone(number)))
    rows = await database.read(lambda s: s.rows('SELECT COUNT(*), MAX("sequence") FROM "journal_entry"'))
    assert rows[0][0] <= 7
    async with listening(broadcast, left_at) as listener:
        assert "event: overflow" in await heard(listener)


async def test_what_was_missed_is_known_after_a_death(tmp_path: Path) -> None:
    database = await Database.open(tmp_path, inline=True)
    await database.write(lambda tx: tx.insert(zone(1)))
    broadcast = Broadcast(database)
    async with listening(broadcast) as listener:
        [left_at] = ids_in(await heard(listener))
    await database.write(lambda tx: tx.insert(zone(2)))
    await database.crash()
    database = await Database.open(tmp_path, inline=True)
    async with listening(Broadcast(database), left_at) as listener:
        assert [each["uuid"] for each in await said_by(listener)] == [zone(2).uuid]
    await database.close()


async def test_silence_has_a_heartbeat(broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    async with listening(broadcast) as listener:
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
