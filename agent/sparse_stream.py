"""A whole file through standard input and output without its holes: how images go from host to host.

The stream begins with its own length from there on, eight bytes, so that whoever passes it on can tell how far
it is. Then come records as a lane has them (`agent/lane_stream.py`) of one file, the last with the file's length.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from agent.lane_stream import RECORD, extents
from agent.lane_stream import give as send_span
from agent.paths import Paths
from agent.refused import Refused
from agent.sparse import append
from agent.storage import StorageRoots, check_room, disk_refused, is_regular, make_folders, part_of, publish
from agent.stream import CHUNK_BYTES, complain, held, tell, write_all
from agent.throttle import Throttle

LENGTH_BYTES = 8


def give(path: str, bytes_per_second: int) -> int:
    """Write a file below a storage root to standard output, at most so fast (0: no limit). Returns the exit status."""
    try:
        _give(StorageRoots(Paths.from_environment()).resolve(path), bytes_per_second)
    except Refused as refused:
        return complain(refused)
    return 0


def take(path: str, size: int, md5: str, reserved_bytes: int) -> int:
    """Make a file of `size` bytes below a storage root of what `give` writes elsewhere.

    It gets its name only when it is whole and its MD5 (hex; `-`: any) is right, and leaves so much of its storage
    free; nothing is left else. Prints `{"md5": …, "size": …}`. Returns the exit status.
    """
    try:
        seen = _take(StorageRoots(Paths.from_environment()).resolve(path), size, md5, reserved_bytes)
    except Refused as refused:
        return complain(refused)
    return tell(md5=seen, size=size)


def _give(path: Path, bytes_per_second: int) -> None:
    if not is_regular(path):
        raise Refused("file.missing", f"{path} is not there as a regular file")
    try:
        with path.open("rb", buffering=0) as file:
            descriptor = file.fileno()
            size = os.fstat(descriptor).st_size
            spans = list(extents(descriptor, 0, size))
            length = sum(length for _, length in spans) + RECORD.size * (len(spans) + 1)
            write_all(1, length.to_bytes(LENGTH_BYTES))
            throttle = Throttle(lambda: bytes_per_second)
            for at, length in spans:
                write_all(1, RECORD.pack(0, at, length))
                send_span(1, descriptor, at, length, throttle.take, throttle.at_once)
            write_all(1, RECORD.pack(0, size, 0))
    except OSError as failed:
        raise disk_refused(failed, path) from failed


def _take(path: Path, size: int, md5: str, reserved_bytes: int) -> str:
    part = part_of(path)
    try:
        make_folders(path.parent)
        coming = int.from_bytes(_exactly(LENGTH_BYTES))
        check_room(path.parent, coming, str(path), reserved_bytes)
        with held(part) as descriptor:
            seen = _fill(descriptor, size)
            if md5 not in {"-", seen}:
                raise Refused("file.md5", f"{path} arrived with MD5 {seen} instead of {md5}; send it again")
            publish(part, path)
    except OSError as failed:
        raise disk_refused(failed, path) from failed
    return seen


def _fill(descriptor: int, size: int) -> str:
    """Write the file, which is empty; its MD5."""
    seen = hashlib.md5(usedforsecurity=False)
    at = 0
    while True:
        _, start, length = RECORD.unpack(_exactly(RECORD.size))
        if not at <= start <= size - length or (length == 0 and start != size):
            raise Refused(
                "file.other_size",
                f"the stream has {length} bytes at {start}, which a file of {size} bytes has not; send it again",
            )
        _hash_zeros(seen, start - at)
        os.ftruncate(descriptor, start)
        at = start
        if length == 0:
            return seen.hexdigest()
        while at < start + length:
            chunk = _some(min(CHUNK_BYTES, start + length - at))
            seen.update(chunk)
            at = append(descriptor, at, chunk)


def _hash_zeros(seen: hashlib._Hash, count: int) -> None:
    zeros = bytes(min(count, CHUNK_BYTES))
    while count:
        seen.update(zeros[:count])
        count -= min(count, CHUNK_BYTES)


def _exactly(count: int) -> bytes:
    found = b""
    while len(found) < count:
        found += _some(count - len(found))
    return found


def _some(most: int) -> bytes:
    chunk = os.read(0, most)
    if not chunk:
        raise Refused("file.short", "the stream ended too early; send it again")
    return chunk
