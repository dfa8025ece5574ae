"""Samples what hosts and VMs use, keeps an hour of it in memory, and a day of it in the store."""

from __future__ import annotations

import asyncio
import logging
import math
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from agent.protocol import Figures, ReadFigures, Used
from appliance.api.errors import ApiError
from appliance.api.figure import BLOCK_SECONDS, KEPT_SECONDS, SLOT_SECONDS, SYSTEM, FigureBlock
from appliance.api.host import Host
from appliance.api.vm import VmInstance
from appliance.hosts.fleet import Fleet, Target
from appliance.plans.figures import (
    WIDTH,
    Point,
    Reading,
    added,
    from_text,
    highest,
    mean,
    pack,
    rates,
    to_text,
    unpack,
)
from appliance.reconcile.alarm import Alarm
from appliance.reconcile.context import target_of
from appliance.reconcile.patience import until_kept
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

HOUR_SECONDS = 3_600
ASKED_AT_ONCE = 50
ANSWER_SECONDS = 20.0
AT_A_TIME = 50
"""Rows written in one transaction, so that others have their turn."""

SLOTS = BLOCK_SECONDS // SLOT_SECONDS


@dataclass
class Track:
    """What is known of one resource: the last hour, and what is not in the store yet."""

    times: array[int] = field(default_factory=lambda: array("I"))
    codes: array[int] = field(default_factory=lambda: array("H"))
    unsaved: list[Point] = field(default_factory=list)
    last: tuple[str, int, Used] | None = None
    """The host, its clock and the totals when it was last looked at."""
    memory_bytes: int = 0
    """What it has of memory in all."""

    def add(self, at: float, point: Point, oldest: float) -> None:
        """A new point; those that are too old go, some at a time."""
        self.times.append(int(at))
        self.codes.extend(pack(point))
        self.unsaved.append(point)
        if self.times[0] < oldest - SLOT_SECONDS:
            gone = sum(1 for each in self.times if each < oldest)
            del self.times[:gone], self.codes[: gone * WIDTH]

    def values(self, metric: int) -> list[Reading]:
        """A figure over time, to the sample."""
        found = zip(self.times, self.codes[metric::WIDTH], strict=True)
        known = ((float(at), value) for at, code in found if (value := unpack(code)) is not None)
        return [Reading(at, value, value, value) for at, value in known]


@dataclass(frozen=True)
class Slot:
    """What five minutes were: the average of each figure, and its highest sample."""

    mean: Point
    highest: Point


@dataclass(frozen=True)
class _Plan:
    """Whom to ask, and how many CPUs and how much memory each has."""

    hosts: list[tuple[str, Target, int, int]]
    vms: dict[str, tuple[int, int]]


class FigureHistory:
    """What is known of the figures of everything: what `GetMetricData` answers and faces are told from."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.tracks: dict[str, Track] = {}
        self.at = 0.0
        self.listeners: list[Callable[[], None]] = []
        """Called when each host was asked once more."""

    async def values(self, key: str, metric: int, start: float, end: float) -> list[Reading]:
        """A figure of one resource: from the store what is older than what is in memory."""
        track = self.tracks.get(key)
        recent = track.values(metric) if track is not None else []
        first = recent[0].at if recent else math.inf
        older = await self._database.read(lambda snapshot: _stored(snapshot, key, metric, start, end))
        found = [each for each in older if each.at + SLOT_SECONDS <= first] + recent
        return [each for each in found if start <= each.at <= end]

    def latest(self, count: int) -> Iterator[tuple[str, list[list[int | None]]]]:
        """Percent of CPU and of memory in the last `count` samples, of all in the last one; None is unknown."""
        for key, track in self.tracks.items():
            if track.times and track.times[-1] >= int(self.at):
                newest = track.codes[-count * WIDTH :]
                yield (
                    key,
                    [
                        _percents(newest[::WIDTH], 100),
                        _percents(newest[1::WIDTH], track.memory_bytes),
                    ],
                )


def _percents(codes: array[int], whole: int) -> list[int | None]:
    values = map(unpack, codes)
    return [None if value is None or not whole else round(100 * value / whole) for value in values]


class Sampler:
    """Asks every connected host in turn, again and again."""

    def __init__(self, database: Database, fleet: Fleet, history: FigureHistory) -> None:
        self._database = database
        self._fleet = fleet
        self._history = history
        self._saved_at = database.now()
        self._gate = asyncio.Semaphore(ASKED_AT_ONCE)
        self._alarm = Alarm()

    def look_again(self) -> None:
        """The interval changed: sample now, and then at the new one."""
        self._alarm.ring()

    async def run(self) -> None:
        """Sample every `monitor.interval` seconds, for ever."""
        saving: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            while True:
                await self._alarm.sleep(await self._database.read(_interval))
                await self.round()
                if self._database.now() // SLOT_SECONDS == self._saved_at // SLOT_SECONDS:
                    continue
                slot, slots = self._cut()
                # Who looks on sees what is sampled also while the store takes nothing. A gap in a day's plot is left.
                if saving is None or saving.done():
                    saving = group.create_task(self._keep(slot, slots), name="figures of five minutes")

    async def round(self) -> None:
        """Ask each connected host once."""
        plan = await self._database.read(_plan)
        now = self._history.at = float(int(self._database.now()))
        asked = [host for host in plan.hosts if self._fleet.connected(host[1])]
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(self._ask(target)) for _, target, _, _ in asked]
        answers = [each.result() for each in asking]
        whole: list[tuple[Point, int]] = []
        for (uuid, _, cpus, memory), answer in zip(asked, answers, strict=True):
            if answer is None:
                continue
            point = self._take(uuid, (uuid, answer.at, answer.host), cpus, memory, now)
            whole += [(point, cpus)] if point is not None else []
            for vm_uuid, used in answer.domains.items():
                if vm_uuid in plan.vms:
                    self._take(vm_uuid, (uuid, answer.at, used), *plan.vms[vm_uuid], now)
        if whole:
            track = self._history.tracks.setdefault(SYSTEM, Track())
            track.memory_bytes = sum(memory for _, _, _, memory in asked)
            track.add(now, added(whole), now - HOUR_SECONDS)
        known = plan.vms.keys() | {uuid for uuid, *_ in plan.hosts} | {SYSTEM}
        for gone in self._history.tracks.keys() - known:
            del self._history.tracks[gone]
        for listener in self._history.listeners:
            listener()

    async def _ask(self, target: Target) -> Figures | None:
        async with self._gate:
            try:
                link = self._fleet.link(target)
                return await link.ask(ReadFigures(), Figures, timeout_seconds=ANSWER_SECONDS)
            except ApiError as failed:
                # That a host is lost is told elsewhere; a gap in a plot says enough here.
                log.debug("no figures from %s: %s", target.key, failed)
                return None

    def _take(
        self, key: str, seen: tuple[str, int, Used], cpus: int, memory: int, now: float
    ) -> Point | None:
        track = self._history.tracks.setdefault(key, Track())
        before, track.last, track.memory_bytes = track.last, seen, memory
        if before is None or before[0] != seen[0]:
            return None
        point = rates(before[2], seen[2], (seen[1] - before[1]) / 1e9, cpus)
        if point is not None:
            track.add(now, point, now - HOUR_SECONDS)
        return point

    async def save(self) -> None:
        """Write what was sampled since the last time into its place of five minutes."""
        await self._keep(*self._cut())

    def _cut(self) -> tuple[int, deque[tuple[str, Slot]]]:
        """When the five minutes began that end now, and what they were."""
        at, self._saved_at = self._saved_at, self._database.now()
        slot = int(at // SLOT_SECONDS) * SLOT_SECONDS
        waiting: deque[tuple[str, Slot]] = deque()
        for key, track in self._history.tracks.items():
            if track.unsaved:
                waiting.append((key, Slot(mean(track.unsaved), highest(track.unsaved))))
                track.unsaved = []
        return slot, waiting

    async def _keep(self, slot: int, waiting: deque[tuple[str, Slot]]) -> None:
        while waiting:
            some = dict(waiting.popleft() for _ in range(min(AT_A_TIME, len(waiting))))
            await until_kept("figures", partial(self._database.write, partial(put, slot=slot, slots=some)))
        await until_kept("figures", partial(self._database.write, forget))


def put(tx: Transaction, slot: int, slots: dict[str, Slot]) -> None:
    """Write what one time was for those that are still there."""
    alive = {SYSTEM} & slots.keys()
    alive |= {vm.uuid for vm in tx.all(VmInstance, uuid=list(slots))}
    alive |= {host.uuid for host in tx.all(Host, uuid=list(slots))}
    began = slot // BLOCK_SECONDS * BLOCK_SECONDS
    place = (slot - began) // SLOT_SECONDS * WIDTH
    known = {block.key: block for block in tx.all(FigureBlock, key=[_key(each, began) for each in alive])}
    for each in alive:
        block = known.get(_key(each, began))
        points = _with(block.points if block is not None else "", place, slots[each].mean)
        peaks = _with(block.peaks if block is not None else "", place, slots[each].highest)
        if block is None:
            tx.insert(FigureBlock(key=_key(each, began), began=began, points=points, peaks=peaks))
        else:
            tx.update(block, points=points, peaks=peaks)


def _with(text: str, place: int, point: Point) -> str:
    codes = from_text(text) if text else array("H", bytes(2 * SLOTS * WIDTH))
    codes[place : place + WIDTH] = array("H", pack(point))
    return to_text(codes)


def forget(tx: Transaction) -> None:
    """Remove what is older than a day."""
    tx.forget_figures(before=int(tx.now) - KEPT_SECONDS - BLOCK_SECONDS)


def _key(key: str, began: int) -> str:
    return f"{key}.{began}"


def _stored(snapshot: Snapshot, key: str, metric: int, start: float, end: float) -> list[Reading]:
    """A figure over time, as the store has it; each at the beginning of its five minutes."""
    oldest = int(max(start, snapshot.now - KEPT_SECONDS)) // BLOCK_SECONDS * BLOCK_SECONDS
    begins = range(oldest, int(min(end, snapshot.now)) + 1, BLOCK_SECONDS)
    blocks = snapshot.all(FigureBlock, key=[_key(key, each) for each in begins]) if begins else []
    found = []
    for block in sorted(blocks, key=lambda each: each.began):
        codes = zip(
            from_text(block.points)[metric::WIDTH], from_text(block.peaks)[metric::WIDTH], strict=True
        )
        for place, (code, peak) in enumerate(codes):
            value, most = unpack(code), unpack(peak)
            if value is not None and most is not None:
                found.append(Reading(float(block.began + place * SLOT_SECONDS), value, most, value))
    return found


def _interval(snapshot: Snapshot) -> float:
    return float(snapshot.setting("monitor", "interval"))


def _plan(snapshot: Snapshot) -> _Plan:
    hosts = [
        (host.uuid, target_of(host), host.cpu_num or 1, host.total_memory_capacity)
        for host in snapshot.all(Host, intended="Present", status="Connected")
    ]
    vms = snapshot.rows("SELECT uuid, cpu_num, memory_size FROM vm_instance WHERE power = 'on'")
    return _Plan(
        hosts=hosts,
        vms={str(uuid): (int(cpus), int(memory)) for uuid, cpus, memory in vms},
    )
