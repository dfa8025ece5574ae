"""A limit of bytes a second, for a thread that does nothing else than sending."""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.lane_stream import BLOCK_BYTES

BLOCKS_A_SECOND = 8
LEAST_BYTES = 64 << 10
LOOK_SECONDS = 0.5
"""A limit that is changed is kept after so long, however low it was."""


class Throttle:
    """Lets so many bytes a second pass as a limit says now; 0 for no limit."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._keep(limit())

    def at_once(self) -> int:
        """The largest block: a limit is kept at every moment, not on average over large ones."""
        share = self._kept // BLOCKS_A_SECOND or BLOCK_BYTES
        return min(BLOCK_BYTES, max(LEAST_BYTES, share))

    def take(self, block: int) -> None:
        """Count a block of at most `at_once` bytes, and wait while there has been as much as there may."""
        while (wait := self._due() - time.monotonic()) > 0:
            # This thread does nothing else, so it may wait.
            time.sleep(min(wait, LOOK_SECONDS))  # noqa: TID251
        self._passed += block

    def _keep(self, bytes_per_second: int) -> None:
        """Count anew against a limit."""
        self._kept, self._since, self._passed = bytes_per_second, time.monotonic(), 0

    def _due(self) -> float:
        """When the next block may go, by the limit that holds now."""
        limit = self._limit()
        if limit != self._kept:
            self._keep(limit)
        return self._since + self._passed / limit if limit else 0.0
