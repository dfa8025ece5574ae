"""A language made by rule: every letter of a text that was looked up is another one, as wide as it was.

Whatever on a screen still has plain letters was never looked up, or is not ours to translate.
"""

from __future__ import annotations

import re
from gettext import NullTranslations

PSEUDO = "pseudo"

PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
STRANGE = "ÅƁÇÐÉƑĜĤÎĴĶĽṀÑÖÞǪŔŠŢÛṼŴẊÝŽåƀçðéƒĝĥîĵķľɱñöþǫŕšţûṽŵẋýž"
LETTERS = str.maketrans(PLAIN, STRANGE)

HOLE = re.compile(r"(\{[^}]*\})")


def strange(text: str) -> str:
    """A text in strange letters; what is put into it stays."""
    return "".join(part if HOLE.fullmatch(part) else part.translate(LETTERS) for part in HOLE.split(text))


class Pseudo(NullTranslations):
    """Looks every text up by making it."""

    def gettext(self, message: str) -> str:
        """A text in strange letters."""
        return strange(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """One of two texts in strange letters."""
        return strange(msgid1 if n == 1 else msgid2)
