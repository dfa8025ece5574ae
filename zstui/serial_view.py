"""A guest's terminal as a widget: drawn a line at a time, scrolled, searched; keys go to the guest."""

from __future__ import annotations

import asyncio

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Offset, Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from zstui.i18n import tr
from zstui.terminal import Terminal
from zstui.terminal_keys import sent_for

FRAME_SECONDS = 0.04
"""Twenty-five pictures a second at most."""

PARSE_SECONDS = 0.016
"""Of each, so that keys and all else have the rest."""

GUEST_SIZE = (80, 24)
"""What a guest takes its serial terminal for; smaller ones show a part of it."""

BACK = frozenset({"escape", "q", "enter"})
SCROLL_KEYS = frozenset({"pageup", "shift+pageup", "shift+up"})
"""Keys that begin to scroll."""

DECCKM = 1 << 5
"""How pyte writes down that a program wants its arrows differently."""


class SerialView(Widget, can_focus=True):
    """The terminal. It scrolls back with PgUp; typing brings the present again."""

    DEFAULT_CSS = """
    SerialView { height: 1fr; background: $background; color: $foreground; }
    """

    class Typed(Message):
        """Something for the guest."""

        def __init__(self, data: bytes) -> None:
            super().__init__()
            self.data = data

    class Scrolled(Message):
        """It is scrolled back, or not any more."""

    class Search(Message):
        """Somebody wants to find something in what was: something new, or the last `again`, up or down."""

        def __init__(self, again: int = 0) -> None:
            super().__init__()
            self.again = again

    def __init__(self) -> None:
        super().__init__()
        self.terminal = Terminal(*GUEST_SIZE)
        self.at: int | None = None
        """The number of the first line shown while it is scrolled back."""
        self.found: int | None = None
        self.lines_drawn = 0
        self._more = asyncio.Event()
        self._cursor_row = 0

    def on_mount(self) -> None:
        """Draw what comes, a little at a time."""
        self.run_worker(self._pump())

    # --- what the guest writes ---------------------------------------------------------------------------

    def put(self, data: bytes) -> int:
        """Have something shown soon. Returns how many bytes before it never will be."""
        left_out = self.terminal.put(data)
        self._more.set()
        return left_out

    def say(self, text: str) -> None:
        """A line of ours among the guest's."""
        self.terminal.say(text)
        self._draw()

    def restart(self) -> None:
        """Begin anew, with nothing."""
        self.terminal.reset()
        self.at = self.found = None
        self.refresh()

    async def _pump(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self.terminal.waits:
                self.terminal.turn(PARSE_SECONDS)
                self._draw()
                await asyncio.sleep(FRAME_SECONDS - PARSE_SECONDS)

    def _draw(self) -> None:
        screen = self.terminal.screen
        dirty, offset = screen.dirty, self._first_line() - self.terminal.top
        if self.at is None and len(dirty) < self.size.height // 2:
            rows = {y - offset for y in {*dirty, self._cursor_row, screen.cursor.y}}
            self.refresh(*(Region(0, y, self.size.width, 1) for y in rows if 0 <= y < self.size.height))
        elif self.at is None:
            self.refresh()
        screen.dirty.clear()
        self._cursor_row = screen.cursor.y

    # --- drawing -----------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """The guest's terminal is as large as this, and not smaller than it believes."""
        self.terminal.resize(max(GUEST_SIZE[0], self.size.width), max(GUEST_SIZE[1], self.size.height))
        self.refresh()

    def _first_line(self) -> int:
        """The number of the line at the top: where it was scrolled to, else so that the cursor is in sight."""
        terminal = self.terminal
        if self.at is not None:
            return max(self.at, terminal.first)
        return terminal.top + max(0, terminal.screen.cursor.y - self.size.height + 1)

    def render_line(self, y: int) -> Strip:
        """A line of the guest's."""
        self.lines_drawn += 1
        number = self._first_line() + y
        base = self.rich_style
        ground = base + Style(reverse=True) if number == self.found else base
        segments = [Segment(text, ground + style) for text, style in self.terminal.line(number)]
        strip = Strip(segments).adjust_cell_length(self.size.width, base)
        cursor = self.terminal.screen.cursor
        if (
            self.at is None
            and self.has_focus
            and number == self.terminal.top + cursor.y
            and not cursor.hidden
        ):
            strip = _with_cursor(strip, min(cursor.x, self.size.width - 1))
        return strip

    @property
    def caret(self) -> Offset:
        """Where the guest's own cursor is."""
        cursor = self.terminal.screen.cursor
        return Offset(cursor.x, self.terminal.top + cursor.y - self._first_line())

    def on_focus(self) -> None:
        """The cursor shows whether keys arrive here."""
        self.refresh()

    on_blur = on_focus

    # --- keys --------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Everything is the guest's, but what scrolls."""
        event.stop()
        event.prevent_default()
        if self.at is not None or event.key in SCROLL_KEYS:
            self._scroll_key(event)
            return
        application = DECCKM in self.terminal.screen.mode
        if data := sent_for(event, application=application):
            self.post_message(self.Typed(data))

    def on_paste(self, event: events.Paste) -> None:
        """A pasted text is typed."""
        event.stop()
        self.scroll_to_line(None)
        self.post_message(self.Typed(event.text.replace("\r\n", "\r").replace("\n", "\r").encode()))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three lines back."""
        event.stop()
        self.scroll_to_line(self._first_line() - 3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three lines on."""
        event.stop()
        if self.at is not None:
            self.scroll_to_line(self._first_line() + 3)

    def _scroll_key(self, event: events.Key) -> None:
        page, first = max(1, self.size.height - 2), self._first_line()
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -page, "pagedown": page, "space": page,
                 "shift+pageup": -page, "shift+pagedown": page, "shift+up": -1, "shift+down": 1}  # fmt: skip
        match event.key:
            case key if key in steps:
                self.scroll_to_line(first + steps[key])
            case "home" | "g":
                self.scroll_to_line(self.terminal.first)
            case "end" | "G":
                self.scroll_to_line(None)
            case "slash":
                self.post_message(self.Search())
            case "y":
                self.app.copy_to_clipboard(self.shown_text())
                self.notify(tr("copied what is shown"), markup=False)
            case "n" | "N":
                self.post_message(self.Search(-1 if event.key == "n" else 1))
            case key if key in BACK:
                self.scroll_to_line(None)
            case _:
                return

    def scroll_to_line(self, number: int | None) -> None:
        """Show what begins with a line; the present for None, or when there is nothing below."""
        before = self.at
        bottom = self.terminal.top + max(0, self.terminal.screen.cursor.y - self.size.height + 1)
        self.at = None if number is None or number >= bottom else max(number, self.terminal.first)
        if self.at is None:
            self.found = None
        if (before is None) != (self.at is None):
            self.post_message(self.Scrolled())
        self.refresh()

    def find(self, what: str, step: int) -> bool:
        """Go to the next line, up (-1) or down (1), that holds a text; whether there is one."""
        start = self.found + step if self.found is not None else self._first_line() + self.size.height - 1
        number = self.terminal.find(what, start, step)
        if number is None:
            return False
        self.scroll_to_line(number - self.size.height // 2)
        self.found = number
        self.refresh()
        return True

    def shown_text(self) -> str:
        """The lines in sight."""
        first = self._first_line()
        lines = [self.terminal.text(first + y).rstrip() for y in range(self.size.height)]
        return "\n".join(lines).rstrip() + "\n"


def _with_cursor(strip: Strip, x: int) -> Strip:
    """A line with a cell turned inside out."""
    before, cell, after = strip.crop(0, x), strip.crop(x, x + 1), strip.crop(x + 1)
    return Strip.join([before, cell.apply_style(Style(reverse=True)), after])
