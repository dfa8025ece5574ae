"""How fast bytes come: counted over the last seconds, from the first that really came."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

WINDOW_SECONDS = 4.0
"""So much of the past counts where bytes come all the time: a limit that was changed shows after that."""
QUIET_SECONDS = 3.0
"""So long nothing may come of what came all the time."""
SILENT_SECONDS = 15.0
"""And so long of what comes in blocks: they are large, and a slow lane has one every few seconds."""
BLOCKS = 3
"""So many readings count however far apart they are: between them is what came in two blocks."""
LEAST_SECONDS = 1.0
"""Over less than this nothing is said: what fits into buffers seems to go at once."""
APART_SECONDS = 0.1
"""Readings that are closer than this are one."""


class Pace:
    """The pace of one piece of work. Where it begins, or begins again, is no bytes that came."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def take(self, now: float, done: int) -> None:
        """At a moment, in seconds, so many bytes are done."""
        readings = self._readings
        if readings and done < readings[-1][1]:
            readings.clear()  # a round of its own
        if readings and done == readings[-1][1]:
            return
        if len(readings) > 1 and now - readings[-2][0] < APART_SECONDS:
            readings.pop()
        readings.append((now, done))
        while len(readings) > BLOCKS and now - readings[1][0] > WINDOW_SECONDS:
            readings.popleft()
        while len(readings) > 2 and now - readings[1][0] > SILENT_SECONDS:
            readings.popleft()

    def silent(self, now: float) -> float | None:
        """Seconds in which nothing came, once that is twice as long as blocks were apart; None while that is usual."""
        if not self._readings:
            return None
        moments = [at for at, _ in self._readings]
        apart = max((after - before for before, after in pairwise(moments)), default=0.0)
        silence = now - moments[-1]
        return silence if silence > max(QUIET_SECONDS, min(2 * apart, SILENT_SECONDS)) else None

    def rate(self, now: float) -> float | None:
        """Bytes a second; None until that is known, and while nothing comes."""
        if len(self._readings) < 2:
            return None
        (began, first), (last, done) = self._readings[0], self._readings[-1]
        # What comes in blocks comes at their ends: in between, time passes without a sign that it is slower.
        silent = now - last
        if last - began < LEAST_SECONDS or self.silent(now) is not None:
            return None
        return (done - first) / max(last - began, silent)
