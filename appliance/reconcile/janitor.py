"""Expunges destroyed VMs and deleted data volumes that nobody recovered in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from appliance.api.resource import Timestamp
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.reconcile.vm_state import move
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

AT_A_TIME = 100
LONGEST_SLEEP_SECONDS = 60.0
"""A changed interval takes effect within a minute."""


class Janitor:
    """Looks for what can be recovered no more."""

    def __init__(self, database: Database, poke: Callable[[str, str], None]) -> None:
        self._database = database
        self._poke = poke

    async def run(self) -> None:
        """Look for each kind every `expungeInterval` seconds of its own, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look("vm", "VmInstance", expunge_due), name="janitor of VMs")
            group.create_task(self._look("volume", "Volume", expunge_due_volumes), name="janitor of volumes")

    async def _look(self, category: str, kind: str, expunge: Callable[[Transaction], list[str]]) -> None:
        looked_at = 0.0
        while True:
            interval = await self._database.read(lambda s: int(s.setting(category, "expungeInterval")))
            if self._database.now() - looked_at >= interval:
                looked_at = self._database.now()
                for uuid in await self._database.write(expunge):
                    self._poke(kind, uuid)
            await asyncio.sleep(min(max(interval, 1), LONGEST_SLEEP_SECONDS))


def expunge_due(tx: Transaction) -> list[str]:
    """Turn destroyed VMs whose period is over into ones to remove; returns their uuids."""
    if tx.setting("vm", "deletionPolicy") == "Never":
        return []
    due = [vm for vm in destroyed(tx) if vm.last_op_date + _period(tx, "vm") <= tx.now]
    for vm in due[:AT_A_TIME]:
        move(tx, vm, intended="Absent", generation=vm.generation + 1)
    return [vm.uuid for vm in due[:AT_A_TIME]]


def expunge_due_volumes(tx: Transaction) -> list[str]:
    """The same of deleted data volumes."""
    if tx.setting("volume", "deletionPolicy") == "Never":
        return []
    found = tx.all(Volume, type="Data", status="Deleted", intended="Deleted")
    due = [volume for volume in found if volume.last_op_date + _period(tx, "volume") <= tx.now]
    for volume in due[:AT_A_TIME]:
        tx.update(volume, intended="Absent", generation=volume.generation + 1)
    return [volume.uuid for volume in due[:AT_A_TIME]]


def destroyed(snapshot: Snapshot) -> list[VmInstance]:
    """The VMs in the recycle bin."""
    return snapshot.all(VmInstance, state="Destroyed", intended="Destroyed")


def _period(snapshot: Snapshot, category: str) -> Timestamp:
    return Timestamp(float(snapshot.setting(category, "expungePeriod")))
