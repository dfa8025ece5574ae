"""A simulated host's end of the wire: who may act, in which order, and what they are told, as the agent has it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakSet

import msgspec

from agent.protocol import (
    PROTOCOL,
    Answer,
    AnyEvent,
    AnyRequest,
    Call,
    Claim,
    Hello,
    Notice,
    ObserveVm,
    Progress,
    Refusal,
    Struct,
    decode_call,
    encode,
    raw,
)
from appliance.hosts.simulated_conduct import OBSERVING, Delays, Faults

log = logging.getLogger(__name__)

TELL_SECONDS = 1.0
"""How often it is said how far what takes its time has come."""

ANSWERS_KEPT = 10_000
"""An operation is repeated within moments, or never."""


@dataclass
class Rules:
    """Which of the agent's own rules a simulated host keeps; the ablations of the tests break them."""

    check_epoch: bool = True
    check_generation: bool = True
    remember_operations: bool = True
    check_greeting: bool = True


class SimulatedRefusal(Exception):
    """A simulated host says no."""

    def __init__(self, code: str, message: str, *, transient: bool = False, about: str = "") -> None:
        super().__init__(message)
        self.refusal = Refusal(code=code, message=message, transient=transient, about=about)


class Door(Protocol):
    """The host's end of a link."""

    def deliver(self, data: bytes) -> None:
        """Bytes for the appliance."""

    def end(self) -> None:
        """No more bytes."""


class Sending(Protocol):
    """Something that a host sends to another."""

    @property
    def total(self) -> int:
        """Bytes."""

    def check(self) -> None:
        """Raise `SimulatedRefusal` once it is to be sent no more."""


class _OnlyId(msgspec.Struct):
    id: int


class SimulatedAgent(ABC):
    """Admits calls, carries them out one at a time per resource, and answers; subclasses say how."""

    def __init__(self, rules: Rules | None, delays: Delays | None) -> None:
        self.rules = rules or Rules()
        self.delays = delays or Delays()
        self.faults = Faults()
        self._owner: str | None = None
        self._epoch = 0
        self._host_uuid = ""
        self._generations: dict[str, int] = {}
        self._answers: dict[str, Answer] = {}
        self._link: Door | None = None
        self._greeted: WeakSet[Door] = WeakSet()
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @abstractmethod
    def _carry_out(self, call: Call) -> Struct:
        """Make one request hold and say what came of it; raises `SimulatedRefusal`."""

    def _sends(self, request: AnyRequest) -> Sending | None:
        """What a request sends to another host, of which it is said how far that has come."""
        del request
        return None

    def receive(self, wire: Door, line: bytes) -> None:
        """A frame from the appliance: carried out in its own time, even when the link ends meanwhile."""
        try:
            call = decode_call(line)
        except ValueError as bad:
            self._answer_bad_frame(wire, line, bad)
            return
        try:
            self._admit(wire, call)
        except SimulatedRefusal as refused:
            wire.deliver(encode(Answer(id=call.id, error=refused.refusal)))
            return
        task = asyncio.ensure_future(self._serve(wire, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def claim(self) -> Claim:
        """Whose the host is, and which of theirs."""
        return Claim(owner=self._owner or "", epoch=self._epoch, host_uuid=self._host_uuid)

    def disown(self) -> None:
        """The agent is taken from the host, with all that it remembers of an appliance."""
        self._owner, self._epoch, self._host_uuid = None, 0, ""
        self._generations.clear()
        self._answers.clear()

    def cut(self, reason: str) -> None:
        """The link breaks; what was received goes on being carried out."""
        if self._link is not None:
            log.debug("cut: %s", reason)
            self._link.end()
            self._link = None

    def _emit(self, event: AnyEvent) -> None:
        """Tell whoever is linked; a scan repairs what nobody heard."""
        if self._link is not None:
            self._link.deliver(encode(Notice(event=event)))

    def _answer_bad_frame(self, wire: Door, line: bytes, bad: ValueError) -> None:
        try:
            bad_id = msgspec.json.decode(line, type=_OnlyId).id
        except ValueError:
            self._end(wire)
            return
        refusal = Refusal(code="frame.bad", message=f"this agent cannot read the call: {bad}")
        wire.deliver(encode(Answer(id=bad_id, error=refusal)))

    def _end(self, wire: Door) -> None:
        if self._link is wire:
            self._link = None
        wire.end()

    def _admit(self, wire: Door, call: Call) -> None:
        request = call.request
        if isinstance(request, Hello):
            if abs(request.protocol - PROTOCOL) > 1:
                raise SimulatedRefusal(
                    "protocol.other", f"the appliance speaks {request.protocol}, this agent {PROTOCOL}"
                )
            self._claim(call)
            self._greeted.add(wire)
            if self._link is not None and self._link is not wire:
                self._link.end()
            self._link = wire
            return
        if wire not in self._greeted and self.rules.check_greeting:
            raise SimulatedRefusal("hello.missing", "the first request of a link must be Hello")
        self._claim(call)

    def _claim(self, call: Call) -> None:
        """Let a call of this owner and epoch act."""
        if self._owner is not None and call.owner != self._owner:
            raise SimulatedRefusal("owner.other", f"the host belongs to appliance {self._owner}")
        if not call.owner:
            raise SimulatedRefusal("owner.missing", "a call without an owner cannot hold a host")
        self._require_epoch(call)
        if isinstance(call.request, Hello) and call.request.host_uuid is not None:
            self.require_host(call.request.host_uuid, call.request.instead_of)
            self._host_uuid = call.request.host_uuid
        self._owner = call.owner
        self._epoch = max(self._epoch, call.epoch)

    def require_host(self, host_uuid: str, instead_of: str = "") -> None:
        """Raise `SimulatedRefusal` when this is another host than these."""
        if self._host_uuid and self._host_uuid not in {host_uuid, instead_of}:
            raise SimulatedRefusal(
                "host.other", f"the machine is host {self._host_uuid}", about=self._host_uuid
            )

    def _require_epoch(self, call: Call) -> None:
        if call.epoch < self._epoch and self.rules.check_epoch:
            raise SimulatedRefusal("epoch.stale", f"epoch {call.epoch} is older than {self._epoch}")

    async def _serve(self, wire: Door, call: Call) -> None:
        name = call.resource or type(call.request).__name__
        looks = isinstance(call.request, OBSERVING)
        if isinstance(call.request, ObserveVm):
            name = call.request.vm_uuid  # what was begun must be seen done
        free = looks and not isinstance(call.request, ObserveVm)
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with contextlib.nullcontext() if free else lock:
            answer = await (self._perform(call) if looks else self._change(call))
        wire.deliver(encode(msgspec.structs.replace(answer, id=call.id)))

    async def _perform(self, call: Call) -> Answer:
        """What a call does is there when it ends."""
        verb = type(call.request).__name__
        try:
            await self._take_time(call, self.delays.of(verb))
            if self.faults.strikes(verb):
                raise SimulatedRefusal(
                    "simulator.fault", f"{verb} failed, as the simulator was told it should"
                )
            return Answer(id=call.id, result=raw(self._carry_out(call)))
        except SimulatedRefusal as refused:
            return Answer(id=call.id, error=refused.refusal)
        except Exception as unexpected:
            log.exception("%s failed", type(call.request).__name__)
            return Answer(id=call.id, error=Refusal(code="agent.error", message=repr(unexpected)))

    async def _take_time(self, call: Call, seconds: float) -> None:
        """Wait, and say meanwhile how far what is sent has come. Raises `SimulatedRefusal` once it is not to be."""
        sent = self._sends(call.request)
        taken = 0.0
        while sent is not None and seconds - taken > TELL_SECONDS:
            await asyncio.sleep(TELL_SECONDS)
            taken += TELL_SECONDS
            sent.check()
            if self._link is not None:
                done = int(sent.total * taken / seconds)
                self._link.deliver(encode(Progress(id=call.id, done=done, total=sent.total)))
        await asyncio.sleep(seconds - taken)
        if sent is not None and seconds:
            sent.check()

    async def _change(self, call: Call) -> Answer:
        """Carry a changing request out; whether it still may act is decided when it begins."""
        if self.rules.remember_operations and call.op in self._answers:
            return self._answers[call.op]
        try:
            self._require_epoch(call)
            self._admit_generation(call)
        except SimulatedRefusal as refused:
            return Answer(id=call.id, error=refused.refusal)
        answer = await self._perform(call)
        # A transient refusal is not an answer: the same operation may be tried again.
        if call.op and not (answer.error and answer.error.transient):
            self._answers[call.op] = answer
            if len(self._answers) > ANSWERS_KEPT:
                del self._answers[next(iter(self._answers))]
        return answer

    def _admit_generation(self, call: Call) -> None:
        if not call.resource:
            return
        known = self._generations.get(call.resource, 0)
        if call.generation < known and self.rules.check_generation:
            raise SimulatedRefusal("generation.stale", f"generation {call.generation} is older than {known}")
        self._generations[call.resource] = max(known, call.generation)
