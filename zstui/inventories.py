"""How inventories are kept: told apart by a key, and without second copies of what many hold."""

from __future__ import annotations

import sys
from typing import Any

from appliance.api.resource import RESOURCES

SHARED = ("uuid", "Uuid", "state", "status", "type", "Type", "format", "platform")
"""Ends of names of fields that have the same values in many rows."""


class _Fields(dict[str, tuple[str, bool]]):
    """A field's one name, and whether its values are shared: looked at once for each name."""

    def __missing__(self, wire: str) -> tuple[str, bool]:
        found = self[wire] = (sys.intern(wire), wire.endswith(SHARED))
        return found


FIELDS = _Fields()


def shared(data: dict[str, Any]) -> dict[str, Any]:
    """An inventory that holds no second copy of what others hold too: names of fields, uuids, states, types.

    Of ten thousand VMs that were each told once that is more than half of the memory. Python forgets what nobody holds.
    """
    made = {}
    for wire, value in data.items():
        name, alike = FIELDS[wire]
        kind = type(value)
        if kind is str:
            made[name] = sys.intern(value) if alike else value
        elif kind is dict:
            made[name] = shared(value)
        elif kind is list:
            made[name] = [shared(each) if type(each) is dict else each for each in value]
        else:
            made[name] = value
    return made


def is_nameless(kind: str) -> bool:
    """Whether rows of a kind are told apart by a key that only the appliance sees."""
    resource = RESOURCES[kind]
    return resource.columns[resource.primary].private


def key_of(kind: str, data: dict[str, Any]) -> str:
    """The key of an inventory, as the event stream names it; without a public one, what identifies it."""
    resource = RESOURCES[kind]
    key = data.get(resource.columns[resource.primary].wire)
    if key is not None:
        return str(key)
    unique = resource.unique_together[0] if resource.unique_together else ("category", "name")
    return ".".join(str(data.get(resource.columns[each].wire)) for each in unique)
