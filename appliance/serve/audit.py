"""Writes down who asked for what: with what a call changes, in its transaction; else many calls at a time."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from appliance.api.account import LogInByAccount, LogInByUser, LogOut, Session
from appliance.api.audit import AuditEntry
from appliance.api.counting import counted
from appliance.api.errors import ApiError
from appliance.api.message import Message, Role, only_reads
from appliance.api.parse import unparse
from appliance.api.resource import Timestamp
from appliance.reconcile.patience import until_kept
from appliance.resources.registry import Caller
from appliance.serve.zstack import Call, Reply
from appliance.store.audit import ACCEPTED, WORDS, append
from appliance.store.database import Database
from appliance.store.errors import StoreClosed
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""How long entries of calls that changed nothing are in memory only, and how long alike ones become one."""

WAITING_LIMIT = 10_000
SESSION_DIGITS = 16


class Audit:
    """The way of every answered call into the log. Calls that changed nothing wait there, alike ones as one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[tuple[Any, ...], AuditEntry] = {}
        self._lost = 0
        self._flush: asyncio.Task[None] | None = None

    async def answered(
        self, call: Call, message: Message | None, caller: Caller | None, source: str, reply: Reply
    ) -> None:
        """Write a call down: before its answer leaves where something was changed, soon where nothing was."""
        if reply.audited:
            return
        entry = entry_of(call, message, caller, source, reply)
        if _has_changed(message, reply):
            try:
                await self._database.write(lambda tx: append(tx, [entry]))
            except ApiError as error:
                # What was done is done, and said to its caller.
                log.error("the audit log cannot be written: %s", error.details)
            else:
                return
        self.note(entry)

    def note(self, entry: AuditEntry) -> None:
        """Have an entry written down soon."""
        entry = replace(entry, create_date=entry.create_date or Timestamp(self._database.now()))
        key = (entry.account_uuid, entry.user_uuid, entry.token_uuid, entry.session_digest, entry.source,
               entry.message, msgspec.json.encode(entry.parameters), entry.code, entry.details)  # fmt: skip
        known = self._waiting.get(key)
        if known is not None:
            self._waiting[key] = replace(known, times=known.times + 1)
        elif len(self._waiting) < WAITING_LIMIT:
            self._waiting[key] = entry
        else:
            self._lost += 1
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._soon(), name="audit")

    async def close(self) -> None:
        """Write down what waits, as far as the store takes it now."""
        if self._flush is not None:
            self._flush.cancel()
            await asyncio.wait([self._flush])
        try:
            await self._write()
        except ApiError as error:
            log.error("the end of the audit log cannot be written: %s", error.details)

    async def _soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                await until_kept("audit log", self._write)
            except StoreClosed:
                return
            except ApiError as error:
                log.error("the audit log cannot be written: %s", error.details)

    async def _write(self) -> None:
        waiting, lost = self._waiting, self._lost
        if not waiting:
            return
        self._waiting, self._lost = {}, 0
        entries = [*waiting.values(), *([_of_lost(lost)] if lost else [])]
        try:
            await self._database.write(partial(_append_wanted, entries=entries))
        except BaseException:
            self._lost += lost
            for key, entry in waiting.items():
                since = self._waiting.get(key)
                self._waiting[key] = replace(entry, times=entry.times + since.times) if since else entry
            raise


def entry_of(
    call: Call, message: Message | None, caller: Caller | None, source: str, reply: Reply
) -> AuditEntry:
    """What the log says of a call that was answered."""
    error: Mapping[str, Any] = reply.body.get("error") or {}
    account, session = _opened(message, reply) if message is not None else (None, None)
    if caller is not None:
        account, session = account or caller.account_uuid or None, session or caller.session_digest
    return AuditEntry(
        sequence=0,
        create_date=Timestamp(0),
        account_uuid=account,
        user_uuid=caller.user_uuid if caller else None,
        token_uuid=caller.token_uuid if caller else None,
        session_digest=session[:SESSION_DIGITS] if session else None,
        source=source,
        message=call.kind.__name__ if call.kind else call.java[:WORDS],
        parameters=unparse(message, secrets=False) if message else {},
        target_uuid=_target(message, reply),
        job_uuid=reply.job_uuid,
        stage=None if reply.done else ACCEPTED,
        code=error.get("code"),
        details=str(error["details"])[:WORDS] if error else None,
        only_read=not error and not _has_changed(message, reply),
    )


def entry_of_request(
    asked: str, needed: Role, caller: Caller | None, source: str, error: ApiError | None
) -> AuditEntry:
    """What the log says of an HTTP request that is no call, and the role that it needs."""
    return AuditEntry(
        sequence=0,
        create_date=Timestamp(0),
        account_uuid=caller.account_uuid if caller else None,
        user_uuid=caller.user_uuid if caller else None,
        token_uuid=caller.token_uuid if caller else None,
        session_digest=(caller.session_digest or "")[:SESSION_DIGITS] or None if caller else None,
        source=source,
        message=asked[:WORDS],
        code=error.code if error else None,
        details=error.details[:WORDS] if error else None,
        only_read=needed == "read-only" and error is None,
    )


def _has_changed(message: Message | None, reply: Reply) -> bool:
    """Whether a call did more than ask. Opening and ending a session is more."""
    if message is None or "error" in reply.body:
        return False
    return isinstance(message, (LogInByAccount, LogInByUser, LogOut)) or not only_reads(type(message))


def _opened(message: Message, reply: Reply) -> tuple[str | None, str | None]:
    """Account and session digest of a login that was let in."""
    inventory = reply.body.get("inventory")
    if not isinstance(message, (LogInByAccount, LogInByUser)) or inventory is None:
        return None, None
    return inventory["accountUuid"], hashlib.sha256(inventory["uuid"].encode()).hexdigest()


def _target(message: Message | None, reply: Reply) -> str | None:
    """The resource that a message names first, else what it made. A session's uuid is a secret."""
    if message is None:
        return None
    made = {} if type(message).returns is Session else reply.body.get("inventory") or {}
    own = getattr(message, "uuid", None)
    named = (getattr(message, each.name) for each in message.parameters.values() if each.ref is not None)
    found = (own, *named, made.get("uuid") if isinstance(made, dict) else None)
    return next((each for each in found if isinstance(each, str)), None)


def _append_wanted(tx: Transaction, entries: Sequence[AuditEntry]) -> None:
    """Add entries, without those of calls that only read where these are not wanted."""
    if not tx.flag("audit", "reads"):
        entries = [entry for entry in entries if not entry.only_read]
    if entries:
        append(tx, entries)


def _of_lost(count: int) -> AuditEntry:
    return AuditEntry(
        sequence=0, create_date=Timestamp(0), source="the appliance", message="lost", times=count,
        details=f"{counted(count, 'call', 'calls')} that changed nothing came faster than could be written down",
    )  # fmt: skip
