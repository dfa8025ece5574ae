"""One SQLite connection: how it is opened, how long a query may take, and what its errors mean."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite

from appliance.api.errors import OperationFailed
from appliance.store.errors import SqliteTooOld, StoreBroken, StoreDamaged, StoreFull, StoreLocked

OLDEST_SQLITE = (3, 51, 3)
"""Earlier ones may lose commits when a write-ahead log is reset under two connections."""

QUERY_SECONDS = 3.0
"""What one query of a user may take: enough to look at every row of a million VMs, which no index helps to avoid."""

LOCKED_SECONDS = 5.0
"""How long the file is waited for while another program has it locked. Nobody but the appliance should."""

FULL = "the disk of the store is full; make room on it and try again"

_INDEX_BYTES = 32_768
"""By which the log's index grows."""

_PROGRESS_STEPS = 1_000
"""SQLite's virtual machine asks for the time each so many instructions: 10 µs, but more with long texts."""


def check_library() -> None:
    """`SqliteTooOld` unless the SQLite in use keeps what it has acknowledged."""
    if sqlite.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise SqliteTooOld(
            f"SQLite {sqlite.sqlite_version} may lose commits; install a pysqlite3 with {oldest} or newer"
        )


class Deadline:
    """Stops what a connection runs once time is up. Without `limited` and `stop`, nothing is stopped."""

    def __init__(self) -> None:
        self._until = math.inf
        self._stopped = False

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Allow so many seconds; then the running statement fails as interrupted."""
        self._until = time.monotonic() + seconds
        try:
            yield
        finally:
            self._until = math.inf

    def stop(self) -> None:
        """Have whatever is run from now on, and what runs now, fail as interrupted. Any thread may."""
        self._stopped = True

    def passed(self) -> bool:
        """SQLite's question whether to stop."""
        return self._stopped or time.monotonic() > self._until

    def watch(self, connection: Any) -> None:
        """Stop what a connection runs, too."""
        connection.set_progress_handler(self.passed, _PROGRESS_STEPS)


def connect(path: Path, *, durable: bool, reader: bool, deadline: Deadline | None = None) -> Any:
    """Open a connection in manual-commit mode; raises what its errors mean.

    `durable` waits for the disk at each commit; a `reader` cannot write; `deadline` can stop its queries.
    """
    connection = None
    try:
        connection = sqlite.connect(
            str(path),
            timeout=LOCKED_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA trusted_schema = OFF")
        # What is changed or deleted leaves no copy behind, for a backup to have; FAST costs no more writing.
        connection.execute("PRAGMA secure_delete = FAST")
        if reader:
            connection.execute("PRAGMA query_only = ON")
        if deadline is not None:
            deadline.watch(connection)
    except sqlite.Error as error:
        said = translated(error, connection)
        if connection is not None:
            connection.close()
        raise said from error
    return connection


def connect_unchanged(path: Path) -> Any:
    """Open a file that somebody else keeps, only to look at it; raises what its errors mean.

    Nothing is written to it: it may be where nothing can be. With a log beside it, it is read with that; SQLite wants
    an index of the log there then, and leaves it.
    """
    log = path.with_name(path.name + "-wal")
    logged = log.exists() and log.stat().st_size > 0
    connection = None
    try:
        # Of what is said not to change, SQLite looks for no log, and makes none.
        uri = f"{path.absolute().as_uri()}?mode=ro{'' if logged else '&immutable=1'}"
        connection = sqlite.connect(uri, uri=True, timeout=LOCKED_SECONDS, isolation_level=None)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite.Error as error:
        said = translated(error, connection)
        if connection is not None:
            connection.close()
        if logged and isinstance(said, StoreBroken):
            said = StoreBroken(
                f"{path} cannot be read with {log.name} where they are ({error}); copy both to a folder that can be "
                "written, and take them from there"
            )
        raise said from error
    return connection


def roll_back(connection: Any) -> None:
    """Undo what is not committed. After some errors of a disk, SQLite has done so itself."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def translated(error: Exception, connection: Any) -> Exception:
    """A connection's error in our words. One that only a mistake in our code can cause stays as it is."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if code is not None else None
    text = str(error)
    no_room = primary == sqlite.SQLITE_IOERR and _is_full(connection)
    if primary == sqlite.SQLITE_FULL or no_room or "disk is full" in text:
        return StoreFull(FULL)
    if primary in (sqlite.SQLITE_CORRUPT, sqlite.SQLITE_NOTADB) or "Could not decode to UTF-8" in text:
        return StoreDamaged(
            f"the store is damaged ({text}); stop the appliance and restore the newest backup"
        )
    if primary == sqlite.SQLITE_INTERRUPT or text == "interrupted":
        return OperationFailed(
            f"the query took longer than {QUERY_SECONDS * 1000:.0f} ms and was stopped; "
            "add conditions on indexed fields, or sort by one"
        )
    if primary == sqlite.SQLITE_BUSY:
        file = _file_of(connection)
        return StoreLocked(
            f"another program has {file} locked for more than {LOCKED_SECONDS:g} s; end it (fuser {file} says which "
            f"process it is), then try again"
        )
    if primary in (sqlite.SQLITE_IOERR, sqlite.SQLITE_CANTOPEN, sqlite.SQLITE_READONLY):
        return StoreBroken(f"the disk of the store refused ({text}); look at the system's log for its disk")
    return error


def _file_of(connection: Any) -> str:
    return str(connection.execute("PRAGMA database_list").fetchone()[2])


def _is_full(connection: Any) -> bool:
    """Whether the log's index cannot grow: SQLite has no other word for that than for a disk that fails."""
    try:
        disk = os.statvfs(Path(_file_of(connection)).parent)
    except OSError:
        return False  # a disk that says nothing fails
    return disk.f_bavail * disk.f_frsize < _INDEX_BYTES


def raisable(error: Exception, raw: Any) -> Exception:
    """The error, in a form that a future can carry."""
    if isinstance(error, sqlite.Error):
        return translated(error, raw)
    return (
        RuntimeError("the change or look stopped an iteration") if isinstance(error, StopIteration) else error
    )
