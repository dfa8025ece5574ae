"""One condition on one column as SQL: operators and values as ZStack's clients write them."""

from __future__ import annotations

import re
import string
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from appliance.api.errors import InvalidArgument
from appliance.api.resource import Column, Timestamp
from appliance.store.table import quoted

ABSENT = "is null"
PRESENT = "is not null"
POSITIVE = {"!=": "=", "not in": "in", "not like": "like"}
"""The operators that deny, and what each of them denies."""

OPERATORS = frozenset({"=", ">", "<", ">=", "<=", "in", "like", ABSENT, PRESENT, *POSITIVE})

LIKE_LENGTH = 256
"""A longer pattern could keep the processor busy for long."""

IN_LENGTH = 10_000
DATES_LENGTH = 500

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)

_LOWER = {ord(letter): letter.lower() for letter in string.ascii_uppercase}
"""SQLite compares letters from A to Z by their small ones."""

Sql = tuple[str, list[Any]]
"""A test and its parameters."""


def parsed(condition: dict[str, Any]) -> tuple[str, str, Any]:
    """Name, operator and value of a condition. `InvalidArgument` in ZStack's words when it is none."""
    name, operator, value = condition.get("name"), condition.get("op"), condition.get("value")
    name = "null" if name is None else name
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise InvalidArgument(f"unknown QueryOp type[{'null' if operator is None else operator}]")
    if value is None and operator not in (ABSENT, PRESENT):
        shown = {key: condition[key] for key in ("name", "op") if condition.get(key) is not None}
        raise InvalidArgument(
            f"'value' of query condition {msgspec.json.encode(shown).decode()} cannot be null"
        )
    items = value if isinstance(value, list) and operator in ("in", "not in") else [value]
    if any(isinstance(each, (dict, list)) or (each is None and items is value) for each in items):
        raise InvalidArgument(
            f"value[{msgspec.json.encode(value).decode()}] of condition name[{name}] is "
            f"{'no list of texts or numbers' if items is value else 'no text or number'}"
        )
    return str(name), operator, value


def compare(table: str, column: Column, operator: str, value: Any) -> Sql:
    """The test of a column. Text compares without regard to case (of A to Z), as in ZStack's MySQL.

    A date given as `yyyy-mm-dd hh:mm:ss` means that whole second; a number, that very moment. A list column
    is tested for having an item like that; a denying operator, for having none.
    """
    if column.is_json:
        return _items(table, column, operator, value)
    name = f"{quoted(table)}.{quoted(column.name)}"
    if operator in (ABSENT, PRESENT):
        return f"{name} {operator.upper()}", []
    if operator in ("like", "not like"):
        return _fits(name, column, operator, value)
    if column.kind is Timestamp:
        return _date(name, column, operator, value)
    convert = _converter(column)
    if operator in ("in", "not in"):
        items = [convert(column, item) for item in listed(value, column.wire)]
        return f"{name} {operator.upper()} ({', '.join('?' * len(items))})", items
    return f"{name} {operator} ?", [convert(column, value)]


def listed(value: Any, name: str) -> list[Any]:
    """The items of a list, or of a text with commas."""
    items = [item.strip() for item in value.split(",")] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)):
        items = [items]
    if len(items) > IN_LENGTH:
        raise InvalidArgument(f"condition name[{name}] lists {len(items)} values; at most {IN_LENGTH} can be")
    return list(items)


def _fits(name: str, column: Column, operator: str, value: Any) -> Sql:
    if column.kind is Timestamp:
        name = f"strftime('%Y-%m-%d %H:%M:%S', {name}, 'unixepoch', 'localtime')"
    test, (pattern,) = _like(name, column.wire, operator, value)
    first, end = _span(pattern)
    if column.kind is not str or operator == "not like" or not end:
        return test, [pattern]
    # SQLite would find an index by itself only for a pattern that it sees when it plans.
    return f"({name} >= ? AND {name} < ? AND {test})", [first, end, pattern]


def _like(shown: str, name: str, operator: str, value: Any) -> Sql:
    pattern = _text(None, value)
    if len(pattern) > LIKE_LENGTH:
        raise InvalidArgument(
            f"condition name[{name}] has a pattern of {len(pattern)} characters; at most {LIKE_LENGTH} can be"
        )
    return f"{shown} {operator.upper()} ? ESCAPE '\\'", [pattern]


def _span(pattern: str) -> tuple[str, str]:
    """The first text that can fit a pattern, and one behind the last; empty when any could be first or last."""
    start = re.match(r"[^%_\\\x00]*", pattern)
    first = start.group().translate(_LOWER) if start else ""
    kept = first.rstrip(chr(sys.maxunicode))
    if not kept:
        return first, ""
    following = ord(kept[-1]) + 1
    # No text has a surrogate in it.
    return first, kept[:-1] + chr(0xE000 if following == 0xD800 else following)


def _items(table: str, column: Column, operator: str, value: Any) -> Sql:
    name = f"{quoted(table)}.{quoted(column.name)}"
    if operator in (ABSENT, PRESENT):
        word = "NOT EXISTS" if operator == ABSENT else "EXISTS"
        return f"{word} (SELECT 1 FROM json_each({name}))", []
    item = "json_each.value COLLATE NOCASE"
    positive = POSITIVE.get(operator, operator)
    if positive == "like":
        test, parameters = _like(item, column.wire, positive, value)
    elif positive == "in":
        parameters = [_text(None, each) for each in listed(value, column.wire)]
        test = f"{item} IN ({', '.join('?' * len(parameters))})"
    else:
        test, parameters = f"{item} {positive} ?", [_text(None, value)]
    word = "NOT EXISTS" if operator in POSITIVE else "EXISTS"
    return f"{word} (SELECT 1 FROM json_each({name}) WHERE {test})", parameters


def _date(name: str, column: Column, operator: str, value: Any) -> Sql:
    if operator in ("in", "not in"):
        items = listed(value, column.wire)
        if len(items) > DATES_LENGTH:
            raise InvalidArgument(
                f"condition name[{column.wire}] lists {len(items)} dates; at most {DATES_LENGTH} can be"
            )
        tests = [_date(name, column, "=", item) for item in items]
        word = "NOT " if operator == "not in" else ""
        either = " OR ".join(test for test, _ in tests) or "0"
        return f"{word}({either})", [each for _, parameters in tests for each in parameters]
    moment, whole_second = _moment(column, value)
    if not whole_second:
        return f"{name} {operator} ?", [moment]
    after = moment + 1
    test, parameters = {
        "=": (f"({name} >= ? AND {name} < ?)", [moment, after]),
        "!=": (f"({name} < ? OR {name} >= ?)", [moment, after]),
        ">": (f"{name} >= ?", [after]),
        "<=": (f"{name} < ?", [after]),
    }.get(operator, (f"{name} {operator} ?", [moment]))
    return test, parameters


def _moment(column: Column, value: Any) -> tuple[float, bool]:
    """Seconds since 1970, and whether a whole second is meant."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value), False
    text = str(value).strip()
    with suppress(ValueError, OverflowError):
        return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S")), True
    if NUMBER.fullmatch(text):
        return float(text), False
    raise InvalidArgument(
        f"value[{value}] of condition name[{column.wire}] is no date; write it as yyyy-mm-dd hh:mm:ss"
    )


def _converter(column: Column) -> Callable[[Column, Any], Any]:
    return {bool: _truth, int: _number, float: _number}.get(column.kind, _text)


def _text(_: Column | None, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _truth(_: Column, value: Any) -> int:
    """As Java's Boolean.valueOf: everything but `true` is false."""
    return int(str(value).strip().lower() == "true")


def _number(column: Column, value: Any) -> int | float:
    text = str(value).strip()
    if not NUMBER.fullmatch(text):
        raise InvalidArgument(f"value[{value}] of condition name[{column.wire}] is no number")
    with suppress(ValueError):
        whole = int(text)
        # SQLite's integers have 64 bits; beyond them every comparison comes out the same as with a float.
        return whole if abs(whole) < 2**63 else float(text)
    return float(text)
