"""Local files on their way: written where an earlier try stopped, and named only when proved."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance import client_files
from appliance.api.errors import ImageFailed
from appliance.client_files import PartFile, Patience


async def some(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


async def test_a_file_is_finished_from_where_it_stopped(tmp_path: Path) -> None:
    data, path = os.urandom(5000), tmp_path / "image"
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    first = PartFile(path, len(data))
    await first.write(some(data[:2500]), await first.length(), None)
    again = PartFile(path, len(data))
    start = await again.length()
    assert start == 2500
    await again.write(some(data[start:]), start, None)
    assert not path.exists()
    assert await again.finish(md5) == md5
    assert path.read_bytes() == data


async def test_a_file_with_other_bytes_gets_no_name(tmp_path: Path) -> None:
    file = PartFile(tmp_path / "image", 100)
    await file.length()
    await file.write(some(b"x" * 100), 0, None)
    with pytest.raises(ImageFailed):
        await file.finish("0" * 32)
    assert await file.length() == 0
    assert not (tmp_path / "image").exists()


async def test_patience_ends_when_nothing_gets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_files, "PAUSE_SECONDS", 0.0)
    patience, broken = Patience(), ConnectionError("gone")
    for reached in range(20):
        patience.note(reached)
        await patience.pause(broken)
    for _ in range(client_files.TRIES - 1):
        patience.note(19)
        await patience.pause(broken)
    with pytest.raises(ConnectionError):
        await patience.pause(broken)


async def test_zeros_become_holes(tmp_path: Path) -> None:
    data, path = bytes(3 << 20) + os.urandom(100_000) + bytes((2 << 20) + 1), tmp_path / "image"
    first = PartFile(path, len(data))
    await first.write(some(data[: 1 << 20]), await first.length(), None)
    assert await first.length() == 1 << 20
    await first.write(some(data[1 << 20 :]), 1 << 20, None)
    await first.finish(hashlib.md5(data, usedforsecurity=False).hexdigest())
    assert path.read_bytes() == data
    assert path.stat().st_blocks * 512 <= 256 << 10
