"""Local files on their way to an appliance and from it: from any byte on, and patiently."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from appliance.api.errors import ImageFailed

CHUNK_BYTES = 1 << 20
HOLE_BYTES = 64 << 10
_ZEROS = bytes(HOLE_BYTES)
TRIES = 6
"""So often a connection may break in a row without a byte more."""
PAUSE_SECONDS = 0.2

Progress = Callable[[int, int], None]


class Patience:
    """How long a transfer goes on that breaks: for as long as it gets on."""

    def __init__(self) -> None:
        self._reached = -1
        self._broken = 0

    def note(self, reached: int) -> None:
        """So many bytes are there now."""
        if reached > self._reached:
            self._reached, self._broken = reached, 0

    async def pause(self, broken: Exception) -> None:
        """Wait before the next try; raises the error when there should be none."""
        self._broken += 1
        if self._broken > TRIES:
            raise broken
        await asyncio.sleep(PAUSE_SECONDS * 2**self._broken)


async def chunks(
    source: BinaryIO, start: int, size: int, progress: Progress | None
) -> AsyncGenerator[bytes, None]:
    """An open file from a byte on. Who opened it closes it: this may be cancelled at any moment."""
    await asyncio.to_thread(source.seek, start)
    while chunk := await asyncio.to_thread(source.read, CHUNK_BYTES):
        yield chunk
        start += len(chunk)
        if progress is not None:
            progress(start, size)


class PartFile:
    """A file that is being written beside its place, where an earlier try stopped."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self.size = size

    async def length(self) -> int:
        """How much is there."""
        if not await asyncio.to_thread(self._part.exists):
            await asyncio.to_thread(self._part.touch)
        return (await asyncio.to_thread(self._part.stat)).st_size

    async def write(self, content: AsyncIterator[bytes], start: int, progress: Progress | None) -> None:
        """Add what comes."""
        target = await asyncio.to_thread(self._part.open, "r+b")
        try:
            async for chunk in content:
                start = await asyncio.to_thread(_append, target, start, chunk)
                if progress is not None:
                    progress(start, self.size)
        finally:
            await asyncio.to_thread(target.close)

    async def finish(self, md5: str) -> str:
        """Give it its name if it is what it should be; raises `ImageFailed`, and begins anew next time, else."""
        seen = await asyncio.to_thread(self._md5)
        if seen != md5:
            await asyncio.to_thread(self._part.unlink)
            raise ImageFailed(f"{self._path} arrived with MD5 {seen} instead of {md5}; download it again")
        await asyncio.to_thread(self._part.replace, self._path)
        return seen

    def _md5(self) -> str:
        with self._part.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _append(target: BinaryIO, at: int, data: bytes) -> int:
    """Add bytes to a file that ends at `at`, with holes for zeros, as the agent does; where it ends now."""
    start = 0
    while start < len(data):
        block = data[start : start + HOLE_BYTES - at % HOLE_BYTES]
        if block == _ZEROS[: len(block)]:
            target.truncate(at + len(block))
        else:
            target.seek(at)
            target.write(block)
        at += len(block)
        start += len(block)
    target.flush()
    return at
