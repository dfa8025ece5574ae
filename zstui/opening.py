"""The first screen, with the user's keys, and what all screens work with: the mirror and the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding

from zstui.calls import Calls
from zstui.i18n.server_texts import said
from zstui.keymap import keymap_file, read_keymap
from zstui.mirror import Mirror
from zstui.nouns import WATCHED
from zstui.screens.acting import Acting
from zstui.screens.browser import Browser
from zstui.table import LiveTable

if TYPE_CHECKING:
    from zstui.app import Zstui


def open_screens(app: Zstui) -> None:
    """Show what there is."""
    app.mirror = Mirror(WATCHED)
    app.calls = Calls(app)
    _take_keymap(app)
    app.push_screen(Browser(app.mirror))


def _take_keymap(app: Zstui) -> None:
    """Put keys where the user wants them, and say what of it cannot be."""
    classes = (Acting, Browser, LiveTable, type(app))
    known = {each.id for kind in classes for each in kind.BINDINGS if isinstance(each, Binding) and each.id}
    app.moved_keys, wrong = read_keymap(keymap_file(), known)
    app.set_keymap(app.moved_keys)
    for problem in (said(app.trouble), wrong, app.remembered.problem):
        if problem:
            app.tell(problem, wrong=True)
