"""From what a caller sent to a message, and back: ZStack's coercions, checks and texts."""

from __future__ import annotations

import json
import re
import typing
import unicodedata
from typing import Any, TypeVar

from appliance.api.body import SHOWN, check_sound, loads
from appliance.api.errors import InvalidArgument, UnknownMessage
from appliance.api.message import BY_JAVA, MESSAGES, CreateMessage, Message, Parameter
from appliance.api.quoting import quote
from appliance.api.redaction import STARS, hidden, unhidden
from appliance.api.resource import camel
from appliance.api.size import wanted_number
from appliance.api.tag import is_tag, pattern_of
from appliance.api.zstack_names import not_built, zstack_messages

LONG = (-(1 << 63), (1 << 63) - 1)
UUID = re.compile(r"[0-9a-f]{12}[1-5][0-9a-f]{3}[89ab][0-9a-f]{15}")
BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
NO_NAME = re.compile(r"[\"'`<>&/\\]|\.\.")
"""What markup, shells and paths are made of. Nothing here is led astray by it; what names are copied to may be."""

TAGS = frozenset({"user_tags", "system_tags"})
TAG_WIRES = frozenset(map(camel, TAGS))
SIGNS = {
    "in": ("?=", None), "not in": ("!?=", None), "like": ("~=", None), "not like": ("!~=", None),
    "is null": ("=", "null"), "is not null": ("!=", "null"),
}  # fmt: skip
"""How operators that are words are typed, and with which value if that is always the same."""

M = TypeVar("M", bound=Message)


def message_named(name: str) -> tuple[str, type[Message] | None]:
    """The Java class of a message given by short name or Java class, and its declaration if there is one.

    Raises UnknownMessage for a short name that nothing declares, NotBuilt if it is one of ZStack's.
    """
    if "." in name:
        return name, BY_JAVA.get(name)
    found = MESSAGES.get(name)
    if found is None:
        for java in zstack_messages():
            if java.endswith(f".API{name}Msg"):
                raise not_built(java)
        raise UnknownMessage(f"no message is called {name}; `zstui api` lists those that are")
    return found.java, found


def wire_fields(kind: type[Message] | None, parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters under their wire names; those that are None are left out. Either spelling will do.

    Raises InvalidArgument for a name that the message does not have.
    """
    fields = {}
    for name, value in parameters.items():
        wire = camel(name)
        if kind is not None and kind.parameter_named(wire) is None:
            known = ", ".join(each.wire for each in kind.parameters.values())
            raise InvalidArgument(f"{kind.__name__} has no parameter {wire}; it has {known}")
        if value is not None:
            fields[wire] = value
    return fields


def equality(name: str, value: Any) -> dict[str, str]:
    """The query condition that a field has a value, or with a list one of these, or with None no value."""
    wire = name if name.startswith("__") else camel(name)
    if value is None:
        return {"name": wire, "op": "is null", "value": ""}
    several = isinstance(value, (list, tuple, set, frozenset))
    return {"name": wire, "op": "in" if several else "=", "value": condition_text(value)}


def condition_text(value: Any) -> str:
    """A condition's value as the wire wants it: text, with commas between the items of a list."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(condition_text(each) for each in value)
    return "" if value is None else _scalar_text(value)


def parse(kind: type[M], fields: dict[str, Any]) -> M:
    """The message that wire fields make; unknown fields are ignored, null is absent.

    Raises InvalidArgument with ZStack's texts, for the first parameter that is wrong. Whether referenced
    resources exist is not looked at.
    """
    check_sound(fields)
    values: dict[str, Any] = {}
    for parameter in kind.parameters.values():
        value = _read(kind, parameter, fields)
        if value is not None:
            values[parameter.name] = unhidden(value, parameter.wire, secret=parameter.secret)
    if issubclass(kind, CreateMessage):
        _check_create(kind, values)
    return kind(**values)


def _read(kind: type[Message], parameter: Parameter, fields: dict[str, Any]) -> Any:
    given = parameter.given(fields)
    value = None if given is None else _coerce(parameter.kind, given, parameter, kind)
    _check(value, parameter, kind)
    return value


def rejoin_tags(vo: str, tags: list[str]) -> list[str]:
    """System tags that a client has cut at commas, whole again.

    A piece that is no tag belongs to the piece before it, if the two together are one that may hold commas.
    """
    whole: list[str] = []
    for piece in tags:
        together = pattern_of(vo, f"{whole[-1]},{piece}") if whole and not is_tag(vo, piece) else None
        if together is not None and together[0].commas:
            whole[-1] = f"{whole[-1]},{piece}"
        else:
            whole.append(piece)
    return whole


def split_list(text: str) -> list[str]:
    r"""The items of a list written as one string: commas part them, `\,` is a comma."""
    items = (item.strip().replace("\\,", ",") for item in re.split(r"(?<!\\),", text))
    return [item for item in items if item]


def unparse(message: Message, *, secrets: bool = True) -> dict[str, Any]:
    """The wire fields that `parse` makes the message from; what is as by default is left out.

    Without `secrets`, each is starred: fit for logs and for the job's row.
    """
    return _written(type(message), vars(message), secrets=secrets)


def _written(kind: type[Message], values: dict[str, Any], *, secrets: bool) -> dict[str, Any]:
    fields = {}
    for parameter in kind.parameters.values():
        value = values.get(parameter.name)
        if value is None or (not parameter.required and value == _default(parameter)):
            continue
        if not secrets:
            value = STARS if parameter.secret else hidden(value)
        fields[parameter.wire] = value
    return fields


def command_line(message: Message, *, whole: bool = False) -> str:
    """A message as it could have been typed, on one line; secrets are starred, and long values cut unless `whole`."""
    return _line(type(message), unparse(message, secrets=False), whole)


def begun_line(kind: type[Message], fields: dict[str, Any]) -> str:
    """The command line of a call that may be wrong: a value is as it was given then, what is missing left out."""
    values, wrong = {}, {}
    for parameter in kind.parameters.values():
        given = fields.get(parameter.wire)
        try:
            check_sound(given)
            values[parameter.name] = _read(kind, parameter, fields)
        except InvalidArgument:
            if isinstance(given, (str, int, float)) and not parameter.secret:
                wrong[parameter.wire] = hidden(given)
    return _line(kind, _written(kind, values, secrets=False) | wrong, whole=True)


def _line(kind: type[Message], fields: dict[str, Any], whole: bool) -> str:
    words = [kind.__name__]
    for name, value in fields.items():
        if name == "conditions":
            words += [_condition_word(each, whole) for each in value]
        else:
            words.append(_word(f"{name}=", value, whole))
    return " ".join(words)


def _coerce(kind: Any, value: Any, parameter: Parameter, message: type[Message]) -> Any:
    origin = typing.get_origin(kind)
    if kind is Any:
        return value
    if origin is list:
        (inner,) = typing.get_args(kind)
        return [_coerce(inner, each, parameter, message) for each in _list(value, parameter, message)]
    if origin is dict:
        _, inner = typing.get_args(kind)
        found = _unjson(value) if isinstance(value, str) else value
        if not isinstance(found, dict):
            raise _wrong("an object", value, parameter, message)
        return {key: _coerce(inner, each, parameter, message) for key, each in found.items()}
    if isinstance(value, (list, dict)) or value is None:
        raise _wrong("a single value", value, parameter, message)
    if kind is bool:
        return _bool(value, parameter, message)
    return _int(value, parameter, message) if kind is int else _scalar_text(value)


def _list(value: Any, parameter: Parameter, message: type[Message]) -> list[Any]:
    if isinstance(value, list):
        return value
    if not isinstance(value, str):
        raise _wrong("a list", value, parameter, message)
    if value.lstrip().startswith("["):
        found = _unjson(value)
        if isinstance(found, list):
            return found
    if parameter.kind != list[str]:
        raise _wrong("a list", value, parameter, message)
    return [value] if parameter.name in TAGS else split_list(value)


def _unjson(text: str) -> Any:
    try:
        value = loads(text)
        check_sound(value)
    except (ValueError, RecursionError):
        return None
    return value


def _bool(value: Any, parameter: Parameter, message: type[Message]) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _wrong("true or false", value, parameter, message)


def _int(value: Any, parameter: Parameter, message: type[Message]) -> int:
    digits = isinstance(value, str) and re.fullmatch(rf"[+-]?[0-9]{{1,{SHOWN}}}", value.strip())
    if digits or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(wanted_number(parameter.name, value), value, parameter, message)
    _check_range(value, parameter)
    return value


def _check_range(value: int, parameter: Parameter) -> None:
    low = LONG[0] if parameter.minimum is None else parameter.minimum
    high = LONG[1] if parameter.maximum is None else parameter.maximum
    if not low <= value <= high:
        raise InvalidArgument(f"field[{parameter.wire}] must be in range of [{low}, {high}]")


def _scalar_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _wrong(wanted: str, value: Any, parameter: Parameter, message: type[Message]) -> InvalidArgument:
    shown = STARS if parameter.secret else _scalar_text(hidden(value))[:SHOWN]
    return InvalidArgument(
        f"field[{parameter.wire}] of message[{message.java}] must be {wanted}, but actual is {shown}"
    )


def _check(value: Any, parameter: Parameter, message: type[Message]) -> None:
    """One parameter's checks, in ZStack's order."""
    if value is None:
        if parameter.required:
            raise InvalidArgument(
                f"field[{parameter.wire}] of message[{message.java}] is mandatory, can not be null"
            )
        return
    if parameter.choices and value not in parameter.choices:
        raise InvalidArgument(
            f"valid value for field[{parameter.wire}] of message[{message.java}] are "
            f"[{', '.join(parameter.choices)}], but actual is {str(value)[:SHOWN]}"
        )
    if isinstance(value, str):
        _check_text(value, parameter, message)
    elif isinstance(value, (list, dict)) and not value and (parameter.required or parameter.nonempty):
        raise InvalidArgument(f"field[{parameter.wire}] must be a nonempty list")


UNSEEN = ("Zs", "Cf")
"""Categories of characters that leave nothing to be seen: blanks and what only forms others."""


def _check_text(value: str, parameter: Parameter, message: type[Message]) -> None:
    if parameter.max_length is not None and len(value) > parameter.max_length:
        raise InvalidArgument(
            f"field[{parameter.wire}] of message[{message.java}] exceeds max length of string. "
            f"expected was <= {parameter.max_length}, actual was {len(value)}"
        )
    if not value and not parameter.empty_allowed:
        raise InvalidArgument(f"field[{parameter.wire}] cannot be an empty string")
    if parameter.name == "name" or parameter.name.endswith("_name"):
        for each in value:
            if unicodedata.category(each) in ("Cc", "Zl", "Zp") or each in BIDI:
                raise InvalidArgument(
                    f"field[{parameter.wire}] holds the control character U+{ord(each):04X} in {value[:SHOWN]!r}; "
                    f"leave it out"
                )
    if parameter.name == "name" and value and all(unicodedata.category(each) in UNSEEN for each in value):
        raise InvalidArgument(
            f"field[name] holds nothing but blanks: {value[:SHOWN]!r}; give it a name to be seen"
        )
    if parameter.name == "name" and (found := NO_NAME.search(value)):
        raise InvalidArgument(
            f"field[name] holds {found[0]!r} in [{value[:SHOWN]}]; a name has no quotes, no < > &, no / or \\ and no .."
        )


def _check_create(kind: type[CreateMessage], values: dict[str, Any]) -> None:
    given = values.get("resource_uuid")
    if given is not None and not UUID.fullmatch(given):
        raise InvalidArgument(
            f"field[resourceUuid] of message[{kind.java}] is {given[:SHOWN]}, which is no uuid: it must be "
            f"a version 1 to 5 uuid in lower case without dashes"
        )
    if kind.returns is not None and values.get("system_tags"):
        values["system_tags"] = rejoin_tags(kind.returns.vo, values["system_tags"])


def _default(parameter: Parameter) -> Any:
    if parameter.default is None and typing.get_origin(parameter.kind) in (list, dict):
        return typing.get_origin(parameter.kind)()
    return parameter.default


def _condition_word(condition: dict[str, Any], whole: bool) -> str:
    name, op = (str(condition.get(each)) for each in ("name", "op"))
    sign, value = SIGNS.get(op, (op, None))
    start = f"{name}{sign}"
    value = condition.get("value", "") if value is None else value
    return _word(start if start.isprintable() else quote(start), value, whole)


def _word(before: str, value: Any, whole: bool) -> str:
    tags = before.removesuffix("=") in TAG_WIRES
    if isinstance(value, list) and all(map(_lone, value)) and (len(value) == 1 or not tags):
        value = ",".join(value)
    elif isinstance(value, (list, dict)):
        value = json.dumps(value, ensure_ascii=False)
    text = _scalar_text(value)
    return before + quote(text if whole or len(text) <= SHOWN else text[:SHOWN] + "…")


def _lone(item: Any) -> bool:
    """Whether an item that stands alone is not read as a list of some."""
    return isinstance(item, str) and "," not in item and not item.lstrip().startswith(("[", "{"))
