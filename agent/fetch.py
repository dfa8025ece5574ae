"""The record of what guests asked the metadata server: a file of lines that never grows past a cap."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

import msgspec

from agent.protocol import UserdataFetch

CAP = 5_000
"""How many of the latest fetches are kept."""

PAGE = 1_000
"""How many fetches one answer carries at most."""

_RESERVED = 1_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class _Mark(msgspec.Struct):
    """Sequence numbers below `reserved` may have been given out during the boot named."""

    boot_id: str
    reserved: int


class FetchLog:
    """Fetches with rising sequence numbers that never repeat, not after a restart or power cut."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / "fetches.jsonl"
        self._mark_path = folder / "fetches.mark"
        self._recent: deque[UserdataFetch] = deque(self._read(), maxlen=CAP)
        self._boot_id = _BOOT_ID.read_text().strip()
        last = self._recent[-1].sequence if self._recent else 0
        mark = self._mark()
        # After a power cut the last lines may be lost though someone has read them: skip what was reserved.
        lost = mark is not None and (mark.boot_id != self._boot_id or last == 0)
        self._next = max(last + 1, mark.reserved if mark is not None and lost else 0)
        self._reserved = 0
        self._lines = 0
        self._descriptor = -1
        self._rewrite()

    def record(self, fetch: UserdataFetch) -> UserdataFetch:
        """Keep a fetch; returned with its sequence number."""
        if self._next >= self._reserved:
            self._reserve()
        numbered = msgspec.structs.replace(fetch, sequence=self._next)
        self._next += 1
        self._recent.append(numbered)
        if self._lines >= 2 * CAP:
            self._rewrite()
        else:
            os.write(self._descriptor, msgspec.json.encode(numbered) + b"\n")
            self._lines += 1
        return numbered

    def after(self, sequence: int) -> list[UserdataFetch]:
        """The fetches after a sequence number, oldest first, at most `PAGE`."""
        return [fetch for fetch in self._recent if fetch.sequence > sequence][:PAGE]

    def close(self) -> None:
        """Release the file."""
        os.close(self._descriptor)
        self._descriptor = -1

    def _read(self) -> list[UserdataFetch]:
        if not self._path.exists():
            return []
        found = []
        for line in self._path.read_bytes().splitlines():
            try:
                found.append(msgspec.json.decode(line, type=UserdataFetch))
            except msgspec.DecodeError:
                continue  # a line cut short by a crash
        return found

    def _mark(self) -> _Mark | None:
        try:
            return msgspec.json.decode(self._mark_path.read_bytes(), type=_Mark)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _reserve(self) -> None:
        self._reserved = self._next + _RESERVED
        part = self._mark_path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(msgspec.json.encode(_Mark(boot_id=self._boot_id, reserved=self._reserved)))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._mark_path)

    def _rewrite(self) -> None:
        part = self._path.with_suffix(".part")
        part.write_bytes(b"".join(msgspec.json.encode(fetch) + b"\n" for fetch in self._recent))
        part.replace(self._path)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._lines = len(self._recent)
