"""A virtual-time event loop: nothing is waited for, time jumps to the next timer, order is the same each run."""

from __future__ import annotations

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

START = 1_790_000_000.0
"""Seconds since 1970 at which every simulated run begins."""


class Deadlock(Exception):
    """Everybody waits, and no timer will wake anybody."""


class _NoWaiting(selectors.SelectSelector):
    """Nothing comes from outside, so waiting is only a matter of moving the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.idle: Callable[[], None] = lambda: None

    def select(self, timeout: float | None = None) -> list[Any]:
        self.idle()
        if timeout is None:
            raise Deadlock("no timer is set and nothing is ready to run")
        if timeout > 0:
            self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds cost nothing. `watch` is called once per turn of the loop."""

    def __init__(self) -> None:
        self._clock = _NoWaiting()
        super().__init__(self._clock)
        self._clock_resolution = 1e-6  # timers fall due in spite of rounding when the clock jumps to them
        self._clock.idle = self._turned
        self._bells: list[tuple[int, Callable[[], None]]] = []
        self.turns = 0

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._clock.now

    def wall(self) -> float:
        """Virtual seconds since 1970."""
        return START + self._clock.now

    def after_turns(self, turns: int, callback: Callable[[], None]) -> None:
        """Call back between two turns of the loop: in the middle of whatever everybody is at."""
        self._bells.append((self.turns + turns, callback))

    def _turned(self) -> None:
        self.turns += 1
        if not self._bells:
            return
        due = [callback for turn, callback in self._bells if turn <= self.turns]
        self._bells = [(turn, callback) for turn, callback in self._bells if turn > self.turns]
        for callback in due:
            callback()


def run(
    main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]],
    *,
    on_task: Callable[[asyncio.Task[Any], contextvars.Context], None],
) -> Any:
    """Run a coroutine function in a loop of its own; `on_task` sees every task with its context."""
    loop = VirtualLoop()

    def make(
        loop: asyncio.AbstractEventLoop, coro: Any, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        context = context if context is not None else contextvars.copy_context()
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context)
        on_task(task, context)
        return task

    loop.set_task_factory(make)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(_breathe())
        loop.close()


async def _breathe() -> None:
    """Let cancelled tasks end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=100)
