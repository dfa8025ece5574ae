"""Draws the full screen on the terminal, also where what programs complain of goes into a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from textual.drivers.linux_driver import LinuxDriver
from textual.events import CursorPosition
from textual.message import Message
from textual.messages import TerminalSupportsSynchronizedOutput

from zstui.pace import OLD_QUESTION

if TYPE_CHECKING:
    from zstui.app import Zstui


def has_terminal() -> bool:
    """Whether there is a terminal to draw on, and one to type at."""
    return sys.stdin.isatty() and (sys.stdout.isatty() or sys.stderr.isatty())


class Drawing(LinuxDriver):
    """Textual's, which always draws on the standard error: with that in a file nothing was seen."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if sys.__stderr__ is None or not sys.__stderr__.isatty():
            self._file = sys.__stdout__

    def process_message(self, message: Message) -> None:
        """Hand on what the terminal says. Textual calls this in the thread that reads."""
        pace = cast("Zstui", self._app).pace
        if isinstance(message, CursorPosition):
            self._loop.call_soon_threadsafe(pace.answered, OLD_QUESTION)
            return
        if isinstance(message, TerminalSupportsSynchronizedOutput):
            self._loop.call_soon_threadsafe(pace.answered)
        super().process_message(message)
