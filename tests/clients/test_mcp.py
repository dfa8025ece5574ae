"""ZStack's own current client, which nobody here wrote, drives a whole cloud over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.appliance_process import PASSWORD, ApplianceProcess

HERE = Path(__file__).parent
PYTHON = HERE.parents[1] / "build/client/bin/python"
"""Made by `make build/client/.installed`, which `make test` does."""

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]
MOST_SECONDS = 200


@pytest_asyncio.fixture
async def appliance(tmp_path: Path) -> AsyncIterator[ApplianceProcess]:
    """An appliance with nothing in it."""
    process = ApplianceProcess(tmp_path / "data")
    await process.start()
    yield process
    await process.stop()


async def run(appliance: ApplianceProcess, script: str) -> str:
    """Run a script by the client's own Python; what it printed."""
    environment = {
        "PATH": os.environ["PATH"],
        "ZSTACK_API_URL": appliance.url,
        "ZSTACK_ACCOUNT": "admin",
        "ZSTACK_PASSWORD": PASSWORD,
        "ZSTACK_ALLOW_ALL_API": "true",
    }
    process = await asyncio.create_subprocess_exec(
        str(PYTHON), str(HERE / script), appliance.url,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(MOST_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()[-4000:]
    return out.decode()


async def test_it_builds_uses_and_removes_a_cloud(appliance: ApplianceProcess) -> None:
    seen = json.loads((await run(appliance, "mcp_cloud.py")).splitlines()[-1])
    assert seen["vms"] == 100
    assert seen["hosts"] == ["Connected"] * 4
    assert seen["found"] == {
        "=": 100, "!=": 99, ">": 10, "<": 10, ">=": 100, "<=": 0, "in": 7, "not in": 93, "like": 10,
        "not like": 90, "is null": 50, "is not null": 50, "nested": 100, "joined": 100,
    }  # fmt: skip


async def test_it_speaks_as_an_assistants_tool(appliance: ApplianceProcess) -> None:
    said = json.loads((await run(appliance, "mcp_tools.py")).splitlines()[-1])
    assert {"search_api", "describe_api", "execute_api"} <= set(said["tools"])
    assert said["zone"]["name"] == "by-tool"
    assert [zone["name"] for zone in said["zones"]] == ["by-tool"]
    assert said["refused"]["success"] is False
    assert "SYS.1007" in json.dumps(said["refused"])
