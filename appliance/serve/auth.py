"""Who calls: accounts, users, passwords and sessions."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import math
import secrets
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.api.account import (
    ADMIN_UUID,
    Account,
    CreateAccount,
    LogInByAccount,
    LogInByUser,
    Session,
    UpdateAccount,
    hash_password,
)
from appliance.api.counting import counted
from appliance.api.errors import InvalidArgument, NoSession, OperationFailed, WrongPassword
from appliance.api.message import ROLES, Message, Role
from appliance.api.resource import Timestamp
from appliance.api.token import PREFIX, AccessToken
from appliance.api.user import CreateUser, UpdateUser, User
from appliance.resources.registry import Caller
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

FAILURES = 10
"""Wrong passwords an account may be tried with in FAILURE_SECONDS before it must wait."""

SOURCE_FAILURES = 30
"""Wrong passwords that may come from one address in that time: there may be several people behind it."""

FAILURE_SECONDS = 60.0
HASHES_AT_ONCE = 2
REMEMBERED = 10_000
WRONG = "wrong account name or password"
WRONG_USER = "wrong account, user name or password"

SEALED = (CreateAccount, CreateUser, UpdateAccount, UpdateUser)
"""Messages with a password that is to be kept."""

NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$Dfew42zEO3iY/wwRMMhyCg$GKjhRUF73aB915sImL8STKbkeIejExxHWWjG/4ZzVsI"
"""What the password of a name that is nobody's is compared with: as dear as any, and it opens nothing."""

T = TypeVar("T")
P = TypeVar("P", Account, User)


def digest_of(session_uuid: str) -> str:
    """What is stored of a session: opens nothing."""
    return hashlib.sha256(session_uuid.encode("utf-8", "surrogatepass")).hexdigest()


async def ensure_admin(database: Database, password: str | None) -> str | None:
    """Make the first account unless it exists. Returns the password made up for it when none was given."""
    if await database.read(lambda snapshot: snapshot.find(Account, ADMIN_UUID)) is not None:
        return None
    chosen = password or secrets.token_urlsafe(12)
    hashed = await asyncio.to_thread(PasswordHasher().hash, hash_password(chosen))

    def write(tx: Transaction) -> bool:
        if tx.find(Account, ADMIN_UUID) is not None:
            return False
        tx.insert(
            Account(
                uuid=ADMIN_UUID,
                name="admin",
                type="SystemAdmin",
                role="admin",
                password_hash=hashed,
            )
        )
        return True

    made = await database.write(write)
    return chosen if made and password is None else None


@dataclass(frozen=True)
class Tried:
    """A login: who somebody says to be, and where from."""

    name: str
    source: str


class Window:
    """Counts failures by key, in a window that moves with the clock: so many may be, and then it must wait."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self.failures: dict[str, deque[float]] = {}

    def wait_seconds(self, key: str) -> int:
        """How long a key must wait; 0 when it need not."""
        failures = self._recent(key)
        if len(failures) < self._limit:
            return 0
        return math.ceil(failures[0] + FAILURE_SECONDS - self._clock())

    def failed(self, key: str) -> None:
        """Count a failure. Only so many keys are remembered."""
        if len(self.failures) >= REMEMBERED and key not in self.failures:
            for old in [each for each in self.failures if not self._recent(each)]:
                del self.failures[old]
            if len(self.failures) >= REMEMBERED:
                self.failures.pop(next(iter(self.failures)))
        self.failures.setdefault(key, deque(maxlen=self._limit)).append(self._clock())

    def _recent(self, key: str) -> deque[float]:
        failures = self.failures.get(key, deque())
        while failures and failures[0] <= self._clock() - FAILURE_SECONDS:
            failures.popleft()
        return failures


class Attempts:
    """Counts wrong passwords by the account that they are tried on, and by where they come from."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.accounts = Window(FAILURES, clock)
        self.sources = Window(SOURCE_FAILURES, clock)

    def check(self, name: str, source: str) -> None:
        """Raises WrongPassword when the account or the source must wait."""
        address = address_of(source)
        if address is not None and (wait := self.sources.wait_seconds(_neighbourhood(address))):
            raise WrongPassword(f"too many wrong passwords from {address}; try again in {wait} seconds")
        if wait := self.accounts.wait_seconds(name.casefold()):
            raise WrongPassword(
                f"too many wrong passwords for account[{name[:64]}]; try again in {wait} seconds"
            )

    def failed(self, name: str, source: str) -> None:
        """Count a wrong password. The appliance's own socket is nobody who guesses."""
        self.accounts.failed(name.casefold())
        address = address_of(source)
        if address is not None:
            self.sources.failed(_neighbourhood(address))


class Auth:
    """Logs accounts in and out, and knows which session is whose."""

    def __init__(
        self,
        database: Database,
        attempts: Attempts | None = None,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._database = database
        self._attempts = attempts or Attempts()
        self._hasher = hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(HASHES_AT_ONCE)

    async def log_in(self, message: LogInByAccount, source: str = "") -> dict[str, Any]:
        """Check name and password and open a session. Returns the reply's fields; raises WrongPassword."""
        name = message.account_name
        tried = Tried(name, source)
        account = await self._in_turn(
            tried,
            lambda: self._checked(lambda snapshot: _account(snapshot, name), tried, message.password, WRONG),
        )
        return await self._database.write(lambda tx: _open_session(tx, account, account, source))

    async def log_in_user(self, message: LogInByUser, source: str = "") -> dict[str, Any]:
        """Check account, name and password of a user and open a session. Raises WrongPassword."""
        if message.account_uuid is None and message.account_name is None:
            raise InvalidArgument(
                f"field[accountUuid] of message[{LogInByUser.java}] is mandatory, can not be null"
            )
        tried = Tried(f"{message.account_uuid or message.account_name}/{message.user_name}", source)
        user = await self._in_turn(
            tried,
            lambda: self._checked(
                lambda snapshot: _user(snapshot, message), tried, message.password, WRONG_USER
            ),
        )

        def open_it(tx: Transaction) -> dict[str, Any]:
            return _open_session(tx, tx.get(Account, user.account_uuid), user, source)

        return await self._database.write(open_it)

    async def sealed(self, message: Message) -> Message:
        """The message with its password as it is kept: argon2 of what the client sent."""
        if not isinstance(message, SEALED):
            return message
        async with self._slots:
            kept = await asyncio.to_thread(self._hasher.hash, message.password)
        return replace(message, password=kept)

    async def _in_turn(self, tried: Tried, check: Callable[[], Awaitable[T]]) -> T:
        """Check a password when it is its turn: few at once, since each takes a core for a while."""
        self._attempts.check(tried.name, tried.source)
        async with self._slots:
            return await check()

    async def log_out(self, session_uuid: str | None) -> None:
        """End a session; one that is unknown has ended already."""
        if session_uuid is None:
            return
        digest = digest_of(session_uuid)

        def end(tx: Transaction) -> None:
            session = tx.find(Session, digest)
            if session is not None:
                tx.delete(session)

        await self._database.write(end)

    async def caller(self, session_uuid: str, source: str) -> Caller:
        """Whose session or access token that is. Raises NoSession when it is unknown or expired."""
        if session_uuid.startswith(PREFIX):
            return await self._database.read(lambda snapshot: _token_caller(snapshot, session_uuid, source))
        digest = digest_of(session_uuid)
        return await self._database.read(lambda snapshot: _caller(snapshot, digest, source))

    async def renewed(self, caller: Caller) -> Caller:
        """Who a caller is by now. Raises NoSession when its session or token is no more."""

        def look(snapshot: Snapshot) -> Caller:
            if caller.token_uuid is not None:
                return _of_token(snapshot, snapshot.find(AccessToken, caller.token_uuid), caller.source)
            if caller.session_digest is not None:
                return _caller(snapshot, caller.session_digest, caller.source)
            return caller

        return await self._database.read(look)

    async def holds(self, session_uuid: str) -> bool:
        """Whether a session is known and not expired."""
        try:
            await self.caller(session_uuid, "")
        except NoSession:
            return False
        return True

    async def _checked(
        self, look: Callable[[Snapshot], P | None], tried: Tried, password: str, wrong: str
    ) -> P:
        """Who it is, if the password is its own. As slow for a name that is nobody's."""
        self._attempts.check(tried.name, tried.source)
        found = await self._database.read(look)
        stored = found.password_hash if found else NOBODY
        right = await asyncio.to_thread(self._verify, stored, password)
        if found is None or not right:
            self._attempts.failed(tried.name, tried.source)
            raise WrongPassword(wrong)
        return found

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def address_of(source: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of a source such as `192.0.2.1:4711`; None for the appliance's own socket."""
    try:
        return ipaddress.ip_address(source.rpartition(":")[0].partition("%")[0])
    except ValueError:
        return None


def place_of(source: str) -> str:
    """The address of a source; empty for the appliance's own machine."""
    address = address_of(source)
    return "" if address is None or address.is_loopback else str(address)


def _neighbourhood(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """All addresses that one machine can easily have: of IPv6 those of its network."""
    return str(ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False))


def trusted_caller(source: str = "socket") -> Caller:
    """Who calls over the appliance's own socket: whoever may open it is the admin."""
    return Caller(ADMIN_UUID, "admin", None, source, is_admin=True)


def caller_of(snapshot: Snapshot, account_uuid: str, *, source: str, digest: str | None = None,
              user_uuid: str | None = None, most: Role = "admin") -> Caller:  # fmt: skip
    """An account, or a user of it, as a caller that may do `most` at most. Raises NoSession when it is no more."""
    account = snapshot.find(Account, account_uuid)
    if account is None:
        raise NoSession("the session's account is no more")
    if user_uuid is not None and snapshot.find(User, user_uuid) is None:
        raise NoSession("the session's user is no more")
    own: Role = next((each for each in ROLES if each == account.role), "anyone")
    return Caller(
        account.uuid,
        min(own, most, key=ROLES.index),
        digest,
        source,
        user_uuid=user_uuid,
        is_admin=account.type == "SystemAdmin",
    )


def _caller(snapshot: Snapshot, digest: str, source: str) -> Caller:
    session = snapshot.find(Session, digest)
    if session is None or session.expired_date <= time.time():
        raise NoSession("Session expired")  # an unknown one is most likely one that was swept away
    place = place_of(source)
    if place and place != session.source and snapshot.flag("identity", "session.bindToAddress"):
        raise NoSession(
            f"the session was opened from {session.source or 'the appliance itself'}, and this is {place}; log in from "
            "here, or let sessions wander by identity.session.bindToAddress=false"
        )
    user_uuid = session.user_uuid if session.user_uuid != session.account_uuid else None
    return caller_of(snapshot, session.account_uuid, source=source, digest=digest, user_uuid=user_uuid)


def _token_caller(snapshot: Snapshot, token: str, source: str) -> Caller:
    return _of_token(snapshot, snapshot.first(AccessToken, digest=digest_of(token)), source)


def _of_token(snapshot: Snapshot, found: AccessToken | None, source: str) -> Caller:
    if found is None or found.expired_date <= time.time():
        raise NoSession(
            f"the access token[uuid:{found.uuid}] has expired; make another with CreateAccessToken"
            if found
            else "the access token is unknown; it may have been revoked"
        )
    most: Role = next((each for each in ROLES if each == found.role), "anyone")
    who = caller_of(snapshot, found.account_uuid, source=source, user_uuid=found.user_uuid, most=most)
    return replace(who, token_uuid=found.uuid, scope=tuple(found.scope))


def _account(snapshot: Snapshot, name: str) -> Account | None:
    return snapshot.first(Account, name=name)


def _user(snapshot: Snapshot, message: LogInByUser) -> User | None:
    account = snapshot.find(Account, message.account_uuid) if message.account_uuid else None
    if account is None and message.account_name is not None and message.account_uuid is None:
        account = _account(snapshot, message.account_name)
    if account is None:
        return None
    return snapshot.first(User, account_uuid=account.uuid, name=message.user_name)


def _open_session(tx: Transaction, account: Account, who: Account | User, source: str) -> dict[str, Any]:
    now = float(tx.now)
    sessions = tx.all(Session, user_uuid=who.uuid)
    for session in sessions:
        if session.expired_date <= now:
            tx.delete(session)
    limit = int(tx.setting("identity", "session.maxConcurrent"))
    if sum(session.expired_date > now for session in sessions) >= limit:
        raise OperationFailed(
            f"{'account' if who is account else 'user'}[{who.name}] has {counted(limit, 'session', 'sessions')}, "
            f"which is the limit; "
            f"log out of one or raise identity.session.maxConcurrent"
        )
    token = uuid.uuid4().hex
    session = Session(
        digest=digest_of(token),
        account_uuid=account.uuid,
        user_uuid=who.uuid,
        source=place_of(source),
        expired_date=Timestamp(now + int(tx.setting("identity", "session.timeout"))),
        create_date=Timestamp(now),
    )
    tx.insert(session)
    told = {name: value for name, value in tx.inventory(session).items() if name not in ("digest", "source")}
    return {"inventory": {**told, "uuid": token}}
