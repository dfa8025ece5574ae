"""What a guest writes, without what no terminal of ours obeys: pyte gets text and the sequences that it knows.

A guest may write anything. What has no end, too many numbers or a meaning that pyte has not is dropped here, so that
nothing is kept without bound and nothing raises.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from functools import lru_cache

from wcwidth import wcwidth

LONGEST = 64
"""No sequence that is obeyed has more characters."""

MANY = 1000
NUMBERS = {
    **dict.fromkeys("ABCDEFGLMPX@`ade", 1),
    **dict.fromkeys("JKg", 1),
    **dict.fromkeys("Hfr", 2),
    "m": MANY,
    "h": MANY,
    "l": MANY,
}
"""Final letter of a control sequence that is obeyed, and how many numbers it may have."""

HIGHEST = {"J": 3, "K": 2}
"""What may be erased, by number."""

MARKS = 4
"""Accents and their like on one letter."""

PRIVATE = frozenset("hlJK")
"""Those that mean something behind a question mark."""

COLUMNS_132 = "3"
"""A mode that changes the width of a terminal, which is not the guest's to choose."""

SINGLE = frozenset("cDEHM78")
"""Letters that are obeyed behind an escape alone."""

LINES = str.maketrans("`afgjklmnopqrstuvwxyz{|}~", "◆▒°±┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")
"""The lines that installers draw: letters of the terminals' second alphabet."""

_BEGIN = re.compile("[\x1b\x9b\x9d\x90\x98\x9e\x9f\x0e\x0f]")
_CSI = re.compile("[\x20-\x3f]*")
_STRING_END = re.compile("\x07|\x9c|\x1b\\\\|\x18|\x1a")
_STRINGS = frozenset("]PX^_")
_C1 = {"\x9b": "[", "\x9d": "]", "\x90": "P", "\x98": "X", "\x9e": "^", "\x9f": "_"}


@lru_cache(maxsize=10_000)
def _kind_of(letter: str) -> str:
    if letter < "\x7f" or wcwidth(letter) > 0:
        return "letter"
    return "mark" if unicodedata.combining(letter) else ""


class Sequences:
    """Follows what a guest writes, piece by piece."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._in_string = False
        self._in_numbers = False
        """In a sequence that is longer than any that is obeyed."""
        self._alphabets = ["B", "B"]
        self._marks = 0
        self._shifted = 0

    def clean(self, data: bytes) -> str:
        """What pyte is to have of some bytes; the beginning of a sequence waits for the rest of it."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        kept: list[str] = []
        at = 0
        while at < len(text):
            if self._in_string:
                at = self._skip_string(text, at)
                continue
            if self._in_numbers:
                at = self._skip_numbers(text, at)
                continue
            found = _BEGIN.search(text, at)
            end = found.start() if found else len(text)
            if end > at:
                kept.append(self._letters(text[at:end]))
            at = end
            if found:
                at, said = self._sequence(text, at)
                if at < 0:
                    break
                kept.append(said)
        return "".join(kept)

    def _letters(self, text: str) -> str:
        if self._alphabets[self._shifted] == "0":
            text = text.translate(LINES)
        return text if text.isascii() else "".join(filter(self._has_place, text))

    def _has_place(self, letter: str) -> bool:
        """Whether a letter is drawn: pyte leaves out what follows others, and heaps marks on letters for ever."""
        kind = _kind_of(letter)
        self._marks = self._marks + 1 if kind == "mark" else 0
        return kind == "letter" or (kind == "mark" and self._marks <= MARKS)

    def _sequence(self, text: str, at: int) -> tuple[int, str]:
        """Where a sequence ends and what is kept of it; -1 when it is not whole yet."""
        first = text[at]
        if first in "\x0e\x0f":
            self._shifted = 1 if first == "\x0e" else 0
            return at + 1, ""
        kind, body = _C1.get(first, ""), at + 1
        if not kind:
            if body >= len(text):
                return self._wait(text, at)
            kind, body = text[body], body + 1
        if kind in _STRINGS:
            self._in_string = True
            return body, ""
        if kind == "[":
            return self._control(text, at, body)
        if kind in "()":
            if body >= len(text):
                return self._wait(text, at)
            self._alphabets["()".index(kind)] = text[body]
            return body + 1, ""
        if kind in "#%*+ ":  # alphabets and sizes that nobody draws
            return (body + 1, "") if body < len(text) else self._wait(text, at)
        return body, f"\x1b{kind}" if kind in SINGLE else ""

    def _control(self, text: str, at: int, body: int) -> tuple[int, str]:
        numbers = _CSI.match(text, body)
        end = numbers.end() if numbers else body
        if end >= len(text):
            return self._wait(text, at)
        inside, final = text[body:end], text[end]
        if not "@" <= final <= "~":
            return end, ""  # something else begins in the middle: it counts, this does not
        private, plain = inside.startswith("?"), inside.removeprefix("?")
        modes = plain.split(";")
        known = (
            len(inside) <= LONGEST
            and all(each == "" or (each.isascii() and each.isdigit()) for each in modes)
            and len(modes) <= NUMBERS.get(final, 0)
            and (not private or final in PRIVATE)
            and (final not in HIGHEST or int(plain or 0) <= HIGHEST[final])
        )
        if private and final in "hl":
            plain = ";".join(mode for mode in modes if mode != COLUMNS_132)
            known = known and bool(plain)
        return end + 1, f"\x1b[{'?' * private}{plain}{final}" if known else ""

    def _wait(self, text: str, at: int) -> tuple[int, str]:
        """Keep the beginning of a sequence, unless it is longer than any that is obeyed."""
        if len(text) - at <= LONGEST * 2:
            self._rest = text[at:]
            return -1, ""
        self._in_numbers = True
        return len(text), ""

    def _skip_numbers(self, text: str, at: int) -> int:
        numbers = _CSI.match(text, at)
        end = numbers.end() if numbers else at
        if end < len(text):
            self._in_numbers = False
            end += "@" <= text[end] <= "~"
        return end

    def _skip_string(self, text: str, at: int) -> int:
        found = _STRING_END.search(text, at)
        if found is None:
            if text.endswith("\x1b"):
                self._rest = "\x1b"
            return len(text)
        self._in_string = False
        return found.end()
