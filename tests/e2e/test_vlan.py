"""A tagged L2 network: its own bridge on each host, and guests that meet across hosts by its tag alone."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from appliance.api.errors import ApiError
from tests.e2e.conftest import VmFactory
from tests.e2e.stage import Stage, make_network

TAG = 7


@pytest_asyncio.fixture(loop_scope="session")
async def tagged(cloud: Stage) -> AsyncIterator[str]:
    """An L3 network on an L2 network with a VLAN tag, on both hosts."""
    call = cloud.session.call
    made = await call(
        "CreateL2VlanNetwork", name="tagged", zone_uuid=cloud.zone, physical_interface="eth1", vlan=TAG
    )
    l2 = made["inventory"]["uuid"]
    try:
        await call(
            "AttachL2NetworkToCluster", l2_network_uuid=l2, cluster_uuid=cloud.cluster, timeout_seconds=30
        )
    except ApiError as refused:
        await call("DeleteL2Network", uuid=l2, timeout_seconds=30)
        if "bridge.vlan_unsupported" in refused.details:
            pytest.skip("the kernel of this machine makes no VLAN links")
        raise
    l3 = await make_network(cloud, "tagged", f"172.26.{os.getpid() % 250}.0/24", l2=l2)
    yield l3
    await call("DeleteL3Network", uuid=l3, timeout_seconds=30)
    await call(
        "DetachL2NetworkFromCluster", l2_network_uuid=l2, cluster_uuid=cloud.cluster, timeout_seconds=30
    )
    await call("DeleteL2Network", uuid=l2, timeout_seconds=30)


async def test_guests_of_a_vlan_meet_across_hosts(cloud: Stage, vm: VmFactory, tagged: str) -> None:
    one = await vm("tagged-1", host=1, l3=[tagged])
    two = await vm("tagged-2", host=2, l3=[tagged])
    for guest in (one, two):
        await guest.booted()
        bridge = await cloud.run(guest.host, "ip", "-d", "-o", "link", "show", "master", f"br_eth1_{TAG}")
        assert f"eth1.{TAG}@eth1" in bridge
        assert f"vlan protocol 802.1Q id {TAG} " in bridge
        assert guest.device in bridge
    before = await _received(cloud)
    assert " 0% packet loss" in await one.ssh(f"ping -c 3 -w 10 {two.ip}")
    assert await _received(cloud) >= before + 3


async def _received(cloud: Stage) -> int:
    """Frames with the tag that came to the first host by its uplink."""
    return int(await cloud.run(1, "cat", f"/sys/class/net/eth1.{TAG}/statistics/rx_packets"))


async def test_a_kernel_without_vlans_is_said_by_name(cloud: Stage) -> None:
    if (await cloud.lab.exec(1, ["ip", "link", "add", "link", "eth1", "name", "try.7", "type", "vlan", "id", "7"],
                             check=False)).returncode == 0:  # fmt: skip
        await cloud.run(1, "ip", "link", "delete", "try.7")
        pytest.skip("the kernel of this machine makes VLAN links")
    call = cloud.session.call
    made = await call(
        "CreateL2VlanNetwork", name="untaggable", zone_uuid=cloud.zone, physical_interface="eth1", vlan=TAG
    )
    l2 = made["inventory"]["uuid"]
    with pytest.raises(ApiError, match=f"the host's kernel did not make VLAN {TAG} of eth1"):
        await call(
            "AttachL2NetworkToCluster", l2_network_uuid=l2, cluster_uuid=cloud.cluster, timeout_seconds=30
        )
    (network,) = await cloud.session.query("L2VlanNetwork", uuid=l2)
    assert network["attachedClusterUuids"] == []
    assert f"br_eth1_{TAG}" not in await cloud.run(1, "ip", "-o", "link")
    await call("DeleteL2Network", uuid=l2, timeout_seconds=30)
