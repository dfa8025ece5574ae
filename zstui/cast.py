"""A console as a recording that asciinema plays: version 2 of its format, a line of JSON for each piece."""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import re
import time
from pathlib import Path

MOST_WAITING = 8 << 20
"""Characters that wait for a disk; one that takes none for so long ends the recording."""


class Cast:
    """One recording. What is shown is added as it comes; `flush` writes it."""

    def __init__(self, path: Path, columns: int, lines: int, title: str, shown: str) -> None:
        """Begin a new file that only its owner reads. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self.path = path
        self.size = 0
        """Bytes of the guest's that are in it."""
        self._file = os.fdopen(handle, "w", encoding="utf-8")
        self._began = time.monotonic()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._waiting: list[str] = []
        self._waiting_length = 0
        self._writing = asyncio.Lock()
        head = {
            "version": 2, "width": columns, "height": lines, "timestamp": int(time.time()),
            "title": title, "env": {"TERM": "xterm-256color"},
        }  # fmt: skip
        self._add(json.dumps(head, ensure_ascii=False))
        self._event(shown)

    def add(self, data: bytes) -> None:
        """Something was shown. Raises OSError when the disk is far behind."""
        self.size += len(data)
        self._event(self._decoder.decode(data))
        if self._waiting_length > MOST_WAITING:
            raise OSError(f"{self.path} takes nothing")

    async def flush(self) -> None:
        """Write what waits. Raises OSError."""
        async with self._writing:
            waiting, self._waiting, self._waiting_length = self._waiting, [], 0
            if waiting:
                await asyncio.to_thread(self._write, "".join(waiting))

    async def close(self) -> None:
        """Write the rest and close the file. Raises OSError."""
        try:
            await self.flush()
        finally:
            await asyncio.to_thread(self._file.close)

    async def give_up(self) -> None:
        """Leave the file as far as it is."""
        self._waiting.clear()
        await asyncio.to_thread(self._file.close)

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()

    def _event(self, text: str) -> None:
        if text:
            self._add(json.dumps([round(time.monotonic() - self._began, 6), "o", text], ensure_ascii=False))

    def _add(self, line: str) -> None:
        self._waiting.append(line + "\n")
        self._waiting_length += len(line)


def recording_path(name: str, at: float) -> Path:
    """Where a recording of a VM's console that begins now goes: the user's XDG state folder."""
    folder = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    stem = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "console"
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(at))
    return Path(folder) / "zstui" / "recordings" / f"{stem}-{stamp}.cast"
