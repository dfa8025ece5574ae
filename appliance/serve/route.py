"""What a route is, and how what answers it reads a request and writes JSON."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import hdrs, web

from appliance.api.errors import ApiError, InvalidArgument
from appliance.api.message import Role
from appliance.serve.dispatch import Origin

BODY_SECONDS = 60.0
WAIT_LIMIT_SECONDS = 60.0
"""How long a question about a job may be kept: below what proxies and clients take for dead."""

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Policy = Literal["per-call", "job-uuid", "console-token", "ticket"] | Role
"""Who may use a route: whoever may send the message in it; whoever knows the job's uuid, or has a token
or a ticket; a role."""


@dataclass(frozen=True)
class Route:
    """A path, how it may be asked, who may, and what answers."""

    methods: tuple[str, ...]
    path: str
    policy: Policy
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] = field(compare=False)


def wait_of(request: web.Request) -> float:
    """Seconds that a question may be kept, out of its `wait`."""
    text = request.query.get("wait", "0")
    try:
        wait = float(text)
    except ValueError:
        wait = -1.0
    if not 0 <= wait <= WAIT_LIMIT_SECONDS:
        raise InvalidArgument(f"wait={text[:20]} is not a number of seconds from 0 to {WAIT_LIMIT_SECONDS:g}")
    return wait


def origin_of(request: web.Request) -> Origin:
    """Where a request came in."""
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport else None
    if sock is not None and sock.family == socket.AF_UNIX:
        trusted = getattr(request.protocol, "trusted", False)
        return Origin("socket" if trusted else "a full screen", trusted=trusted)
    peer = transport.get_extra_info("peername") if transport else None
    return Origin(f"{peer[0]}:{peer[1]}" if peer else "gone", trusted=False)


def bearer_of(request: web.Request) -> str | None:
    """The session or access token that a request carries in its header."""
    scheme, _, secret = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return secret.strip() or None if scheme.lower() in ("oauth", "bearer") else None


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A body as JSON."""
    return web.json_response(body, status=status, headers={**HEADERS, **(headers or {})})


def error_answer(error: ApiError, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as JSON; one that wants to know who asks says how that is told."""
    if status == 401:
        headers = {"WWW-Authenticate": "Bearer", **(headers or {})}
    return json_answer({"error": error.to_wire(), "success": False}, status, headers)
