"""Files through standard input and output, from any byte on: how images are uploaded and given out."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from agent.paths import Paths
from agent.refused import Refused
from agent.sparse import append
from agent.storage import StorageRoots, check_room, disk_refused, is_regular, make_folders, part_of, publish

CHUNK_BYTES = 1 << 20


def send(path: str, start: int) -> int:
    """Write a file below a storage root to standard output, from a byte on. Returns the exit status."""
    try:
        _send(StorageRoots(Paths.from_environment()).resolve(path), start)
    except Refused as refused:
        return complain(refused)
    return 0


def receive(path: str, size: int, start: int, reserved_bytes: int) -> int:
    """Read a file of `size` bytes below a storage root from standard input, from a byte on.

    What has come stays when they stop; the file gets its name when it is whole, with holes for its zeros, and leaves
    so much of its storage free. Prints `{"md5": …, "size": …}`. Returns the exit status.
    """
    try:
        seen = _receive(StorageRoots(Paths.from_environment()).resolve(path), size, start, reserved_bytes)
    except Refused as refused:
        return complain(refused)
    return tell(md5=seen, size=size)


def arrived(path: str) -> int:
    """Print `{"size": …}` of what has been received of a file. Returns the exit status."""
    try:
        target = StorageRoots(Paths.from_environment()).resolve(path)
        there = target if is_regular(target) else part_of(target)
        size = there.stat().st_size if is_regular(there) else 0
    except Refused as refused:
        return complain(refused)
    return tell(size=size)


def tell(**said: str | int) -> int:
    """Print what became of a stream as one JSON object, and return the exit status of a success."""
    json.dump(said, sys.stdout)
    print(flush=True)  # noqa: T201
    return 0


def _send(path: Path, start: int) -> None:
    if not is_regular(path):
        raise Refused("file.missing", f"{path} is not there as a regular file")
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while chunk := file.read(CHUNK_BYTES):
                write_all(1, chunk)
    except OSError as failed:
        raise disk_refused(failed, path) from failed


def _receive(path: Path, size: int, start: int, reserved_bytes: int) -> str:
    part = part_of(path)
    try:
        make_folders(path.parent)
        check_room(path.parent, size - start, str(path), reserved_bytes)
        with _locked(part) as descriptor:
            there = os.fstat(descriptor).st_size
            if there < start:
                raise Refused("file.gap", f"only {there} bytes of {path} have arrived; go on from there")
            os.ftruncate(descriptor, start)
            _fill(descriptor, start, size)
            with part.open("rb") as whole:
                seen = hashlib.file_digest(whole, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            publish(part, path)
    except OSError as failed:
        raise disk_refused(failed, path) from failed
    return seen


@contextlib.contextmanager
def held(part: Path) -> Iterator[int]:
    """An empty part that nobody else fills; gone in the end unless it was published."""
    with _locked(part) as descriptor:
        os.ftruncate(descriptor, 0)
        try:
            yield descriptor
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[int]:
    """A part that nobody else fills. The lock dies with its process, so one that a killed one left is taken over."""
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                "file.busy", f"{part} is being received already; wait for it", transient=True
            ) from None
        yield descriptor
    finally:
        os.close(descriptor)


def _fill(descriptor: int, at: int, size: int) -> None:
    while at < size:
        chunk = os.read(0, min(CHUNK_BYTES, size - at))
        if not chunk:
            raise Refused(
                "file.short", f"the stream ended {size - at} of {size} bytes too early; send it again"
            )
        at = append(descriptor, at, chunk)


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write bytes to where a file, pipe or socket is. Raises `OSError`."""
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def complain(refused: Refused) -> int:
    """Say why a command was refused; its exit status."""
    print(f"{refused.refusal.code}: {refused.refusal.message}", file=sys.stderr)  # noqa: T201
    return 1
