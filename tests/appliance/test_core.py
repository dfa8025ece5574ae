"""A start of the appliance: what was true of the last one is not believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from appliance.api.job import LongJob
from appliance.api.node import ManagementNode
from appliance.api.setting import GlobalConfig
from appliance.api.storage import BackupStorage
from appliance.core import Core, running
from appliance.hosts.simulated_dialer import SimulatedDialer
from appliance.reconcile import figures, janitor
from appliance.resources import job_limits
from appliance.store.database import Database
from appliance.store.errors import StoreFull
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


IMPATIENT = {
    "identity.session.cleanup.interval": "0",
    "monitor.interval": "0.01",
    "vm.expungeInterval": "0",
}


async def test_store_that_takes_nothing_for_a_while_ends_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.core.BEAT_SECONDS", 0.01)
    monkeypatch.setattr(figures, "SLOT_SECONDS", 1)
    monkeypatch.setattr(janitor, "SHORTEST_SLEEP_SECONDS", 0.01)
    given_up: list[str] = []
    monkeypatch.setattr(job_limits, "give_up_late", lambda tx, job_uuid: given_up.append(job_uuid))
    kept, full, refused = database.write, False, set()

    async def write(change: Any) -> Any:
        task = asyncio.current_task()
        if full and task is not None:
            refused.add(task.get_name())
            raise StoreFull("no room")
        return await kept(change)

    def prepare(tx: Transaction) -> None:
        for key, value in IMPATIENT.items():
            tx.update(tx.get(GlobalConfig, key), value=value)
        now = int(tx.now)
        tx.insert(
            LongJob(uuid="j" * 32, name="StartVmInstance", state="Running", job_data="{}", limit=now + 1)  # type: ignore[arg-type]
        )

    await kept(prepare)
    monkeypatch.setattr(database, "write", write)
    core = Core(database, SimulatedDialer())
    async with asyncio.timeout(20), running(core):
        await core.ready.wait()
        full = True
        core._on_lost("192.0.2.1:22", "gone")
        workers = {"heart beat", "figures of five minutes", "janitor", "job limits", "sessions", "observe"}
        while not workers <= refused:
            await asyncio.sleep(0.01)
        full = False
        refused.clear()
        before = core.database.now()
        while await database.read(lambda s: s.all(ManagementNode)[0].heart_beat) < before:
            await asyncio.sleep(0.01)
        while not given_up:
            await asyncio.sleep(0.01)
