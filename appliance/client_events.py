"""What an appliance's event stream says, read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp


@dataclass(frozen=True)
class Push:
    """One thing that the event stream says.

    `ready`: the stream stands, read now. `change`: a resource was written or deleted. `overflow`: changes
    were left out, read again. `lost`: the stream broke, what you hold may be stale. `reconnected`: it stands
    again, read again. `beat`: there is nothing new. `figures`: how busy things are, by uuid: percent of CPU
    and of memory, oldest first; those not named are as they were, or when it is `whole`, not known.
    """

    kind: Literal["ready", "change", "overflow", "lost", "reconnected", "beat", "figures"]
    resource: str = ""
    uuid: str = ""
    op: Literal["", "upsert", "delete"] = ""
    inventory: dict[str, Any] = field(default_factory=dict)


async def blocks(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The blocks of an event stream, as they come."""
    buffer = b""
    async for chunk in content.iter_any():
        *whole, buffer = (buffer + chunk).split(b"\n\n")
        for block in whole:
            yield block


def push_of(block: bytes) -> Push | None:
    """What a block says, if it says anything."""
    if block.startswith(b":"):
        return Push("beat")
    kind, data = "", ""
    for line in block.decode("utf-8").split("\n"):
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            data += value
    if kind == "ready":
        return Push("ready")
    if kind == "overflow":
        return Push("overflow")
    if kind == "figures":
        return Push("figures", inventory=json.loads(data))
    if kind != "change":
        return None
    change = json.loads(data)
    return Push("change", change["resource"], change["uuid"], change["op"], change.get("inventory", {}))
