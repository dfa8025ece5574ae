"""A guest's terminal: its screen by pyte, what has scrolled off it, and both as lines to draw."""

from __future__ import annotations

import time
import unicodedata
from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache

import pyte
from pyte.screens import Char
from rich.cells import cell_len
from rich.color import ColorParseError
from rich.style import Style

from zstui.cells import HIDDEN
from zstui.terminal_sequences import Sequences

HISTORY = 5000
"""Lines that are kept of what has scrolled off."""

PIECE_BYTES = 1024
"""What is parsed between two looks at the clock: about a millisecond's work."""

WAITING_BYTES = 256 << 10
"""More than that is not waited for: what is older has scrolled off a screen that nobody could read."""

KEPT_BYTES = 32 << 10
"""What is left of a flood then."""

Run = tuple[str, Style]
Line = tuple[Run, ...]

COLOURS = {"brown": "yellow", "brightbrown": "bright_yellow", "bfightmagenta": "bright_magenta"}
"""Colours by pyte's names, where they are not Rich's."""


class _Screen(pyte.Screen):
    """A screen whose lines go somewhere when they scroll off its top."""

    def __init__(self, columns: int, lines: int, scrolled: deque[Line]) -> None:
        self.scrolled = scrolled
        self.scrolled_count = 0
        super().__init__(columns, lines)

    def index(self) -> None:
        """One line on; at the bottom the first goes."""
        top, bottom = self.margins or (0, self.lines - 1)
        if self.cursor.y == bottom and top == 0:
            self.scrolled.append(line_of(self.buffer[0], self.columns))
            self.scrolled_count += 1
        super().index()


class Terminal:
    """What a guest writes to, and how far that is."""

    def __init__(self, columns: int, lines: int) -> None:
        self._history: deque[Line] = deque(maxlen=HISTORY)
        self.screen = _Screen(columns, lines, self._history)
        self._stream = pyte.Stream(self.screen)
        self._sequences = Sequences()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0

    # --- what comes ------------------------------------------------------------------------------------

    def put(self, data: bytes) -> int:
        """Have some bytes wait to be parsed. Returns how many older ones are left out for that."""
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes <= WAITING_BYTES:
            return 0
        left_out = 0
        while len(self._waiting) > 1 and self._waiting_bytes > KEPT_BYTES:
            oldest = self._waiting.popleft()
            self._waiting_bytes -= len(oldest)
            left_out += len(oldest)
        return left_out

    @property
    def waits(self) -> bool:
        """Whether something is left to parse."""
        return bool(self._waiting)

    def turn(self, seconds: float) -> None:
        """Parse what waits, for so long."""
        until = time.perf_counter() + seconds
        while self._waiting:
            data = self._waiting.popleft()
            if len(data) > PIECE_BYTES:
                self._waiting.appendleft(data[PIECE_BYTES:])
                data = data[:PIECE_BYTES]
            self._waiting_bytes -= len(data)
            self._stream.feed(self._sequences.clean(data))
            if time.perf_counter() >= until:
                return

    def say(self, text: str) -> None:
        """Write a line of ours, in brackets, among the guest's."""
        begin = "\r\n" if self.screen.cursor.x else ""
        self._stream.feed(f"{begin}\x1b[7m {text} \x1b[0m\r\n")

    def reset(self) -> None:
        """Begin anew, with nothing."""
        self.screen.reset()
        self._sequences = Sequences()
        self._history.clear()
        self._waiting.clear()
        self._waiting_bytes = 0

    def resize(self, columns: int, lines: int) -> None:
        """Another size: lines that no longer fit above the cursor scroll off, none is lost."""
        screen = self.screen
        if (columns, lines) == (screen.columns, screen.lines):
            return
        below = max(0, screen.cursor.y - lines + 1)
        for _ in range(below):
            self._history.append(line_of(screen.buffer[0], screen.columns))
            screen.scrolled_count += 1
            for y in range(screen.lines - 1):
                screen.buffer[y] = screen.buffer[y + 1]
            screen.buffer.pop(screen.lines - 1, None)
        screen.cursor.y -= below
        kept, cursor = {y: screen.buffer[y] for y in range(min(lines, screen.lines))}, screen.cursor
        screen.lines, screen.columns, screen.margins = lines, columns, None
        for y in [y for y in screen.buffer if y >= lines]:
            del screen.buffer[y]
        screen.buffer.update(kept)
        cursor.x = min(cursor.x, columns - 1)
        screen.dirty.update(range(lines))

    # --- what is seen ----------------------------------------------------------------------------------

    @property
    def first(self) -> int:
        """The number of the oldest line that is kept; a line keeps its number."""
        return self.screen.scrolled_count - len(self._history)

    @property
    def top(self) -> int:
        """The number of the screen's first line."""
        return self.screen.scrolled_count

    @property
    def end(self) -> int:
        """The number behind the last line."""
        return self.top + self.screen.lines

    def line(self, number: int) -> Line:
        """A line by its number; empty where there is none."""
        if self.top <= number < self.end:
            return line_of(self.screen.buffer[number - self.top], self.screen.columns)
        return self._history[number - self.first] if self.first <= number < self.top else ()

    def text(self, number: int) -> str:
        """A line as text."""
        return "".join(text for text, _ in self.line(number))

    def find(self, what: str, start: int, step: int) -> int | None:
        """The number of the next line, from one on and upwards or downwards, that holds a text in any case."""
        wanted = what.casefold()
        for number in range(start, self.end if step > 0 else self.first - 1, step):
            if wanted in self.text(number).casefold():
                return number
        return None


def line_of(cells: Mapping[int, Char], columns: int) -> Line:
    """A row of pyte's cells as runs of one style, without the blanks at its end."""
    width = min(max(cells, default=-1) + 1, columns)
    runs: list[Run] = []
    letters: list[str] = []
    style: Style | None = None
    for text, its_style in _cells(cells, width):
        if its_style is not style:
            if letters and style is not None:
                runs.append(("".join(letters), style))
            letters, style = [], its_style
        letters.append(text)
    if letters and style is not None:
        runs.append(("".join(letters), style))
    return tuple(runs)


def _cells(cells: Mapping[int, Char], width: int) -> Iterator[tuple[str, Style]]:
    x = 0
    while x < width:
        char = cells[x]
        style = style_of(char.fg, char.bg, char.bold, char.italics, char.underscore,
                         char.strikethrough, char.reverse)  # fmt: skip
        wide = x + 1 < width and cells[x + 1].data == "" and char.data != ""
        yield shown(char.data, 2 if wide else 1), style
        x += 2 if wide else 1


def shown(data: str, cells: int) -> str:
    """What is drawn of a cell: a letter of that width, or a sign in its place where a terminal might do otherwise."""
    if len(data) == 1 and " " <= data <= "~" and cells == 1:
        return data
    return _strange(data, cells)


@lru_cache(maxsize=10_000)
def _strange(data: str, cells: int) -> str:
    hidden = any(unicodedata.category(each) in HIDDEN for each in data)
    return data if data and not hidden and cell_len(data) == cells else "·" * cells if data else " " * cells


@lru_cache(maxsize=4096)
def style_of(
    fg: str, bg: str, bold: bool, italics: bool, underscore: bool, strikethrough: bool, reverse: bool
) -> Style:
    """A cell's look in Rich's terms; the terminal's own colours stay open."""
    return Style(
        color=_colour(fg), bgcolor=_colour(bg), bold=bold or None, italic=italics or None,
        underline=underscore or None, strike=strikethrough or None, reverse=reverse or None,
    )  # fmt: skip


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    if len(name) == 6 and all(each in "0123456789abcdef" for each in name):
        return f"#{name}"
    known = COLOURS.get(name, name.replace("bright", "bright_") if name.startswith("bright") else name)
    try:
        Style(color=known)
    except ColorParseError:
        return None
    return known
