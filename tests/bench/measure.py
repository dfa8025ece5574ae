"""Two ways of doing one thing, taken in turns, and the ratio of their medians."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

PAIRS = 8


@dataclass
class Compared:
    """Seconds of ours and of the reference."""

    name: str
    ours: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Median of ours by median of the reference: below 1, ours is the faster."""
        return statistics.median(self.ours) / statistics.median(self.reference)

    def __str__(self) -> str:
        ours, reference = statistics.median(self.ours), statistics.median(self.reference)
        return (
            f"{self.name:<34} ours {ours * 1000:9.2f} ms   reference {reference * 1000:9.2f} ms"
            f"   ratio {self.ratio:5.2f}   ({len(self.ours)} pairs)"
        )


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds that something takes."""
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def compare(
    name: str,
    ours: Callable[[], Awaitable[float]],
    reference: Callable[[], Awaitable[float]],
    pairs: int = PAIRS,
) -> Compared:
    """Take both in turns, after one of each that does not count. Each returns its own seconds."""
    await ours()
    await reference()
    # A test runner's heap is large, and walking it again and again is neither's work.
    gc.collect()
    gc.freeze()
    compared = Compared(name)
    for _ in range(pairs):
        compared.ours.append(await ours())
        compared.reference.append(await reference())
    print(f"\n{compared}")
    return compared
