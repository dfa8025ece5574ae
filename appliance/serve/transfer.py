"""Images over HTTP: sent in from any byte on, and given out from any byte on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Protocol

from aiohttp import hdrs, web

from appliance.api.errors import ApiError, InvalidArgument, NotBuilt, ResourceNotFound
from appliance.reconcile.image_transfer import Stored
from appliance.serve.route import HEADERS, json_answer

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
    ) -> AsyncIterator[bytes]: ...


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
    """Give an image out, from the byte that is asked for."""
    backup_storage_uuid = request.query.get("backupStorageUuid")
    place = await transfers.stored(uuid, backup_storage_uuid)
    image, size = place.image, place.image.length
    tag = f'"{image.md5_sum}"'
    start = _start(request, size) if request.headers.get(hdrs.IF_RANGE, tag) == tag else 0
    headers = {
        **HEADERS,
        hdrs.CONTENT_TYPE: "application/octet-stream",
        hdrs.CONTENT_LENGTH: str(size - start),
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.ETAG: tag,
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="{uuid}.{image.format}"',
    }
    if start:
        headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{size - 1}/{size}"
    response = web.StreamResponse(status=206 if start else 200, headers=headers)
    content = await transfers.give(uuid, backup_storage_uuid, start)
    await response.prepare(request)
    try:
        async for chunk in content:
            await response.write(chunk)
    except ApiError as broken:
        # The answer has begun: that it is short is all that can be said now.
        raise ConnectionResetError(broken.details) from broken
    await response.write_eof()
    return response


def _start(request: web.Request, size: int) -> int:
    """The byte that an answer begins with. Only ranges up to the end are known; others are not asked for."""
    said = request.headers.get(hdrs.RANGE)
    if said is None:
        return 0
    found = re.fullmatch(r"bytes=([0-9]{1,18})-", said)
    if found is None or int(found[1]) >= size:
        raise InvalidArgument(f"{hdrs.RANGE}: {said[:40]} is not bytes=N- with N below {size}")
    return int(found[1])
