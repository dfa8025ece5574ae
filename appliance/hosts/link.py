"""One connection to one agent: numbered calls, their answers, progress, events, and the end of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from agent.protocol import (
    READY_LINE,
    Answer,
    AnyEvent,
    AnyRequest,
    Call,
    Copying,
    Done,
    Hello,
    HostFacts,
    Notice,
    Ping,
    Progress,
    Refusal,
    Struct,
    decode_outgoing,
    decode_reply,
    encode,
    is_unasked,
)
from appliance.api.errors import AgentRefused, HostUnreachable

log = logging.getLogger(__name__)

PING_SECONDS = 2.0
SILENCE_SECONDS = 6.0
"""Three pings without a frame: the host is gone or cut off."""
LATE_CHECK_SECONDS = 0.5
MAX_LINE_BYTES = 8 << 20
MAX_NOISE_BYTES = 1 << 20
"""What a login shell may print before the agent speaks."""

S = TypeVar("S", bound=Struct)


class Wire(Protocol):
    """A stream of bytes to an agent and back."""

    async def read(self) -> bytes:
        """Some bytes; empty at the end."""

    def write(self, data: bytes) -> None:
        """Send bytes, in order; buffered."""

    def close(self) -> None:
        """End it, at once."""


class Pipe(Wire, Protocol):
    """A stream to something else on a host, which may take what it is sent more slowly than it comes."""

    async def drain(self) -> None:
        """Wait until there is room for more. Raises ConnectionError."""


class LinkLost(HostUnreachable):
    """The link broke before the answer came: whether the request was carried out is not known."""


class Refused(AgentRefused):
    """The agent answered no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.message} [{refusal.code}]")
        self.refusal = refusal


class _Pending(Struct, frozen=True):
    """A call without an answer. One check for all of a link is far cheaper than a timer for each."""

    future: Any
    deadline: float
    on_progress: Any
    on_guest: Any
    on_anew: Any


class Link:
    """A live connection. `run` reads until it ends; `ask` sends a request and awaits its answer."""

    def __init__(
        self,
        wire: Wire,
        *,
        owner: str,
        epoch: int,
        on_event: Callable[[AnyEvent], None],
        host_uuid: str = "",
    ) -> None:
        self.epoch = epoch
        self.owner = owner
        self.host_uuid = host_uuid
        self.facts: HostFacts | None = None
        self.lost: str | None = None
        self._wire = wire
        self._on_event = on_event
        self._pending: dict[int, _Pending] = {}
        self._next_id = 1
        self._outbox: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._stood = 0.0
        self._heard = self._now()

    async def run(self) -> str:
        """Read frames until the link ends; returns why it ended."""
        keeper = asyncio.ensure_future(self._keep_alive())
        try:
            reason = await self._read()
        except (OSError, ValueError) as broken:
            reason = str(broken) or type(broken).__name__
        finally:
            keeper.cancel()
            await asyncio.wait({keeper})
        self.close(reason)
        return self.lost or reason

    def close(self, reason: str) -> None:
        """End the link; calls without an answer raise `LinkLost`."""
        if self.lost is not None:
            return
        self.lost = reason
        self._wire.close()
        for pending in self._pending.values():
            if not pending.future.done():
                pending.future.set_exception(LinkLost(f"the connection was lost: {reason}"))
        self._pending.clear()

    async def hello(self, epoch: int | None = None, *, instead_of: str = "") -> HostFacts:
        """Introduce the appliance, with a new epoch when given: older requests are refused from then on.

        It says which of its hosts this is; `instead_of` is one that it was and that the appliance has no more.
        """
        if epoch is not None:
            self.epoch = epoch
        hello = Hello(host_uuid=self.host_uuid, instead_of=instead_of)
        self.facts = await self.ask(hello, HostFacts, timeout_seconds=15.0)
        return self.facts

    async def ask(
        self,
        request: AnyRequest,
        reply: type[S],
        *,
        resource: str = "",
        generation: int = 0,
        op: str = "",
        timeout_seconds: float = 60.0,
        on_progress: Callable[[int, int], None] | None = None,
        on_guest: Callable[[Copying], None] | None = None,
        on_anew: Callable[[Sequence[str]], None] | None = None,
    ) -> S:
        """Send a request and return its reply; meanwhile hear what the agent's `Progress` says.

        Raises `Refused` when the agent says no, `LinkLost` when the answer will never come or has not come
        within `timeout_seconds` and at most `LATE_CHECK_SECONDS` more.
        """
        if self.lost is not None:
            raise HostUnreachable(f"not connected: {self.lost}")
        number = self._next_id
        self._next_id += 1
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._pending[number] = _Pending(
            future, self._now() + timeout_seconds, on_progress, on_guest, on_anew
        )
        self._send(
            Call(
                id=number,
                owner=self.owner,
                epoch=self.epoch,
                request=request,
                op=op,
                resource=resource,
                generation=generation,
            )
        )
        try:
            answer = await future
        except TimeoutError as late:
            name = type(request).__name__
            raise LinkLost(f"no answer to {name} within {timeout_seconds:g} s") from late
        except asyncio.CancelledError:
            self._pending.pop(number, None)
            raise
        if answer.error is not None:
            raise Refused(answer.error)
        try:
            return decode_reply(answer.result, reply)
        except ValueError as unknown:
            raise AgentRefused(
                f"{type(request).__name__} was answered in a way that this version cannot read: {unknown}; reconnect "
                f"the host, which gives it the agent that came with this version"
            ) from unknown

    def _send(self, call: Call) -> None:
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(encode(call))

    def _flush(self) -> None:
        data = b"".join(self._outbox)
        self._outbox.clear()
        if self.lost is None:
            try:
                self._wire.write(data)
            except OSError as broken:
                self.close(str(broken))

    async def _read(self) -> str:
        rest = await self._skip_noise()
        while True:
            *lines, rest = rest.split(b"\n")
            for line in lines:
                self._receive(line)
            if len(rest) > MAX_LINE_BYTES:
                return "the agent sent a line without end"
            data = await self._wire.read()
            if not data:
                return "the agent closed the connection"
            self._heard = self._now()
            rest += data

    async def _skip_noise(self) -> bytes:
        """Whatever a login shell printed before the agent's ready line is dropped."""
        seen = b""
        while READY_LINE not in seen:
            data = await self._wire.read()
            if not data:
                raise ConnectionError(f"the agent did not start: {seen[-300:].decode(errors='replace')}")
            seen += data
            if len(seen) > MAX_NOISE_BYTES:
                raise ConnectionError(
                    f"the agent did not start: {MAX_NOISE_BYTES >> 20} MiB came that are not its own"
                )
        self._heard = self._now()
        return seen.split(READY_LINE, 1)[1]

    def _receive(self, line: bytes) -> None:
        try:
            frame = decode_outgoing(line)
        except ValueError as unknown:
            if not is_unasked(line):
                raise
            log.info("passed over what an agent of another version said unasked: %s", unknown)
            return
        match frame:
            case Answer():
                pending = self._pending.pop(frame.id, None)
                if pending is not None and not pending.future.done():
                    pending.future.set_result(frame)
            case Progress():
                waiting = self._pending.get(frame.id)
                if waiting is not None and waiting.on_progress is not None:
                    waiting.on_progress(frame.done, frame.total)
                if waiting is not None and waiting.on_guest is not None and frame.guest is not None:
                    waiting.on_guest(frame.guest)
                if waiting is not None and waiting.on_anew is not None and frame.anew:
                    waiting.on_anew(frame.anew)
            case Notice():
                self._on_event(frame.event)

    async def _keep_alive(self) -> None:
        pinged = self._now()
        while True:
            looked = self._loop.time()
            await asyncio.sleep(LATE_CHECK_SECONDS)
            late = self._loop.time() - looked - LATE_CHECK_SECONDS
            self._stood += late if late > LATE_CHECK_SECONDS else 0.0
            self._give_up(self._now())
            if self._now() - self._heard > SILENCE_SECONDS:
                self.close(f"silent for {SILENCE_SECONDS:g} s")
                return
            if self.facts is not None and self._now() - pinged >= PING_SECONDS:
                pinged = self._now()
                self._send_ping()

    def _now(self) -> float:
        """Seconds in which this process could hear: while it stands still, nobody is silent, and nothing is late."""
        return self._loop.time() - self._stood

    def _give_up(self, now: float) -> None:
        """Answers that are late are waited for no more."""
        for number in [number for number, each in self._pending.items() if now > each.deadline]:
            pending = self._pending.pop(number)
            if not pending.future.done():
                pending.future.set_exception(TimeoutError())

    def _send_ping(self) -> None:
        """A ping's answer only proves life: it is dropped when it comes."""
        self._send(Call(id=0, owner=self.owner, epoch=self.epoch, request=Ping()))


__all__ = ["Done", "Link", "LinkLost", "Pipe", "Refused", "Wire"]
