"""Who calls: accounts, passwords, sessions and what each role may."""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from appliance.api.account import ADMIN_UUID, Account, LogInByAccount, Session, hash_password
from appliance.api.errors import NoSession, NotAllowed, OperationFailed, WrongPassword
from appliance.api.message import ROLES, Message, Role
from appliance.api.resource import Timestamp
from appliance.resources.registry import Caller
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

FAILURES = 10
"""Wrong passwords an account may be tried with in FAILURE_SECONDS before it must wait."""

FAILURE_SECONDS = 60.0
HASHES_AT_ONCE = 2
WAITING_LIMIT = 100
REMEMBERED = 10_000
WRONG = "wrong account name or password"


def digest_of(session_uuid: str) -> str:
    """What is stored of a session: opens nothing."""
    return hashlib.sha256(session_uuid.encode("utf-8", "surrogatepass")).hexdigest()


def allow(message: type[Message], role: Role) -> None:
    """Refuse a message that a role does not include. Raises NotAllowed."""
    if ROLES.index(role) < ROLES.index(message.role):
        raise NotAllowed(
            f"{message.__name__} needs the role {message.role}, but the caller has {role}; log in as another"
        )


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


class Attempts:
    """Counts wrong passwords per account name, in a window that moves with the clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: dict[str, deque[float]] = {}

    def check(self, name: str) -> None:
        """Raises WrongPassword when the account must wait."""
        failures = self._recent(name.casefold())
        if len(failures) >= FAILURES:
            wait = math.ceil(failures[0] + FAILURE_SECONDS - self._clock())
            raise WrongPassword(
                f"too many wrong passwords for account[{name[:64]}]; try again in {wait} seconds"
            )

    def failed(self, name: str) -> None:
        """Count a wrong password."""
        name = name.casefold()
        if len(self._failures) >= REMEMBERED and name not in self._failures:
            for old in [each for each in self._failures if not self._recent(each)]:
                del self._failures[old]
            if len(self._failures) >= REMEMBERED:
                self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(name, deque(maxlen=FAILURES)).append(self._clock())

    def _recent(self, name: str) -> deque[float]:
        failures = self._failures.get(name, deque())
        while failures and failures[0] <= self._clock() - FAILURE_SECONDS:
            failures.popleft()
        return failures


class Auth:
    """Logs accounts in and out, and knows which session is whose."""

    def __init__(self, database: Database, attempts: Attempts | None = None) -> None:
        self._database = database
        self._attempts = attempts or Attempts()
        self._hasher = PasswordHasher()
        self._slots = asyncio.Semaphore(HASHES_AT_ONCE)
        self._waiting = 0
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    async def log_in(self, message: LogInByAccount) -> dict[str, Any]:
        """Check name and password and open a session. Returns the reply's fields; raises WrongPassword."""
        self._attempts.check(message.account_name)
        if self._waiting >= WAITING_LIMIT:
            raise OperationFailed("too many logins are being checked at once; try again in a moment")
        self._waiting += 1
        try:
            async with self._slots:
                account = await self._checked(message)
        finally:
            self._waiting -= 1
        return await self._database.write(lambda tx: _open_session(tx, account))

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
        """Whose session that is. Raises NoSession when it is unknown or expired."""
        digest = digest_of(session_uuid)
        return await self._database.read(lambda snapshot: _caller(snapshot, digest, source))

    async def holds(self, session_uuid: str) -> bool:
        """Whether a session is known and not expired."""
        try:
            await self.caller(session_uuid, "")
        except NoSession:
            return False
        return True

    async def _checked(self, message: LogInByAccount) -> Account:
        """The account, if the password is its own. As slow for a name that is nobody's."""
        name = message.account_name
        self._attempts.check(name)
        account = await self._database.read(lambda snapshot: snapshot.first(Account, name=name))
        stored = account.password_hash if account else self._nobody
        right = await asyncio.to_thread(self._verify, stored, message.password)
        if account is None or not right:
            self._attempts.failed(name)
            raise WrongPassword(WRONG)
        return account

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def trusted_caller(source: str = "socket") -> Caller:
    """Who calls over the appliance's own socket: whoever may open it is the admin."""
    return Caller(ADMIN_UUID, "admin", None, source)


def _caller(snapshot: Snapshot, digest: str, source: str) -> Caller:
    session = snapshot.find(Session, digest)
    if session is None or session.expired_date <= time.time():
        raise NoSession("Session expired" if session else "the session is unknown; log in")
    account = snapshot.find(Account, session.account_uuid)
    if account is None:
        raise NoSession("the session's account is no more")
    role: Role = next((each for each in ROLES if each == account.role), "anyone")
    return Caller(account.uuid, role, digest, source)


def _open_session(tx: Transaction, account: Account) -> dict[str, Any]:
    now = float(tx.now)
    sessions = tx.all(Session, account_uuid=account.uuid)
    for session in sessions:
        if session.expired_date <= now:
            tx.delete(session)
    limit = int(tx.setting("identity", "session.maxConcurrent"))
    if sum(session.expired_date > now for session in sessions) >= limit:
        raise OperationFailed(
            f"account[{account.name}] has {limit} sessions, which is the limit; log out of one or raise "
            f"identity.session.maxConcurrent"
        )
    token = uuid.uuid4().hex
    session = Session(
        digest=digest_of(token),
        account_uuid=account.uuid,
        user_uuid=account.uuid,
        expired_date=Timestamp(now + int(tx.setting("identity", "session.timeout"))),
        create_date=Timestamp(now),
    )
    tx.insert(session)
    return {"inventory": {**tx.inventory(session), "uuid": token}}
