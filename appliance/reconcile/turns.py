"""How many may do something at once: whoever comes later waits for a turn, first come first served."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Turns at one thing. What was said last of how many there are counts for all, also for those who wait."""

    def __init__(self) -> None:
        self._most = math.inf
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def one_of(self, most: float) -> AsyncIterator[None]:
        """A turn for the body, of so many at once: a whole number from 1 on, or `math.inf`."""
        self._most = most
        self._let_in()
        await self._turn()
        try:
            yield
        finally:
            self._inside -= 1
            self._let_in()

    async def _turn(self) -> None:
        if self._inside < self._most:
            self._inside += 1
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.cancelled():
                self._waiting.remove(waiting)
            else:  # it had its turn already, which is somebody else's now
                self._inside -= 1
                self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting and self._inside < self._most:
            self._inside += 1
            self._waiting.popleft().set_result(None)
