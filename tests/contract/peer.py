"""The appliance's end of a link, frame by frame, over any wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TypeVar

import msgspec

from agent.protocol import (
    READY_LINE,
    Answer,
    AnyRequest,
    Call,
    DomainChanged,
    DomainSeen,
    Notice,
    Outgoing,
    Struct,
    decode_outgoing,
    decode_reply,
    encode,
)
from appliance.hosts.link import Wire

PATIENCE_SECONDS = 20.0
OWNER = "the-appliance"

S = TypeVar("S", bound=Struct)


class Peer:
    """One link. Every wait has a limit."""

    def __init__(self, wire: Wire, epoch: int) -> None:
        self.wire = wire
        self.epoch = epoch
        self.notices: list[Notice] = []
        self.noise = b""
        self._answers: dict[int, Answer] = {}
        self._rest = b""
        self._ids = count(1)

    async def open(self) -> Peer:
        """Wait until the host says that it is ready."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while READY_LINE not in self._rest:
                data = await self.wire.read()
                assert data, f"the agent did not start: {self._rest!r}"
                self._rest += data
        self.noise, self._rest = self._rest.split(READY_LINE, 1)
        return self

    def send(self, request: AnyRequest, **fields: object) -> int:
        """Send a call; returns its id."""
        number = next(self._ids)
        values: dict[str, object] = {"owner": OWNER, "epoch": self.epoch, **fields}
        self.wire.write(encode(Call(id=number, request=request, **values)))  # type: ignore[arg-type]
        return number

    async def answer(self, number: int) -> Answer:
        """The answer to a call."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while number not in self._answers:
                await self._read()
        return self._answers.pop(number)

    async def ask(self, request: AnyRequest, **fields: object) -> Answer:
        """Send a call and wait for its answer."""
        return await self.answer(self.send(request, **fields))

    async def told(self, request: AnyRequest, kind: type[S], **fields: object) -> S:
        """The reply to a call that must succeed."""
        answer = await self.ask(request, **fields)
        assert answer.error is None, answer.error
        return decode_reply(answer.result, kind)

    async def code(self, request: AnyRequest, **fields: object) -> str:
        """The code of the refusal of a call, or `ok`; a refusal must say something."""
        error = (await self.ask(request, **fields)).error
        assert error is None or error.message
        return error.code if error else "ok"

    async def changed(self, holds: Callable[[DomainSeen], bool]) -> DomainSeen:
        """The first notice about a domain for which something holds."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for notice in self.notices:
                    if isinstance(notice.event, DomainChanged) and holds(notice.event.seen):
                        return notice.event.seen
                await self._read()

    async def ended(self) -> None:
        """Wait until the host ends the link."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while data := await self.wire.read():
                self._hear(data)

    async def _read(self) -> None:
        data = await self.wire.read()
        assert data, "the host ended the link"
        self._hear(data)

    def _hear(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(decode_outgoing(line))

    def _take(self, frame: Outgoing) -> None:
        if isinstance(frame, Answer):
            self._answers[frame.id] = frame
        elif isinstance(frame, Notice):
            self.notices.append(frame)


def line(**call: object) -> bytes:
    """A call as somebody else might write it."""
    return msgspec.json.encode({"frame": "call", "owner": OWNER, "epoch": 1, **call}) + b"\n"
