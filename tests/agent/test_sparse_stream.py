"""Files from host to host without their holes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.lane_stream import RECORD
from agent.paths import Paths
from agent.protocol import EnsureStorage
from agent.sparse_stream import LENGTH_BYTES
from agent.storage import StorageRoots

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A storage folder of an agent."""
    StorageRoots(Paths(tmp_path / "state", tmp_path / "run")).ensure(
        EnsureStorage(storage_uuid="ps", root=str(tmp_path / "ps"))
    )
    monkeypatch.setenv("ZSTUI_AGENT_STATE", str(tmp_path / "state"))
    return tmp_path / "ps"


def sparse(path: Path) -> bytes:
    """A file of 64 MiB with 3 MiB of data in it, of which 1 MiB are zeros that were written; its content."""
    data = os.urandom(MIB)
    with path.open("wb") as file:
        for at, some in ((5 * MIB, data), (6 * MIB, bytes(MIB)), (40 * MIB + 12288, data)):
            file.seek(at)
            file.write(some)
        file.truncate(64 * MIB)
    return path.read_bytes()


def agent(*words: object, stdin: bytes = b"") -> tuple[int, bytes, str]:
    done = subprocess.run(
        [sys.executable, "-m", "agent", *map(str, words)],
        input=stdin,
        capture_output=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.decode()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_holes_are_not_sent_and_stay_holes(folder: Path) -> None:
    content = sparse(folder / "here.raw")
    code, stream, said = agent("give", folder / "here.raw", 0)
    assert code == 0, said
    assert int.from_bytes(stream[:LENGTH_BYTES]) == len(stream) - LENGTH_BYTES
    assert len(stream) <= 3 * MIB + 16 * 1024
    there = folder / "cache/there.raw"
    code, answer, said = agent("take", there, 64 * MIB, md5(content), 0, stdin=stream)
    assert (code, json.loads(answer)) == (0, {"md5": md5(content), "size": 64 * MIB}), said
    assert there.read_bytes() == content
    assert (
        there.stat().st_blocks * 512 <= 2 * MIB + 16 * 1024
    )  # nor are zeros stored that the source has stored


@pytest.mark.parametrize("size", [0, 1, MIB])
def test_a_file_of_nothing_but_a_hole_is_as_long_there(folder: Path, size: int) -> None:
    with (folder / "hole").open("wb") as file:
        file.truncate(size)
    _, stream, _ = agent("give", folder / "hole", 0)
    assert len(stream) == LENGTH_BYTES + RECORD.size
    assert agent("take", folder / "there", size, md5(bytes(size)), 0, stdin=stream)[0] == 0
    assert (folder / "there").read_bytes() == bytes(size)


def test_a_copy_that_is_not_the_file_leaves_nothing(folder: Path) -> None:
    content = sparse(folder / "here.raw")
    _, stream, _ = agent("give", folder / "here.raw", 0)
    there = folder / "there.raw"
    wrong = bytearray(stream)
    wrong[MIB // 2] ^= 1
    for size, sum_, sent, reserved, why in (
        (64 * MIB, md5(content), bytes(wrong), 0, "file.md5"),
        (64 * MIB, md5(content), stream[: 2 * MIB], 0, "file.short"),
        (64 * MIB, md5(content), stream[: -RECORD.size], 0, "file.short"),
        (63 * MIB, md5(content), stream, 0, "file.other_size"),
        (65 * MIB, md5(content), stream, 0, "file.other_size"),
        (64 * MIB, md5(content), (1 << 62).to_bytes(LENGTH_BYTES) + stream[LENGTH_BYTES:], 0, "storage.full"),
        (64 * MIB, md5(content), stream, 1 << 60, "storage.full"),
    ):
        code, _, said = agent("take", there, size, sum_, reserved, stdin=sent)
        assert (code, said.partition(":")[0]) == (1, why)
        assert list(folder.iterdir()) == [folder / "here.raw"]


def test_it_is_no_faster_than_it_may_be(folder: Path) -> None:
    sparse(folder / "here.raw")
    began = time.monotonic()
    agent("give", folder / "here.raw", 2 * MIB)
    assert 1.0 <= time.monotonic() - began < 25  # 3 MiB of data; its whole length would take half a minute
