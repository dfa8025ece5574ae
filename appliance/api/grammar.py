"""ZStack's command grammar: words such as `name~=web` and `fields=a,b` become the fields of a call."""

from __future__ import annotations

import ast
import json
import re
import typing
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from appliance.api.account import CreateAccount, LogInByAccount, LogInByUser, UpdateAccount, hash_password
from appliance.api.errors import UnknownMessage
from appliance.api.message import CreateMessage, Message, Parameter, QueryMessage
from appliance.api.parse import TAGS, message_named, rejoin_tags, split_list
from appliance.api.quoting import UsageError
from appliance.api.redaction import STARS, hidden
from appliance.api.user import CreateUser, UpdateUser
from appliance.config import SOCKET

WORD = re.compile(r"([A-Za-z_][\w.]*)(!\?=|\?=|!~=|~=|!=|>=|<=|=|>|<)(.*)", re.DOTALL)
OPS = {
    "=": "=", "!=": "!=", ">": ">", "<": "<", ">=": ">=", "<=": "<=",
    "?=": "in", "!?=": "not in", "~=": "like", "!~=": "not like",
}  # fmt: skip


HASHED = frozenset({CreateAccount, CreateUser, LogInByAccount, LogInByUser, UpdateAccount, UpdateUser})
"""Messages whose password is typed in clear, and sent as its SHA-512.

The stars that hide one in a log are sent as they are, so that they are refused and hashed nowhere."""


PROGRAM = "zstui"
FOR_TARGET = frozenset({"--data", "--connect", "--certificate"})
"""Options of the program that say which appliance is meant, each with a value."""


@dataclass(frozen=True)
class Command:
    """A call as it was typed: the message and its wire fields."""

    kind: type[Message]
    fields: dict[str, Any]


def read_words(words: list[str]) -> Command:
    """The call that words make. Raises UsageError, and NotBuilt for a message that ZStack has and we have not."""
    if not words:
        raise UsageError("name a message, for example: QueryVmInstance state=Running; `zstui api` lists all")
    try:
        _, kind = message_named(words[0])
    except UnknownMessage as error:
        raise UsageError(error.details) from None
    if kind is None:
        raise UsageError(f"{words[0]} is not built here; `zstui api` lists what is")
    fields: dict[str, Any] = {}
    for word in words[1:]:
        _take(kind, word, fields)
    if kind in HASHED and fields.get("password", STARS) != STARS:
        fields["password"] = hash_password(fields["password"])
    return Command(kind, fields)


def without_program(words: list[str], target: Path | str) -> list[str]:
    """The words of a call that may begin with a prompt, and as on the command line with `zstui … call`.

    Raises UsageError when they are for another appliance than the one at `target`, a socket or URL.
    """
    if words[:1] == [">>>"]:
        words = words[1:]
    if not words or PurePath(words[0]).name != PROGRAM:
        return words
    rest = list(words[1:])
    while rest and rest[0].startswith("--"):
        option, equals, value = rest.pop(0).partition("=")
        if option in FOR_TARGET and not equals:
            value = rest.pop(0) if rest else ""
        elsewhere = (option == "--connect" and value.rstrip("/") != str(target).rstrip("/")) or (
            option == "--data" and Path(value).absolute() / SOCKET != target
        )
        if elsewhere:
            raise UsageError(f"the line is for {value}, but calls go to {target} here; leave {option} out")
    if rest[:1] != ["call"]:
        raise UsageError(f"only calls are carried out here, as in {PROGRAM} call QueryVmInstance")
    return rest[1:]


def read_condition(word: str) -> dict[str, str]:
    """The condition that a word such as `name~=web` makes. Raises UsageError."""
    parts = WORD.fullmatch(word)
    if parts is None:
        raise UsageError(f"{word!r} is no condition; write field=value, with = != > < >= <= ?= !?= ~= or !~=")
    return _condition(*parts.groups())


def _take(kind: type[Message], word: str, fields: dict[str, Any]) -> None:
    parts = WORD.fullmatch(word)
    if parts is None:
        raise UsageError(f"{word!r} is no parameter; write name=value")
    name, op, value = parts.groups()
    parameter = kind.parameter_named(name)
    if parameter is not None and op == "=":
        _put(kind, parameter, value, fields)
    elif issubclass(kind, QueryMessage):
        fields.setdefault("conditions", []).append(_condition(name, op, value))
    elif parameter is not None:
        raise UsageError(f"{word!r}: only queries compare with {op}; write {name}=value")
    else:
        known = ", ".join(each.wire for each in kind.parameters.values())
        raise UsageError(f"{kind.__name__} has no parameter {name}; it has {known}")


def _put(kind: type[Message], parameter: Parameter, text: str, fields: dict[str, Any]) -> None:
    value = _value(kind, parameter, text)
    if isinstance(value, list):
        fields.setdefault(parameter.wire, []).extend(value)
    elif parameter.wire in fields:
        raise UsageError(f"{parameter.wire} is given twice")
    else:
        fields[parameter.wire] = value


def _value(kind: type[Message], parameter: Parameter, text: str) -> Any:
    if parameter.kind == list[str] and text.lstrip().startswith(("[", "{")):
        return _literal(parameter, text)
    if parameter.name == "system_tags" and issubclass(kind, CreateMessage) and kind.returns is not None:
        return rejoin_tags(kind.returns.vo, text.split(","))
    if parameter.name in TAGS:
        return [text]
    if parameter.kind == list[str]:
        return split_list(text)
    if typing.get_origin(parameter.kind) in (list, dict):
        return _literal(parameter, text)
    return text


def _literal(parameter: Parameter, text: str) -> Any:
    """A structure, written as JSON or as ZStack's users write it, with single quotes."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise _misshapen(parameter, text) from None
    if not isinstance(value, typing.get_origin(parameter.kind)):
        raise _misshapen(parameter, text)
    return value


def _misshapen(parameter: Parameter, text: str) -> UsageError:
    shape = (
        'a list, as ["a", "b"]' if typing.get_origin(parameter.kind) is list else 'an object, as {"a": "b"}'
    )
    shown = str(hidden(text))[:200]
    return UsageError(f"field[{parameter.wire}] must be JSON of {shape}, but actual is {shown}")


def _condition(name: str, op: str, value: str) -> dict[str, str]:
    if value == "null" and op in ("=", "!="):
        return {"name": name, "op": "is null" if op == "=" else "is not null", "value": ""}
    if op in ("?=", "!?="):
        value = ",".join(item.strip() for item in value.split(","))
    elif op in ("~=", "!~=") and "%" not in value and "_" not in value:
        value = f"%{value}%"
    return {"name": name, "op": OPS[op], "value": value}
