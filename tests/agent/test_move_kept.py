"""A move that is under way goes on, whoever fails to look at it or asks for it once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.hypervisor_move import Destination, HypervisorMoves
from agent.libvirt_calls import unreachable
from agent.migrate import Migrations
from agent.protocol import DomainSeen, DomainSpec, LimitLane, MigrateDomain, OfferLane, ProgressTo
from agent.refused import Refused
from tests.agent.test_lane import UUID, Ends, ends

__all__ = ["ends"]

T = TypeVar("T")
VM = "ab" * 16
GIB = 1 << 30


class Looked(HypervisorMoves):
    """A libvirt that moves a domain, and at first is too busy to say how far that is."""

    def __init__(self, failing: int) -> None:
        self.failing = failing
        self.looks = 0
        self.going = asyncio.Event()
        self.stopped = False

    async def _apart(self, vm_uuid: str, act: Callable[[Any], T], timeout_seconds: float = 0) -> T:
        await self.going.wait()
        return None  # type: ignore[return-value]

    async def _ask(self, question: Callable[[Any], T]) -> T:
        self.looks += 1
        if self.looks <= self.failing:
            raise unreachable("it is busy")
        if self.looks > self.failing + 2:
            self.going.set()
        return None  # type: ignore[return-value]

    async def _act(
        self, vm_uuid: str, act: Callable[[Any], object], timeout_seconds: float = 0
    ) -> DomainSeen:
        raise AssertionError(vm_uuid)

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        raise AssertionError(work)

    async def stop_migration(self, vm_uuid: str) -> None:
        self.stopped = True
        self.going.set()


@pytest.mark.parametrize("limit", [0, 1 << 20])
async def test_a_look_that_fails_ends_no_move(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr("agent.hypervisor_move.LOOK_SECONDS", 0.01)
    libvirt = Looked(failing=3)
    there = Destination(Path("/run/lane.libvirt"), 1, 2, "<domain/>", "127.0.0.1", lambda: limit)
    async with asyncio.timeout(10):
        await libvirt.migrate(VM, there, lambda *_: None)
    assert not libvirt.stopped
    assert libvirt.looks > 3


class OneMove:
    """A hypervisor whose domain is on its way until it is told to stay."""

    def __init__(self) -> None:
        self.there: Destination | None = None
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def seen(self, vm_uuid: str) -> DomainSeen:
        return DomainSeen(vm_uuid=vm_uuid, at=1, defined=True, power="on")

    async def migrating(self, vm_uuid: str) -> bool:
        return False  # libvirt has not begun with it

    async def stop_migration(self, vm_uuid: str) -> None:
        return

    async def migrate(self, vm_uuid: str, there: Destination, report: ProgressTo) -> None:
        assert self.there is None, "a second one"
        self.there = there
        self.begun.set()
        await self.ended.wait()


async def test_who_asks_once_more_leaves_a_move_its_doors_and_its_limit(
    ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends.lanes, "place", lambda _, word: tmp_path / word)
    hypervisor = OneMove()
    migrations = Migrations(hypervisor, ends.lanes, lambda _: None)
    offer = await ends.lanes.offer(OfferLane(lane_uuid=UUID, address="127.0.0.1", ports=2))
    spec = DomainSpec(
        vm_uuid=VM, name="n", internal_id=1, memory_bytes=GIB, cpu_num=1, cpu_shares=1, accelerator="tcg", boot=[],
        serial_log="/x", disks=[], nics=[],
    )  # fmt: skip
    request = MigrateDomain(
        lane_uuid=UUID, address="127.0.0.1", port=22, username="root", host_key="-", spec=spec,
        memory_port=offer.ports[0], disks_port=offer.ports[1], bytes_per_second=5,
    )  # fmt: skip
    first = asyncio.create_task(migrations.migrate(request, lambda *_: None))
    begun = asyncio.create_task(hypervisor.begun.wait())
    await asyncio.wait({first, begun}, return_when=asyncio.FIRST_COMPLETED)
    assert hypervisor.there is not None, first
    door = hypervisor.there.libvirt.stat()
    with pytest.raises(Refused) as refused:
        await migrations.migrate(request, lambda *_: None)
    assert (refused.value.refusal.code, refused.value.refusal.transient) == ("migrate.busy", True)
    assert hypervisor.there.libvirt.stat().st_ino == door.st_ino
    migrations.limit(LimitLane(lane_uuid=UUID, bytes_per_second=9))
    assert hypervisor.there.limit() == 9
    hypervisor.ended.set()
    await first
