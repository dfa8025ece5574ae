"""Snapshots under running guests, and guests that may have stayed frozen by one."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from agent.domain_xml import DiskPlug
from agent.libvirt_calls import domain_of
from agent.quiesce import frozen, overlay, thawed
from agent.refused import Refused

log = logging.getLogger(__name__)

T = TypeVar("T")

CALL_SECONDS = 30.0
SNAPSHOT_SECONDS = 120.0
THAW_SECONDS = 5.0
"""How long after one try a guest that may be frozen is told again to thaw."""


class HypervisorFreezes(ABC):
    """Freezing and thawing; how libvirt is reached is the subclass's."""

    def __init__(self) -> None:
        self._snapping: set[str] = set()
        """VMs whose guests are frozen for good reason: their volumes are being given other files."""
        self._letting_go: asyncio.Task[None] | None = None
        self._anew = False

    @abstractmethod
    async def _ask(self, question: Callable[[Any], T]) -> T:
        """Ask what no guest can delay."""

    @abstractmethod
    async def _apart(self, vm_uuid: str, act: Callable[[Any], T], timeout_seconds: float = CALL_SECONDS) -> T:
        """Do what a guest may delay."""

    @abstractmethod
    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have work done, and ended with this."""

    async def overlay_disk(self, vm_uuid: str, plug: DiskPlug, path: str, making: asyncio.Task[None]) -> str:
        """Have a running domain write a volume to another file once it is made; why its guest was not quiesced, if so.

        Whatever making the file raises comes from here, too.
        """
        loop = asyncio.get_running_loop()

        def act(connection: Any) -> str:
            # A connection opens while the file is made.
            asyncio.run_coroutine_threadsafe(_ended(making), loop).result()
            self._snapping.add(vm_uuid)
            try:
                return overlay(domain_of(connection, vm_uuid), plug, path)
            finally:
                self._snapping.discard(vm_uuid)

        why = "it did not end"
        try:
            why = await self._apart(vm_uuid, act, SNAPSHOT_SECONDS)
        finally:
            if why:
                self.let_go()
        return why

    def let_go(self) -> None:
        """Have every guest thawed that may be frozen, however long its agent does not answer."""
        self._anew = True
        if self._letting_go is None or self._letting_go.done():
            self._letting_go = self._own(self._let_go())

    async def _let_go(self) -> None:
        told: set[str] = set()
        while self._anew:
            self._anew = False
            try:
                found = set(await self._ask(frozen)) - self._snapping
            except Refused as refused:
                log.warning("could not look for frozen guests: %s", refused)
                return  # libvirt is away: whoever finds it again looks again
            left = {vm_uuid for vm_uuid in found if not await self._thawed(vm_uuid)}
            for vm_uuid in left - told:
                log.warning("the guest of %s may be frozen, and its agent does not answer yet", vm_uuid)
            told = left
            if left:
                self._anew = True
                await asyncio.sleep(THAW_SECONDS)

    async def _thawed(self, vm_uuid: str) -> bool:
        """Beside whatever else is done with the VM: it may be destroyed meanwhile."""
        try:
            return await self._apart(f"the thaw of {vm_uuid}", lambda connection: thawed(connection, vm_uuid))
        except Refused as refused:
            log.warning("could not thaw %s: %s", vm_uuid, refused)
            return False


async def _ended(work: asyncio.Task[None]) -> None:
    await asyncio.shield(work)
