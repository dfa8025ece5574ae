"""A sleep that ends early when what decides its length changes."""

from __future__ import annotations

import asyncio


class Alarm:
    """Whoever sleeps by it is woken by `ring`; one that rings while nobody sleeps ends the next sleep at once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the sleeper."""
        self._rung.set()

    async def sleep(self, seconds: float) -> bool:
        """Sleep; whether it was ended early."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True
