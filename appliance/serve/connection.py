"""One connection of the HTTP server: what cannot be read as HTTP is answered as everything else that is wrong."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any

from aiohttp import web, web_response

from appliance.api.errors import BadRequest
from appliance.serve.route import error_answer

log = logging.getLogger(__name__)

web_response.SERVER_SOFTWARE = "zstui"  # type: ignore[attr-defined]  # not which Python and library, for everybody

SHOWN = 200
SETTINGS: dict[str, Any] = {"access_log": None, "auto_decompress": False}


class Connection(web.RequestHandler):
    """The library's, but for what it says of bytes that are no request: plain text, and a traceback in the log."""

    __slots__ = ("trusted",)

    def __init__(self, server: web.Server, *, trusted: bool, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, **SETTINGS)
        self.trusted = trusted
        """Whether who connects is the admin without a word."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A coded answer, after which the connection ends; what is no fault of the sender's is the library's."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        words = _shown((message or "").strip().partition("\n")[0].rstrip(": "))
        log.info("no HTTP from %s: %s", request.remote or "the socket", words)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        answer = error_answer(BadRequest(f"this is no HTTP request that can be read: {words}"), status)
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; what the library refuses before anything of ours is asked, an unknown Expect, is coded."""
        if isinstance(resp, web.HTTPException):
            advice = "; leave the header out, or send 100-continue" if resp.status == 417 else ""
            resp = error_answer(BadRequest(f"{_shown(resp.text or resp.reason)}{advice}"), resp.status)
        return await super().finish_response(request, resp, start_time)


def _shown(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:SHOWN]


async def listen(
    server: web.Server, sock: socket.socket, tls: ssl.SSLContext | None, *, trusted: bool
) -> asyncio.Server:
    """Take connections on a socket for a server.

    Nothing is unpacked: no client of ours packs, and what unpacks to more than it is could be anything.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: Connection(server, trusted=trusted, loop=loop), sock=sock, ssl=tls
    )
