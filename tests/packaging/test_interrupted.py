"""An installer that is told to end, by a key, by a terminal that is closed, or by force: what it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .place import DONE, REFUSED, Place

INTERRUPTED = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS = 30.0


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scripts unpack to try."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def begin(place: Place, tool: str, *words: str) -> subprocess.Popen[str]:
    """A script, in a group of its own, that has come to a tool, which does not end by itself."""
    reached = place.folder / "reached"
    reached.unlink(missing_ok=True)
    place.tool(tool, f"#!/bin/sh\ntouch {reached}\nexec /bin/sleep 60\n")
    process = subprocess.Popen(
        ["env", "--default-signal=INT,TERM,HUP", "bash", str(place.file), "-r", str(place.root), "--data",
         str(place.data), *words],
        env=place.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + SECONDS
    while not reached.exists():
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.02)
    return process


def end_all(process: subprocess.Popen[str], number: int) -> str:
    """Send a signal to all of it, as a terminal does; what it said."""
    os.killpg(process.pid, number)
    return process.communicate(timeout=SECONDS)[1]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_check_that_is_interrupted_leaves_nothing(place: Place, scratch: Path, number: int) -> None:
    process = begin(place, "tar", "--check")
    assert list(scratch.iterdir()) != []
    said = end_all(process, number)
    assert (process.returncode, "interrupted" in said) == (INTERRUPTED, True), said
    assert list(scratch.iterdir()) == []
    assert not place.root.exists()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("tool", ["sha256sum", "tar", "sleep"])
def test_an_installation_that_is_interrupted_leaves_nothing(place: Place, number: int, tool: str) -> None:
    """Before it has begun anything, before what is begun is written down, and while it waits for the appliance."""
    process = begin(place, tool)
    said = end_all(process, number)
    assert (process.returncode, "interrupted" in said) == (INTERRUPTED, True), said
    (place.tools / tool).unlink()
    assert (place.root.exists(), place.data.exists()) == (False, False)
    place.install()


def test_what_a_killed_check_has_left_goes_with_the_next_and_nothing_else(
    place: Place, scratch: Path
) -> None:
    process = begin(place, "tar", "--check")
    (left,) = scratch.iterdir()
    (scratch / "zstui-try.1234567890.other").mkdir()
    (scratch / "zstui-try.theirs0000").mkdir(mode=0o777)
    (scratch / "zstui-try.theirs0000").chmod(0o777)
    (scratch / "zstui-try.linked0000").symlink_to(place.folder)
    others = {path for path in scratch.iterdir() if path != left}
    if os.getuid() == 0:
        (scratch / "zstui-try.nobodys000").mkdir()
        os.chown(scratch / "zstui-try.nobodys000", 65534, -1)
        others.add(scratch / "zstui-try.nobodys000")
    # One that lives still has its own.
    (place.tools / "tar").unlink()
    assert place.run("--check")[0] == DONE
    assert set(scratch.iterdir()) == {left, *others}
    end_all(process, signal.SIGKILL)
    assert left.exists()
    code, said = place.run("--check", "-u")
    assert (code, "nothing is installed" in said) == (REFUSED, True), said
    assert set(scratch.iterdir()) == others
