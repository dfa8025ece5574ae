"""Which kinds the uuids in a row's fields are of, as the fields' names say it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from appliance.api.message import MESSAGES, QueryMessage
from appliance.api.resource import RESOURCES

if TYPE_CHECKING:
    from zstui.mirror import Row

WORD = re.compile(r"[A-Z0-9][a-z0-9]*")


@cache
def kind_meant(wire: str) -> str:
    """The kind that `lastHostUuid` means, which is `Host`; empty where a name says none that can be read."""
    words = WORD.findall(wire[:1].upper() + wire.removesuffix("Uuid")[1:]) if wire.endswith("Uuid") else []
    found = ("".join(words[place:]) for place in range(len(words)))
    return next((kind for kind in found if kind in _readable()), "")


@cache
def kind_asked(message: str) -> str:
    """The kind that a message is about: what it names first, else what it makes; empty for what is none."""
    kind = MESSAGES.get(message)
    if kind is None:
        return ""
    parameters = sorted(kind.parameters.values(), key=lambda each: each.name != "uuid")
    if "uuid" in kind.parameters and parameters[0].ref is None:
        return max((each for each in RESOURCES if message.endswith(each)), key=len, default="")
    found = next((each.ref for each in parameters if each.ref is not None), kind.returns)
    return found.__name__ if found is not None else ""


def kind_told(row: Row) -> str:
    """The kind of what a tag or an entry of the audit log is on, where it can be read; empty for all else."""
    found = (
        kind_asked(row.text("message"))
        if row.kind == "AuditEntry"
        else row.text("resourceType").removesuffix("VO")
    )
    return found if found in _readable() else ""


@cache
def _readable() -> frozenset[str]:
    return frozenset(each.resource.__name__ for each in MESSAGES.values() if issubclass(each, QueryMessage))


def kinds_declared(kind: str) -> tuple[str, ...]:
    """The kinds that a resource refers to by its declaration."""
    columns = (column for column in RESOURCES[kind].columns.values() if not column.private)
    meant = (kind_meant(column.wire) for column in columns)
    return tuple(dict.fromkeys(each for each in meant if each not in ("", kind)))


def kinds_within(data: Any) -> Iterator[str]:
    """The kinds that a row refers to, also from what is nested in it."""
    if isinstance(data, dict):
        for wire, value in data.items():
            if value and isinstance(value, str) and (meant := kind_meant(wire)):
                yield meant
            yield from kinds_within(value)
    elif isinstance(data, list):
        for each in data:
            yield from kinds_within(each)
