"""What of a call is secret besides parameters declared so: passwords in tags, user data and addresses."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from appliance.api.errors import InvalidArgument
from appliance.api.tag import PATTERNS

STARS = "******"

_SECRET_TAGS = tuple(
    before
    for before, _, hole in (pattern.pattern.partition("{") for pattern in PATTERNS)
    if "password" in hole.lower()
)
_USER_DATA = "userdata::"
_MASK = re.compile(rf"(?<!\*){re.escape(STARS)}(?!\*)")
_MASK_IN_ADDRESS = re.compile(rf"://[^/@\s:]*:{re.escape(STARS)}@")
_IN_ADDRESS = re.compile(r"(://[^/@\s:]*:)[^/@\s]+(?=@)")
_LINE_ENDS = re.compile(r"(\r?\n|\\n)")
_ENTRY = re.compile(
    r"""^([\s-]*["']?(?!lock[-_]passwd["']?\s*:)[\w-]*(?:passw(?:or)?d|secret|token|private[_-]?key)[\w-]*["']?\s*:\s*)(?!\s*[|>&]?\s*$).+$""",
    re.IGNORECASE,
)
_FLOW = re.compile(
    r"""(["']?(?<!lock-)\b(?:plain_text_|hashed_)?passw(?:or)?d["']?\s*:\s*)("[^"]*"|'[^']*'|[^,}\s]+)""",
    re.IGNORECASE,
)
_OF_USER = re.compile(r"""^([\s-]*["']?[A-Za-z_][\w.-]*:)(?=\S)(?!//).+$""")
_SIGN = re.compile(r"passw|secret|token|private|chpasswd", re.IGNORECASE)
_LONG_LINE = 500
"""Characters. A longer line is hidden whole when it has a sign of a secret: the patterns' time grows by its square."""
_PIPED = re.compile(r"""([A-Za-z_][\w.-]*:)[^\s|"']+(?=["']?\s*\|.*chpasswd)""")
_KEY_BEGIN, _KEY_END = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"-----END [A-Z ]*PRIVATE KEY-----"),
)


def hidden(value: Any) -> Any:
    """A value as it may be written down: the secret parts of its texts starred."""
    if isinstance(value, list):
        return [hidden(each) for each in value]
    if isinstance(value, dict):
        return {name: hidden(each) for name, each in value.items()}
    return _text(value) if isinstance(value, str) else value


def holds_mask(value: Any) -> bool:
    """Whether a value was copied from where its secret was hidden: stars stand where `hidden` writes them."""
    if isinstance(value, list):
        return any(map(holds_mask, value))
    if isinstance(value, dict):
        return any(map(holds_mask, value.values()))
    if not isinstance(value, str):
        return False
    pattern = _MASK if value.startswith((*_SECRET_TAGS, _USER_DATA)) else _MASK_IN_ADDRESS
    return pattern.search(value) is not None


def unhidden(value: Any, wire: str, *, secret: bool) -> Any:
    """The value of a parameter as it came, unless stars from a line of a log stand in it for a secret.

    They would become the secret in silence. Raises InvalidArgument, naming the parameter.
    """
    if (secret and value == STARS) or holds_mask(value):
        raise InvalidArgument(f"field[{wire}]: a password or key is hidden here: type it instead of {STARS}")
    return value


def _text(text: str) -> str:
    for before in _SECRET_TAGS:
        if text.startswith(before):
            return before + STARS
    if text.startswith(_USER_DATA):
        return _USER_DATA + _user_data(text.removeprefix(_USER_DATA))
    return _IN_ADDRESS.sub(rf"\g<1>{STARS}", text)


def _user_data(text: str) -> str:
    """User data without the passwords and private keys in it. One that is packed could hold anything."""
    if _is_packed(text):
        return STARS
    lines = _LINE_ENDS.split(text)
    of_users, in_key = False, False
    for place in range(0, len(lines), 2):
        line = lines[place]
        if in_key or _KEY_BEGIN.search(line):
            in_key = not _KEY_END.search(line)
            lines[place] = STARS
            continue
        if line.strip() and not line[0].isspace():
            of_users = "chpasswd" in line
        if len(line) > _LONG_LINE:
            lines[place] = STARS if of_users or _SIGN.search(line) else line
            continue
        found = _OF_USER.sub(rf"\g<1>{STARS}", line) if of_users else line
        found = _PIPED.sub(rf"\g<1>{STARS}", _FLOW.sub(rf"\g<1>{STARS}", found))
        lines[place] = _ENTRY.sub(rf"\g<1>{STARS}", found)
    return _IN_ADDRESS.sub(rf"\g<1>{STARS}", "".join(lines))


def _is_packed(text: str) -> bool:
    packed = "".join(text.split())
    if len(packed) < 8 or len(packed) % 4:
        return False
    try:
        base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
