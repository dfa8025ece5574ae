"""Regular expressions that tenants write, matched in a time that none of them can stretch."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

LONGEST = 255
"""Characters of a pattern."""

DEEPEST = 4
"""Parentheses in one another."""

Match = Callable[[str, frozenset[int]], frozenset[int]]
"""From where a text is matched so far, to where it is after this part: all ways at once, so nothing is tried twice."""


def check_pattern(text: str) -> None:
    """Raises ValueError, saying why, for a text that is no pattern.

    A pattern is made of characters, `.`, `[a-z]`, `\\` before a character that is to mean itself, `(a|b)`,
    and `*`, `+` or `?` after one of these.
    """
    _compiled(text)


def full_match(pattern: str, text: str) -> bool:
    """Whether a pattern means a whole text. Raises ValueError for what is no pattern."""
    return len(text) in _compiled(pattern)(text, frozenset({0}))


@lru_cache(maxsize=4_000)
def _compiled(pattern: str) -> Match:
    if len(pattern) > LONGEST:
        raise ValueError(f"it has {len(pattern)} characters; at most {LONGEST} can be")
    return _Reader(pattern).whole()


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._depth = 0

    def whole(self) -> Match:
        match = self._either()
        if self._place < len(self._text):
            raise ValueError(f"there is no ( for the ) at character {self._place + 1}")
        return match

    def _next(self) -> str:
        return self._text[self._place : self._place + 1]

    def _take(self) -> str:
        taken = self._next()
        if not taken:
            raise ValueError("it ends too early")
        self._place += 1
        return taken

    def _either(self) -> Match:
        ways = [self._row()]
        while self._next() == "|":
            self._take()
            ways.append(self._row())
        return lambda text, at: frozenset[int]().union(*(way(text, at) for way in ways))

    def _row(self) -> Match:
        parts: list[Match] = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(self._one()))

        def match(text: str, at: frozenset[int]) -> frozenset[int]:
            for part in parts:
                at = part(text, at) if at else at
            return at

        return match

    def _repeated(self, part: Match) -> Match:
        sign = self._next()
        if not sign or sign not in "*+?":
            return part
        self._take()
        if self._next() and self._next() in "*+?{":
            raise ValueError(f"{sign}{self._next()} at character {self._place} is not understood")
        if sign == "?":
            return lambda text, at: at | part(text, at)

        def match(text: str, at: frozenset[int]) -> frozenset[int]:
            reached = new = part(text, at) if sign == "+" else at
            while new:
                new = part(text, new) - reached
                reached |= new
            return reached

        return match

    def _one(self) -> Match:
        place = self._place + 1
        taken = self._take()
        if taken in "*+?{}^$":
            raise ValueError(f"{taken} at character {place} is not understood; write \\{taken} for itself")
        if taken == "(":
            return self._group()
        if taken == ".":
            return _character(lambda _: True)
        if taken == "[":
            return self._set()
        if taken == "\\":
            taken = self._take()
            if taken.isalnum():
                raise ValueError(f"\\{taken} at character {place} is not understood")
        return _character(lambda each: each == taken)

    def _group(self) -> Match:
        self._depth += 1
        if self._depth > DEEPEST:
            raise ValueError(f"it has more than {DEEPEST} parentheses in one another")
        if self._next() == "?":
            raise ValueError(f"(? at character {self._place} is not understood")
        match = self._either()
        if self._next() != ")":
            raise ValueError("there is no ) for a (")
        self._take()
        self._depth -= 1
        return match

    def _set(self) -> Match:
        denied = self._next() == "^"
        if denied:
            self._take()
        spans: list[tuple[str, str]] = []
        while self._next() != "]" or not spans:
            first = last = self._member()
            if self._next() == "-" and self._text[self._place + 1 : self._place + 2] not in ("]", ""):
                self._take()
                last = self._member()
            if last < first:
                raise ValueError(f"{first}-{last} is the wrong way round")
            spans.append((first, last))
        self._take()
        return _character(lambda each: any(low <= each <= high for low, high in spans) != denied)

    def _member(self) -> str:
        taken = self._take()
        return self._take() if taken == "\\" else taken


def _character(fits: Callable[[str], bool]) -> Match:
    return lambda text, at: frozenset(place + 1 for place in at if place < len(text) and fits(text[place]))
