"""Calls to the appliance that somebody asked for on a screen: carried out, remembered, repeatable."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from appliance.api.errors import ApiError, Cancelled, NotReady
from appliance.api.message import MESSAGES
from appliance.api.parse import begun_line
from zstui import words
from zstui.i18n import labelled, tr
from zstui.rows import first_names
from zstui.wrong import told

if TYPE_CHECKING:
    from appliance.client import Session
    from appliance.client_console import ConsoleStream
    from zstui.app import Zstui
    from zstui.screens.form import Draft
    from zstui.screens.recovering import Deletion

KEPT = 500
SAID = 3
"""Reasons that are said in passing of calls that failed together."""

CALL = "zstui call "
"""What a line starts with outside a prompt."""


@dataclass
class Entry:
    """One call: the line that repeats it, when it was made, and how it ended."""

    line: str
    at: float = field(default_factory=words.now)
    seconds: float | None = None
    error: ApiError | None = None
    typed: bool = False
    reply: dict[str, Any] | None = None
    """Kept of calls that were typed, to be read."""


class Calls:
    """Makes calls over the app's session, and keeps the log of them."""

    def __init__(self, app: Zstui) -> None:
        self._app = app
        self.log: deque[Entry] = deque(maxlen=KEPT)
        self.lines: deque[str] = deque(maxlen=KEPT)
        """What can be brought back to a prompt: the line of each call, and those that were none, to be mended."""
        self.listeners: list[Callable[[], None]] = []
        self.deletions: list[Deletion] = []
        """What was deleted here and may still be taken back, the newest last."""
        self.drafts: list[Draft] = []
        """Forms that were left and whose calls failed then, the newest last."""

    @property
    def session(self) -> Session:
        """The session that stands. Raises NotReady when none does."""
        if self._app.session is None or self._app.mirror.status == "stale":
            raise NotReady("the appliance is not connected; it is tried again by itself")
        return self._app.session

    def for_a_shell(self, line: str) -> str:
        """A call as it is carried out from any shell of this machine, on the same appliance."""
        return f"{self._app.program} call {line.removeprefix(CALL)}"

    async def make(
        self, message: str, new_uuid: str | None = None, /, *, typed: bool = False, **fields: Any
    ) -> dict[str, Any]:
        """Carry out a message that was asked for on a screen, and log it. Raises ApiError.

        `new_uuid` names what a message makes; the logged line is without it, so that it can be repeated.
        The reply of one that was `typed` is kept in the log, to be read.
        """
        named = {"resourceUuid": new_uuid} if new_uuid else {}
        with self._logged(message, fields, typed=typed) as entry:
            reply = await self.session.call(message, **(fields | named))
            entry.reply = reply if typed else None
            return reply

    async def console(self, vm_uuid: str, console: str) -> ConsoleStream:
        """Open a VM's `serial` or `vnc` console, and log the call that does. Raises ApiError."""
        with self._logged("RequestConsoleAccess", {"vmInstanceUuid": vm_uuid, "console": console}):
            return await self.session.console(vm_uuid, console)

    @contextmanager
    def _logged(self, message: str, fields: dict[str, Any], *, typed: bool = False) -> Iterator[Entry]:
        """The entry of a call while it is made: how long that takes and how it ends is written into it."""
        entry = Entry(shown_line(message, fields), typed=typed)
        self.log.append(entry)
        self.lines.append(entry.line.removeprefix(CALL))
        self._changed()
        began = time.monotonic()
        try:
            yield entry
        except ApiError as error:
            entry.error = error
            raise
        finally:
            entry.seconds = time.monotonic() - began
            self._changed()

    async def make_all(self, message: str, every: list[dict[str, Any]]) -> list[ApiError | None]:
        """Carry out a message many times, some at once. What went wrong with each, in order."""
        gate = asyncio.Semaphore(8)
        ended: list[ApiError | None] = [None] * len(every)

        async def one(place: int, fields: dict[str, Any]) -> None:
            async with gate:
                try:
                    await self.make(message, **fields)
                except ApiError as error:
                    ended[place] = error

        async with asyncio.TaskGroup() as group:
            for place, fields in enumerate(every):
                group.create_task(one(place, fields))
        return ended

    def say_how(
        self, task: asyncio.Task[Any], what: str, names: Sequence[str],
        way_out: Callable[[ApiError], str] | None,
    ) -> None:  # fmt: skip
        """Say what went wrong with calls that have ended in the background, and of several with which."""
        error = task.exception()
        if error is not None and not isinstance(error, ApiError):
            raise error
        results = [error] if error is not None else task.result()
        ended = results if isinstance(results, list) else []
        alike: dict[str, list[tuple[str, ApiError]]] = {}
        for each, name in zip_longest(ended, names[: len(ended)], fillvalue=""):
            if isinstance(each, ApiError):
                alike.setdefault(told(each, self._app.mirror), []).append((str(name), each))
        for reason, failed in list(alike.items())[:SAID]:
            about = f"{what} {first_names([name for name, _ in failed])}".rstrip()
            more = f" · {way_out(failed[0][1])}" if way_out is not None else ""
            wanted = failed[0][1].code == Cancelled.code
            self._app.tell(labelled(about, reason) + more, wrong=not wanted)
        left = [name for failed in list(alike.values())[SAID:] for name, _ in failed]
        if left:
            names_left = f"{what} {first_names(left)}"
            key = self._app.key_of("log", "L")
            self._app.tell(labelled(names_left, tr("failed, too; {key} shows why", key=key)), wrong=True)

    def _changed(self) -> None:
        for listener in list(self.listeners):
            listener()


def shown_line(message: str, fields: dict[str, Any]) -> str:
    """The `zstui call` line that repeats a call, right or wrong; secrets are starred."""
    return f"{CALL}{begun_line(MESSAGES[message], fields)}"
