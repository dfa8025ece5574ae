"""The first frame: the lines above and below, while nothing else is there; it takes hardly longer than an empty one."""

from __future__ import annotations

import time

from textual.app import ComposeResult

from zstui import words
from zstui.i18n import language, mark, tr
from zstui.line import Line, Part

NAME = Part(" zstui ", "accent")
STATUSES = {
    "live": ("◉", mark("live"), "good"),
    "connecting": ("◍", mark("connecting"), "busy"),
    "stale": ("?", mark("stale"), "warn"),
}
SHORT = {"en": "EN", "zh_CN": "简", "zh_TW": "繁"}
"""The languages on the button that changes between them."""


def standing(status: str, late: str = "") -> list[Part]:
    """Whether what is shown is true, or how old it may be; the language; the time."""
    sign, text, paint = STATUSES["stale" if late else status]
    spoken = Part(f" {SHORT[language()]} " if language() in SHORT else "", "accent", "app.next_language")
    return [
        Part(f"{sign} {late or tr(text)} ", paint),
        spoken,
        Part(time.strftime(" %H:%M ", time.localtime(words.now())), "dim"),
    ]


class Head(Line):
    """The top line as it begins."""

    DEFAULT_CSS = """
    Head { background: $panel; }
    """

    def left(self) -> list[Part]:
        """What this is."""
        return [NAME]

    def right(self) -> list[Part]:
        """That nothing is known yet."""
        return standing("connecting")


class Foot(Line):
    """The bottom line, where keys will be told."""

    DEFAULT_CSS = """
    Foot { dock: bottom; background: $panel; }
    """


def first_frame() -> ComposeResult:
    """The frame as it is until the first screen is there."""
    yield Head()
    yield Foot()
