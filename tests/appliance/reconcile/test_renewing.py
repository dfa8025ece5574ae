"""An appliance of the next version: hosts are connected at once, and get its agent without being seen to go."""

from __future__ import annotations

from appliance.hosts.simulator import AGENT_VERSION
from tests.simulated_cloud import Cloud


async def test_hosts_stay_connected_while_their_agents_are_renewed_in_turn(cloud: Cloud) -> None:
    vms = [await cloud.vm(name=f"vm{number}") for number in (1, 2)]
    await cloud.idle()
    await cloud.kill()
    cloud.dialer.agent_version = "later"
    # Whoever is first, one of the two is connected before it is its turn.
    cloud.hosts[0].delays.by_verb["Hello"] = 0.5
    await cloud.start()
    # Nobody is connected yet, whatever was written in the life before.
    await cloud.until(
        lambda: cloud.query("QueryHost"),
        lambda hosts: not any(host["status"] == "Connected" for host in hosts),
    )
    by_the_old: set[str] = set()
    connected: set[str] = set()

    async def look() -> set[str]:
        hosts = await cloud.query("QueryHost")
        now = {
            str(host["uuid"]): str(host["agentVersion"]) for host in hosts if host["status"] == "Connected"
        }
        assert connected <= now.keys(), "one of them was seen to go"
        connected.update(now)
        by_the_old.update(uuid for uuid, version in now.items() if version == AGENT_VERSION)
        return {str(host["agentVersion"]) for host in hosts}

    await cloud.until(look, lambda versions: versions == {"later"})
    assert len(by_the_old) == 1
    await cloud.idle()
    for vm in vms:
        assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Running"
    lost = [each for each in await cloud.query("QueryEvent") if each["name"] == "HostDisconnected"]
    assert lost == []
