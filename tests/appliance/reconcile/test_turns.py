"""Turns: never more at once than was said last, first come first served, and none lost with who gave up."""

from __future__ import annotations

import asyncio
import math

from appliance.reconcile.turns import Turns


class Doing:
    """Those who do something in turns, by number."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.inside: list[int] = []
        self.leave: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    async def begin(self, number: int, most: float) -> None:
        """Have one more come; returns when nobody can move on."""
        self.leave[number] = asyncio.Event()
        self.tasks[number] = asyncio.create_task(self._one(number, most))
        await self.rest()

    async def end(self, number: int) -> None:
        """Let one go that is inside."""
        self.leave[number].set()
        await self.tasks[number]
        await self.rest()

    async def rest(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def _one(self, number: int, most: float) -> None:
        async with self.turns.one_of(most):
            self.inside.append(number)
            try:
                await self.leave[number].wait()
            finally:
                self.inside.remove(number)


async def test_who_comes_later_waits_for_a_turn_in_order() -> None:
    doing = Doing()
    for number in range(4):
        await doing.begin(number, 2)
    assert doing.inside == [0, 1]
    await doing.end(1)
    assert doing.inside == [0, 2]
    await doing.end(0)
    assert doing.inside == [2, 3]
    for number in (2, 3):
        await doing.end(number)
    assert doing.inside == []


async def test_what_was_said_last_counts_for_all() -> None:
    doing = Doing()
    for number in range(4):
        await doing.begin(number, 1)
    assert doing.inside == [0]
    await doing.begin(4, 3)
    assert doing.inside == [0, 1, 2]
    await doing.begin(5, 1)
    await doing.end(0)
    await doing.end(1)
    assert doing.inside == [2]
    await doing.end(2)
    assert doing.inside == [3]
    await doing.begin(6, math.inf)
    assert sorted(doing.inside) == [3, 4, 5, 6]


async def test_who_gives_up_takes_no_turn_along() -> None:
    doing = Doing()
    for number in range(4):
        await doing.begin(number, 1)
    doing.tasks[1].cancel()
    await doing.rest()
    doing.leave[0].set()
    await doing.tasks[0]
    doing.tasks[2].cancel()  # in the moment in which its turn has come
    await doing.rest()
    assert doing.inside == [3]
    await doing.end(3)
    await doing.begin(4, 1)
    assert doing.inside == [4]
