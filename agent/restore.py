"""Putting stored things back at the start of the daemon, and trying again those that fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from agent.refused import Refused

PAUSE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Restoring:
    """Calls `work` for each name until it succeeds once, beginning now and then every few seconds.

    What fails at the start of a host often only waits for something: a driver, another program.
    """

    def __init__(self, noun: str, work: Callable[[str], Awaitable[None]]) -> None:
        self._noun = noun
        self._work = work
        self._task: asyncio.Task[None] | None = None

    async def start(self, names: list[str]) -> None:
        """Try each once; go on in the background with those that failed."""
        failed = await self._attempt(names)
        if failed:
            self._task = asyncio.create_task(self._again(failed), name=f"restore {self._noun}")

    async def stop(self) -> None:
        """Try no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _again(self, names: list[str]) -> None:
        while names:
            await asyncio.sleep(PAUSE_SECONDS)
            names = await self._attempt(names)

    async def _attempt(self, names: list[str]) -> list[str]:
        failed = []
        for name in names:
            try:
                await self._work(name)
            except (Refused, OSError) as error:
                _log.error("%s %s could not be restored, trying again: %s", self._noun, name, error)
                failed.append(name)
        return failed
