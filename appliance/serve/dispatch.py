"""The one path of every call: parse, who, may, exists, handler, and the answer."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from appliance.api.account import (
    GetVersion,
    IsReadyToGo,
    LogInByAccount,
    LogInByUser,
    LogOut,
    ValidateSession,
)
from appliance.api.errors import (
    ApiError,
    InternalError,
    InvalidArgument,
    NoSession,
    NotBuilt,
    NotReady,
)
from appliance.api.image import Image
from appliance.api.job import LongJob
from appliance.api.message import Message, QueryMessage
from appliance.api.parse import command_line, parse, unparse
from appliance.api.zstack_names import not_built
from appliance.resources.access import check_access, check_references, check_touch, only_seen
from appliance.resources.carrying_out import carry_out
from appliance.resources.queued import enqueue, named_by_others, waited_for
from appliance.resources.registry import (
    HANDLERS,
    LIVE_HANDLERS,
    READERS,
    Caller,
    Live,
    Promise,
)
from appliance.resources.under_way import is_held_up
from appliance.serve.audit import Audit, entry_of
from appliance.serve.auth import Auth, trusted_caller
from appliance.serve.metrics import CallCounts
from appliance.serve.permission import check_permission
from appliance.serve.recorded import name_of_target, record
from appliance.serve.zstack import Call, Reply, failed, job_reply, refused, without_nulls
from appliance.store.audit import append
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction
from appliance.store.viewer import Viewer

log = logging.getLogger(__name__)

WHILE_STARTING = frozenset({GetVersion})


@dataclass(frozen=True)
class Origin:
    """Where a call came in: over the appliance's own socket, which is trusted, or from an address."""

    source: str
    trusted: bool


class Dispatch:
    """Answers calls. It never raises: whatever goes wrong becomes an answer with an error."""

    def __init__(
        self,
        database: Database,
        auth: Auth,
        *,
        version: str,
        node_uuid: str,
        live: Live | None = None,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.database = database
        self.auth = auth
        self.ready = ready
        self.calls = CallCounts()
        self.audit = Audit(database)
        self.version = version
        self._node_uuid = node_uuid
        self._live = live
        self._own: dict[type[Message], Callable[[Any, str], Awaitable[dict[str, Any]]]] = {
            LogInByAccount: auth.log_in,
            LogInByUser: auth.log_in_user,
            ValidateSession: self._validate_session,
            IsReadyToGo: self._is_ready,
            GetVersion: self._get_version,
        }

    async def answer(self, call: Call, origin: Origin) -> Reply:
        """Carry out a call and say how it went."""
        began = time.monotonic()
        said, message, caller = call.java, None, None
        try:
            message, caller = await self._admit(call, origin)
            said = command_line(message)
        except ApiError as error:
            reply = refused(call, error)
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("fault %s in admitting %s", reference, said)
            reply = refused(call, _fault(reference))
        else:
            reply = await self._answer_admitted(message, caller, call)
        seconds = time.monotonic() - began
        code = reply.body["error"]["code"] if "error" in reply.body else ""
        self.calls.count(call.kind.__name__ if call.kind else "unbuilt", code, seconds)
        await self.audit.answered(call, message, caller, origin.source, reply)
        _log(said, origin, reply, seconds)
        return reply

    async def job(self, job_uuid: str, wait_seconds: float = 0.0) -> Reply | None:
        """How far a job is once it has ended, or after so long; None when there is none of that uuid."""
        subscription = self.database.feed.watch(job_uuid)
        try:
            reply = await self._job(job_uuid)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    while reply is not None and not reply.done:
                        await anext(subscription, None)
                        reply = await self._job(job_uuid)
            return reply
        finally:
            subscription.close()

    async def _job(self, job_uuid: str) -> Reply | None:
        def look(snapshot: Snapshot) -> Reply | None:
            job = snapshot.find(LongJob, job_uuid)
            return None if job is None else job_reply(snapshot, job)

        return await self.database.read(look)

    async def who(self, session_uuid: str | None, origin: Origin) -> Caller:
        """Who calls: the session's account, or on the trusted socket the admin. Raises NoSession."""
        if session_uuid is not None:
            return await self.auth.caller(session_uuid, origin.source)
        if origin.trusted:
            return trusted_caller(origin.source)
        raise NoSession("the call names no session; log in with LogInByAccount")

    async def check_image(self, caller: Caller, message: type[Message], image_uuid: str) -> None:
        """Refuse the bytes of an image to whom the message is not allowed, or the image. Raises NotAllowed."""
        await check_permission(self.database, message, caller)
        await self.database.read(lambda snapshot: check_touch(snapshot, Image, image_uuid, caller))

    async def check_still(self, caller: Caller, message: Message) -> None:
        """Refuse what goes on for longer than a call as soon as it would be refused anew.

        Raises NoSession when the caller's session or token has ended, and NotAllowed.
        """
        caller = await self.auth.renewed(caller)
        await check_permission(self.database, type(message), caller)

        def look(snapshot: Snapshot) -> None:
            check_references(snapshot, message)
            check_access(snapshot, message, caller)

        await self.database.read(look)

    async def _admit(self, call: Call, origin: Origin) -> tuple[Message, Caller]:
        if call.kind is None:
            raise not_built(call.java)
        if not self.ready() and call.kind not in WHILE_STARTING:
            raise NotReady("the appliance is starting; try again in a moment")
        message = parse(call.kind, call.fields)
        if call.kind.role == "anyone":
            return message, Caller("", "anyone", None, origin.source)
        try:
            caller = await self.who(call.session_uuid, origin)
        except NoSession:
            # ZStack looks at all that a call says before it looks at who says it.
            await self.database.read(lambda snapshot: check_references(snapshot, message))
            raise
        await check_permission(self.database, call.kind, caller)
        return message, replace(caller, call_id=call.id or _keyed(call.key, caller))

    async def _answer_admitted(self, message: Message, caller: Caller, call: Call) -> Reply:
        kind = type(message)
        try:
            if kind in HANDLERS:
                sealed = await self.auth.sealed(message)
                return await self._carry_out_in_turn(sealed, caller, call)
            if kind in LIVE_HANDLERS and self._live is not None:
                return await self._ask_host(self._live, message, caller, call)
            body = await self._read(message, caller, call)
        except _Unfit as unfit:
            return refused(call, unfit.error)
        except ApiError as error:
            return failed(kind.result_class, error)
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("fault %s in %s", reference, command_line(message))
            return failed(kind.result_class, _fault(reference))
        return Reply(kind.result_class, {**without_nulls(body), "success": True})

    async def _carry_out_in_turn(self, message: Message, caller: Caller, call: Call) -> Reply:
        """Now, or when what an earlier call is at is free: if that goes on by itself."""
        try:
            return await self.database.write(lambda tx: _carry_out_on_record(tx, message, caller, call))
        except ApiError as error:
            busy = None if message.sync else waited_for(error)
            if busy is None or await self.database.read(lambda snapshot: is_held_up(snapshot, busy[1])):
                raise
        return await self.database.write(lambda tx: _carry_out_on_record(tx, message, caller, call, busy))

    async def _ask_host(self, live: Live, message: Message, caller: Caller, call: Call) -> Reply:
        """A call whose handler asks a host before it answers, or before it writes its promise."""
        kind = type(message)
        first = await self.database.read(lambda snapshot: _first_answer(snapshot, message, caller, call))
        if first is not None:
            return first
        await self.database.read(lambda snapshot: _check_named(snapshot, message, caller))
        named = await self.database.read(lambda snapshot: name_of_target(snapshot, message))
        outcome = await LIVE_HANDLERS[kind](live, message, caller)
        if isinstance(outcome, Promise):
            job = outcome.job
            return await self.database.read(lambda snapshot: job_reply(snapshot, job))
        body = {**without_nulls(outcome), "success": True}
        if message.sync:
            return Reply(kind.result_class, body)
        return await self.database.write(lambda tx: record(tx, message, caller, outcome, named))

    async def _read(self, message: Message, caller: Caller, call: Call) -> dict[str, Any]:
        kind = type(message)
        if isinstance(message, QueryMessage):
            return await self.database.read(lambda snapshot: _query(snapshot, message, caller))
        if isinstance(message, LogOut):
            await self.auth.log_out(message.session_uuid or call.session_uuid)
            return {}
        if kind in self._own:
            return await self._own[kind](message, caller.source)
        if kind in READERS:
            return await self.database.read(lambda snapshot: _answer_read(snapshot, message, caller))
        raise NotBuilt(f"{kind.__name__} is declared, but nothing carries it out yet")

    async def _validate_session(self, message: ValidateSession, _: str) -> dict[str, Any]:
        return {"validSession": await self.auth.holds(message.session_uuid)}

    async def _is_ready(self, _: IsReadyToGo, __: str) -> dict[str, Any]:
        return {"managementNodeId": self._node_uuid}

    async def _get_version(self, _: GetVersion, __: str) -> dict[str, Any]:
        return {"version": self.version}


def _keyed(key: str | None, caller: Caller) -> str | None:
    """The call id of an idempotency key: callers do not know of each other's."""
    if key is None:
        return None
    whose = f"{caller.account_uuid}\0{caller.user_uuid or ''}\0{key}"
    return hashlib.sha256(whose.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class _Unfit(Exception):
    """What a call names is not there, or is not its caller's: it was refused before anything was tried."""

    def __init__(self, error: ApiError) -> None:
        self.error = error
        super().__init__(error.details)


def _check_named(snapshot: Snapshot, message: Message, caller: Caller) -> None:
    try:
        check_references(snapshot, message)
        check_access(snapshot, message, caller)
    except ApiError as error:
        raise _Unfit(error) from error


def _carry_out_on_record(
    tx: Transaction, message: Message, caller: Caller, call: Call, busy: tuple[str, str] | None = None
) -> Reply:
    """Run a handler inside its transaction, and write down there the job that the call is and who asked for it.

    `busy` is kind and uuid of what it has to wait for instead.
    """
    reply = _carry_out(tx, message, caller, call, busy)
    append(tx, [entry_of(call, message, caller, caller.source, reply)])
    return replace(reply, audited=True)


def _carry_out(
    tx: Transaction, message: Message, caller: Caller, call: Call, busy: tuple[str, str] | None
) -> Reply:
    first = _first_answer(tx, message, caller, call)
    if first is not None:
        return first
    _check_named(tx, message, caller)
    ahead = busy or named_by_others(tx, message)
    if ahead is not None:
        return job_reply(tx, enqueue(tx, message, caller, *ahead))
    named = None if message.sync else name_of_target(tx, message)
    outcome = carry_out(tx, message, caller)
    if isinstance(outcome, Promise):
        return job_reply(tx, outcome.job)
    return record(tx, message, caller, outcome, named)


def _first_answer(snapshot: Snapshot, message: Message, caller: Caller, call: Call) -> Reply | None:
    """The answer to an earlier call of the same id; raises InvalidArgument when that was another call."""
    call_id = None if message.sync else caller.call_id
    first = snapshot.find(LongJob, call_id) if call_id is not None else None
    if first is None:
        return None
    asked = (type(message).__name__, caller.account_uuid, json.dumps(unparse(message, secrets=False)))
    if (first.name, first.account_uuid, first.job_data) != asked:
        sent = f"id[{call.id}]" if call.id is not None else f"Idempotency-Key[{call.key}]"
        raise InvalidArgument(f"{sent} was sent with another call; give each call its own")
    return job_reply(snapshot, first)


def _query(snapshot: Snapshot, message: QueryMessage, caller: Caller) -> dict[str, Any]:
    resources, total = snapshot.query(message, _viewer(snapshot, caller))
    if message.count:
        return {"total": total}
    body: dict[str, Any] = {"inventories": snapshot.inventories(resources, message.fields)}
    if message.reply_with_count:
        body["total"] = total
    return body


def _viewer(snapshot: Snapshot, caller: Caller) -> Viewer | None:
    """Whose eyes a query looks with; None for an admin who sees everything."""
    if caller.is_admin and snapshot.flag("identity", "admin.showAllResource"):
        return None
    return Viewer(caller.account_uuid, caller.is_admin)


def _answer_read(snapshot: Snapshot, message: Message, caller: Caller) -> dict[str, Any]:
    _check_named(snapshot, message, caller)
    return only_seen(snapshot, READERS[type(message)](snapshot, message, caller), caller)


def _fault(reference: str) -> InternalError:
    """The error a caller sees of a fault of ours: a reference to the log, and nothing of what is in it."""
    return InternalError(f"a fault in the appliance, reference {reference}; its log says more")


def _log(said: str, origin: Origin, reply: Reply, seconds: float) -> None:
    error = reply.body.get("error")
    level = logging.DEBUG if said.startswith("Query") and error is None else logging.INFO
    end = (
        "accepted" if not reply.done else "done" if error is None else f"{error['code']} {error['details']!r}"
    )
    log.log(level, "%s: %s: %s in %.0f ms", origin.source, said, end, seconds * 1000)
