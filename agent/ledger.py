"""What a host remembers of who may act on it and what it answered: on disk before it counts."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from agent.protocol import Answer, Claim, Refusal
from agent.refused import Refused
from agent.specs import sync_folder

log = logging.getLogger(__name__)

CLAIM = "claim.json"
KEPT_ANSWERS = 2_000
KEPT_GENERATIONS = 100_000


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a request ended: a result as JSON, or a refusal."""

    result: msgspec.Raw = msgspec.Raw(b"")
    error: Refusal | None = None

    def answer(self, call_id: int) -> Answer:
        """The frame that tells it. An empty result must not be named: it would be encoded as no JSON."""
        if self.error is not None:
            return Answer(id=call_id, error=self.error)
        return Answer(id=call_id, result=self.result)


_outcome_decoder = msgspec.json.Decoder(Outcome)
_entry_decoder = msgspec.json.Decoder(tuple[str, str, msgspec.Raw])


class Ledger:
    """Owner, highest epoch, highest generation per resource, and the last answers by operation id.

    The claim is a small file replaced as a whole; the rest is one file that is appended to. Appends of
    one moment share one flush to disk.
    """

    def __init__(self, folder: Path) -> None:
        self._claim_path = folder / CLAIM
        self._log_path = folder / "ledger.log"
        self._claim = claimed(folder)
        self._generations: OrderedDict[str, int] = OrderedDict()
        self._answers: OrderedDict[str, Outcome] = OrderedDict()
        self._lines = 0
        self._pending: list[tuple[bytes, Callable[[], None], asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._load()

    @property
    def epoch(self) -> int:
        """The highest epoch seen."""
        return self._claim.epoch

    @property
    def owner(self) -> str:
        """The appliance that holds this host; empty when none does yet."""
        return self._claim.owner

    def admit(self, owner: str, epoch: int, host_uuid: str | None = None, *, instead_of: str = "") -> None:
        """Let a call of this owner and epoch act; a higher epoch is on disk when this returns.

        So is the host that this machine is, where the call says one. Raises `Refused` with `owner.other`,
        `epoch.stale` or `host.other`.
        """
        claim = self._claim
        host_uuid = claim.host_uuid if host_uuid is None else host_uuid
        if (claim.owner, claim.epoch, claim.host_uuid) == (owner, epoch, host_uuid):
            return
        if claim.owner and claim.owner != owner:
            raise Refused(
                "owner.other",
                f"this host is held by appliance {claim.owner}, not by {owner or 'a nameless one'}; "
                f"remove it there, or delete {self._claim_path} on the host to take it over",
            )
        if not owner:
            raise Refused("owner.missing", "a call without an owner cannot hold a host; name the appliance")
        self.require_epoch(epoch)
        require_host(claim, host_uuid, instead_of)
        self._write_claim(Claim(owner=owner, epoch=epoch, host_uuid=host_uuid))

    def require_epoch(self, epoch: int) -> None:
        """Raise `Refused` with `epoch.stale` when a newer epoch has been seen."""
        if epoch < self._claim.epoch:
            raise Refused(
                "epoch.stale",
                f"epoch {epoch} is over: this host has seen epoch {self._claim.epoch}; reconnect",
            )

    async def admit_generation(self, resource: str, generation: int) -> None:
        """Let a call about this generation act; a higher one is on disk when this returns.

        Raises `Refused` with `generation.stale`.
        """
        if not resource:
            return
        known = self._generations.get(resource, 0)
        if generation < known:
            raise Refused(
                "generation.stale",
                f"generation {generation} of {resource} is over: this host has seen {known}; plan again",
            )
        if generation > known:
            remember = partial(self._remember_generation, resource, generation)
            await self._append(_line("g", resource, generation), remember)

    def answer(self, op: str) -> Outcome | None:
        """What was answered to an operation, if it is still remembered."""
        return self._answers.get(op)

    async def record(self, op: str, outcome: Outcome) -> None:
        """Remember the answer to an operation: it is on disk when this returns. Raises `Refused`."""
        await self._append(_line("a", op, outcome), partial(self._remember_answer, op, outcome))

    def _remember_generation(self, resource: str, generation: int) -> None:
        self._generations[resource] = max(generation, self._generations.get(resource, 0))
        self._generations.move_to_end(resource)
        if len(self._generations) > KEPT_GENERATIONS:
            self._generations.popitem(last=False)

    def _remember_answer(self, op: str, outcome: Outcome) -> None:
        self._answers[op] = outcome
        if len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)

    def _write_claim(self, claim: Claim) -> None:
        part = self._claim_path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                file.write(msgspec.json.encode(claim))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._claim_path)
            sync_folder(self._claim_path.parent)
        except OSError as failed:
            raise _disk_refused(failed) from failed
        self._claim = claim

    def _load(self) -> None:
        """Read the log; a torn line is what a power cut or a full disk leaves, and is dropped."""
        damaged = 0
        text = self._log_path.read_bytes() if self._log_path.exists() else b""
        for line in filter(None, text.split(b"\n")):
            try:
                kind, key, value = _entry_decoder.decode(line)
                if kind == "g":
                    self._remember_generation(key, msgspec.json.decode(value, type=int))
                else:
                    self._remember_answer(key, _outcome_decoder.decode(value))
            except ValueError:
                damaged += 1
        self._lines = text.count(b"\n")
        if damaged:
            # They stay until all is written anew: a host starts without room on its disk, too.
            log.warning("%d lines of %s are unreadable and left out", damaged, self._log_path)

    async def _append(self, line: bytes, remember: Callable[[], None]) -> None:
        """Write a line, and remember what it says once it is on disk. Raises `Refused`."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((line, remember, done))
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush())
        # Shielded by being a future of its own: a caller that is cancelled leaves its line in the batch.
        await done

    async def _flush(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            self._lines += len(batch)
            compact = self._lines > 2 * (KEPT_ANSWERS + len(self._generations)) + KEPT_ANSWERS
            # The lines of this batch may not be in the snapshot yet, so they follow it.
            snapshot = self._snapshot() if compact else None
            failure: OSError | None = None
            try:
                await asyncio.to_thread(self._write, snapshot, b"".join(line for line, _, _ in batch))
            except OSError as failed:
                failure = failed
            for _, remember, done in batch:
                if failure is None:
                    # Before whoever waits goes on: the next batch may write all anew that is remembered.
                    remember()
                if done.done():
                    continue
                if failure is None:
                    done.set_result(None)
                else:
                    done.set_exception(_disk_refused(failure))
        self._flushing = None

    def _snapshot(self) -> list[bytes]:
        lines = [_line("g", key, generation) for key, generation in self._generations.items()]
        lines += [_line("a", key, outcome) for key, outcome in self._answers.items()]
        return lines

    def _write(self, snapshot: list[bytes] | None, lines: bytes) -> None:
        if snapshot is not None:
            self._rewrite(snapshot)
        # Without a buffer: what did not get to the disk is nowhere else, to be written by surprise.
        with self._log_path.open("a+b", buffering=0) as file:
            start = file.seek(0, os.SEEK_END)
            if start and os.pread(file.fileno(), 1, start - 1) != b"\n":
                lines = b"\n" + lines  # a torn line that could not be cut off spoils no other
            left = memoryview(lines)
            try:
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), start)
                raise

    def _rewrite(self, lines: list[bytes]) -> None:
        part = self._log_path.with_suffix(".part")
        with part.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._log_path)
        sync_folder(self._log_path.parent)
        self._lines = len(lines)


def claimed(folder: Path) -> Claim:
    """Who drives this host, as its state folder has it; nobody yet, without one."""
    path = folder / CLAIM
    return msgspec.json.decode(path.read_bytes(), type=Claim) if path.exists() else Claim()


def require_host(claim: Claim, host_uuid: str, instead_of: str = "") -> None:
    """Raise `Refused` with `host.other` when the machine is claimed for another host than these."""
    if claim.host_uuid and claim.host_uuid not in {host_uuid, instead_of}:
        raise Refused(
            "host.other",
            f"this machine is host {claim.host_uuid} of the same appliance, not {host_uuid or 'a mere storage'}",
            about=claim.host_uuid,
        )


def _line(kind: str, key: str, value: Any) -> bytes:
    return msgspec.json.encode((kind, key, value)) + b"\n"


def _disk_refused(failed: OSError) -> Refused:
    return Refused(
        "agent.disk",
        f"the host cannot write what it must remember: {failed.strerror}; free space under its state folder",
        transient=True,
    )
