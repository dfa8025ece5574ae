"""Keys one after another: each finds the screen that the one before has opened, however fast they were typed."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App
    from textual.message_pump import MessagePump

PATIENCE_SECONDS = 0.5
"""After so long the next key goes on: whatever had the one before may have been closed by it."""


class Passed(Message):
    """Takes the way of a key behind it, and so comes back to the app once the key was dealt with."""

    def __init__(self, key: events.Event) -> None:
        super().__init__()
        self.key = key


class TypeAhead:
    """Holds what is typed and pasted back while a key is under way, or the screen that it goes to not there yet."""

    def __init__(self, app: App[int], handle: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._held: deque[events.Event] = deque()
        self._under_way: events.Event | None = None
        self._screen: MessagePump | None = None
        self._again: MessagePump | None = None
        """What had the key under way, until that is followed a second time."""
        self._begun = False

    async def begin(self) -> None:
        """The first screen is there: hand on what was typed before."""
        self._begun = True
        await self._go_on()

    async def take(self, event: events.Event) -> None:
        """Hand on what was typed, now or when its turn has come."""
        self._held.append(event)
        await self._go_on()

    def passed(self, event: events.Event) -> None:
        """Go on after a key, once its screen is there. Of a key that is no longer under way nothing follows."""
        if event is not self._under_way or not self._app.screen_stack:
            return
        target, self._again = self._again, None
        if self._app.screen is not self._screen:
            self._screen = self._app.screen
            # Behind what mounts the new screen and gives one of its fields the focus.
            self._follow(events.Event(), self._screen)
        elif target is not None:
            # Behind what the key set off: that a line was entered, say, which takes its screen away.
            self._follow(events.Event(), target)
        else:
            self._under_way = None
            self._app.call_later(self._go_on)  # behind the focus that it asked for

    async def _go_on(self) -> None:
        while self._begun and self._held and self._under_way is None and self._app.screen_stack:
            event = self._held.popleft()
            self._screen = self._app.screen
            target = self._app.focused or self._app.screen
            self._follow(event, None)
            await self._handle(event)
            if event.is_forwarded:
                self._again = target
                target.post_message(Passed(event))
            else:
                self.passed(event)

    def _follow(self, event: events.Event, target: MessagePump | None) -> None:
        self._under_way = event
        self._app.set_timer(PATIENCE_SECONDS, lambda: self.passed(event))
        if target is not None:
            target.post_message(Passed(event))
