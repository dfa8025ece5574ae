"""The appliance's end of a link for tests: pipes to a real server, with doubles for what it does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from agent.ledger import Ledger
from agent.protocol import (
    Answer,
    AnyRequest,
    Call,
    Done,
    Hello,
    HostFacts,
    Notice,
    Outgoing,
    Progress,
    Request,
    Struct,
    decode_outgoing,
    encode,
)
from agent.server import ProgressTo, Server

FACTS = HostFacts(
    protocol=1,
    agent_version="test",
    boot_id="b",
    hostname="h",
    cpu_num=1,
    cpu_mhz=1000,
    memory_bytes=1,
    distribution="d",
    release="1",
    libvirt_version="",
    qemu_version="",
)
PATIENCE_SECONDS = 5.0


class FakeVerbs:
    """Records what it is asked; requests of a kind can be held back until released."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.gates: dict[type[Request], asyncio.Event] = {}
        self.began = asyncio.Event()
        self.act: Callable[[AnyRequest, ProgressTo], Struct] = lambda _, __: Done()

    def hold(self, kind: type[Request]) -> asyncio.Event:
        self.gates[kind] = asyncio.Event()
        return self.gates[kind]

    async def answer(self, request: AnyRequest, progress: ProgressTo) -> Struct:
        self.asked.append(request)
        self.began.set()
        if type(request) in self.gates:
            await self.gates[type(request)].wait()
        if isinstance(request, Hello):
            return FACTS
        return self.act(request, progress)


class Peer:
    """One link as the appliance sees it."""

    def __init__(self, server: Server) -> None:
        far_in, self._to_server = os.pipe()
        self._from_server, far_out = os.pipe()
        self.closed = asyncio.Event()
        self._server = server
        self._far = (far_in, far_out)
        self._reader = asyncio.StreamReader(limit=16 << 20)
        self._answers: dict[int, Answer] = {}
        self.notices: list[Notice] = []
        self.progress: list[Progress] = []
        self._next = 0

    async def open(self) -> Peer:
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(self._reader)
        self._transport, _ = await loop.connect_read_pipe(
            lambda: protocol, os.fdopen(self._from_server, "rb")
        )
        self._server.adopt(*self._far, self.closed.set)
        assert await self._line() == b"zstui-agent ready\n"
        return self

    def hang_up(self) -> None:
        os.close(self._to_server)
        self._to_server = -1

    def let_go(self) -> None:
        self._transport.close()
        if self._to_server >= 0:
            self.hang_up()

    def write(self, data: bytes) -> None:
        os.write(self._to_server, data)

    def send(self, request: AnyRequest, **fields: object) -> int:
        self._next += 1
        defaults: dict[str, object] = {"owner": "us", "epoch": 1}
        self.write(encode(Call(id=self._next, request=request, **{**defaults, **fields})))  # type: ignore[arg-type]
        return self._next

    async def frame(self) -> Outgoing:
        return decode_outgoing(await self._line())

    async def answer(self, call_id: int) -> Answer:
        while call_id not in self._answers:
            frame = await self.frame()
            if isinstance(frame, Answer):
                self._answers[frame.id] = frame
            elif isinstance(frame, Notice):
                self.notices.append(frame)
            else:
                self.progress.append(frame)
        return self._answers.pop(call_id)

    async def ask(self, request: AnyRequest, **fields: object) -> Answer:
        return await self.answer(self.send(request, **fields))

    async def code(self, request: AnyRequest, **fields: object) -> str:
        error = (await self.ask(request, **fields)).error
        return error.code if error else "ok"

    async def ended(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.closed.wait()

    async def _line(self) -> bytes:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._reader.readline()


class Bench:
    """A server on a state folder; `restart` is what kill and start of the daemon do to its memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._servers: list[Server] = []
        self._peers: list[Peer] = []
        self.restart()

    def restart(self) -> None:
        self.ledger = Ledger(self.folder)
        self.verbs = FakeVerbs()
        self.server = Server(self.ledger)
        self.server.start(self.verbs)
        self._servers.append(self.server)

    async def close(self) -> None:
        for server in self._servers:
            await server.stop()
        for peer in self._peers:
            peer.let_go()
        # Transports close themselves in the next turn of the loop.
        await asyncio.sleep(0)

    async def peer(self, *, greet: bool = True, **fields: object) -> Peer:
        peer = await Peer(self.server).open()
        self._peers.append(peer)
        if greet:
            answer = await peer.ask(Hello(), **fields)
            assert answer.error is None, answer.error
        return peer
