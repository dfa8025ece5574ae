"""The stream of a lane: files as a row of records, sent and taken by the kernel without passing through us.

Its source is told first how much of each file is there. A record is where bytes belong, and how many follow;
one without bytes ends its file at that length, one past every file ends the stream.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import struct
from collections.abc import Callable, Iterator

import msgspec

RECORD = struct.Struct(">IQQ")
END = 0xFFFFFFFF
"""The number of no file: the stream is over."""
ANEW = (1 << 64) - 1
"""Instead of a length: forget what is there of a file."""
PIPE_BYTES = 1 << 20
BLOCK_BYTES = 4 << 20
HASH_BYTES = 4 << 20


class Have(msgspec.Struct, tag=True):
    """What the other end has of each file, in bytes from its start; -1: all of it, under its own name."""

    have: list[int]


class Proof(msgspec.Struct, tag=True):
    """SHA-256 of each file on the other end, hex."""

    sha256: list[str]


class Complaint(msgspec.Struct, tag=True):
    """Why the other end gave up."""

    code: str
    message: str
    transient: bool = False


def extents(descriptor: int, start: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file has data from an offset on: offsets and lengths. Holes are left out."""
    at = start
    while at < size:
        try:
            at = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as nothing:
            if nothing.errno == errno.ENXIO:
                return
            raise
        end = min(os.lseek(descriptor, at, os.SEEK_HOLE), size)
        yield at, end - at
        at = end


def give(
    target: int, source: int, at: int, length: int, told: Callable[[int], None], at_once: Callable[[], int]
) -> None:
    """Send bytes of a file into a pipe; `told` hears of each block, of at most `at_once` bytes, before it is sent."""
    left = length
    while left:
        block = min(left, at_once())
        told(block)
        while block:
            sent = os.sendfile(target, source, at, block)
            if not sent:
                raise OSError(errno.EIO, "the file became shorter while it was read")
            at += sent
            left -= sent
            block -= sent


class Taker:
    """Takes bytes of a stream into files. A socket's go through a pipe, as the kernel wants it."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._pipe = None if stat.S_ISFIFO(os.fstat(source).st_mode) else os.pipe()

    def record(self) -> tuple[int, int, int]:
        """The next record: file, offset, length. Raises `EOFError` where the stream breaks."""
        head = b""
        while len(head) < RECORD.size:
            some = os.read(self._source, RECORD.size - len(head))
            if not some:
                raise EOFError
            head += some
        number, at, length = RECORD.unpack(head)
        return number, at, length

    def take(self, target: int, at: int, length: int) -> None:
        """The next bytes of the stream, to their place in a file. Raises `EOFError` where it breaks."""
        while length:
            if self._pipe is None:
                moved = os.splice(self._source, target, min(length, PIPE_BYTES), offset_dst=at)
            else:
                waiting = os.splice(self._source, self._pipe[1], min(length, 1 << 16))
                moved = 0
                while moved < waiting:
                    moved += os.splice(self._pipe[0], target, waiting - moved, offset_dst=at + moved)
            if not moved:
                raise EOFError
            at += moved
            length -= moved


def sha256_of(descriptor: int) -> str:
    """The SHA-256 of a whole file, hex."""
    seen = hashlib.sha256()
    at = 0
    while chunk := os.pread(descriptor, HASH_BYTES, at):
        seen.update(chunk)
        at += len(chunk)
    return seen.hexdigest()
