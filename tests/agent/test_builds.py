"""Old builds of the agent leave their host, but for the one before and those that somebody still runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import builds
from agent.builds import remove_older, tidy


def build(folder: Path, digit: str, ran: float) -> Path:
    """A build that ran last at a time."""
    made = folder / (digit * 16)
    made.mkdir(parents=True)
    shutil.copy("/bin/sleep", made / "zstui-agent")
    os.utime(made, (ran, ran))
    return made


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """The oldest of four builds; a process of it runs."""
    oldest = build(tmp_path / "versions", "a", 1.0)
    process = subprocess.Popen([oldest / "zstui-agent", "60"])
    yield oldest
    process.kill()
    process.wait()


def names(folder: Path) -> list[str]:
    return sorted(each.name[0] for each in folder.iterdir())


def test_those_before_the_one_before_leave_unless_they_run(tmp_path: Path, running: Path) -> None:
    folder = running.parent
    for place, digit in enumerate("bcd", start=2):
        build(folder, digit, float(place))
    (folder / "notes").mkdir()
    (folder / f"{'e' * 16}.part").mkdir()
    remove_older(folder, Path("/proc"))
    assert names(folder) == ["a", "c", "d", "e", "n"]


def test_one_that_was_gone_back_to_is_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "versions"
    own = build(folder, "a", 1.0)
    for place, digit in enumerate("bc", start=2):
        build(folder, digit, float(place))
    monkeypatch.setattr(builds, "frozen_folder", lambda: own)
    tidy()
    assert names(folder) == ["a", "c"]
    # A folder that no appliance made is nobody's to clean.
    monkeypatch.setattr(builds, "frozen_folder", lambda: folder)
    tidy()
    assert names(folder) == ["a", "c"]
