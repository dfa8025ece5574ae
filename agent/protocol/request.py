"""What every request has: a tag that names it, and the type of its reply."""

from __future__ import annotations

from typing import ClassVar

from agent.protocol.values import Done, Struct

PROTOCOL = 1
"""Version of this wire. Appliance and agent work together when they differ by at most one."""


class Request(Struct, tag_field="verb", frozen=True):
    """Base of everything the appliance may ask. `reply` is the type of the answer."""

    reply: ClassVar[type[Struct]] = Done
