"""What an appliance answers to a client, and what stands for an answer where there is none."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from typing import Any

import aiohttp

from appliance.api.errors import ApiError, BadRequest, NotReady


class Unreachable(NotReady):
    """Nothing answers where the appliance should be."""

    description = "The appliance does not answer"


class connection_errors:  # noqa: N801 - a context, read as a word
    """Turns what goes wrong with a connection into Unreachable."""

    def __init__(self, target: Path | str) -> None:
        self._target = target

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, (aiohttp.ClientError, TimeoutError)):
            raise Unreachable(
                f"no appliance answers on {self._target}: {_why(error)}; see that it runs"
            ) from error


def _why(error: Exception) -> str:
    """What went wrong in the system's words, where it has some: aiohttp adds its own of what it was about."""
    if not isinstance(error, aiohttp.ClientConnectorError):
        return str(error)
    below = error.os_error
    if isinstance(below, ssl.SSLError) or below.errno is None or below.errno < 1:
        return str(below)  # numbers of their own
    return os.strerror(below.errno)


def checked(status: int, raw: bytes) -> dict[str, Any]:
    """An answer's fields; raises ApiError when it is none, or the error that it is."""
    try:
        body = json.loads(raw) if raw else {}
    except ValueError as error:
        raise BadRequest(f"the answer (HTTP {status}) is no JSON: {raw[:200]!r}") from error
    if not isinstance(body, dict):
        raise BadRequest(f"the answer (HTTP {status}) is no object: {raw[:200]!r}")
    if status != 200:
        if not isinstance(body.get("error"), dict):
            raise BadRequest(f"the answer is HTTP {status}: {raw[:200]!r}")
        raise ApiError.from_wire(body["error"])
    return body


def body_of(envelope: dict[str, Any]) -> dict[str, Any]:
    """The reply in the envelope of a call that is done, or the error that it ended with."""
    result = json.loads(envelope.get("result", "{}"))
    body: dict[str, Any] = next(iter(result.values()), {})
    if body.get("success") is True:
        return {name: value for name, value in body.items() if name != "success"}
    raise ApiError.from_wire(body.get("error") or {})
