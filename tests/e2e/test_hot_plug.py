"""NICs that come to a running guest and leave it, seen from the guest and on its host."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from appliance.plans.naming import tap
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import Stage, make_network


@pytest_asyncio.fixture(loop_scope="session")
async def second(cloud: Stage) -> AsyncIterator[str]:
    """Another network on the same wire."""
    l3 = await make_network(cloud, "plugged", f"172.26.{os.getpid() % 250}.0/24")
    yield l3
    for nic in await cloud.session.query("VmNic", l3NetworkUuid=l3):
        await cloud.session.call("DestroyVmInstance", uuid=nic["vmInstanceUuid"], timeout_seconds=60)
    await cloud.session.call("DeleteL3Network", uuid=l3)


def nic_on(guest: Guest, l3: str) -> dict[str, Any]:
    (found,) = [nic for nic in guest.inventory["vmNics"] if nic["l3NetworkUuid"] == l3]
    return dict(found)


def device_of(nic: dict[str, Any]) -> str:
    return tap(int(nic["metaData"]), int(nic["deviceId"]))


def guard_of(nic: dict[str, Any]) -> str:
    """What the guard knows of a NIC's owner; what it counts of its tap expires by itself."""
    return f'"{device_of(nic)}" . {nic["mac"]}'


async def attach(cloud: Stage, guest: Guest, l3: str) -> dict[str, Any]:
    await cloud.session.call(
        "AttachL3NetworkToVm", vm_instance_uuid=guest.uuid, l3_network_uuid=l3, timeout_seconds=60
    )
    return nic_on(await guest.refresh(), l3)


async def test_a_running_guest_gets_a_network_and_loses_it_again(
    cloud: Stage, vm: VmFactory, second: str
) -> None:
    one = await (await vm("plug", host=1)).booted()
    nic = await attach(cloud, one, second)
    device = device_of(nic)
    await one.says(rf"address {nic['ip']}/24 on eth1", 30)
    assert device in await cloud.virsh(one.host, "domiflist", one.uuid)
    assert device in await cloud.virsh(one.host, "domiflist", one.uuid, "--inactive")
    assert guard_of(nic) in await cloud.guard(one.host)
    assert nic["mac"] in await cloud.leases(one.host, second)
    assert (await one.ssh("ip route")).count("default") == 1
    ping = await cloud.in_network(one.host, second, ["ping", "-c", "1", "-W", "5", str(nic["ip"])])
    assert " 0% packet loss" in ping.stdout

    await cloud.session.call("DetachL3NetworkFromVm", vm_nic_uuid=nic["uuid"], timeout_seconds=90)
    assert [each["l3NetworkUuid"] for each in (await one.refresh()).inventory["vmNics"]] == [cloud.l3]
    assert device not in await cloud.virsh(one.host, "domiflist", one.uuid)
    assert device not in await cloud.virsh(one.host, "domiflist", one.uuid, "--inactive")
    assert device not in await cloud.links(one.host)
    assert guard_of(nic) not in await cloud.guard(one.host)
    assert nic["mac"] not in await cloud.leases(one.host, second)
    assert "eth1" not in (await one.ssh("ls /sys/class/net")).split()
    assert one.state == "Running"


async def test_the_network_that_is_left_becomes_the_guests_own(
    cloud: Stage, vm: VmFactory, second: str
) -> None:
    one = await vm("moved", host=2)
    await one.booted()
    nic = await attach(cloud, one, second)
    await one.says(rf"address {nic['ip']}/24 on eth1", 30)
    first = nic_on(one, cloud.l3)
    await cloud.session.call("DetachL3NetworkFromVm", vm_nic_uuid=first["uuid"], timeout_seconds=90)
    assert (await one.refresh()).inventory["defaultL3NetworkUuid"] == second
    told = len(one.serial())
    await cloud.session.call("RebootVmInstance", uuid=one.uuid, timeout_seconds=120)
    await one.booted(after=told)
    routes = await one.ssh("ip route")
    assert f"default via {nic['gateway']}" in routes
    assert one.uuid in await one.ssh("wget -q -O - http://169.254.169.254/latest/meta-data/instance-id")


async def test_a_guest_that_is_off_has_its_new_network_when_it_starts(
    cloud: Stage, vm: VmFactory, second: str
) -> None:
    one = await (await vm("later", host=1)).booted()
    await one.stop()
    nic = await attach(cloud, one, second)
    told = len(one.serial())
    await one.start()
    await one.says(rf"address {nic['ip']}/24 on eth1", after=told)
    await one.stop()
    await cloud.session.call("DetachL3NetworkFromVm", vm_nic_uuid=nic["uuid"], timeout_seconds=60)
    assert guard_of(nic) not in await cloud.guard(one.host)
    await one.start()
    assert device_of(nic) not in await cloud.virsh(one.host, "domiflist", one.uuid)
