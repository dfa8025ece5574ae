"""What every connected host must have: its storage folders and the bridges of its cluster."""

from __future__ import annotations

from dataclasses import dataclass

from agent.protocol import EnsureBridge, EnsureStorage, HostSeen, digest
from appliance.plans.step import Ask, Step


@dataclass(frozen=True)
class HostIntent:
    """What a host's cluster gives it."""

    storages: tuple[EnsureStorage, ...]
    bridges: tuple[EnsureBridge, ...]


def plan(intent: HostIntent, seen: HostSeen) -> list[Step]:
    """The steps left to make the host as its cluster wants it."""
    steps: list[Step] = [
        Ask("make storage folder", storage)
        for storage in intent.storages
        if storage.storage_uuid not in seen.storage
    ]
    steps += [
        Ask("make bridge", bridge)
        for bridge in intent.bridges
        if seen.bridges.get(bridge.l2_uuid) != digest(bridge)
    ]
    return steps
