"""The log of a guest's serial console, read while it grows and is rolled over."""

from __future__ import annotations

import os
import stat
from pathlib import Path

BACKLOG_BYTES = 64 << 10
"""What the guest wrote before that a reader is shown first: a boot, most times."""

CHUNK_BYTES = 32 << 10

BEHIND_BYTES = 256 << 10
"""A reader that is further behind than this skips to the last of it."""


def before_of(path: Path) -> Path:
    """The file that a log went on from: virtlogd's name for one that it has rolled over."""
    return path.with_name(f"{path.name}.0")


def last_of(path: Path) -> bytes:
    """What a reader of a log is shown first; nothing where there is none. Raises OSError."""
    log = SerialLog(path)
    found = b""
    try:
        while len(found) < BEHIND_BYTES and (data := log.read()[1]):  # its guest may go on writing
            found += data
    finally:
        log.close()
    return found[-BACKLOG_BYTES:]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class SerialLog:
    """One reader of a log. Its file may not be there yet, and its name may become another file's (virtlogd's way)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._at = 0
        here = _size(path)
        if here < BACKLOG_BYTES and self._open(before_of(path)):
            self._begin_with_the_last(BACKLOG_BYTES - here)
        elif self._open(path):
            self._begin_with_the_last(BACKLOG_BYTES)

    def read(self) -> tuple[int, bytes]:
        """How many bytes are left out, and what follows them; nothing while the guest is silent. Raises OSError."""
        if self._file < 0 and not self._open(self._path):
            return 0, b""
        size = os.fstat(self._file).st_size
        if size < self._at:  # it was cut off to begin anew
            self._at = 0
        left_out = 0
        if size - self._at > BEHIND_BYTES:
            left_out = size - BACKLOG_BYTES - self._at
            self._at += left_out
        data = os.pread(self._file, CHUNK_BYTES, self._at)
        if not data and self._rolled_over():
            # Again, for what came before the other file had its name.
            data = os.pread(self._file, CHUNK_BYTES, self._at)
            if not data:
                self.close()
                return self.read()
        self._at += len(data)
        return left_out, data

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self, path: Path) -> bool:
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        found = os.fstat(self._file)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise OSError(f"{path} is no file")
        self._at = 0
        return True

    def _begin_with_the_last(self, most: int) -> None:
        """Go to the beginning of a line, where no letter or sequence is cut in two."""
        self._at = max(0, os.fstat(self._file).st_size - most)
        if self._at:
            self._at += os.pread(self._file, most, self._at).find(b"\n") + 1

    def _rolled_over(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._file).st_ino
        except FileNotFoundError:
            return False
