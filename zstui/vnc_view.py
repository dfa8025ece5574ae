"""A guest's screen as a widget: pixels in half blocks, as large as there is room; keys and mouse go to the guest."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from zstui.half_blocks import Dots, Fit, Sampler
from zstui.pixels import Pixels
from zstui.rfb import Rfb
from zstui.vnc_keys import Stroke, of_letter, stroke_of

FRAME_SECONDS = 0.09
"""From one request for a picture to the next: eleven a second at most."""

REST_SECONDS = 0.01
"""From a picture to the next request at least, so that what comes slowly is drawn, and keys have their turn."""

TEXT_SCREEN = (720, 400)
"""A PC's screen of 80 by 25 letters, as most begin: it is drawn in dots unless told otherwise."""

BUTTONS = {1: 1, 2: 2, 3: 4}
WHEEL_UP, WHEEL_DOWN = 8, 16


class VncView(Widget, can_focus=True):
    """The screen. Without a connection it shows nothing, or the last picture."""

    DEFAULT_CSS = """
    VncView { height: 1fr; background: $background; color: $foreground 60%; }
    """

    class Unknown(Message):
        """A key that a keyboard does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.rfb: Rfb | None = None
        self._fine: bool | None = None
        """What was chosen; None when nothing was."""
        self._sampler: Sampler | None = None
        self._strips: dict[int, Strip] = {}
        self._ground = Style()
        """What is around the picture."""
        self._waiting = False
        self._asked = 0.0
        """When a picture was asked for last, by the monotonic clock."""

    # --- the picture -------------------------------------------------------------------------------------

    def begin(self, send: Callable[[bytes], object], password: str = "") -> None:  # nosec B107  # none is asked for
        """A connection begins."""
        self.rfb = Rfb(send, self._changed, password)
        self._waiting = False

    def feed(self, data: bytes) -> None:
        """What the server said. Raises RfbError."""
        if self.rfb is None:
            return
        self.rfb.feed(data)
        if self.rfb.updated and not self._waiting:
            self._waiting = True
            self.set_timer(max(REST_SECONDS, self._asked + FRAME_SECONDS - time.monotonic()), self._ask)

    def _ask(self) -> None:
        """The next picture, once this one is drawn: so the server sends no more than is looked at."""
        self._waiting = False
        if self.rfb is not None:
            self._asked = time.monotonic()
            self.rfb.ask()

    @property
    def fine(self) -> bool:
        """Whether it is drawn in dots, which show letters, and not in blocks, which show colours."""
        if self._fine is not None:
            return self._fine
        return self.rfb is not None and (self.rfb.width, self.rfb.height) == TEXT_SCREEN

    def turn_fine(self) -> None:
        """Dots instead of blocks, or the other way round."""
        self._fine = not self.fine
        self._measure()

    def redraw(self) -> None:
        """Everything anew, from the server."""
        if self.rfb is not None and self.rfb.width:
            self.rfb.ask(whole=True)

    def _changed(self, begin: int, end: int) -> None:
        rfb, sampler = self.rfb, self._sampler
        if rfb is None or sampler is None or (rfb.width, rfb.height) != (
            sampler.fit.width, sampler.fit.height,
        ):  # fmt: skip
            self._measure()
            return
        drawn = [row for row in sampler.fit.cells_of(begin, end) if self._strips.pop(row, None) is not None]
        if drawn:
            self.refresh(Region(0, drawn[0], self.size.width, drawn[-1] + 1 - drawn[0]))

    def _measure(self) -> None:
        rfb = self.rfb
        self._strips.clear()
        self._sampler = None
        self._ground = self.rich_style
        if rfb is not None and rfb.width and self.size.width and self.size.height:
            kind = Dots if self.fine else Sampler
            self._sampler = kind(Fit.of(rfb.width, rfb.height, self.size.width, self.size.height))
        self.refresh()

    def on_resize(self) -> None:
        """Another size for the same picture."""
        self._measure()

    def notify_style_update(self) -> None:
        """Another theme around it."""
        super().notify_style_update()
        self._measure()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows of cells, as they are: Textual would look for borders and padding, and make other lines of them."""
        filters, ground = self.get_line_filters(), self.background_colors[1]
        rows = []
        for y in crop.line_range:
            strip = self.render_line(y)
            for each in filters:
                strip = strip.apply_filter(each, ground)
            rows.append(strip.crop(*crop.column_span))
        return rows

    def render_line(self, y: int) -> Strip:
        """A row of cells."""
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._drawn(y)
        return strip

    def _drawn(self, y: int) -> Strip:
        sampler, rfb = self._sampler, self.rfb
        if sampler is None or rfb is None:
            return Strip.blank(self.size.width, self._ground)
        fit = sampler.fit
        if not fit.top <= y < fit.top + fit.rows:
            return Strip.blank(self.size.width, self._ground)
        cells = self.size.width
        right = cells - fit.left - fit.columns
        aside = [[Segment(" " * empty, self._ground)] if empty else [] for empty in (fit.left, right)]
        return Pixels([*aside[0], *sampler.row(rfb.pixels, y - fit.top), *aside[1]], cells)

    # --- keys and mouse ----------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Every key is the guest's."""
        event.stop()
        event.prevent_default()
        stroke = stroke_of(event.key, event.character)
        if stroke is None:
            self.post_message(self.Unknown())
        else:
            self.strike(stroke)

    def on_paste(self, event: events.Paste) -> None:
        """A pasted text is typed."""
        event.stop()
        self.type(event.text)

    def strike(self, stroke: Stroke) -> None:
        """Press and release a key and what is held with it."""
        if self.rfb is not None:
            for symbol, place, down in stroke.events():
                self.rfb.key(symbol, place, down=down)

    def type(self, text: str) -> None:
        """Type a text, a key after the other."""
        strokes = [of_letter(letter) for letter in text.replace("\r\n", "\n")]
        if None in strokes:
            self.post_message(self.Unknown())
        for stroke in strokes:
            if stroke is not None:
                self.strike(stroke)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A button goes down."""
        self._point(event, BUTTONS.get(event.button, 0))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """It is let go."""
        self._point(event, 0)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The mouse is elsewhere."""
        self._point(event, BUTTONS.get(event.button, 0))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """A wheel is a button that is pressed and let go."""
        self._point(event, WHEEL_UP)
        self._point(event, 0)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The other way."""
        self._point(event, WHEEL_DOWN)
        self._point(event, 0)

    def _point(self, event: events.MouseEvent, buttons: int) -> None:
        event.stop()
        if self.rfb is not None and self._sampler is not None:
            self.rfb.point(*self._sampler.fit.pixel(event.x, event.y), buttons)
