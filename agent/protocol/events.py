"""What an agent says unasked. Events are hints: a full scan repairs a lost one."""

from __future__ import annotations

from agent.protocol.values import DomainSeen, HostSeen, Struct, UserdataFetch


class Event(Struct, tag_field="event", frozen=True):
    """Base of what the agent says unasked. Events are hints: a full scan repairs a lost one."""


class DomainChanged(Event, tag=True, frozen=True):
    """A domain changed its power state or vanished."""

    seen: DomainSeen


class UserdataFetched(Event, tag=True, frozen=True):
    """A guest asked the metadata server for something."""

    fetch: UserdataFetch


class HypervisorLost(Event, tag=True, frozen=True):
    """The connection to libvirt broke; a `HypervisorBack` with a fresh scan follows."""

    reason: str


class HypervisorBack(Event, tag=True, frozen=True):
    """The connection to libvirt is back: everything as it is now, and which libvirt it is."""

    seen: HostSeen
    libvirt_version: str = ""


AnyEvent = DomainChanged | UserdataFetched | HypervisorLost | HypervisorBack
