"""One line typed at a prompt: edited, completed, and with the lines before it.

In place of GNU readline, which would put the frozen program as a whole under the GPL.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import shutil
import termios
from collections.abc import Callable, Iterator
from typing import TextIO

from wcwidth import wcwidth

Complete = Callable[[str], str]
"""What the text before the cursor becomes; whoever has several offers may show them first."""

KEYS = {
    "\x01": "home", "\x02": "left", "\x05": "end", "\x06": "right", "\x08": "back", "\x0b": "cut_right",
    "\x0c": "clear", "\x0e": "down", "\x10": "up", "\x15": "cut_left", "\x17": "cut_word", "\x7f": "back",
    "\t": "grow", "\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left", "\x1b[F": "end",
    "\x1b[H": "home", "\x1b[1~": "home", "\x1b[3~": "delete", "\x1b[4~": "end", "\x1b[7~": "home", "\x1b[8~": "end",
    "\x1bb": "word_left", "\x1bf": "word_right", "\x1b[1;5D": "word_left", "\x1b[1;5C": "word_right",
}  # fmt: skip
"""What keys do; those of the keypad's other mode are turned into these."""


class Editor:
    """Reads lines from a terminal, one row each: what is longer than the row moves sideways."""

    def __init__(self, source: TextIO, out: TextIO, complete: Complete, history: list[str]) -> None:
        self._source, self._out = source.fileno(), out
        self._complete, self._history = complete, history
        self._prompt = self._text = self._typed = ""
        self._at = self._past = 0
        """The cursor, as a place in the text, and how many lines back in the history it is."""
        self._dumb = os.environ.get("TERM", "dumb") == "dumb"
        """Whether nothing can be done on the terminal but write on, and step back over a letter."""
        self._shown = ""
        """What stands on such a one."""

    def read(self, prompt: str) -> str:
        """The next line. Raises EOFError after Ctrl+D on an empty one, KeyboardInterrupt after Ctrl+C."""
        self._prompt, self._text, self._typed, self._at, self._past = prompt, "", "", 0, 0
        self._shown = ""
        with self._by_key():
            for key in self._keys():
                if key in ("\r", "\n"):
                    return self._text
                if key == "\x03":
                    raise KeyboardInterrupt
                if key == "\x04":
                    if not self._text:
                        raise EOFError
                    self._delete()
                elif key in KEYS:
                    getattr(self, f"_{KEYS[key]}")()
                elif key.isprintable():
                    self._replace(self._at, self._at, key)
                self.draw()
        raise EOFError

    def draw(self) -> None:
        """Show the line and the cursor again, wherever the cursor is now."""
        if self._dumb:
            self._write_on()
            return
        room = shutil.get_terminal_size().columns - len(self._prompt) - 1
        begin = self._at
        while begin and _cells(self._text[begin - 1 : self._at]) <= room:
            begin -= 1
        end = self._at
        while end < len(self._text) and _cells(self._text[begin : end + 1]) <= room:
            end += 1
        column = len(self._prompt) + _cells(self._text[begin : self._at])
        self._out.write(f"\r{self._prompt}{self._text[begin:end]}\x1b[K\r\x1b[{column}C")
        self._out.flush()

    def _write_on(self) -> None:
        """Make what stands there, with its prompt, what it is to be, from where they differ on."""
        wanted = self._prompt + self._text
        pairs = enumerate(zip(self._shown, wanted, strict=False))
        kept = next((at for at, (one, other) in pairs if one != other), min(len(self._shown), len(wanted)))
        self._out.write("\b \b" * _cells(self._shown[kept:]) + wanted[kept:])
        self._out.flush()
        self._shown = wanted

    @contextlib.contextmanager
    def _by_key(self) -> Iterator[None]:
        """Each key by itself and unseen, until the line is read; what is typed meanwhile is kept either way."""
        before = termios.tcgetattr(self._source)
        raw = [*before]
        raw[0] &= ~(termios.ICRNL | termios.IXON)
        raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        termios.tcsetattr(self._source, termios.TCSADRAIN, raw)
        try:
            self.draw()
            yield
        finally:
            termios.tcsetattr(self._source, termios.TCSADRAIN, before)
            self._out.write("\n")
            self._out.flush()

    def _keys(self) -> Iterator[str]:
        """Keys as they come, a byte at a time, so that what follows a line is left to whoever reads next."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        key = ""
        while byte := os.read(self._source, 1):
            key += decoder.decode(byte)
            if key and not re.fullmatch(r"\x1b(\[[0-9;]*|O)?", key):
                yield re.sub(r"^\x1bO", "\x1b[", key)
                key = ""

    def _replace(self, begin: int, end: int, text: str) -> None:
        self._text = self._text[:begin] + text + self._text[end:]
        self._at = begin + len(text)

    def _left(self) -> None:
        self._at = max(self._at - 1, 0)

    def _right(self) -> None:
        self._at = min(self._at + 1, len(self._text))

    def _home(self) -> None:
        self._at = 0

    def _end(self) -> None:
        self._at = len(self._text)

    def _word_left(self) -> None:
        self._at = len(re.sub(r"\S+\s*$", "", self._text[: self._at]))

    def _word_right(self) -> None:
        self._at = len(self._text) - len(re.sub(r"^\s*\S+", "", self._text[self._at :]))

    def _back(self) -> None:
        self._replace(max(self._at - 1, 0), self._at, "")

    def _delete(self) -> None:
        self._replace(self._at, self._at + 1, "")

    def _cut_left(self) -> None:
        self._replace(0, self._at, "")

    def _cut_right(self) -> None:
        self._replace(self._at, len(self._text), "")

    def _cut_word(self) -> None:
        end = self._at
        self._word_left()
        self._replace(self._at, end, "")

    def _clear(self) -> None:
        self._out.write("\x1b[H\x1b[2J")

    def _grow(self) -> None:
        before = self._text
        self._replace(0, self._at, self._complete(self._text[: self._at]))
        if self._text == before and self._dumb:
            # Offers may have been shown, and the line is not where it was.
            self._out.write("\r")
            self._shown = ""

    def _up(self) -> None:
        self._go(1)

    def _down(self) -> None:
        self._go(-1)

    def _go(self, step: int) -> None:
        """To the next line before, or after, that begins as what was typed; after the last to that itself."""
        if not self._past:
            self._typed = self._text
        past = self._past + step
        while 0 < past <= len(self._history) and not self._history[-past].startswith(self._typed):
            past += step
        if 0 <= past <= len(self._history):
            self._past = past
            self._text = self._history[-past] if past else self._typed
            self._end()


def _cells(text: str) -> int:
    """How many cells of a terminal a text takes."""
    return sum(max(wcwidth(each), 0) for each in text)
