"""What makes a resource takes the uuid and the tags that its caller gives, whoever carries it out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import appliance.resources.every  # noqa: F401 - declares everything
from appliance.api.message import MESSAGES, CreateMessage
from appliance.resources.creating import check_uuid
from appliance.resources.registry import HANDLERS, LIVE_HANDLERS
from appliance.resources.tags_of import put_tags, tags_to_be

CREATING = sorted(name for name, message in MESSAGES.items() if issubclass(message, CreateMessage))


def reached(function: Callable[..., Any], known: set[Any] | None = None) -> Iterator[Any]:
    """A function of the appliance and every other that it, or what is inside it, names."""
    known = set() if known is None else known
    inner = inspect.unwrap(function)
    if inner in known or not getattr(inner, "__module__", "").startswith("appliance."):
        return
    known.add(inner)
    yield inner
    codes = [inner.__code__] if inspect.isfunction(inner) else []
    for code in codes:
        codes += [const for const in code.co_consts if inspect.iscode(const)]
        for name in code.co_names:
            found = inner.__globals__.get(name)
            if inspect.isfunction(found):
                yield from reached(found, known)


@pytest.mark.parametrize("name", CREATING)
def test_what_makes_a_resource_gives_it_its_callers_uuid_and_tags(name: str) -> None:
    message = MESSAGES[name]
    handler = HANDLERS.get(message) or LIVE_HANDLERS[message]
    used = set(reached(handler))
    assert check_uuid in used, f"{name} drops resourceUuid"
    assert {put_tags, tags_to_be} & used, f"{name} drops userTags and systemTags"


def test_the_law_sees_who_does_not() -> None:
    used = set(reached(HANDLERS[MESSAGES["UpdateVolumeSnapshot"]]))
    assert not {check_uuid, put_tags, tags_to_be} & used
