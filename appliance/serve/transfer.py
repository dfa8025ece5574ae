"""Images over HTTP: sent in from any byte on, and given out in whole or in any part."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Protocol

from aiohttp import hdrs, web

from appliance.api.errors import ApiError, InvalidArgument, NotBuilt, ResourceNotFound
from appliance.reconcile.image_transfer import Stored
from appliance.serve.route import HEADERS, error_answer, json_answer

OFFSET = "Upload-Offset"
"""Of a PUT: where its bytes belong. Of the answer to HEAD: how many have arrived."""
UPLOAD_CHUNK = 1 << 20


class Transfers(Protocol):
    """What takes images in and gives them out."""

    async def arrived(self, image_uuid: str) -> int: ...
    async def take(
        self, image_uuid: str, content: AsyncIterator[bytes], length: int | None, start: int
    ) -> None: ...
    async def stored(self, image_uuid: str, backup_storage_uuid: str | None) -> Stored: ...
    async def give(
        self, image_uuid: str, backup_storage_uuid: str | None, start: int
    ) -> AsyncGenerator[bytes, None]: ...


def image_of(request: web.Request, transfers: Transfers | None) -> tuple[str, Transfers]:
    """The image that a request is about, and what carries it out."""
    if transfers is None:
        raise NotBuilt("this appliance takes no uploads")
    uuid = request.match_info["uuid"]
    if not re.fullmatch(r"[0-9a-f]{32}", uuid):
        raise ResourceNotFound(f"there is no image[uuid:{uuid[:64]}]")
    return uuid, transfers


async def receive(request: web.Request, uuid: str, transfers: Transfers) -> web.StreamResponse:
    """Take the rest of an image, or say how much of it is there."""
    if request.method == hdrs.METH_HEAD:
        return json_answer({}, headers={OFFSET: str(await transfers.arrived(uuid))})
    said = request.headers.get(OFFSET, "0")
    if not said.isdecimal() or len(said) > 18:
        raise InvalidArgument(f"{OFFSET}: {said[:20]} is not a number of bytes")
    content = request.content.iter_chunked(UPLOAD_CHUNK)
    await transfers.take(uuid, content, request.content_length, int(said))
    return json_answer({})


async def export(request: web.Request, uuid: str, transfers: Transfers) -> web.StreamResponse:
    """Give an image out, or the part of it that is asked for; to HEAD, what there is."""
    backup_storage_uuid = request.query.get("backupStorageUuid")
    place = await transfers.stored(uuid, backup_storage_uuid)
    image, size = place.image, place.image.length
    tag = f'"{image.md5_sum}"'
    asked = _part(request, size) if request.headers.get(hdrs.IF_RANGE, tag) == tag else None
    if asked is not None and not asked:
        nothing = InvalidArgument(
            f"{hdrs.RANGE}: {request.headers[hdrs.RANGE][:40]} asks for no byte of image[uuid:{uuid}], which has "
            f"{size} bytes; ask for bytes=0-{size - 1} at most"
        )
        return error_answer(nothing, 416, {hdrs.CONTENT_RANGE: f"bytes */{size}"})
    part = range(size) if asked is None else asked
    headers = {
        **HEADERS,
        hdrs.CONTENT_TYPE: "application/octet-stream",
        hdrs.CONTENT_LENGTH: str(len(part)),
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.ETAG: tag,
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="{uuid}.{image.format}"',
    }
    if asked is not None:
        headers[hdrs.CONTENT_RANGE] = f"bytes {part.start}-{part.stop - 1}/{size}"
    response = web.StreamResponse(status=200 if asked is None else 206, headers=headers)
    if request.method == hdrs.METH_HEAD:
        await response.prepare(request)
        return response
    content = await transfers.give(uuid, backup_storage_uuid, part.start)
    await response.prepare(request)
    try:
        await _write(response, content, len(part))
    except ApiError as broken:
        # The answer has begun: that it is short is all that can be said now.
        raise ConnectionResetError(broken.details) from broken
    await response.write_eof()
    return response


async def _write(response: web.StreamResponse, content: AsyncGenerator[bytes, None], left: int) -> None:
    """So many bytes of what comes, which may be more."""
    async with aclosing(content):
        async for chunk in content:
            await response.write(chunk[:left])
            left -= len(chunk)
            if left < 0:
                return


def _part(request: web.Request, size: int) -> range | None:
    """The bytes that are asked for, none when they are beyond the end or the last 0 (14.1.2); None for the whole.

    What is no range of one part, or none of a GET, is passed over, as RFC 9110 (14.2) has it.
    """
    if hdrs.RANGE not in request.headers or request.method != hdrs.METH_GET:
        return None
    try:
        asked = request.http_range
    except ValueError:
        return None
    # aiohttp takes the last 0 bytes for all that there are.
    last = request.headers[hdrs.RANGE].partition("=")[2].startswith("-")
    return range(0) if last and not asked.start else range(size)[asked]
