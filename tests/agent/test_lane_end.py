"""A lane's other end, which begins just as the lane is closed."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from agent.lane_end import lane
from agent.paths import Paths
from agent.pidfile import PidFile
from agent.protocol import OpenLane

UUID = "5e" * 16


@pytest.mark.parametrize("asked", ["files", "door libvirt"])
@pytest.mark.parametrize("anew", [False, True])
def test_who_begins_while_a_lane_is_closed_does_nothing_on_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: str,
    *,
    anew: bool,
) -> None:
    """Who closes it ends whom he sees: who is not seen yet sees that it is closed, or opened for something else."""
    paths = Paths(tmp_path / "state", tmp_path / "run")
    paths.make()
    spec = paths.state / "lanes" / f"{UUID}.json"
    for folder in (spec.parent, paths.run / "lanes"):
        folder.mkdir()
    opened = OpenLane(
        lane_uuid=UUID, public_key="-", source_address="-", username="root", doors={"libvirt": "/nowhere"}
    )
    spec.write_bytes(msgspec.json.encode(opened))
    take = PidFile.take

    def closed_before(self: PidFile) -> bool:
        if anew:
            spec.write_bytes(
                msgspec.json.encode(msgspec.structs.replace(opened, doors={"other": "/nowhere"}))
            )
        else:
            spec.unlink()
        return take(self)

    monkeypatch.setattr(PidFile, "take", closed_before)
    read, write = os.pipe()
    os.close(write)
    with os.fdopen(read) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert lane(paths, UUID, asked) == 1
    assert '"code":"lane.unknown"' in capsys.readouterr().out
