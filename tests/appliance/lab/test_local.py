"""This machine as a host: taking it away harms nobody else's hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from appliance.lab import local


@pytest.mark.lab
def test_purging_this_machine_leaves_what_labs_have_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "agent"
    (state / "versions").mkdir(parents=True)
    (state / "epoch").touch()
    monkeypatch.setattr(local, "AGENT_STATE", state)
    monkeypatch.setattr(local, "STORAGE", str(tmp_path / "storage"))
    mount = f"mount -t tmpfs none {state} && touch {state}/kept && echo up && exec sleep 30"
    with subprocess.Popen(["unshare", "-m", "sh", "-c", mount], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            local.LocalMachine(tmp_path / "local", print).purge()
            assert list(state.iterdir()) == []
            look = ["nsenter", "-t", str(other.pid), "-m", "ls", str(state)]
            assert subprocess.run(look, check=True, capture_output=True, timeout=10).stdout == b"kept\n"
        finally:
            other.kill()
    local.LocalMachine(tmp_path / "local", print).purge()
    assert not state.exists()
