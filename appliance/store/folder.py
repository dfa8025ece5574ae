"""The store's folder: kept to one appliance, closed to others, and never quietly started over."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
from pathlib import Path

from pysqlite3 import dbapi2 as sqlite

from appliance.store import meta
from appliance.store.connection import FULL, connect_unchanged
from appliance.store.errors import StoreBusy, StoreDamaged, StoreFull
from appliance.store.snapshot import Snapshot

log = logging.getLogger(__name__)

_MAGIC = b"SQLite format 3\x00"


class Folder:
    """Holds the lock of a store from `take` to `release`, and knows whether it was closed in order.

    The file `lock` says who holds it and, in its second word, whether the store was left `open` (its newest
    commits may then be in the write-ahead log only) or `closed` (all is in `store.db`). Of an open one, the third
    word is how many commits it had.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = path / "store.db"
        self.log = path / "store.db-wal"
        self.backups = path / "backups"
        self._lock: int | None = None

    def take(self) -> None:
        """Lock the folder, made if need be. `StoreBusy` names the process that has it."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            words = os.pread(lock, 100, 0).decode(errors="replace").split()
            os.close(lock)
            raise StoreBusy(
                f"the store in {self.path} is in use by process {words[0] if words else 'unknown'}; "
                "stop that appliance first, or use it"
            ) from None
        self._lock = lock
        try:
            self.mark(*self._left())
        except BaseException:
            self.release()
            raise

    def mark(self, state: str, commits: int | None = None, *, durable: bool = True) -> None:
        """Write down how the store is left: `new`, `open` with so many commits, or `closed`.

        `StoreFull` when the disk has no room for that.
        """
        if self._lock is None:
            raise RuntimeError("the folder is not locked")
        words = f"{os.getpid()} {state}{'' if commits is None else f' {commits}'}\n".encode()
        try:
            os.pwrite(self._lock, words, 0)
            os.ftruncate(self._lock, len(words))
            if durable:
                os.fsync(self._lock)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise StoreFull(FULL) from error

    def note(self, commits: int) -> None:
        """Write down how many commits the open store has, without waiting for the disk.

        A number that does not get there leaves an older one, which proves less, and nothing that is not so.
        """
        with contextlib.suppress(OSError, StoreFull):
            self.mark("open", commits, durable=False)

    def release(self) -> None:
        """Let another appliance have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _left(self) -> tuple[str, int | None]:
        """How the store was left, and with how many commits as far as that is known."""
        words = os.pread(self._lock or 0, 100, 0).decode(errors="replace").split()
        commits = int(words[2]) if len(words) > 2 and words[2].isdecimal() else None
        return words[1] if len(words) > 1 else "new", commits

    def is_there(self) -> bool:
        """Whether a store or what is left of one is here. It needs no lock, and touches nothing."""
        return any(each.exists() for each in (self.path / "lock", self.database))

    def is_new(self) -> bool:
        """Whether there was never a store here. `StoreDamaged` when there was one and it is gone or cut."""
        state, commits = self._left()
        if not self.database.exists():
            if state == "new" and not self.log.exists() and not self._newest_backup():
                return True
            raise self.damaged("store.db is gone")
        self.database.chmod(0o600)
        with self.database.open("rb") as file:
            head = file.read(100)
        if not head:
            raise self.damaged("store.db is empty")
        if len(head) < 100 or not head.startswith(_MAGIC):
            raise self.damaged("store.db does not begin as a store does")
        logged = self.log.stat().st_size if self.log.exists() else 0
        if state == "open" and not logged and not self._has_all(commits):
            raise self.damaged(
                "the appliance did not stop in order, and store.db-wal, its newest part, is gone"
            )
        page = int.from_bytes(head[16:18], "big")
        needed = (65536 if page == 1 else page) * int.from_bytes(head[28:32], "big")
        size = self.database.stat().st_size
        if not logged and size < needed:
            raise self.damaged(f"store.db has {size} of {needed} bytes")
        return False

    def _has_all(self, commits: int | None) -> bool:
        """Whether `store.db` without its log is whole, and has all the commits that there were.

        Whoever is the last to close the file, be it another program, brings the log into it and removes that. What a
        start-up after a power cut may read here is an older number of commits, which can then prove no more.
        """
        if commits is None:
            return False  # an older version left it
        connection = connect_unchanged(self.database)
        try:
            # Who removes a log that is half brought in leaves no store, whatever it says of itself.
            if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                return False
            found = meta.commits(Snapshot(connection, 0.0))
        except sqlite.Error:
            return False
        finally:
            connection.close()
        if found >= commits:
            log.warning(
                "the appliance did not stop in order; somebody else has brought store.db-wal into store.db since, "
                "which has all %s commits", found,
            )  # fmt: skip
        return found >= commits

    def damaged(self, what: str) -> StoreDamaged:
        """The error that says what is wrong and what there is to restore from."""
        newest = self._newest_backup()
        advice = f"restore {newest}" if newest else f"restore a backup; there is none in {self.backups}"
        return StoreDamaged(f"the store in {self.path} is damaged: {what}; {advice}")

    def _newest_backup(self) -> Path | None:
        if not self.backups.is_dir():
            return None
        found = [each for each in self.backups.iterdir() if each.suffix == ".db"]
        return max(found, key=lambda each: each.stat().st_mtime, default=None)

    def sync(self) -> None:
        """Make renames and new files in the folder durable."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
