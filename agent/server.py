"""Who may act, in which order, and what they are told: the agent's side of the wire."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakValueDictionary

import msgspec

from agent.appliance_link import ApplianceLink
from agent.ledger import Ledger, Outcome
from agent.protocol import (
    DEAD_LINK_SECONDS,
    PROTOCOL,
    AdmitToConsole,
    Answer,
    AnyEvent,
    AnyRequest,
    Call,
    CopyFiles,
    Copying,
    Hello,
    LimitLane,
    MigrateDomain,
    Notice,
    ObserveConsole,
    ObserveHost,
    ObserveImage,
    ObserveVm,
    OpenSerial,
    Ping,
    ProbeAccelerator,
    Progress,
    ProgressTo,
    ReadFetches,
    ReadFigures,
    ReadSerialHistory,
    Refusal,
    Request,
    Struct,
    decode_call,
    encode,
    raw,
)
from agent.refused import Refused

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.2
"""At most five progress frames a second and call: more than a screen can show."""

UNFENCED: frozenset[type[Request]] = frozenset(
    {
        Hello, Ping, ObserveHost, ObserveVm, ObserveImage, ObserveConsole, ReadFetches, ReadFigures,
        ProbeAccelerator, CopyFiles, LimitLane, MigrateDomain, OpenSerial, AdmitToConsole,
        ReadSerialHistory,
    }
)  # fmt: skip
"""Requests that need no generation or record; only one of them, `ObserveVm`, waits for a lock.

What goes through a lane is fenced by that, which is open or not: it outlives links and whoever asked.
"""


class Verbs(Protocol):
    """What carries requests out."""

    def answer(self, request: AnyRequest, progress: ProgressTo) -> Awaitable[Struct]:
        """The reply to a request. Raises `Refused`."""
        ...


class _OnlyId(msgspec.Struct):
    id: int


_id_decoder = msgspec.json.Decoder(_OnlyId)


@dataclass(eq=False)
class _Running:
    """A request being carried out, and everyone who waits for its answer."""

    askers: list[tuple[ApplianceLink, int]] = field(default_factory=list)
    reported_at: float = 0.0


class Server:
    """Takes links over, admits calls, carries them out one at a time per resource, and answers.

    What was begun goes on when its link is gone: the host never stops working half-way, and the answer
    is recorded for whoever asks again.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._verbs: asyncio.Future[Verbs] = asyncio.get_running_loop().create_future()
        self._links: set[ApplianceLink] = set()
        self._active: ApplianceLink | None = None
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._closers: dict[ApplianceLink, Callable[[], None]] = {}
        self._watch: asyncio.Task[None] | None = None

    def start(self, verbs: Verbs) -> None:
        """Begin to carry requests out, and to close silent links."""
        self._verbs.set_result(verbs)
        self._watch = asyncio.get_running_loop().create_task(self._close_silent_links())

    async def stop(self) -> None:
        """Close every link and cancel what is running."""
        for link in list(self._links):
            link.close("the agent stops")
        tasks = [*self._tasks, *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def adopt(self, read_fd: int, write_fd: int, on_close: Callable[[], None]) -> ApplianceLink:
        """Take a new link over; it acts for nobody until its `Hello`."""
        link = ApplianceLink(read_fd, write_fd, self._on_line, self._on_close)
        self._links.add(link)
        self._closers[link] = on_close
        link.open()
        return link

    def emit(self, event: AnyEvent) -> None:
        """Tell the active link, if there is one; a scan repairs what nobody heard."""
        if self._active is not None:
            self._active.send(encode(Notice(event=event)))

    def _on_close(self, link: ApplianceLink) -> None:
        self._links.discard(link)
        if self._active is link:
            self._active = None
        self._closers.pop(link)()

    def _on_line(self, link: ApplianceLink, line: bytes) -> None:
        try:
            call = decode_call(line)
        except ValueError as bad:
            self._answer_bad_frame(link, line, bad)
            return
        try:
            self._admit(link, call)
        except Refused as refused:
            link.send(encode(Answer(id=call.id, error=refused.refusal)))
            return
        if type(call.request) is Ping:
            # Byte for byte what encode(Answer(...)) gives, at a fifth of its cost.
            link.send(b'{"frame":"answer","id":%d,"result":{}}\n' % call.id)
        else:
            self._begin(link, call)

    def _answer_bad_frame(self, link: ApplianceLink, line: bytes, bad: ValueError) -> None:
        try:
            bad_id = _id_decoder.decode(line).id
        except ValueError:
            link.close(f"a frame was not a call: {bad}")
            return
        refusal = Refusal(code="frame.bad", message=f"this agent cannot read the call: {bad}")
        link.send(encode(Answer(id=bad_id, error=refusal)))

    def _admit(self, link: ApplianceLink, call: Call) -> None:
        request = call.request
        if isinstance(request, Hello):
            if abs(request.protocol - PROTOCOL) > 1:
                raise Refused(
                    "protocol.other",
                    f"the appliance speaks protocol {request.protocol} and this agent {PROTOCOL}; "
                    "install the agent that came with the appliance",
                )
            self._ledger.admit(call.owner, call.epoch, request.host_uuid, instead_of=request.instead_of)
            self._activate(link)
            return
        if not link.greeted:
            raise Refused("hello.missing", "the first request of a link must be Hello")
        self._ledger.admit(call.owner, call.epoch)

    def _activate(self, link: ApplianceLink) -> None:
        """From here on this link acts and no other: two links never act at once."""
        link.greeted = True
        self._active = link
        for other in [o for o in self._links if o is not link and o.greeted]:
            other.close("a newer link took over")

    def _begin(self, link: ApplianceLink, call: Call) -> None:
        recorded = bool(call.op) and type(call.request) not in UNFENCED
        if recorded:
            known = self._ledger.answer(call.op)
            if known is not None and call.op not in self._running:
                link.send(encode(known.answer(call.id)))
                return
            if call.op in self._running:
                self._running[call.op].askers.append((link, call.id))
                return
        running = _Running([(link, call.id)])
        if recorded:
            self._running[call.op] = running
        task = asyncio.get_running_loop().create_task(self._carry_out(call, running))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, call: Call, running: _Running) -> None:
        try:
            if isinstance(call.request, ObserveVm):
                # What was begun goes on, also for an appliance that died or lost its link: whoever decides
                # by what is there must not look while it is about to change.
                async with self._lock(call.request.vm_uuid):
                    outcome = await self._perform(call, running)
            elif type(call.request) in UNFENCED:
                outcome = await self._perform(call, running)
            else:
                outcome = await self._change(call, running)
        except Refused as refused:
            outcome = Outcome(error=refused.refusal)
        finally:
            if self._running.get(call.op) is running:
                del self._running[call.op]
        for link, call_id in running.askers:
            link.send(encode(outcome.answer(call_id)))

    def _lock(self, name: str) -> asyncio.Lock:
        """What lets one request at a time act on a resource."""
        return self._locks.setdefault(name, asyncio.Lock())

    async def _change(self, call: Call, running: _Running) -> Outcome:
        """Carry a changing request out under its lock; it may have become stale while it waited."""
        async with self._lock(call.resource or type(call.request).__name__):
            self._ledger.require_epoch(call.epoch)
            await self._ledger.admit_generation(call.resource, call.generation)
            # Again, since the generation's way to the disk took time.
            self._ledger.require_epoch(call.epoch)
            outcome = await self._perform(call, running)
            # A transient refusal is not an answer: the same operation may be tried again.
            if call.op and not (outcome.error and outcome.error.transient):
                await self._ledger.record(call.op, outcome)
        return outcome

    async def _perform(self, call: Call, running: _Running) -> Outcome:
        # A link may arrive while the agent still restores the host's network: its calls wait for that.
        verbs = await asyncio.shield(self._verbs)
        try:
            reply = await verbs.answer(call.request, self._reporter(running))
        except Refused as refused:
            return Outcome(error=refused.refusal)
        except Exception as unexpected:
            log.exception("%s failed", type(call.request).__name__)
            problem = f"{type(call.request).__name__} failed inside the agent: {unexpected!r}; see its log"
            return Outcome(error=Refusal(code="agent.error", message=problem))
        return Outcome(result=raw(reply))

    def _reporter(self, running: _Running) -> ProgressTo:
        loop = asyncio.get_running_loop()

        def report(done: int, total: int, guest: Copying | None = None, anew: Sequence[str] = ()) -> None:
            if loop.time() - running.reported_at < PROGRESS_SECONDS:
                return
            running.reported_at = loop.time()
            for link, call_id in running.askers:
                link.send(encode(Progress(id=call_id, done=done, total=total, guest=guest, anew=list(anew))))

        return report

    async def _close_silent_links(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(DEAD_LINK_SECONDS / 10)
            for link in [x for x in self._links if loop.time() - x.heard_at > DEAD_LINK_SECONDS]:
                link.close(f"nothing was heard for {DEAD_LINK_SECONDS:g} s")
