"""A start of the appliance: what was true of the last one is not believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.api.storage import BackupStorage
from appliance.core import Core, running
from appliance.hosts.simulated_dialer import SimulatedDialer
from appliance.store.database import Database
from appliance.store.transaction import Transaction


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    store = await Database.open(tmp_path)
    yield store
    await store.close()


async def test_nobody_is_connected_when_the_appliance_starts(database: Database) -> None:
    def remember(tx: Transaction) -> None:
        tx.insert(
            BackupStorage(uuid="b" * 32, name="images", hostname="10.0.0.1", url="/bs", status="Connected")
        )

    await database.write(remember)
    subscription = database.feed.subscribe()
    async with asyncio.timeout(10), running(Core(database, SimulatedDialer())):
        async for batch in subscription:
            assert isinstance(batch, tuple)
            statuses = [each.after.status for each in batch if isinstance(each.after, BackupStorage)]
            if statuses:
                break
    subscription.close()
    assert statuses == ["Connecting"]
