"""What Prometheus is told is true, and told only to who may know."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.serve.metrics import CallCounts, metrics
from tests.served_cloud import Wire, served
from tests.simulated_cloud import SimulatorCloud
from tests.tenants import PASSWORD

LINE = re.compile(r'zstui_\w+(\{(\w+="([^"\\\\]|\\\\.)*",?)+\})? [0-9.e+-]+')


@pytest.fixture(autouse=True)
def handlers() -> None:
    """All messages are answered by what answers them in the product."""


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    cloud = SimulatorCloud(tmp_path / "data")
    await cloud.start()
    await cloud.build()
    async with served(cloud) as running:
        yield running
    await cloud.stop()


async def told(wire: Wire, bearer: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {bearer}"}
    async with wire.http.get(f"{wire.url}/metrics", headers=headers) as got:
        return got.status, await got.text()


async def test_the_cloud_is_counted(wire: Wire) -> None:
    await wire.cloud.vm()
    vm = await wire.cloud.vm(name="other")
    await wire.call("StopVmInstance", uuid=vm["uuid"])
    await wire.call("StopVmInstance", uuid="nobody")
    status, text = await told(wire, wire.session_uuid)
    assert status == 200
    lines = text.splitlines()
    assert all(LINE.fullmatch(line) for line in lines if not line.startswith("#"))
    for line in (
        'zstui_vms{state="Running"} 1', 'zstui_vms{state="Stopped"} 1',
        'zstui_hosts{state="Enabled",status="Connected"} 2', "zstui_watchers 0",
        'zstui_calls_total{message="StopVmInstance",code=""} 1',
        'zstui_calls_total{message="StopVmInstance",code="SYS.1003"} 1',
        'zstui_call_seconds_bucket{message="StopVmInstance",le="+Inf"} 2',
        'zstui_call_seconds_count{message="StopVmInstance"} 2',
    ):  # fmt: skip
        assert line in lines
    named = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {
        re.sub("_(bucket|sum|count)$", "", re.split("[{ ]", each)[0]) for each in lines if each[0] != "#"
    } <= named


async def test_only_the_admin_may_know_be_it_with_a_readers_token(wire: Wire) -> None:
    assert (await told(wire, "nobody"))[0] == 401
    made = await wire.call("CreateAccessToken", name="prometheus")
    assert made.body is not None
    assert (await told(wire, made.body["inventory"]["token"]))[0] == 200
    await wire.call("CreateAccount", name="a", password=PASSWORD)
    answer = await wire.post(
        {"org.zstack.header.identity.APILogInByAccountMsg": {"accountName": "a", "password": PASSWORD}}
    )
    assert answer.body is not None
    assert (await told(wire, answer.body["inventory"]["uuid"]))[0] == 403


@pytest.mark.parametrize("path", ["/metrics", "/events"])
async def test_a_token_with_a_scope_may_have_what_it_names(wire: Wire, path: str) -> None:
    for scope, status in ((["Query*"], 403), (["Query*", path], 200), (["/*"], 200)):
        made = await wire.call("CreateAccessToken", name="narrow", scope=scope)
        assert made.body is not None
        headers = {"Authorization": f"Bearer {made.body['inventory']['token']}"}
        async with wire.http.get(f"{wire.url}{path}", headers=headers) as got:
            assert got.status == status
            if status == 403:
                details = (await got.json())["error"]["details"]
                assert details.startswith(f"{path} is not in the scope of the access token[uuid:")


async def test_labels_hold_any_text(wire: Wire) -> None:
    calls = CallCounts()
    calls.count('a"b\\c\nd', "", 0.1)
    text = await wire.cloud.database.read(lambda snapshot: metrics(snapshot, calls, 0))
    assert 'message="a\\"b\\\\c\\nd"' in text
