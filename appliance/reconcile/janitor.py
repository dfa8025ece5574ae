"""Expunges destroyed VMs that nobody recovered in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from appliance.api.resource import Timestamp
from appliance.api.vm import VmInstance
from appliance.reconcile.vm_state import move
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

AT_A_TIME = 100
LONGEST_SLEEP_SECONDS = 60.0
"""A changed interval takes effect within a minute."""


class Janitor:
    """Looks for VMs whose recovery period is over."""

    def __init__(self, database: Database, poke: Callable[[str, str], None]) -> None:
        self._database = database
        self._poke = poke
        self._looked_at = 0.0

    async def run(self) -> None:
        """Look every `vm.expungeInterval` seconds, for ever."""
        while True:
            interval = await self._database.read(lambda s: int(s.setting("vm", "expungeInterval")))
            if self._database.now() - self._looked_at >= interval:
                self._looked_at = self._database.now()
                for uuid in await self._database.write(expunge_due):
                    self._poke("VmInstance", uuid)
            await asyncio.sleep(min(max(interval, 1), LONGEST_SLEEP_SECONDS))


def expunge_due(tx: Transaction) -> list[str]:
    """Turn destroyed VMs whose period is over into ones to remove; returns their uuids."""
    if tx.setting("vm", "deletionPolicy") == "Never":
        return []
    due = [vm for vm in destroyed(tx) if vm.last_op_date + _period(tx) <= tx.now]
    for vm in due[:AT_A_TIME]:
        move(tx, vm, intended="Absent", generation=vm.generation + 1)
    return [vm.uuid for vm in due[:AT_A_TIME]]


def destroyed(snapshot: Snapshot) -> list[VmInstance]:
    """The VMs in the recycle bin."""
    return snapshot.all(VmInstance, state="Destroyed", intended="Destroyed")


def _period(snapshot: Snapshot) -> Timestamp:
    return Timestamp(float(snapshot.setting("vm", "expungePeriod")))
