"""What all screens have in common that work for what they show: with the screen that work ends."""

from __future__ import annotations

from typing import Any, cast

from textual.dom import DOMNode
from textual.events import ScreenResume
from textual.messages import Prune
from textual.screen import Screen


class Working:
    """A screen whose workers end as it begins to go.

    Textual ends them after its widgets are gone; one that comes back with an answer between the two finds nothing to
    show it in, and takes the whole terminal down.
    """

    async def on_prune(self, event: Prune) -> None:
        """The screen goes, and its widgets before it."""
        del event
        screen = cast(DOMNode, self)
        screen.workers.cancel_node(screen)

    def on_screen_resume(self, event: ScreenResume) -> None:
        """The screen shows. At first its styles are right: each widget was just given its own, as it was mounted."""
        if cast("Screen[Any]", self).stack_updates == 0:
            event.refresh_styles = False
