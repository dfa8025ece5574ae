"""What a guest outruns: whether what it writes is more than what is copied meanwhile, and where it writes."""

from __future__ import annotations

from collections import deque
from typing import Literal

from agent.protocol import Copying

HALF_SECONDS = 30.0
"""Disks are judged by the least that was left in two such spans: guests write in waves, and these come oftener."""
GAIN = 4
"""Work comes to its end when at least one of so many bytes that come is one byte less to go."""

Outrun = Literal["disks", "memory"]


class Race:
    """One running VM that goes to another host, against what it writes meanwhile.

    Its memory goes in rounds, each of what was written during the one before: rounds are compared as wholes, since
    what is left falls in each and jumps where the next begins. Its disks come first; once its memory goes they follow
    what is written, and keep nothing waiting.
    """

    def __init__(self) -> None:
        self._disks: deque[tuple[float, int, int]] = deque()
        self._forget()

    def _forget(self) -> None:
        """A move that was broken off begins again."""
        self._disks.clear()
        self._round = 0
        self._began = (0, 0)
        """Bytes of memory that were done and left when the round began."""
        self._memory = False

    def take(self, now: float, seen: Copying) -> None:
        """At a moment, in seconds, this was done and left."""
        if seen.memory_round < self._round or (self._disks and seen.disks_done < self._disks[-1][1]):
            self._forget()
        if not seen.memory_round:
            self._disks.append((now, seen.disks_done, seen.disks_left))
            while len(self._disks) > 1 and now - self._disks[1][0] >= 2 * HALF_SECONDS:
                self._disks.popleft()
        elif seen.memory_round != self._round:
            done, left = self._began
            if self._round:
                self._memory = (left - seen.memory_left) * GAIN < seen.memory_done - done
            self._round, self._began = seen.memory_round, (seen.memory_done, seen.memory_left)

    def outrun(self) -> Outrun | None:
        """What does not come to its end while the guest writes as it does; None when all does."""
        if self._round:
            return "memory" if self._memory else None
        return "disks" if self._disks_grow() else None

    def _disks_grow(self) -> bool:
        if not self._disks or self._disks[-1][0] - self._disks[0][0] < 2 * HALF_SECONDS:
            return False
        middle = self._disks[-1][0] - HALF_SECONDS
        before = [each for each in self._disks if each[0] < middle]
        since = [each for each in self._disks if each[0] >= middle]
        least = [min(left for _, _, left in half) for half in (before, since)]
        return (least[0] - least[1]) * GAIN < since[-1][1] - since[0][1]
