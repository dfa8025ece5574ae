"""Schemathesis, which nobody here wrote either, tries every route of the plain REST face against its OpenAPI."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from appliance.serve.route import WAIT_LIMIT_SECONDS
from tests.served_cloud import Wire, served
from tests.simulated_cloud import Cloud

HERE = Path(__file__).parent
SCHEMATHESIS = HERE.parents[1] / "build/client/bin/schemathesis"
"""Made by `make client`, which `make test` does."""

MOST_SECONDS = 400
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance"
)
LEFT_OUT = {"/api/v1/backup-store", "/api/v1/log-out", "/events"}
"""One writes a file wherever it is told to, one ends the session that all is asked in, and one never ends."""

pytestmark = [pytest.mark.lab, pytest.mark.timeout(MOST_SECONDS + 30)]


async def run(wire: Wire, folder: Path) -> str:
    """Everything that schemathesis tries, the same in each run; what it printed.

    A question may be kept for as long as its `wait` says, by a job that waits for a host say.
    """
    process = await asyncio.create_subprocess_exec(
        str(SCHEMATHESIS), "run", f"{wire.url}/openapi.json",
        "--header", f"Authorization: Bearer {wire.session_uuid}", "--checks", CHECKS,
        "--phases", "examples,coverage,fuzzing", "--max-examples", "3", "--seed", "1", "--no-color",
        "--request-timeout", f"{WAIT_LIMIT_SECONDS + 10:g}",
        *(word for path in sorted(LEFT_OUT) for word in ("--exclude-path", path)),
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(MOST_SECONDS):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = out.decode()
    assert process.returncode == 0, said[max(0, said.find("= FAILURES =")) :][:8000]
    return said


async def test_no_route_fails_or_answers_otherwise_than_its_document_says(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "data")
    await cloud.start()
    await cloud.build()
    await cloud.vm(name="web")
    async with served(cloud) as wire:
        said = await run(wire, tmp_path)
        async with wire.http.get(f"{wire.url}/openapi.json") as got:
            paths = json.loads(await got.read())["paths"]
    await cloud.stop()
    operations = sum(len(methods) for path, methods in paths.items())
    tested = re.search(r"Tested: (\d+)", said)
    assert tested is not None
    assert int(tested[1]) == operations - len(LEFT_OUT)
    cases = re.search(r"(\d+) generated", said)
    assert cases is not None
    assert int(cases[1]) > 10 * operations
