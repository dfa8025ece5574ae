"""A limit of bytes a second, for a thread that does nothing else than sending."""

from __future__ import annotations

import time

from agent.lane_stream import BLOCK_BYTES

BLOCKS_A_SECOND = 8
LEAST_BYTES = 64 << 10


class Throttle:
    """Lets so many bytes a second pass from now on; 0 for no limit."""

    def __init__(self, bytes_per_second: int) -> None:
        self._limit = bytes_per_second
        self._passed = 0
        self._began = time.monotonic()
        # A limit is kept at every moment, not on average over large blocks.
        share = bytes_per_second // BLOCKS_A_SECOND or BLOCK_BYTES
        self.at_once = min(BLOCK_BYTES, max(LEAST_BYTES, share))

    def take(self, block: int) -> None:
        """Count a block of at most `at_once` bytes, and wait while there has been as much as there may."""
        if self._limit:
            due = self._began + self._passed / self._limit
            # This thread does nothing else, so it may wait.
            time.sleep(max(0.0, due - time.monotonic()))  # noqa: TID251
        self._passed += block
