"""Which function answers which message: the table that every face's one path ends in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from appliance.api.job import LongJob
from appliance.api.message import Message, Role
from appliance.api.resource import Resource
from appliance.plans.figures import Reading
from appliance.resources.console_tokens import ConsoleTokens

if TYPE_CHECKING:
    from appliance.hosts.fleet import Fleet
    from appliance.store.database import Database
    from appliance.store.snapshot import Snapshot
    from appliance.store.transaction import Transaction


@dataclass(frozen=True)
class Caller:
    """Who asks: the account and its role, the session if there is one, and where from."""

    account_uuid: str
    role: Role
    session_digest: str | None
    source: str
    call_id: str | None = None
    """The id the caller gave its call: the job's uuid, so that a repeated call finds the first answer."""
    user_uuid: str | None = None
    """The user of the account, when it is a user who asks."""
    is_admin: bool = False
    """Whether the account is a SystemAdmin: it owns what nobody else does, and may do everything."""
    token_uuid: str | None = None
    """The access token that the call came with, when it was no session."""
    scope: tuple[str, ...] = ()
    """The messages that the token may send, by name or pattern; all when empty."""


@dataclass(frozen=True)
class Promise:
    """A handler's word that a job, inserted in its transaction, will end."""

    job: LongJob


class FigureValues(Protocol):
    """Where figures over time are had from."""

    async def values(self, key: str, metric: int, start: float, end: float) -> list[Reading]:
        """A figure of one resource, oldest first."""


@dataclass(frozen=True)
class Live:
    """What a message that must ask a host gets to work with."""

    database: Database
    fleet: Fleet
    consoles: ConsoleTokens = field(default_factory=ConsoleTokens)
    figures: FigureValues | None = None


M = TypeVar("M", bound=Message)
Outcome = Resource | dict[str, Any] | Promise | None
Handler = Callable[["Transaction", Any, Caller], Outcome]
Reader = Callable[["Snapshot", Any, Caller], dict[str, Any]]
LiveHandler = Callable[[Live, Any, Caller], Awaitable[dict[str, Any] | Promise]]

HANDLERS: dict[type[Message], Handler] = {}
"""Messages that change something; the function runs inside one transaction."""

READERS: dict[type[Message], Reader] = {}
"""Messages answered from a snapshot of the store."""

LIVE_HANDLERS: dict[type[Message], LiveHandler] = {}
"""Messages whose answer only a host knows."""


def handles(message: type[M]) -> Callable[[Callable[[Transaction, M, Caller], Outcome]], Handler]:
    """Register the function that carries out a message inside one transaction."""

    def register(function: Callable[[Transaction, M, Caller], Outcome]) -> Handler:
        HANDLERS[_once(message)] = function
        return function

    return register


def reads(message: type[M]) -> Callable[[Callable[[Snapshot, M, Caller], dict[str, Any]]], Reader]:
    """Register the function that answers a message from a snapshot."""

    def register(function: Callable[[Snapshot, M, Caller], dict[str, Any]]) -> Reader:
        READERS[_once(message)] = function
        return function

    return register


def asks_host(
    message: type[M],
) -> Callable[[Callable[[Live, M, Caller], Awaitable[Any]]], LiveHandler]:
    """Register the function that answers a message by asking a host, at once or with a promise."""

    def register(function: Callable[[Live, M, Caller], Awaitable[Any]]) -> LiveHandler:
        LIVE_HANDLERS[_once(message)] = function
        return function

    return register


def becomes_job(message: type[Message]) -> bool:
    """Whether a call may be answered with a job, as its handler says of what it returns."""
    handler = HANDLERS.get(message) or LIVE_HANDLERS.get(message)
    return handler is not None and Promise.__name__ in str(handler.__annotations__["return"])


def _once(message: type[Message]) -> type[Message]:
    if message in HANDLERS or message in READERS or message in LIVE_HANDLERS:
        raise TypeError(f"{message.__name__} is answered twice")
    return message
