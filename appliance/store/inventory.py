"""A resource as ZStack's clients see it: camel case, no nulls, nothing private, dates in words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from appliance.api.resource import RESOURCES, Embed, Resource, Timestamp, snake
from appliance.api.shape import shape_of

if TYPE_CHECKING:
    from appliance.store.snapshot import Snapshot

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def wire_date(seconds: float) -> str:
    """Seconds since 1970 as ZStack prints them, in the server's time zone: `Jan 30, 2016 3:01:03 PM`."""
    year, month, day, hour, minute, second, *_ = time.localtime(seconds)
    half = "PM" if hour >= 12 else "AM"
    return f"{_MONTHS[month - 1]} {day}, {year} {hour % 12 or 12}:{minute:02}:{second:02} {half}"


@lru_cache(maxsize=1_000)
def _public(name: str, type_: str | None) -> tuple[tuple[str, str, bool], ...]:
    """Name, wire name, and whether it is a date, of each public column of the rows of a type."""
    shape = shape_of(RESOURCES[name], type_)
    return tuple((column.name, column.wire, column.kind is Timestamp) for column in shape.columns.values())


def _own(resource: Resource, fields: frozenset[str]) -> dict[str, Any]:
    values = resource.__dict__
    wire: dict[str, Any] = {}
    type_ = values[resource.typed_by] if resource.children else None
    for name, wire_name, is_date in _public(resource.name_, type_):
        value = values[name]
        if value is not None and (not fields or wire_name in fields):
            wire[wire_name] = wire_date(value) if is_date else value
    return wire


def inventories(
    snapshot: Snapshot, resources: Iterable[Resource], fields: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The inventories of a page. Each embedded list is one query for the page, however long that is.

    With `fields` (ZStack's names), only those of each, embedded lists included only when named.
    """
    page = list(resources)
    wanted = frozenset(fields)
    wires = [_own(resource, wanted) for resource in page]
    for kind in dict.fromkeys(type(resource) for resource in page):
        embeds = [embed for embed in kind.embeds if not wanted or embed.wire in wanted]
        if not embeds:
            continue
        places = [place for place, resource in enumerate(page) if type(resource) is kind]
        for embed in embeds:
            lists = _embedded(snapshot, embed, [page[place].key_value for place in places])
            for place in places:
                wires[place][embed.wire] = lists.get(page[place].key_value, [])
    return wires


def _embedded(snapshot: Snapshot, embed: Embed, keys: Sequence[Any]) -> dict[Any, list[Any]]:
    """The embedded list of each owner that has something in it, in the order in which that was made."""
    owners: dict[str, Any] = {embed.by: keys if len(keys) > 1 else keys[0]}
    children = snapshot.all(RESOURCES[embed.resource], order_by="rowid", **owners)
    shown: list[Any]
    if embed.pluck:
        column = snake(embed.pluck)
        shown = [getattr(child, column) for child in children]
    else:
        shown = inventories(snapshot, children)
    lists: dict[Any, list[Any]] = {}
    for child, each in zip(children, shown, strict=True):
        lists.setdefault(getattr(child, embed.by), []).append(each)
    return lists
