"""What a body holds: JSON, and nothing in it that no call needs and later layers would trip over."""

from __future__ import annotations

import json
import math
from typing import Any

from appliance.api.errors import BadRequest, InvalidArgument

DEPTH_LIMIT = 32
SHOWN = 200
"""Characters of what is wrong that are said again, and digits that a number may have."""


def loads(text: str) -> Any:
    """JSON's values. Raises `ValueError` when it is none, InvalidArgument for what is a number only to Python."""
    return json.loads(text, parse_constant=_no_constant, parse_int=_whole)


def decode(raw: bytes, *, like: str) -> dict[str, Any]:
    """The JSON object in a body, which should look like that.

    Raises BadRequest when it is none, InvalidArgument when it is one that no call can need; whether its values are
    sound is not looked at.
    """
    try:
        value = loads(raw.decode("utf-8"))
    except RecursionError:
        raise InvalidArgument(f"the body is nested deeper than {DEPTH_LIMIT} levels") from None
    except ValueError as error:
        raise BadRequest(f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest(f"the body is no JSON object; send {like}")
    return value


def check_sound(value: Any) -> None:
    """Refuse what no call needs and later layers would trip over: depth, infinity, NUL, half surrogates.

    Raises InvalidArgument.
    """
    level = [("", value)]
    for _ in range(DEPTH_LIMIT):
        below: list[tuple[str, Any]] = []
        for field, each in level:
            _check_leaf(field, each)
            if isinstance(each, dict):
                below += [(field, key) for key in each] + [(str(key), held) for key, held in each.items()]
            elif isinstance(each, list):
                below += [(field, held) for held in each]
        if not below:
            return
        level = below
    raise InvalidArgument(f"the call is nested deeper than {DEPTH_LIMIT} levels")


def _whole(digits: str) -> int:
    if len(digits) > SHOWN:
        raise ValueError(f"a number of {len(digits)} digits is none that a call can hold")
    return int(digits)


def _no_constant(name: str) -> None:
    raise InvalidArgument(f"{name} is no number that a call can hold")


def _check_leaf(field: str, value: Any) -> None:
    """`field` is the name that a value stands at, empty where there is none. What may be secret is not repeated."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidArgument(f"{value} is no number that a call can hold")
    if not isinstance(value, str):
        return
    where = f"field[{field}]" if field and field != value else "the name of a field"
    if not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        raise InvalidArgument(f"{where} holds half a surrogate pair, which is no character; leave it out")
    if "\0" in value:
        shown = f"in {value[:SHOWN]!r}" if field == "name" else f"as character {value.index(chr(0)) + 1}"
        raise InvalidArgument(f"{where} holds the control character U+0000 {shown}; leave it out")
