"""A console that is kept open: waited for, opened, read, typed into, and opened again when it ended by the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from appliance.api.console import ConsoleEnd, ConsoleEnded, Gap, Notice
from appliance.api.errors import AccessError, ApiError, NotReady
from zstui import words
from zstui.i18n import tr
from zstui.mirror import Mirror
from zstui.wrong import readable

if TYPE_CHECKING:
    from appliance.client_console import ConsoleStream
    from zstui.calls import Calls

State = Literal["opening", "live", "waiting", "over"]
"""`waiting` goes on by itself; `over` only when somebody says so."""

TYPED_PIECES = 256
"""What is typed while the way is full; more is refused."""

AGAIN_SECONDS = 1.0
LOOK_SECONDS = 0.25


class ConsoleLink:
    """The link to one console of one VM. `run` it for as long as the console is looked at."""

    def __init__(
        self,
        calls: Calls,
        mirror: Mirror,
        vm_uuid: str,
        console: Literal["serial", "vnc"],
        *,
        opened: Callable[[], None],
        heard: Callable[[bytes | Gap | Notice], None],
        changed: Callable[[], None],
    ) -> None:
        self.state: State = "opening"
        self.reason = ""
        """Why it is not live, in words."""
        self.heard_at = 0.0
        """When something came last, in seconds since 1970."""
        self._calls = calls
        self._mirror = mirror
        self._vm_uuid = vm_uuid
        self._console = console
        self._opened, self._heard, self._changed = opened, heard, changed
        self._typed: asyncio.Queue[bytes] = asyncio.Queue(TYPED_PIECES)
        self._again = asyncio.Event()

    def type(self, data: bytes) -> bool:
        """Send something; whether there was room for it."""
        if self.state != "live":
            return False
        try:
            self._typed.put_nowait(data)
        except asyncio.QueueFull:
            return False
        return True

    def again(self) -> None:
        """Somebody wants it opened once more, now."""
        self._again.set()

    async def run(self) -> None:
        """Open it and read it, again and again, until this is cancelled."""
        while True:
            self._say("opening", "")
            try:
                stream = await self._calls.console(self._vm_uuid, self._console)
            except ApiError as error:
                self._say("over" if isinstance(error, AccessError) else "waiting", self._why(error))
                await self._pause(by_itself=isinstance(error, NotReady))
                continue
            end = await self._follow(stream)
            over = end.end is ConsoleEnd.NOT_ALLOWED
            self._say("over" if over else "waiting", end_words(end))
            await self._pause(by_itself=True)

    def _why(self, error: ApiError) -> str:
        """Why it cannot be opened: what the VM does, where that says it, else the error as a sentence."""
        row = self._mirror.find(self._vm_uuid)
        state = row.text("state") if row is not None else "Running"
        if state == "Running":
            return readable(error.details, self._mirror)
        return tr("the VM is off") if state == "Stopped" else tr("the VM is {state}", state=tr(state))

    async def _follow(self, stream: ConsoleStream) -> ConsoleEnded:
        """Read until the stream ends; how it does."""
        while not self._typed.empty():
            self._typed.get_nowait()
        async with stream:
            self._opened()
            self._say("live", "")
            sending = asyncio.create_task(self._send(stream))
            try:
                async for each in stream:
                    self.heard_at = words.now()
                    self._heard(each)
            except ConsoleEnded as end:
                return end
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError, ConsoleEnded):
                    await sending
        return ConsoleEnded(ConsoleEnd.CLOSED, "")

    async def _send(self, stream: ConsoleStream) -> None:
        while True:
            await stream.send(await self._typed.get())

    async def _pause(self, *, by_itself: bool) -> None:
        """Until it is worth another try: the VM runs, or somebody wants it.

        What was refused, not `by_itself`, would be so again, unless the VM has been off meanwhile.
        """
        self._again.clear()
        seen_off = by_itself
        with suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_SECONDS):
                await self._again.wait()
                return
        while not self._again.is_set():
            if self.state == "waiting":
                row = self._mirror.find(self._vm_uuid)
                running = row is not None and row.get("state") == "Running"
                if running and seen_off and self._mirror.status == "live":
                    return
                seen_off = seen_off or not running
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._again.wait()

    def _say(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason
        self._changed()


def end_words(end: ConsoleEnded) -> str:
    """Why a stream ended, in the user's language."""
    match end.end:
        case ConsoleEnd.VM_OFF:
            return tr("the VM is off")
        case ConsoleEnd.HOST_AWAY:
            return tr("its host is not connected")
        case ConsoleEnd.NOT_ALLOWED:
            return tr("no longer allowed")
        case ConsoleEnd.STOPPING:
            return tr("the appliance is stopping")
        case _:
            return tr("the connection ended")
