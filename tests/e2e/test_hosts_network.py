"""A host with one interface: a bridge takes its address over, and gives it back when nobody comes through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from appliance.api.errors import ApiError
from tests.e2e.stage import Stage, until
from tests.e2e.test_hosts import added, host_of
from tests.e2e.test_hosts_agent import processes

BRIDGE = "br_eth0"
ELSEWHERE = "203.0.113.0/24"
SILENCED = f"""
table inet e2e {{
  chain input {{ type filter hook input priority 0; iifname "{BRIDGE}" drop; }}
}}
"""
GIVEN_BACK_SECONDS = 60.0
"""The host waits 20 s for a sign of life before it turns back."""


@pytest_asyncio.fixture(loop_scope="session")
async def l2(spare: Stage) -> AsyncIterator[str]:
    """An L2 network over the interface that the appliance itself comes in by."""
    reply = await spare.session.call(
        "CreateL2NoVlanNetwork", name="only", zone_uuid=spare.zone, physical_interface="eth0"
    )
    yield str(reply["inventory"]["uuid"])
    await spare.session.call("DeleteL2Network", uuid=reply["inventory"]["uuid"], timeout_seconds=60)


async def addresses(spare: Stage, device: str) -> list[str]:
    """The IPv4 addresses of a link of the host; none when there is no such link."""
    listed = await spare.run(spare.machines[1], "ip", "-j", "-4", "addr", "show", "dev", device, check=False)
    found: list[dict[str, Any]] = json.loads(listed or "[]")
    return [f"{each['local']}/{each['prefixlen']}" for link in found for each in link.get("addr_info", [])]


async def routes(spare: Stage) -> set[tuple[str, str]]:
    """Where the host sends what: destination and device."""
    listed = json.loads(await spare.run(spare.machines[1], "ip", "-j", "-4", "route"))
    return {(route["dst"], route["dev"]) for route in listed}


async def test_the_bridge_takes_the_only_address_over(spare: Stage, l2: str) -> None:
    machine, call = spare.machines[1], spare.session.call
    gateway = machine.address.rpartition(".")[0] + ".1"
    await spare.run(machine, "ip", "route", "add", ELSEWHERE, "via", gateway)
    (own,) = await addresses(spare, "eth0")
    before = await routes(spare)
    assert {device for _, device in before} == {"eth0"}
    async with added(spare, machine) as uuid:
        epoch = len(await spare.session.query("Event", resource_uuid=uuid, name="HostDisconnected"))
        await call(
            "AttachL2NetworkToCluster", cluster_uuid=spare.cluster, l2_network_uuid=l2, timeout_seconds=60
        )
        assert await addresses(spare, BRIDGE) == [own]
        assert await addresses(spare, "eth0") == []
        assert await routes(spare) == {(destination, BRIDGE) for destination, _ in before}
        # It is there to stay: longer than the host would wait for a sign of life.
        await asyncio.sleep(25)
        assert await addresses(spare, BRIDGE) == [own]
        assert (await host_of(spare, uuid))["status"] == "Connected"
        lost = await spare.session.query("Event", resource_uuid=uuid, name="HostDisconnected")
        assert len(lost) == epoch, "the link broke"
        await call("ReconnectHost", uuid=uuid, timeout_seconds=60)
        await call(
            "DetachL2NetworkFromCluster", cluster_uuid=spare.cluster, l2_network_uuid=l2, timeout_seconds=60
        )
        assert await addresses(spare, "eth0") == [own]
        assert await routes(spare) == before
        assert BRIDGE not in await spare.links(machine)
        await call("ReconnectHost", uuid=uuid, timeout_seconds=60)
    await spare.run(machine, "ip", "route", "del", ELSEWHERE)


async def kill_the_agent(spare: Stage) -> None:
    """Kill all of the agent that there is, once the bridge has the address."""
    machine = spare.machines[1]

    async def taken_over() -> bool:
        return bool(await addresses(spare, BRIDGE))

    await until(taken_over, 30, "the take-over")
    running = await processes(spare, machine)
    dead = running["serve"] | running["supervise"]
    assert len(dead) == 2
    await spare.run(machine, "kill", "-9", *map(str, dead))


@pytest.mark.parametrize("agent", ["alive", "killed"])
async def test_a_host_out_of_reach_turns_back_by_itself(spare: Stage, l2: str, agent: str) -> None:
    machine, call = spare.machines[1], spare.session.call
    (own,) = await addresses(spare, "eth0")
    before = await routes(spare)
    async with added(spare, machine) as uuid:
        # Whatever arrives by the bridge is lost, as on a switch that does not know it.
        await spare.run(machine, "nft", "-f", "-", stdin=SILENCED)
        try:
            async with asyncio.TaskGroup() as both:
                if agent == "killed":
                    both.create_task(kill_the_agent(spare))
                with pytest.raises(ApiError) as refused:
                    await call(
                        "AttachL2NetworkToCluster", cluster_uuid=spare.cluster, l2_network_uuid=l2,
                        timeout_seconds=120,
                    )  # fmt: skip
            assert refused.value.code == "L2.1000"

            async def turned_back() -> bool:
                return await addresses(spare, "eth0") == [own]

            await until(turned_back, GIVEN_BACK_SECONDS, "the address on the interface", pause=0.5)
            assert await addresses(spare, BRIDGE) == []
            assert await routes(spare) == before

            async def connected() -> bool:
                return str((await host_of(spare, uuid))["status"]) == "Connected"

            await until(connected, 40, "the link to the host", pause=0.5)
            # And it is not tried again and again.
            assert (await spare.session.query("L2Network", uuid=l2))[0]["attachedClusterUuids"] == []
            await asyncio.sleep(5)
            assert await addresses(spare, "eth0") == [own]
        finally:
            await spare.run(machine, "nft", "delete", "table", "inet", "e2e")
