"""Expunges what was deleted and nobody recovered in time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.recycle_bin import RecycleBinItem
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.reconcile.alarm import Alarm
from appliance.reconcile.patience import until_kept
from appliance.reconcile.recycle_bin import KINDS, due
from appliance.reconcile.vm_state import change_vm
from appliance.store.database import Database
from appliance.store.transaction import Transaction

AT_A_TIME = 100
SHORTEST_SLEEP_SECONDS = 1.0
LONGEST_SLEEP_SECONDS = 3600.0


class Janitor:
    """Looks for things whose recovery period is over."""

    def __init__(self, database: Database, poke: Callable[[str, str], None]) -> None:
        self._database = database
        self._poke = poke
        self._looked_at = dict.fromkeys(KINDS, 0.0)
        self._alarm = Alarm()

    def look_again(self, category: str) -> None:
        """A setting changed: look into its bin at once, whatever the interval."""
        if category in KINDS:
            self._looked_at[category] = 0.0
            self._alarm.ring()

    async def run(self) -> None:
        """Look into each bin every `expungeInterval` seconds of its own, for ever."""
        while True:
            wait = LONGEST_SLEEP_SECONDS
            for category in KINDS:
                wait = min(wait, await self._look(category))
            await self._alarm.sleep(max(wait, SHORTEST_SLEEP_SECONDS))

    async def _look(self, category: str) -> float:
        """Empty a bin of what is due, if it is time to; returns the seconds until it is next."""
        interval = await self._database.read(lambda s: float(s.setting(category, "expungeInterval")))
        now = self._database.now()
        if 0 <= now - self._looked_at[category] < interval:  # a clock that was put back must not hold this up
            return self._looked_at[category] + interval - now
        self._looked_at[category] = now
        expunge = partial(expunge_due, category=category)
        found = await until_kept("recycle bin", partial(self._database.write, expunge))
        for uuid in found:
            self._poke(KINDS[category].name_, uuid)
        if len(found) == AT_A_TIME:
            self._looked_at[category] = 0.0
            return 0.0
        return interval


def expunge_due(tx: Transaction, category: str) -> list[str]:
    """Turn what is due in a category's bin into things to remove; returns their uuids."""
    if tx.setting(category, "deletionPolicy") == "Never":
        return []
    found = due(tx, category, AT_A_TIME)
    for item in found:
        _expunge(tx, item)
    return list(dict.fromkeys(item.resource_uuid for item in found))


def _expunge(tx: Transaction, item: RecycleBinItem) -> None:
    """Intended absent: its worker removes it, as soon as its host can be reached."""
    tx.update(item, status="Expunging")
    uuid = item.resource_uuid
    if item.resource_type == VmInstance.vo:
        vm = tx.get(VmInstance, uuid)
        change_vm(tx, vm, intended="Absent", generation=vm.generation + 1)
    elif item.resource_type == Volume.vo:
        volume = tx.get(Volume, uuid)
        tx.update(volume, intended="Absent", generation=volume.generation + 1)
    elif item.resource_type == Image.vo:
        where = item.backup_storage_uuid
        for ref in tx.all(ImageBackupStorageRef, image_uuid=uuid, backup_storage_uuid=where):
            tx.update(ref, intended="Absent")
