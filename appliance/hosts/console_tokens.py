"""Who may see a VM's console: tokens that open one connection each, kept nowhere but in memory."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

TOKEN_SECONDS = 120.0
"""A browser that was sent there has connected by then."""


@dataclass(frozen=True)
class Address:
    """Where the appliance listens for browsers."""

    scheme: str
    hostname: str
    port: int


class ConsoleTokens:
    """The tokens given out. `address` is None while the appliance listens on no address."""

    def __init__(self) -> None:
        self.address: Address | None = None
        self._given: dict[str, tuple[str, float]] = {}

    def give(self, vm_uuid: str) -> str:
        """A new token for one connection to a VM's console."""
        now = time.monotonic()
        self._given = {token: given for token, given in self._given.items() if given[1] > now}
        token = secrets.token_urlsafe(32)
        self._given[token] = (vm_uuid, now + TOKEN_SECONDS)
        return token

    def take(self, token: str) -> str | None:
        """The VM of a token, which is used up with that; None for one that is unknown, used or too old."""
        vm_uuid, until = self._given.pop(token, ("", 0.0))
        return vm_uuid if time.monotonic() < until else None
