"""Folders and files of a host: made and removed by many at once, received by one, kept through damage."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.protocol import EnsureStorage, EnsureVolume
from agent.refused import Refused
from agent.specs import Specs, keep
from agent.storage import StorageRoots, make_folders
from agent.stream import arrived, receive
from agent.volume import Volumes


@pytest.fixture
def storage(tmp_path: Path) -> StorageRoots:
    roots = StorageRoots(Paths(tmp_path / "state", tmp_path / "run"))
    roots.ensure(EnsureStorage(storage_uuid="ps", root=str(tmp_path / "ps")))
    return roots


def test_folders_are_made_and_removed_by_many_at_once(storage: StorageRoots, tmp_path: Path) -> None:
    def work(number: int) -> None:
        file = tmp_path / "ps/rootVolumes/acct" / f"vol-{number % 7}" / f"{number}.qcow2"
        for _ in range(20):
            with contextlib.suppress(
                FileNotFoundError
            ):  # between the folder and the file: the maker tries again
                make_folders(file.parent)
                file.write_bytes(b"")
            storage.drop_file(str(file))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(64)))
    assert list((tmp_path / "ps").iterdir()) == []


def test_one_file_is_received_by_one_at_a_time(
    storage: StorageRoots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZSTUI_AGENT_STATE", str(tmp_path / "state"))
    target, size = tmp_path / "ps/image.qcow2", 4 << 20
    first_out, first_in = os.pipe()
    second_out, second_in = os.pipe()
    os.write(first_in, b"a" * 1000)

    def from_pipe(pipe: int) -> subprocess.Popen[bytes]:
        code = f"from agent.stream import receive; raise SystemExit(receive({str(target)!r}, {size}, 0, 0))"
        return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stderr=subprocess.PIPE)

    first = from_pipe(first_out)
    part = target.with_name("image.qcow2.part")
    _wait_for(part)
    second = from_pipe(second_out)
    _, said = second.communicate(timeout=20)
    assert second.returncode == 1
    assert b"file.busy" in said
    os.write(first_in, b"a" * 100)
    first.kill()
    first.communicate(timeout=20)
    # What a killed receiver left is taken over.
    for pipe in (first_out, first_in, second_out, second_in):
        os.close(pipe)
    monkeypatch.setattr("agent.stream.os.read", lambda _, count: b"b" * count)
    assert receive(str(target), size, 0, 0) == 0
    assert '"size": 4194304' in capsys.readouterr().out
    assert target.read_bytes() == b"b" * size
    assert not part.exists()


def _wait_for(part: Path) -> None:
    end = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size == 1000):
        assert time.monotonic() < end, "the first receiver did not begin"
        time.sleep(0.01)


def test_what_was_received_stays_and_is_gone_on_with(
    storage: StorageRoots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZSTUI_AGENT_STATE", str(tmp_path / "state"))
    target, data = tmp_path / "ps/image.qcow2", os.urandom(3 << 20)

    def sent(start: int, end: int) -> tuple[int, str]:
        arguments = f"{str(target)!r}, {len(data)}, {start}, 0"
        code = f"from agent.stream import receive; raise SystemExit(receive({arguments}))"
        done = subprocess.run(
            [sys.executable, "-c", code], input=data[start:end], capture_output=True, timeout=20, check=False
        )
        return done.returncode, (done.stdout + done.stderr).decode()

    assert "file.short" in sent(0, 1_000_000)[1]
    assert not target.exists()
    assert arrived(str(target)) == 0
    assert '"size": 1000000' in capsys.readouterr().out
    assert "file.gap" in sent(1_000_001, len(data))[1]
    code, said = sent(900_000, len(data))  # what overlaps is written again
    assert (code, hashlib.md5(data, usedforsecurity=False).hexdigest() in said) == (0, True)
    assert target.read_bytes() == data
    assert arrived(str(target)) == 0
    assert f'"size": {len(data)}' in capsys.readouterr().out


def test_what_is_received_has_holes_where_it_is_zeros(
    storage: StorageRoots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSTUI_AGENT_STATE", str(tmp_path / "state"))
    target, data = tmp_path / "ps/image.raw", bytes(3 << 20) + os.urandom(100_000) + bytes((5 << 20) + 1)
    there = target.with_name("image.raw.part")

    def sent(start: int, end: int) -> int:
        code = f"from agent.stream import receive; raise SystemExit(receive({str(target)!r}, {len(data)}, {start}, 0))"
        done = subprocess.run(
            [sys.executable, "-c", code], input=data[start:end], capture_output=True, timeout=20, check=False
        )
        return done.returncode

    assert sent(0, 2 << 20) == 1
    assert there.stat().st_size == 2 << 20  # zeros that came have come
    assert sent(2 << 20, len(data)) == 0
    assert target.read_bytes() == data
    assert target.stat().st_blocks * 512 <= 256 << 10


def test_a_spec_that_a_power_cut_tore_is_set_aside(tmp_path: Path) -> None:
    specs: Specs[EnsureStorage] = Specs(tmp_path, EnsureStorage)
    specs.put("a", EnsureStorage(storage_uuid="a", root="/a"))
    (tmp_path / "b.json").write_bytes(b"")
    again: Specs[EnsureStorage] = Specs(tmp_path, EnsureStorage)
    assert [spec.storage_uuid for spec in again.all()] == ["a"]
    assert (tmp_path / "b.unreadable").exists()
    keep(tmp_path / "c.json", b"{}")
    assert (tmp_path / "c.json").read_bytes() == b"{}"


def test_a_damaged_volume_can_be_looked_at(storage: StorageRoots, tmp_path: Path) -> None:
    (tmp_path / "ps/empty.qcow2").write_bytes(b"")
    volumes = Volumes(storage)
    empty, absent = str(tmp_path / "ps/empty.qcow2"), str(tmp_path / "ps/absent.qcow2")
    assert volumes.sizes([empty, absent]) == {empty: 0}
    assert volumes.complete([empty, absent]) == [empty]


def test_a_volume_is_made_on_a_raw_image(storage: StorageRoots, tmp_path: Path) -> None:
    image = tmp_path / "ps/image.raw"
    image.write_bytes(b"\0" * (1 << 20))
    request = EnsureVolume(
        volume_uuid="v",
        path=str(tmp_path / "ps/v.qcow2"),
        size_bytes=1 << 20,
        backing=str(image),
        backing_format="raw",
    )
    asyncio.run(Volumes(storage).ensure(request))
    with pytest.raises(Refused, match="is declared qcow2 and is not"):
        asyncio.run(
            Volumes(storage).ensure(
                EnsureVolume(
                    volume_uuid="w", path=str(tmp_path / "ps/w.qcow2"), size_bytes=1 << 20, backing=str(image)
                )
            )
        )


def test_a_file_that_goes_while_it_is_looked_at_is_not_there(
    storage: StorageRoots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = str(tmp_path / "ps/kept"), str(tmp_path / "ps/gone")

    def is_regular(path: Path) -> bool:
        """There at the look, and gone right after it."""
        if str(path) == gone:
            path.unlink()
        return True

    Path(kept).write_bytes(b"x" * 5000)
    Path(gone).write_bytes(b"x")
    monkeypatch.setattr("agent.volume.is_regular", is_regular)
    assert Volumes(storage).taken([gone, kept]) == {kept: 8192}
