"""The first screen, with the user's keys, and what all screens work with: the mirror and the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zstui.calls import Calls
from zstui.i18n import labelled, tr
from zstui.i18n.server_texts import said
from zstui.mirror import Mirror
from zstui.moved_keys import keymap_file, read_keymap, usual_keys
from zstui.nouns import WATCHED
from zstui.screens.acting import Acting
from zstui.screens.browser import Browser
from zstui.table import LiveTable

if TYPE_CHECKING:
    from zstui.app import Zstui


SAID = 4
"""Lines that are said in passing of what is wrong with the user's keys."""


def open_screens(app: Zstui) -> None:
    """Show what there is."""
    app.mirror = Mirror(WATCHED)
    app.calls = Calls(app)
    _take_keymap(app)
    app.push_screen(Browser(app.mirror))


def _take_keymap(app: Zstui) -> None:
    """Put keys where the user wants them, and say what of it cannot be."""
    file = keymap_file()
    app.moved_keys, app.wrong_keys = read_keymap(file, usual_keys((Acting, Browser, LiveTable, type(app))))
    app.set_keymap(app.moved_keys)
    for problem in (said(app.trouble), app.remembered.problem):
        if problem:
            app.tell(problem, wrong=True)
    if app.wrong_keys:
        more = len(app.wrong_keys) - SAID
        lines = [labelled(str(file), app.wrong_keys[0]), *app.wrong_keys[1:SAID]]
        lines += (
            [tr("… and {number} more, which {key} shows", number=more, key=app.key_of("help", "?"))]
            if more > 0
            else []
        )
        app.tell(*lines, wrong=True)
