"""What `/` means: words that a row must hold, `key:value` for one column, `@host`, and `!` before any for not."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from zstui.columns import Column
from zstui.mirror import Mirror, Row

SHORTEST_KEY = 2
"""Letters of a column's title that are enough to name it."""

ADDRESS = re.compile(r"[0-9a-f.]*(:[0-9a-f.]*)+")
"""What may be a piece of a MAC, of an IPv6 address, or an address with a port."""

RAW = ("state", "status", "name")
"""What is found as the API writes it, too, whatever is spoken: many know those words."""

RAW_IN = {"STATE": RAW[:2], "STATUS": RAW[:2], "JOB": RAW[2:]}
"""The columns that show it."""


class Term(NamedTuple):
    """One word of a filter: what must be held, in which column (any when None), and whether it must not."""

    value: str
    column: Column | None = None
    negated: bool = False

    def meets(self, row: Row, whole: str, mirror: Mirror) -> bool:
        """Whether a row, of which `whole` is everything it shows, meets the term."""
        held = whole if self.column is None else _shown(self.column, row, mirror)
        return (self.value in held) != self.negated


def narrows(term: Term, before: Term) -> bool:
    """Whether all rows that meet a term meet the one before, too: when a word only grew longer."""
    plain = not (term.negated or before.negated) and term.column is before.column is None
    return term == before or (plain and before.value in term.value)


def _shown(column: Column, row: Row, mirror: Mirror) -> str:
    raw = (row.text(each) for each in RAW_IN.get(column.title, ()))
    return " ".join((column.show(row, mirror)[0], *raw)).casefold()


def terms(text: str, columns: tuple[Column, ...], language: str) -> tuple[Term, ...]:
    """A filter as terms. A key that names no column is text to find, as in an address or a MAC."""
    return _terms(text.casefold(), columns, language)


@lru_cache(maxsize=64)
def _terms(text: str, columns: tuple[Column, ...], language: str) -> tuple[Term, ...]:
    del language  # titles are in it, so that what was read in another is not taken for it
    return tuple(term for word in text.split() if (term := _term(word, columns)) is not None)


def _term(word: str, columns: tuple[Column, ...]) -> Term | None:
    """One word as a term; None of one that is not typed to its end, as a key without its value."""
    if word in ("!", "@", "!@"):
        return None
    negated = word.startswith("!") and len(word) > 1
    body = word[1:] if negated else word
    key, colon, value = ("host", ":", body[1:]) if body.startswith("@") else body.partition(":")
    column = _named(key, columns) if colon else None
    if column is not None and not value:
        return None
    return Term(value if column is not None else body, column, negated)


def _named(key: str, columns: tuple[Column, ...]) -> Column | None:
    """The column of a title, in English or in the user's language, or of the beginning of one."""
    titles = [(column.title.casefold(), column.heading.casefold(), column) for column in columns]
    exact = (column for english, own, column in titles if key in (english, own, column.also))
    begun = (
        column
        for english, own, column in titles
        if len(key) >= SHORTEST_KEY and (english.startswith(key) or own.startswith(key))
    )
    return next(exact, None) or next(begun, None)


def unknown_keys(text: str, columns: tuple[Column, ...]) -> list[str]:
    """What stands before a colon in a filter and names no column; an address that has colons does not."""
    bare = (word.removeprefix("!") for word in text.casefold().split())
    keys = [word.partition(":")[0] for word in bare if ":" in word and not ADDRESS.fullmatch(word)]
    return [key for key in keys if key and _named(key, columns) is None]
