"""A bridge that cuts its host off: the call fails, and nothing of it stays intended."""

from __future__ import annotations

import asyncio

import pytest

from agent.protocol import Call
from appliance.reconcile import asking
from tests.simulated_cloud import Cloud


@pytest.mark.parametrize("verb", ["EnsureBridge", "ConfirmBridge"])
async def test_a_host_that_is_lost_while_a_bridge_is_made_fails_the_attachment(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(asking, "RETURN_SECONDS", -20.0)
    host = cloud.hosts[0]
    serve = host._serve

    async def lost(wire: object, call: Call) -> None:
        if type(call.request).__name__ != verb:
            await serve(wire, call)  # type: ignore[arg-type]
            return
        host.reachable = False
        host.cut("the bridge passes nothing")

    monkeypatch.setattr(host, "_serve", lost)
    l2 = await cloud.make(
        "l2b", "CreateL2VlanNetwork", zoneUuid=cloud.uuids["zone"], physicalInterface="eth1", vlan=7
    )
    async with asyncio.timeout(30):
        error = await cloud.refused(
            "AttachL2NetworkToCluster", l2NetworkUuid=l2, clusterUuid=cloud.uuids["cluster"]
        )
    assert error["code"] == "L2.1000"
    for said in ("10.0.0.1", "br_eth1_7", "eth1", "try again"):
        assert said in error["details"]
    assert (await cloud.one("QueryL2Network", l2))["attachedClusterUuids"] == []
    assert not any(l2 in each.things.bridges for each in cloud.hosts[1:])
