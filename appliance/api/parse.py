"""From what a caller sent to a message, and back: ZStack's coercions, checks and texts."""

from __future__ import annotations

from typing import Any

from appliance.api.errors import InvalidArgument, UnknownMessage
from appliance.api.message import BY_JAVA, MESSAGES, Message
from appliance.api.resource import camel, snake


def message_named(name: str) -> tuple[str, type[Message] | None]:
    """The Java class of a message given by short name or Java class, and its declaration if there is one.

    Raises UnknownMessage for a short name that nothing declares.
    """
    if "." in name:
        return name, BY_JAVA.get(name)
    found = MESSAGES.get(name)
    if found is None:
        raise UnknownMessage(f"no message is called {name}; `zstui api` lists those that are")
    return found.java, found


def wire_fields(kind: type[Message] | None, parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters under their wire names; those that are None are left out. Either spelling will do.

    Raises InvalidArgument for a name that the message does not have.
    """
    fields = {}
    for name, value in parameters.items():
        wire = camel(name)
        if kind is not None and snake(wire) not in kind.parameters:
            known = ", ".join(each.wire for each in kind.parameters.values())
            raise InvalidArgument(f"{kind.__name__} has no parameter {wire}; it has {known}")
        if value is not None:
            fields[wire] = value
    return fields
