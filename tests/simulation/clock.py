"""A virtual-time event loop: nothing is waited for, time jumps to the next timer, order is the same each run."""

from __future__ import annotations

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine, Generator
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
        self.ended_by: BaseException | None = None
        """What is to end the run at its next turn, whoever came upon it."""
        self.over = False
        """Whether the run has had its end. What it leaves is told to nobody: the next one would take it for its own."""
        self.set_exception_handler(self._failed)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._clock.now

    def wall(self) -> float:
        """Virtual seconds since 1970."""
        return START + self._clock.now

    def after_turns(self, turns: int, callback: Callable[[], None]) -> None:
        """Call back between two turns of the loop: in the middle of whatever everybody is at."""
        self._bells.append((self.turns + turns, callback))

    def end(self, reason: BaseException) -> None:
        """End the run with what nobody in it is to make up for."""
        self.ended_by = self.ended_by or reason

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a callback raises is a mistake or the run's end, and asyncio would only log it."""
        if "handle" in context and "exception" in context:
            self.end(context["exception"])
        elif not self.over:
            self.default_exception_handler(context)

    def _turned(self) -> None:
        self.turns += 1
        if self.ended_by is not None and not self.over:
            raise self.ended_by
        if not self._bells:
            return
        due = [callback for turn, callback in self._bells if turn <= self.turns]
        self._bells = [(turn, callback) for turn, callback in self._bells if turn > self.turns]
        for callback in due:
            callback()


class _Watched(Coroutine[Any, Any, Any]):
    """A task's coroutine.

    asyncio keeps what a task raises with that task, also what is meant for whoever runs the loop: that a test's time
    is up is raised in whatever runs at that moment. The rest would go on without the task, and be judged.
    """

    def __init__(self, coro: Coroutine[Any, Any, Any], end: Callable[[BaseException], None]) -> None:
        self._coro = coro
        self._end = end

    def send(self, value: Any) -> Any:
        """Go on."""
        return self._watch(self._coro.send, value)

    def throw(self, *raised: Any) -> Any:
        """Go on with something raised in it."""
        return self._watch(self._coro.throw, *raised)

    def close(self) -> None:
        """Begin or go on no more."""
        self._coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coro.__await__()

    def _watch(self, step: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return step(*arguments)
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as over:
            self._end(over)
            raise


def run(
    main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]],
    *,
    on_task: Callable[[asyncio.Task[Any], contextvars.Context], None],
) -> Any:
    """Run a coroutine function in a loop of its own; `on_task` sees every task with its context."""
    virtual = VirtualLoop()

    def make(
        loop: asyncio.AbstractEventLoop, coro: Any, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        context = context if context is not None else contextvars.copy_context()
        task: asyncio.Task[Any] = asyncio.Task(_Watched(coro, virtual.end), loop=loop, context=context)
        on_task(task, context)
        return task

    virtual.set_task_factory(make)
    try:
        return virtual.run_until_complete(main(virtual))
    finally:
        virtual.over = True
        virtual.run_until_complete(_stop(asyncio.all_tasks(virtual)))
        virtual.close()


async def _stop(tasks: set[asyncio.Task[Any]]) -> None:
    """Let tasks end that the run has left."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=100)
