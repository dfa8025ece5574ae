"""The reserve of a storage: what comes to it leaves that free, and who is refused is told of it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.download import Sink
from agent.lane_end import _take_round
from agent.lane_stream import Taker
from agent.refused import Refused
from agent.storage import check_room

MIB = 1 << 20
RESERVED = 64 * MIB


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A file system with 25 MiB free."""
    counted = SimpleNamespace(f_bavail=25 * MIB, f_frsize=1, f_blocks=1 << 30)
    monkeypatch.setattr(os, "statvfs", lambda _: counted)
    return counted


def test_what_is_free_and_what_of_it_is_kept_is_said(disk: SimpleNamespace, tmp_path: Path) -> None:
    told = (
        "the image takes 1048576 bytes; 26214400 are free, of which 67108864 are kept in reserve; make room on this "
        "storage, or change the global config reservedCapacity"
    )
    with pytest.raises(Refused, match=told):
        Sink(tmp_path / "i.part", 1 << 30, RESERVED).open(MIB)
    disk.f_bavail = RESERVED + MIB
    check_room(tmp_path, MIB, "it", RESERVED)
    with pytest.raises(Refused):
        check_room(tmp_path, MIB + 1, "it", RESERVED)


class Coming(Taker):
    """A lane on which one record of a file comes."""

    def __init__(self) -> None:
        self.taken = 0
        self.records = [(0, 0, MIB), (2**32 - 1, 0, 0)]

    def record(self) -> tuple[int, int, int]:
        return self.records.pop(0)

    def take(self, descriptor: int, at: int, length: int) -> None:
        self.taken += length


@pytest.mark.parametrize("reserved", [RESERVED, 0])
def test_an_image_made_of_a_volume_leaves_the_reserve_free_and_a_moved_volume_need_not(
    disk: SimpleNamespace, tmp_path: Path, reserved: int
) -> None:
    coming = Coming()
    there = [tmp_path / "image.qcow2"]
    if reserved:
        with pytest.raises(Refused, match="of which 67108864 are kept in reserve"):
            _take_round(coming, [0], [False], there, reserved_bytes=reserved)
    else:
        assert not _take_round(coming, [0], [False], there, reserved_bytes=reserved)
    assert coming.taken == (0 if reserved else MIB)
