"""Looks for secrets wherever something is written: files, command lines, environments, tables of the store."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from pysqlite3 import dbapi2 as sqlite

LOOK_SECONDS = 0.01
PIECE_BYTES = 8 << 20


def found_in(secrets: dict[str, str], content: bytes) -> list[str]:
    """The names of the secrets that are in some bytes."""
    return [name for name, secret in secrets.items() if secret.encode() in content]


def in_files(secrets: dict[str, str], folders: Iterable[Path], *, besides: Iterable[Path] = ()) -> list[str]:
    """`NAME in FILE` for each secret in a regular file below folders, holes not read."""
    told, left_out = [], set(besides)
    for path in (path for folder in folders for path in [folder, *folder.rglob("*")]):
        if path in left_out or path.is_symlink() or not path.is_file():
            continue
        try:
            hits = {name for piece in _pieces(path) for name in found_in(secrets, piece)}
        except (FileNotFoundError, PermissionError):
            continue
        told += [f"{name} in {path}" for name in sorted(hits)]
    return told


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        at, size = 0, path.stat().st_size
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            yield os.pread(file.fileno(), PIECE_BYTES + 4096, at)
            at += PIECE_BYTES


def in_tables(secrets: dict[str, str], store: Path, *, besides: Iterable[str] = ()) -> list[str]:
    """`NAME in TABLE` for each secret in a row of a copy of the store."""
    told = []
    with contextlib.closing(sqlite.connect(store)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        assert len(tables) > 40
        for table in sorted({*tables} - {*besides}):
            rows = str(list(connection.execute(f'SELECT * FROM "{table}"')))
            told += [f"{name} in {table}" for name, secret in secrets.items() if secret in rows]
    return told


class Processes:
    """What command lines and environments showed while this looked: of an appliance's children, and inside of hosts."""

    def __init__(self, secrets: dict[str, str], appliance: int, *, given: str) -> None:
        """`given` is the secret that whoever started the appliance has put into its own environment."""
        self._secrets = secrets
        self._appliance = appliance
        self._given = given
        self._own = Path("/proc/self/ns/pid").readlink()
        self._looked: set[tuple[int, bytes]] = set()
        self.told: set[str] = set()
        self.names: set[str] = set()

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look all the time."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _watch(self) -> None:
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                stat = (folder / "stat").read_text()
                parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
        for pid in parents:
            with contextlib.suppress(OSError):
                if self._is_ours(pid, parents):
                    self._read(pid)

    def _is_ours(self, pid: int, parents: dict[int, int]) -> bool:
        if Path(f"/proc/{pid}/ns/pid").readlink() != self._own:
            return True
        while pid > 1:
            if pid == self._appliance:
                return True
            pid = parents.get(pid, 0)
        return False

    def _read(self, pid: int) -> None:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        if not words or (pid, words) in self._looked:
            return
        self._looked.add((pid, words))
        shown = words.replace(b"\0", b" ").decode(errors="replace")
        self.names.add(Path(shown.split(" ")[0]).name)
        for kind, content in (("words", words), ("environment", Path(f"/proc/{pid}/environ").read_bytes())):
            for name in found_in(self._secrets, content):
                if (pid, kind, name) != (self._appliance, "environment", self._given):
                    self.told.add(f"{name} in the {kind} of {shown[:120]}")
