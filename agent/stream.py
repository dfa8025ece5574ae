"""Whole files through standard input and output: the fastest way for one through an SSH channel."""

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
from agent.storage import StorageRoots, disk_refused, is_regular, make_folders, part_of, publish

CHUNK_BYTES = 1 << 20


def send(path: str, start: int = 0) -> int:
    """Write a file below a storage root to standard output, from a byte on. Returns the exit status."""
    try:
        _send(StorageRoots(Paths.from_environment()).resolve(path), start)
    except Refused as refused:
        return _complain(refused)
    return 0


def receive(path: str, size: int, md5: str, start: int | None = None) -> int:
    """Read exactly `size` bytes from standard input into a file below a storage root.

    With a `start` only those from there on are read, and what has come stays when they stop. The file gets its
    name only when it is whole and its MD5 (hex; `-`: any) is right. Prints `{"md5": …, "size": …}`. Returns the
    exit status.
    """
    try:
        target = StorageRoots(Paths.from_environment()).resolve(path)
        seen = _receive(target, size, md5) if start is None else _receive_rest(target, size, start)
    except Refused as refused:
        return _complain(refused)
    json.dump({"md5": seen, "size": size}, sys.stdout)
    print(flush=True)  # noqa: T201
    return 0


def arrived(path: str) -> int:
    """Print `{"size": …}` of what has been received of a file. Returns the exit status."""
    try:
        target = StorageRoots(Paths.from_environment()).resolve(path)
        there = target if is_regular(target) else part_of(target)
        size = there.stat().st_size if is_regular(there) else 0
    except Refused as refused:
        return _complain(refused)
    json.dump({"size": size}, sys.stdout)
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
                _write_all(1, chunk)
    except OSError as failed:
        raise disk_refused(failed, path) from failed


def _receive(path: Path, size: int, md5: str) -> str:
    part = part_of(path)
    try:
        make_folders(path.parent)
        counted = os.statvfs(path.parent)
        if size > counted.f_bavail * counted.f_frsize:
            raise Refused("storage.full", f"{path} needs {size} bytes; free space on this storage")
        with _held(part) as descriptor:
            seen = _fill(descriptor, size)
            if md5 not in {"-", seen}:
                raise Refused("file.md5", f"{path} arrived with MD5 {seen} instead of {md5}; send it again")
            publish(part, path)
    except OSError as failed:
        raise disk_refused(failed, path) from failed
    return seen


def _receive_rest(path: Path, size: int, start: int) -> str:
    part = part_of(path)
    try:
        make_folders(path.parent)
        counted = os.statvfs(path.parent)
        if size - start > counted.f_bavail * counted.f_frsize:
            raise Refused("storage.full", f"{path} needs {size - start} bytes; free space on this storage")
        with _locked(part) as descriptor:
            there = os.fstat(descriptor).st_size
            if there < start:
                raise Refused("file.gap", f"only {there} bytes of {path} have arrived; go on from there")
            os.ftruncate(descriptor, start)
            os.lseek(descriptor, start, os.SEEK_SET)
            _fill(descriptor, size - start)
            with part.open("rb") as whole:
                seen = hashlib.file_digest(whole, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            publish(part, path)
    except OSError as failed:
        raise disk_refused(failed, path) from failed
    return seen


@contextlib.contextmanager
def _held(part: Path) -> Iterator[int]:
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


def _fill(descriptor: int, size: int) -> str:
    seen = hashlib.md5(usedforsecurity=False)
    left = size
    while left:
        chunk = os.read(0, min(CHUNK_BYTES, left))
        if not chunk:
            raise Refused("file.short", f"the stream ended {left} of {size} bytes too early; send it again")
        seen.update(chunk)
        _write_all(descriptor, chunk)
        left -= len(chunk)
    return seen.hexdigest()


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _complain(refused: Refused) -> int:
    print(f"{refused.refusal.code}: {refused.refusal.message}", file=sys.stderr)  # noqa: T201
    return 1
