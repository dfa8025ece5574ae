"""Logins, sessions and their limits."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Literal

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from appliance.api.account import ADMIN_UUID, Account, LogInByAccount, LogInByUser, Session, hash_password
from appliance.api.errors import ApiError, NoSession, OperationFailed, WrongPassword
from appliance.api.setting import GlobalConfig
from appliance.serve import auth as auth_module
from appliance.serve.auth import (
    FAILURE_SECONDS,
    FAILURES,
    HASHES_AT_ONCE,
    NOBODY,
    SOURCE_FAILURES,
    Attempts,
    Auth,
    ensure_admin,
)
from appliance.store.database import Database
from appliance.store.transaction import Transaction


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def login(name: str = "admin", password: str = "right") -> LogInByAccount:
    return LogInByAccount(account_name=name, password=hash_password(password))


@pytest.fixture
async def auth(database: Database) -> Auth:
    await ensure_admin(database, "right")
    return Auth(database)


async def test_the_first_start_makes_a_password_once(database: Database) -> None:
    made = await ensure_admin(database, None)
    assert made is not None
    assert len(made) >= 16
    assert await ensure_admin(database, "other") is None
    assert (await Auth(database).log_in(login(password=made)))["inventory"]["accountUuid"] == ADMIN_UUID


def test_a_name_that_is_nobodys_is_as_dear_as_any() -> None:
    assert not PasswordHasher().check_needs_rehash(NOBODY)


async def test_a_given_password_is_not_told_again_and_not_stored(database: Database) -> None:
    assert await ensure_admin(database, "given") is None
    account = await database.read(lambda snapshot: snapshot.find(Account, ADMIN_UUID))
    assert account is not None
    assert account.password_hash.startswith("$argon2id$")
    assert hash_password("given") not in account.password_hash


async def test_a_session_is_zstacks_and_only_its_digest_is_stored(auth: Auth, database: Database) -> None:
    inventory = (await auth.log_in(login()))["inventory"]
    assert {"uuid", "accountUuid", "userUuid", "expiredDate", "createDate"} <= inventory.keys()
    [stored] = await database.read(lambda snapshot: snapshot.all(Session))
    assert stored.digest == hashlib.sha256(inventory["uuid"].encode()).hexdigest()
    assert inventory["uuid"] not in repr(stored)
    assert stored.expired_date - stored.create_date == 7200
    caller = await auth.caller(inventory["uuid"], "here")
    assert (caller.account_uuid, caller.role, caller.source) == (ADMIN_UUID, "admin", "here")


@pytest.mark.parametrize(
    ("name", "password"), [("admin", "wrong"), ("nobody", "right"), ("", ""), ("\u00fc", "x")]
)
async def test_wrong_is_wrong_in_the_same_words(auth: Auth, name: str, password: str) -> None:
    with pytest.raises(WrongPassword) as caught:
        await auth.log_in(login(name, password))
    assert caught.value.details == "wrong account name or password"


async def test_a_session_ends_by_logout_and_by_time(auth: Auth, database: Database) -> None:
    one = (await auth.log_in(login()))["inventory"]["uuid"]
    other = (await auth.log_in(login()))["inventory"]["uuid"]
    await auth.log_out(one)
    await auth.log_out(one)
    assert not await auth.holds(one)
    assert await auth.holds(other)

    def age(tx: Transaction) -> None:
        for session in tx.all(Session):
            tx.update(session, expired_date=1.0)

    await database.write(age)
    with pytest.raises(NoSession, match="expired"):
        await auth.caller(other, "")


async def test_sessions_have_a_limit_that_expired_ones_do_not_count_to(
    auth: Auth, database: Database
) -> None:
    def lower(tx: Transaction) -> None:
        found = tx.find(GlobalConfig, "identity.session.maxConcurrent")
        assert found is not None
        tx.update(found, value="2")

    await database.write(lower)
    for _ in range(2):
        await auth.log_in(login())
    with pytest.raises(OperationFailed, match="has 2 sessions"):
        await auth.log_in(login())
    await database.write(lambda tx: [tx.update(each, expired_date=1.0) for each in tx.all(Session)][:0])
    await auth.log_in(login())
    assert len(await database.read(lambda snapshot: snapshot.all(Session))) == 1


async def test_only_failures_count_and_only_for_a_while(database: Database) -> None:
    await ensure_admin(database, "right")
    clock = Clock()
    auth = Auth(database, Attempts(clock))
    for _ in range(FAILURES - 1):
        with pytest.raises(WrongPassword, match="wrong account"):
            await auth.log_in(login(password="wrong"))
    await auth.log_in(login())
    with pytest.raises(WrongPassword, match="wrong account"):
        await auth.log_in(login("ADMIN"[:5].lower(), "wrong"))
    with pytest.raises(WrongPassword, match="try again in 60 seconds"):
        await auth.log_in(login())
    clock.now += FAILURE_SECONDS
    await auth.log_in(login())


@pytest.mark.parametrize(
    ("source", "neighbour"),
    [("192.0.2.1:{port}", "192.0.2.2:1"), ("2001:db8:1:2::{port:x}:1", "2001:db8:1:3::1:1")],
)
async def test_wrong_passwords_are_counted_by_where_they_come_from(
    database: Database, source: str, neighbour: str
) -> None:
    await ensure_admin(database, "right")
    clock = Clock()
    auth = Auth(database, Attempts(clock), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for number in range(SOURCE_FAILURES):
        with pytest.raises(WrongPassword, match=r"^wrong account"):
            await auth.log_in(login(f"n{number}", "wrong"), source.format(port=1000 + number))
    with pytest.raises(WrongPassword, match=r"^too many wrong passwords from .*; try again in 60 seconds$"):
        await auth.log_in(login(), source.format(port=1))
    with pytest.raises(WrongPassword, match="too many wrong passwords from"):
        await auth.log_in_user(
            LogInByUser(account_name="admin", user_name="u", password="x"), source.format(port=1)
        )
    await auth.log_in(login(), neighbour)
    clock.now += FAILURE_SECONDS
    await auth.log_in(login(), source.format(port=1))


async def test_right_passwords_and_the_own_socket_do_not_count(database: Database) -> None:
    await ensure_admin(database, "right")
    auth = Auth(database, Attempts(Clock()), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    for number in range(SOURCE_FAILURES + 5):
        with pytest.raises(WrongPassword, match=r"^wrong account"):
            await auth.log_in(login(f"n{number}", "wrong"), "socket")
        await auth.log_in(login(), "192.0.2.1:4711")


async def test_many_at_once_cannot_slip_past_the_limit(auth: Auth) -> None:
    async def try_one() -> str:
        try:
            await auth.log_in(login(password="wrong"))
        except WrongPassword as error:
            return error.details
        return ""

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(try_one()) for _ in range(40)]
    tried = sum(task.result().startswith("wrong") for task in tasks)
    assert FAILURES <= tried <= FAILURES + 1
    assert "" not in [task.result() for task in tasks]


class Busy(PasswordHasher):
    """Counts how many are at work at once."""

    now = most = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's name
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.005)
        self.now -= 1
        raise VerifyMismatchError


async def test_logins_of_very_many_take_no_more_of_the_machine_than_a_few(database: Database) -> None:
    """Each takes 64 MiB and four threads for a while: without end they would be all that the machine does."""
    await ensure_admin(database, "right")
    hasher = Busy()
    auth = Auth(database, hasher=hasher)

    async def try_one(number: int) -> str:
        with pytest.raises(ApiError) as refused:
            await auth.log_in(login(name=f"nobody-{number}", password="wrong"))
        return refused.value.details

    said = await asyncio.gather(*(try_one(number) for number in range(300)))
    assert hasher.most == HASHES_AT_ONCE
    assert set(said) == {auth_module.WRONG}


def test_names_tried_are_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_module, "REMEMBERED", 100)
    attempts = Attempts(Clock())
    for number in range(200):
        attempts.failed(f"n{number}", f"2001:db8:{number // 65536:x}:{number % 65536:x}::1:4711")
    assert len(attempts.accounts.failures) == len(attempts.sources.failures) == 100


async def test_a_reply_holds_no_digest(auth: Auth) -> None:
    reply = await auth.log_in(login())
    assert "digest" not in json.dumps(reply)
