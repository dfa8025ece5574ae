"""What an appliance that serves leaves readable for others of its machine: nothing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from appliance.client import Session
from tests.e2e.appliance_process import PASSWORD, ApplianceProcess


@pytest.fixture
async def appliance(tmp_path: Path) -> ApplianceProcess:
    return ApplianceProcess(tmp_path / "data")


async def test_others_of_the_machine_read_nothing_of_an_appliance(appliance: ApplianceProcess) -> None:
    await appliance.start()
    try:
        async with await Session.connect(appliance.socket) as session:
            await session.call("CreateZone", name="one")
        proc = Path(f"/proc/{appliance.pid}")
        (limit,) = [line for line in (proc / "limits").read_text().splitlines() if "core file" in line]
        assert limit.split()[4:6] == ["0", "0"]
        assert PASSWORD not in (proc / "cmdline").read_text()
        assert stat.S_IMODE(appliance.folder.stat().st_mode) == 0o700
        # The log is the tests' own: the appliance writes to where it was told to.
        found = {path: stat.S_IMODE(path.lstat().st_mode) for path in appliance.folder.rglob("*")}
        del found[appliance.log_path]
        assert len(found) >= 5
        assert {path.name: oct(mode) for path, mode in found.items() if mode & 0o077} == {}
        secret = PASSWORD.encode()
        assert [path.name for path in found if path.is_file() and secret in path.read_bytes()] == []
    finally:
        await appliance.stop()
