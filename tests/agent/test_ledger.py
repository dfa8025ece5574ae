"""What a host remembers, on a disk that has no room or fails: all that it acknowledged, and no more."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.ledger import Ledger
from agent.protocol import DestroyDomain
from agent.refused import Refused
from tests.agent.wire import Bench


@contextmanager
def full_after(size: int) -> Iterator[None]:
    """No file grows beyond a size: what would is written up to there, as on a disk that fills."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def code(ledger: Ledger, vm: str, generation: int) -> str:
    try:
        await ledger.admit_generation(vm, generation)
    except Refused as refused:
        return refused.refusal.code
    return "ok"


@pytest.mark.parametrize("cut", [True, False])
async def test_a_disk_that_fills_in_a_line_spoils_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, cut: bool
) -> None:
    """Also where what was begun cannot be cut off again."""
    ledger = Ledger(tmp_path)
    log = tmp_path / "ledger.log"
    assert await code(ledger, "vm1", 1) == "ok"
    size = log.stat().st_size
    with full_after(size + 10), monkeypatch.context() as patched:
        if not cut:
            patched.setattr(os, "ftruncate", _fails)
        assert await code(ledger, "vm2", 7) == "agent.disk"
    assert log.stat().st_size == (size if cut else size + 10)
    assert await code(ledger, "vm3", 9) == "ok"
    again = Ledger(tmp_path)
    assert await code(again, "vm3", 8) == "generation.stale"
    assert await code(again, "vm2", 1) == "ok"


async def test_a_host_without_room_starts_in_spite_of_a_torn_line(tmp_path: Path) -> None:
    await Ledger(tmp_path).admit_generation("vm1", 5)
    log = tmp_path / "ledger.log"
    log.write_bytes(log.read_bytes() + b'["g","vm2"')
    with full_after(0):
        ledger = Ledger(tmp_path)
        assert await code(ledger, "vm2", 6) == "agent.disk"
    assert await code(ledger, "vm2", 6) == "ok"
    again = Ledger(tmp_path)
    assert await code(again, "vm1", 4) == await code(again, "vm2", 5) == "generation.stale"


async def test_an_answer_that_is_not_on_disk_is_given_to_nobody(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    try:
        peer = await bench.peer()
        stop = DestroyDomain(vm_uuid="a" * 32)
        with full_after(0):
            assert await peer.code(stop, op="op") == "agent.disk"
        assert bench.ledger.answer("op") is None
        assert await peer.code(stop, op="op") == "ok"
        bench.restart()
        assert bench.ledger.answer("op") is not None
    finally:
        await bench.close()


async def test_what_was_just_acknowledged_outlives_a_compaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited has not gone on yet when the next lines are written, and all others before them."""
    monkeypatch.setattr("agent.ledger.KEPT_ANSWERS", 0)  # written anew as often as can be
    ledger = Ledger(tmp_path)
    async with asyncio.TaskGroup() as group:
        group.create_task(ledger.admit_generation("vm1", 5))
        while ledger._pending or ledger._flushing is None:
            await asyncio.sleep(0)
        group.create_task(ledger.admit_generation("vm2", 6))
    again = Ledger(tmp_path)
    assert await code(again, "vm1", 4) == await code(again, "vm2", 5) == "generation.stale"


def _fails(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))
