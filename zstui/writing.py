"""Several lines to type into. Textual's takes a while to import, and few screens have one: those ask for it here."""

from __future__ import annotations

from textual.strip import Strip
from textual.widgets import TextArea

from zstui.inputs import harmless


class Writing(TextArea):
    """Several lines, none of which hands a control character to the terminal."""

    def render_line(self, y: int) -> Strip:
        """One line, made safe."""
        return harmless(super().render_line(y))
