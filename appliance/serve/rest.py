"""The plain REST face: a request becomes a call, and the answer of the one dispatch a status and a body."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from aiohttp import hdrs, web

from appliance.api.body import check_sound, decode
from appliance.api.errors import ApiError, BadRequest, InvalidArgument, ResourceNotFound
from appliance.api.grammar import read_condition
from appliance.api.job import CancelLongJob, QueryLongJob
from appliance.api.message import Parameter
from appliance.api.parse import split_list
from appliance.api.quoting import UsageError
from appliance.api.rest import JOB, RestRoute, rest_routes
from appliance.serve.dispatch import Dispatch
from appliance.serve.openapi import document
from appliance.serve.route import (
    BODY_SECONDS,
    Route,
    bearer_of,
    error_answer,
    json_answer,
    origin_of,
    wait_of,
)
from appliance.serve.zstack import Call, Reply

JobAnswer = Callable[[str, float], Awaitable[Reply | None]]
"""A job when it has ended, or after so many seconds; None when there is none of that uuid."""

IDEMPOTENCY_KEY = "Idempotency-Key"
KEY_LIMIT = 255
KEY = rf"[\x21-\x7e]{{1,{KEY_LIMIT}}}"


class Rest:
    """Answers every route of the plain REST face."""

    def __init__(self, dispatch: Dispatch, job: JobAnswer) -> None:
        self._dispatch = dispatch
        self._job = job
        self._document: bytes | None = None

    def table(self) -> Iterator[Route]:
        """The routes, for the server; those of one path share a policy."""
        for route in rest_routes():
            yield Route((route.method,), route.path, "per-call", self._answering(route))
        yield Route(("GET",), "/openapi.json", "anyone", self._openapi)

    def _answering(self, route: RestRoute) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(route, request)

        return answer

    async def _answer(self, route: RestRoute, request: web.Request) -> web.StreamResponse:
        wait = wait_of(request)
        call = Call(
            java=route.kind.java,
            kind=route.kind,
            fields=await _fields(route, request),
            session_uuid=bearer_of(request),
            key=_key(route, request),
        )
        if route.path == JOB and wait > 0:
            await self._job(request.match_info["uuid"], wait)
        reply = await self._dispatch.answer(call, origin_of(request))
        if not reply.done and reply.job_uuid is not None and wait > 0:
            reply = await self._job(reply.job_uuid, wait) or reply
        if route.kind is CancelLongJob and wait > 0 and "error" not in reply.body:
            reply = await self._cancelled(call, request, wait)
        return _one(route, request, reply) if route.one else _whole(reply)

    async def _cancelled(self, call: Call, request: web.Request, wait: float) -> Reply:
        """The job that was cancelled as it is when it has ended, or the wait is over."""
        await self._job(request.match_info["uuid"], wait)
        asked = {"conditions": [{"name": "uuid", "op": "=", "value": request.match_info["uuid"]}]}
        look = replace(call, java=QueryLongJob.java, kind=QueryLongJob, fields=asked, key=None)
        reply = await self._dispatch.answer(look, origin_of(request))
        (job,) = reply.body.get("inventories") or [None]
        return reply if job is None else replace(reply, body={"inventory": job})

    async def _openapi(self, request: web.Request) -> web.StreamResponse:
        if self._document is None:
            self._document = await asyncio.to_thread(document, self._dispatch.version)
        tag = hashlib.sha256(self._document).hexdigest()[:16]
        headers = {hdrs.ETAG: f'"{tag}"', hdrs.CACHE_CONTROL: "no-cache"}
        if any(each.value == tag for each in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._document, content_type="application/json", headers=headers)


async def _fields(route: RestRoute, request: web.Request) -> dict[str, Any]:
    """The fields of the call: what stands in the path, behind it, and in the body."""
    fields = _queried(route, request) if route.in_query else await _body(route, request)
    if route.one:
        return {"conditions": [{"name": "uuid", "op": "=", "value": request.match_info["uuid"]}], **fields}
    if route.hole is not None:
        fields[route.hole.wire] = request.match_info[route.hole.wire]
    return fields


async def _body(route: RestRoute, request: web.Request) -> dict[str, Any]:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await request.read()
    except TimeoutError:
        raise BadRequest(f"the body did not come within {BODY_SECONDS:g} s") from None
    fields = decode(raw, like='{"<parameter>": …}') if raw.strip() else {}
    check_sound(fields)
    known = {name for each in route.others for name in (each.wire, each.also) if name}
    _check_names(route, fields, known)
    _check_names(route, request.query, {"wait"} if route.waits else set())
    return fields


def _queried(route: RestRoute, request: web.Request) -> dict[str, Any]:
    """Parameters from behind the path; a list is repeated, or one text with commas."""
    names = {each.wire: each for each in route.query_parameters}
    also = {name for name, taken in (("wait", route.waits), ("q", route.searches)) if taken}
    _check_names(route, request.query, {*names, *also})
    fields: dict[str, Any] = {}
    for name, parameter in names.items():
        given = request.query.getall(name, [])
        if not given:
            continue
        if _is_list(parameter):
            fields[name] = [item for text in given for item in split_list(text)]
        elif len(given) > 1:
            raise InvalidArgument(f"{name} is given {len(given)} times; it takes one value")
        else:
            fields[name] = given[0]
    if route.searches:
        fields["conditions"] = [_condition(text) for text in request.query.getall("q", [])]
    return fields


def _is_list(parameter: Parameter) -> bool:
    return bool(parameter.kind == list[str])


def _condition(text: str) -> dict[str, str]:
    try:
        return read_condition(text)
    except UsageError as wrong:
        raise InvalidArgument(f"q={text[:200]}: {wrong}") from None


def _check_names(route: RestRoute, given: Any, known: set[str]) -> None:
    """Refuse what a route does not take: a wrong name must not pass for a default."""
    for name in given:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise InvalidArgument(
                f"{route.method} {route.path} has no parameter {name[:200]!r}; it has {listed}"
            )


def _key(route: RestRoute, request: web.Request) -> str | None:
    """The idempotency key: whoever repeats one with the same call gets the first answer again.

    It is refused where it would be believed in and not kept; asking and deleting can be repeated without.
    """
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is not None and not route.keyed and route.method == "POST":
        raise InvalidArgument(
            f"{route.method} {route.path} is answered at once, and its answer is kept nowhere: it would be carried "
            f"out again in spite of an {IDEMPOTENCY_KEY}. Send none, and look for what was made before you repeat it"
        )
    if key is not None and not re.fullmatch(KEY, key):
        raise InvalidArgument(
            f"{IDEMPOTENCY_KEY} must be 1 to {KEY_LIMIT} printable characters without spaces"
        )
    return key


def _whole(reply: Reply) -> web.StreamResponse:
    if not reply.done:
        body = {"job": {"uuid": reply.job_uuid, "state": reply.job_state}}
        return json_answer(body, 202, {hdrs.LOCATION: JOB.format(uuid=reply.job_uuid)})
    error = reply.body.get("error")
    if error is not None:
        return error_answer(ApiError.from_wire(error), reply.http_status)
    body = {name: value for name, value in reply.body.items() if name != "success"}
    return json_answer(body)


def _one(route: RestRoute, request: web.Request, reply: Reply) -> web.StreamResponse:
    found = reply.body.get("inventories")
    if found is None:
        return _whole(reply)
    if not found:
        uuid = request.match_info["uuid"][:64]
        lost = ResourceNotFound(f"there is no resource[uuid:{uuid}] at {route.path}")
        return error_answer(lost, lost.http_status)
    return json_answer({"inventory": found[0]})
