"""Bring an image to this host: to a file beside its place, inspected, and only then to its name."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit
from weakref import WeakValueDictionary

from agent.address import without_password
from agent.convert import convert
from agent.image import FORMATS, SOURCE_FORMATS, image_facts, inspect, md5_of
from agent.protocol import FetchImage, ImageFacts
from agent.refused import Refused
from agent.sparse import append
from agent.storage import (
    StorageRoots,
    check_room,
    clean,
    disk_refused,
    fetched_of,
    is_regular,
    make_folders,
    part_of,
    publish,
)

CHUNK_BYTES = 4 << 20

Report = Callable[[int, int], None]


class Downloads:
    """Fetches images below storage roots, one at a time per path."""

    def __init__(self, storage: StorageRoots) -> None:
        self._storage = storage
        self._locks: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    async def fetch(self, request: FetchImage, report: Report) -> ImageFacts:
        """Make the image be at its path and say what it is. Raises `Refused`; nothing is left then."""
        path = self._storage.resolve(request.path)
        if request.format not in FORMATS:
            raise Refused("image.format", f"{request.format!r} is none of the formats {', '.join(FORMATS)}")
        if request.source_format not in SOURCE_FORMATS:
            known = ", ".join(filter(None, SOURCE_FORMATS))
            raise Refused("image.format", f"{request.source_format!r} is none of the formats {known}")
        lock = self._locks.setdefault(path, asyncio.Lock())
        async with lock:
            if is_regular(path):
                md5 = await asyncio.to_thread(md5_of, path)
                size_bytes = await inspect(path, request.format)
            else:
                md5, size_bytes = await self._bring(request, path, report)
        return image_facts(path, request.format, size_bytes, md5)

    async def _bring(self, request: FetchImage, path: Path, report: Report) -> tuple[str, int]:
        part, fetched = part_of(path), fetched_of(path)
        converts = request.source_format not in {"", request.format}
        try:
            await asyncio.to_thread(make_folders, path.parent)
            if converts:
                await self._transfer(request, fetched, lambda done, total: report(done, 2 * total))
                await inspect(fetched, request.source_format)
                # Its bytes are moved twice: told as one whole, which does not begin again.
                size = fetched.stat().st_size
                await convert(
                    fetched, request.source_format, part, size, lambda done, _: report(size + done, 2 * size),
                    reserved_bytes=request.reserved_bytes,
                )  # fmt: skip
                md5 = await asyncio.to_thread(md5_of, part)
            else:
                md5 = await self._transfer(request, part, report)
            size_bytes = await inspect(part, request.format)
            await asyncio.to_thread(publish, part, path)
        except OSError as failed:
            raise disk_refused(failed, path) from failed
        finally:
            part.unlink(missing_ok=True)
            fetched.unlink(missing_ok=True)
        return md5, size_bytes

    async def _transfer(self, request: FetchImage, part: Path, report: Report) -> str:
        scheme = urlsplit(request.url).scheme
        if scheme == "file":
            roots = map(str, self._storage.roots()) if request.from_storage else ()
            source = _open_local(request.url, [*request.allowed_folders, *roots])
            return await _copy(source, _sink(request, part), report)
        if scheme in {"http", "https"}:
            # Imported when first needed: it costs a fifth of a second, and most hosts never fetch.
            from agent.http_source import pull

            return await pull(request.url, _sink(request, part), report)
        raise Refused(
            "url.scheme", f"{without_password(request.url)[:200]!r} is neither file:// nor http(s)://"
        )


def _sink(request: FetchImage, part: Path) -> Sink:
    return Sink(part, request.max_bytes, request.reserved_bytes)


class Sink:
    """A file being written: holes stay holes, its MD5 is counted, and no limit is passed."""

    def __init__(self, part: Path, max_bytes: int, reserved_bytes: int) -> None:
        self._part = part
        self._max_bytes = max_bytes
        self._reserved_bytes = reserved_bytes
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._file: IO[bytes] | None = None
        self.done = 0

    def open(self, expected_bytes: int) -> None:
        """Begin. Raises `Refused` when so many bytes are too many, or more than there is room for."""
        self._check_limit(expected_bytes)
        check_room(self._part.parent, expected_bytes, "the image", self._reserved_bytes)
        self._part.unlink(missing_ok=True)
        self._file = self._part.open("xb")

    def write(self, chunk: bytes) -> None:
        """Add bytes. Raises `Refused` beyond the limit, `OSError` when the disk refuses."""
        if self._file is None:
            raise ValueError("the sink was not opened")
        self._check_limit(self.done + len(chunk))
        self._md5.update(chunk)
        self.done = append(self._file.fileno(), self.done, chunk)

    def finish(self) -> str:
        """End the file and return its MD5 as hex."""
        if self._file is None:
            raise ValueError("the sink was not opened")
        self.close()
        return self._md5.hexdigest()

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _check_limit(self, size: int) -> None:
        if size > self._max_bytes:
            raise Refused("image.too_big", f"the image is larger than the {self._max_bytes} bytes allowed")


def _open_local(url: str, allowed: list[str]) -> int:
    """A descriptor of a local file, opened once and then proved to be below an allowed folder."""
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise Refused(
            "url.host", f"{without_password(url)[:200]!r} names a host; a local file is file:///path"
        )
    path = clean(unquote(parts.path))
    # Before it is looked whether there is such a file: outside of the folders nothing tells that.
    _check_below(Path(os.path.realpath(path)), path, allowed)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as failed:
        raise disk_refused(failed, path) from failed
    try:
        # What was opened, however the path led there.
        _check_below(Path(f"/proc/self/fd/{descriptor}").readlink(), path, allowed)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused("file.missing", f"{path} is not a regular file")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_below(real: Path, path: Path, allowed: list[str]) -> None:
    """Refuse a path that really leads to no place below an allowed folder."""
    if not any(Path(folder).resolve() in real.parents for folder in allowed):
        raise Refused("url.folder", f"{path} is below none of the folders allowed: {', '.join(allowed)}")


async def _copy(descriptor: int, sink: Sink, report: Report) -> str:
    total = os.fstat(descriptor).st_size
    with os.fdopen(descriptor, "rb", buffering=0) as source:
        try:
            await asyncio.to_thread(sink.open, total)
            while chunk := await asyncio.to_thread(source.read, CHUNK_BYTES):
                await asyncio.to_thread(sink.write, chunk)
                report(sink.done, total)
            return await asyncio.to_thread(sink.finish)
        finally:
            sink.close()
