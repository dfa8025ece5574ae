"""How fast bytes come: counted over the last seconds, from the first that really came."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 15.0
"""So much of the past counts: blocks are large, and a slow lane has one every few seconds."""
LEAST_SECONDS = 1.0
"""Over less than this nothing is said: what fits into buffers seems to go at once."""
APART_SECONDS = 0.1
"""Readings that are closer than this are one."""
LONG_SECONDS = 60.0
"""Whether work comes to its end is judged over this, too: what a guest adds comes in waves."""
GAIN = 4
"""Work comes to its end when at least one of so many bytes that come is one byte less to go."""
BACK = 1.4
"""What was left is read over a window and so much of it further back: by more than 1/GAIN, so that what came to its
end just before other work began has gained."""


class Pace:
    """The pace of one piece of work. Where it begins, or begins again, is no bytes that came."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()
        self._to_go: deque[tuple[float, int, int]] = deque()

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
        while len(readings) > 2 and now - readings[1][0] > WINDOW_SECONDS:
            readings.popleft()

    def to_go(self, now: float, done: int, left: int) -> None:
        """At a moment, so many bytes are done and so many are left: what is copied can grow meanwhile."""
        readings = self._to_go
        if readings and done < readings[-1][1]:
            readings.clear()
        if len(readings) > 1 and now - readings[-2][0] < APART_SECONDS:
            readings.pop()
        readings.append((now, done, left))
        while len(readings) > 1 and now - readings[1][0] >= LONG_SECONDS * BACK:
            readings.popleft()

    def gains(self) -> bool:
        """Whether what is left becomes less; False once about as much has been added as came, for long."""
        return not any(self._in_vain(seconds) for seconds in (WINDOW_SECONDS, LONG_SECONDS))

    def _in_vain(self, seconds: float) -> bool:
        readings = self._to_go
        now, done, now_left = readings[-1] if readings else (0.0, 0, 0)
        whole = [each for each in readings if now - each[0] <= seconds * BACK]
        before = [each for each in whole if now - each[0] >= seconds]
        if not before or not now_left:
            return False
        # The most there was, and the least since: work of another kind that begins when this is done (memory
        # after disks) adds to what is left, and is no growth of it.
        most, least = max(left for _, _, left in before), min(left for _, _, left in whole)
        return (most - least) * GAIN < done - before[-1][1]

    def rate(self, now: float) -> float | None:
        """Bytes a second; None until that is known, and once nothing has come for long."""
        if len(self._readings) < 2:
            return None
        (began, first), (last, done) = self._readings[0], self._readings[-1]
        # What comes in blocks comes at their ends: in between, time passes without a sign that it is slower.
        silent = now - last
        if last - began < LEAST_SECONDS or silent > WINDOW_SECONDS:
            return None
        return (done - first) / (last - began + max(0.0, silent - (last - began)))
