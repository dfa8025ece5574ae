"""Who may see a VM's console: tokens that open one connection each, kept nowhere but in memory."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.api.console import RequestConsoleAccess
    from appliance.resources.registry import Caller

TOKEN_SECONDS = 120.0
"""A browser that was sent there has connected by then."""


@dataclass(frozen=True)
class Address:
    """Where the appliance listens for browsers."""

    scheme: str
    hostname: str
    port: int


@dataclass(frozen=True)
class Ticket:
    """What a token is for: which console, and who asked for it."""

    request: RequestConsoleAccess
    caller: Caller


class ConsoleTokens:
    """The tokens given out. `address` is None while the appliance listens on no address."""

    def __init__(self) -> None:
        self.address: Address | None = None
        self._given: dict[str, tuple[Ticket, float]] = {}

    def give(self, ticket: Ticket) -> str:
        """A new token for one connection to a console."""
        now = time.monotonic()
        self._given = {token: given for token, given in self._given.items() if given[1] > now}
        token = secrets.token_urlsafe(32)
        self._given[token] = (ticket, now + TOKEN_SECONDS)
        return token

    def take(self, token: str) -> Ticket | None:
        """What a token is for, which is used up with that; None for one that is unknown, used or too old."""
        ticket, until = self._given.pop(token, (None, 0.0))
        return ticket if time.monotonic() < until else None
