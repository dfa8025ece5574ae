"""One frame at a time: the next is painted once the terminal has said that the one before has come.

On a slow line frames would queue up otherwise, and what is seen be seconds older than the keys. What changes meanwhile
stays to be painted, and is painted as it is then. A terminal answers a question in its turn, behind what it was sent
before. The question is one that Textual puts at its start (whether frames can be shown as a whole, DEC's mode 2026);
for terminals that do not know it, where the cursor is, which they have all been able to say since the VT100.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

QUESTION = "\x1b[?2026$p"
OLD_QUESTION = "\x1b[6n"
"""Only for those who know no other: shift and F3 together look like its answer."""

FIRST_SECONDS = 0.1
"""So long the second frame waits for a terminal of which nobody knows yet what it answers: it is the first screen."""

PATIENCE_SECONDS = 15.0
"""After so long an answer is lost, and the terminal is one that does not answer until it does."""


class Pace:
    """What a terminal has of what it was sent."""

    def __init__(self, paint: Callable[[], None]) -> None:
        """`paint` paints what was left to be painted."""
        self._paint = paint
        self._question = ""
        """The one that this terminal answers; none as long as it has not."""
        self._asked = False
        self._waits: asyncio.TimerHandle | None = None
        self._owes = False
        self._come = asyncio.Event()
        self._come.set()

    def holds(self) -> bool:
        """Whether a frame would queue now. Whoever asks leaves it, and it is painted in time."""
        self._owes = self._owes or self._waits is not None
        return self._waits is not None

    def sent(self, write: Callable[[str], None]) -> None:
        """A frame was: ask for the next one."""
        if self._waits is not None:
            return
        if self._question:
            write(self._question)
            self._wait(PATIENCE_SECONDS)
        elif not self._asked:
            self._asked = True
            write(OLD_QUESTION)  # behind the other, which Textual has asked
            self._wait(FIRST_SECONDS)

    def answered(self, question: str = QUESTION) -> None:
        """The terminal has all that it was sent before a question."""
        self._asked = True
        if self._question != QUESTION:
            self._question = question
        if self._question == question:
            self._go_on()

    async def settled(self, seconds: float) -> None:
        """Wait for an answer that is on its way: a shell would take it for what somebody types."""
        try:
            await asyncio.wait_for(self._come.wait(), seconds)
        except TimeoutError:
            return  # it is lost

    def _wait(self, seconds: float) -> None:
        self._waits = asyncio.get_running_loop().call_later(seconds, self._lost)
        self._come.clear()

    def _lost(self) -> None:
        self._question = ""
        self._go_on()

    def _go_on(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None
        self._come.set()
        if self._owes:
            self._owes = False
            self._paint()
