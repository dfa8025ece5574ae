"""Where the terminal's own cursor stands: braille lines and screen readers follow it."""

from __future__ import annotations

from rich.cells import cell_len
from textual.geometry import Offset
from textual.widget import Widget
from textual.widgets import Input


def caret_of(widget: Widget) -> Offset:
    """Where on the screen a widget's caret is, or what is chosen in it; its first cell where nothing is."""
    if isinstance(widget, Input):
        # Textual's own is one cell too far at the text's end.
        typed = cell_len(widget.value[: widget.cursor_position])
        within = Offset(typed - int(widget.scroll_offset.x), 0)
    elif (typed_at := getattr(widget, "cursor_screen_offset", None)) is not None:
        within = typed_at - widget.content_region.offset
    else:
        within = getattr(widget, "caret", Offset(0, 0))
    return widget.content_region.offset + widget.content_size.clamp_offset(within)
