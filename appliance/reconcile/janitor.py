"""Expunges what was deleted and nobody recovered in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from appliance.api.vm import VmInstance
from appliance.reconcile.image import expunge_images_due
from appliance.reconcile.vm_state import move
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

AT_A_TIME = 100
SHORTEST_SLEEP_SECONDS = 1.0
LONGEST_SLEEP_SECONDS = 3600.0


@dataclass(frozen=True)
class Bin:
    """A recycle bin: whose settings it follows, what is in it, and how what is due leaves it."""

    category: str
    kind: str
    expunge_due: Callable[[Transaction, float, int], list[str]]
    """Turns at most so many that were deleted before a moment into ones to remove; returns their uuids."""


class Janitor:
    """Looks for things whose recovery period is over."""

    def __init__(self, database: Database, poke: Callable[[str, str], None]) -> None:
        self._database = database
        self._poke = poke
        self._looked_at = dict.fromkeys(BINS, 0.0)
        self._woken = asyncio.Event()

    def look_again(self, category: str) -> None:
        """A setting changed: look into its bin at once, whatever the interval."""
        for bin_ in BINS:
            if bin_.category == category:
                self._looked_at[bin_] = 0.0
                self._woken.set()

    async def run(self) -> None:
        """Look into each bin every `expungeInterval` seconds of its own, for ever."""
        while True:
            self._woken.clear()
            wait = LONGEST_SLEEP_SECONDS
            for bin_ in BINS:
                wait = min(wait, await self._look(bin_))
            await _until(self._woken, max(wait, SHORTEST_SLEEP_SECONDS))

    async def _look(self, bin_: Bin) -> float:
        """Empty a bin of what is due, if it is time to; returns the seconds until it is next."""
        interval = await self._database.read(lambda s: float(s.setting(bin_.category, "expungeInterval")))
        now = self._database.now()
        if now - self._looked_at[bin_] < interval:
            return self._looked_at[bin_] + interval - now
        self._looked_at[bin_] = now
        for uuid in await self._database.write(lambda tx: expunge_due(tx, bin_)):
            self._poke(bin_.kind, uuid)
        return interval


def expunge_due(tx: Transaction, bin_: Bin) -> list[str]:
    """Turn what is due in a bin into things to remove; returns their uuids."""
    if tx.setting(bin_.category, "deletionPolicy") == "Never":
        return []
    before = tx.now - float(tx.setting(bin_.category, "expungePeriod"))
    return bin_.expunge_due(tx, before, AT_A_TIME)


def destroyed(snapshot: Snapshot) -> list[VmInstance]:
    """The VMs in the recycle bin."""
    return snapshot.all(VmInstance, state="Destroyed", intended="Destroyed")


def expunge_vms_due(tx: Transaction, before: float, most: int) -> list[str]:
    """Turn VMs that were destroyed before a moment into ones to remove; returns their uuids."""
    due = [vm for vm in destroyed(tx) if vm.last_op_date <= before][:most]
    for vm in due:
        move(tx, vm, intended="Absent", generation=vm.generation + 1)
    return [vm.uuid for vm in due]


BINS = (
    Bin("vm", "VmInstance", expunge_vms_due),
    Bin("image", "Image", expunge_images_due),
)


async def _until(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return
