r"""One line and its words: as a POSIX shell reads them, with `$'…'` for what cannot be typed, such as a line break.

A line that is written here means the same to `zstui shell`, to the prompt of the full screen, and to bash and zsh.
"""

from __future__ import annotations

import re
import shlex

from appliance.api.errors import InvalidArgument

ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "?": "?", "a": "\a", "b": "\b", "e": "\x1b",
    "E": "\x1b", "f": "\f", "v": "\v",
}  # fmt: skip
_WRITTEN = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\", "'": "\\'"}
_CODE = re.compile(r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|(.))", re.DOTALL)

_PIECE = re.compile(
    r"""
      (?P<space>\s+)
    | \$'(?P<coded>(?:[^'\\]|\\.)*)'
    | '(?P<single>[^']*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | \\(?P<escaped>.)
    | (?P<plain>[^\s'"\\])
    """,
    re.VERBOSE | re.DOTALL,
)


class UsageError(InvalidArgument):
    """Words are no call: said with the code that the API has for arguments that are wrong."""


def quote(text: str) -> str:
    """A text as one word of one line."""
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(_written(each) for each in text)}'"


def split(line: str) -> list[str]:
    """The words of a line. Raises UsageError for a quotation without end."""
    words: list[str] = []
    word: str | None = None
    at = 0
    while at < len(line):
        piece = _PIECE.match(line, at)
        if piece is None:
            what = "no character after the \\" if line[at] == "\\" else f"no closing {line[at]}"
            raise UsageError(f"the line has {what} at its end; complete it")
        at = piece.end()
        if piece["space"] is None:
            word = (word or "") + _meant(piece)
        elif word is not None:
            words.append(word)
            word = None
    return words if word is None else [*words, word]


def _written(character: str) -> str:
    if character in _WRITTEN:
        return _WRITTEN[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _meant(piece: re.Match[str]) -> str:
    if piece["coded"] is not None:
        return _CODE.sub(_decoded, piece["coded"])
    if piece["double"] is not None:
        return re.sub(r'\\(["\\])', r"\1", piece["double"])
    return next(piece[name] for name in ("single", "escaped", "plain") if piece[name] is not None)


def _decoded(code: re.Match[str]) -> str:
    digits = code[1] or code[2] or code[3]
    if digits is None:
        return ESCAPES.get(code[4], code[0])
    number = int(digits, 16)
    return chr(number) if number < 0x110000 else code[0]
