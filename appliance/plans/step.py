"""What a plan is made of."""

from __future__ import annotations

from dataclasses import dataclass

from agent.protocol import AnyRequest


@dataclass(frozen=True)
class Ask:
    """Ask the resource's host for something; repeating it is harmless."""

    title: str
    request: AnyRequest
    seconds: float = 60.0
    """How long an answer may take."""


@dataclass(frozen=True)
class CopyImage:
    """Bring an image from its backup storage to the host's cache."""

    title: str
    image_uuid: str
    cache_path: str


@dataclass(frozen=True)
class Wait:
    """Nothing to do until something happens or the time comes (seconds since 1970)."""

    title: str
    until: float


Step = Ask | CopyImage | Wait
