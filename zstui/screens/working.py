"""What all screens have in common that work for what they show: with the screen that work ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from textual import events
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget

from zstui.caret import caret_of
from zstui.i18n import tr
from zstui.sheet import Sheet

if TYPE_CHECKING:
    from textual.screen import Screen

    from zstui.app import Zstui

    Base = Screen[Any]
else:
    Base = object


class Working(Base):
    """A screen that hears and works for nobody once its widgets begin to go.

    Textual ends a screen's workers, and tells it that it is gone, after its widgets are: one that came back with an
    answer between the two, or that something heard then began, found nothing to show it in and took the whole
    terminal down.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._followed: list[tuple[list[Any], Callable[..., None]]] = []

    def warn(self, text: str) -> None:
        """Say in passing that something is not to be."""
        self.zstui.tell(text, wrong=True)

    def refuses(self, action: str) -> bool:
        """Whether an action leads to a change, and nothing may be changed."""
        found = getattr(type(self), f"action_{action.partition('(')[0]}", None)
        return self.zstui.read_only and found in CHANGING

    def action_help(self) -> None:
        """The keys that work here."""
        from zstui.screens.help import Help

        self.app.push_screen(Help(self))

    @property
    def zstui(self) -> Zstui:
        """The app, by its own type."""
        return self.app  # type: ignore[return-value]

    def follow(self, listeners: list[Any], hear: Callable[..., None]) -> None:
        """Hear what is told there, for as long as there are widgets to show it in."""
        listeners.append(hear)
        self._followed.append((listeners, hear))

    @property
    def pointed(self) -> Widget | None:
        """What the terminal's own cursor stands in: what has the keys, else what there is to read."""
        return self.focused or next(iter(self.query(Sheet)), None)

    @property
    def caret(self) -> Offset:
        """Where the terminal's own cursor stands."""
        return caret_of(self.pointed) if self.pointed is not None else Offset(0, 0)

    async def _dispatch_message(self, message: Message) -> None:
        """One that is to go before it was there has no widgets: it is not told that they are there."""
        if not (isinstance(message, events.Mount) and (self._pruning or not self.is_attached)):
            await super()._dispatch_message(message)

    async def _message_loop_exit(self) -> None:
        """The last message was dealt with, and its widgets go."""
        for listeners, hear in self._followed:
            listeners.remove(hear)
        self.workers.cancel_node(self)
        await super()._message_loop_exit()

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """The screen shows. At first its styles are right: each widget was just given its own, as it was mounted."""
        if self.stack_updates == 0:
            event.refresh_styles = False


W = TypeVar("W", bound=Working)
P = ParamSpec("P")


CHANGING: set[Callable[..., None]] = set()
"""The actions that lead to a change."""


def changing(action: Callable[Concatenate[W, P], None]) -> Callable[Concatenate[W, P], None]:
    """An action that leads to a change: where only reading is allowed that is said, before anything is asked."""

    @wraps(action)
    def checked(screen: W, /, *arguments: P.args, **options: P.kwargs) -> None:
        if screen.zstui.read_only:
            screen.warn(tr("this session only reads"))
        else:
            action(screen, *arguments, **options)

    CHANGING.add(checked)
    return checked
