"""What happens on hosts without being asked: seen, told apart by cause, and repaired when an event is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from agent.protocol import Cause, EnsureNic, HypervisorBack, HypervisorLost
from appliance.reconcile.observe import take_event
from tests.simulated_cloud import Cloud


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("guest_shutdown", "shut down inside the guest"),
        ("destroyed", "powered off on the host"),
        ("crashed", "crashed"),
        ("failed", "failed on the host"),
    ],
)
async def test_why_a_vm_went_off_is_told_apart(cloud: Cloud, cause: Cause, words: str) -> None:
    uuid = (await cloud.vm(name="web"))["uuid"]
    cloud.host_of(uuid).power_off(uuid, cause)
    vm = await cloud.vm_becomes(uuid, "Stopped")
    assert vm["stateCause"] == words
    assert "hostUuid" not in vm
    events = [event["text"] for event in await cloud.query("QueryEvent", resourceUuid=uuid)]
    assert f"web: Running → Stopped ({words})" in events


@pytest.mark.parametrize(
    ("cause", "words"),
    [("io_error", "its host's storage is full, or fails"), ("suspended", "it is suspended")],
)
async def test_a_guest_that_stands_still_is_told_with_the_way_out(
    cloud: Cloud, cause: Cause, words: str
) -> None:
    uuid = (await cloud.vm(name="web"))["uuid"]
    host = cloud.host_of(uuid)
    host.stand_still(uuid, cause)
    vm = await _stands(cloud, uuid, still=True)
    assert vm["state"] == "Running"
    assert words in vm["standsStill"]
    assert "reboot or stop it" in vm["standsStill"]
    await _scanned(cloud)  # seen once more as it was
    host.go_on(uuid)
    assert (await _stands(cloud, uuid, still=False))["state"] == "Running"
    events = [(event["name"], event["text"]) for event in await cloud.query("QueryEvent", resourceUuid=uuid)]
    told = [each for each in events if each[0] in {"VmStandsStill", "VmGoesOn"}]
    assert told == [
        ("VmStandsStill", f"web: {vm['standsStill']}"),
        ("VmGoesOn", "web: its guest goes on"),
    ]


@pytest.mark.parametrize("call", ["RebootVmInstance", "StopVmInstance"])
async def test_a_guest_that_stood_still_does_so_no_more_after_the_way_out(cloud: Cloud, call: str) -> None:
    uuid = (await cloud.vm())["uuid"]
    cloud.host_of(uuid).stand_still(uuid, "io_error")
    await _stands(cloud, uuid, still=True)
    await cloud.call(call, uuid=uuid)
    assert "standsStill" not in await cloud.one("QueryVmInstance", uuid)


async def _stands(cloud: Cloud, uuid: str, *, still: bool) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while ("standsStill" in (vm := await cloud.one("QueryVmInstance", uuid))) != still:
            await asyncio.sleep(0.01)
    return vm


async def test_a_vm_started_by_hand_is_running_and_says_so(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    await cloud.call("StopVmInstance", uuid=uuid)
    assert "stateCause" not in await cloud.one("QueryVmInstance", uuid)
    host = cloud.host_of(uuid)
    host.power_on(uuid)
    vm = await cloud.vm_becomes(uuid, "Running")
    assert vm["stateCause"] == "started on the host"
    assert vm["hostUuid"] == vm["lastHostUuid"]


async def test_a_vm_that_halted_is_not_started_again(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    host = cloud.host_of(uuid)
    starts = host.domains[uuid].starts
    host.power_off(uuid, "guest_shutdown")
    await cloud.vm_becomes(uuid, "Stopped")
    await _scanned(cloud)
    assert (await cloud.one("QueryVmInstance", uuid))["state"] == "Stopped"
    assert host.domains[uuid].starts == starts


async def test_a_reconnected_hosts_vms_are_known_when_that_is_answered(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    host = (await cloud.one("QueryVmInstance", uuid))["hostUuid"]
    await cloud.call("ReconnectHost", uuid=host)
    changes = [event["text"] for event in await cloud.query("QueryEvent", resourceUuid=uuid)]
    assert changes[-2:] == ["vm: Running → Unknown", "vm: Unknown → Running"]


@pytest.mark.parametrize("power", ["off", "on"])
async def test_a_lost_event_is_repaired_by_the_full_scan(cloud: Cloud, power: str) -> None:
    uuid = (await cloud.vm())["uuid"]
    host = cloud.host_of(uuid)
    if power == "off":
        host.power_off(uuid, "guest_shutdown", tell=False)
        before, after, words = "Running", "Stopped", "shut down inside the guest"
    else:
        await cloud.call("StopVmInstance", uuid=uuid)
        host.power_on(uuid, tell=False)
        before, after, words = "Stopped", "Running", "started on the host"
    assert (await cloud.one("QueryVmInstance", uuid))["state"] == before
    await _scanned(cloud)
    assert (await cloud.vm_becomes(uuid, after))["stateCause"] == words


async def test_a_host_that_is_lost_makes_its_vms_unknown_and_back_again(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    host = cloud.host_of(uuid)
    host.reachable = False
    host.cut("the cable")
    await cloud.vm_becomes(uuid, "Unknown")
    row = next(each for each in await cloud.query("QueryHost", managementIp=host.address))
    assert row["status"] == "Disconnected"
    host.reachable = True
    await cloud.call("ReconnectHost", uuid=row["uuid"])
    vm = await cloud.vm_becomes(uuid, "Running")
    assert vm["hostUuid"] == row["uuid"]
    assert host.domains[uuid].starts == 1


async def test_a_host_that_rebooted_has_its_vms_stopped(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    host = cloud.host_of(uuid)
    host.crash_and_boot()
    await cloud.vm_becomes(uuid, "Stopped")
    assert host.domains[uuid].starts == 1
    await cloud.call("StartVmInstance", uuid=uuid)
    assert host.domains[uuid].power == "on"


async def test_libvirt_is_back_only_after_it_was_away(cloud: Cloud) -> None:
    machine = "10.0.0.1:22"
    back = HypervisorBack(seen=cloud.dialer.hosts[machine]._scan(), libvirt_version="9.0.0")
    told = []
    for event in (back, HypervisorLost(reason="killed"), back, back):
        await cloud.database.write(take_event(machine, event))
        events = await cloud.query("QueryEvent", resourceUuid=cloud.uuids["host1"])
        told.append(sum(each["text"] == "host1: libvirt is back" for each in events))
    assert told == [0, 0, 1, 1]


async def test_a_domain_of_somebody_else_is_told_once_and_never_touched(cloud: Cloud) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    stranger = "5" * 32
    host.domains[stranger] = type(host.domains[vm["uuid"]])("", 0, [], power="on")
    for _ in range(2):
        await _scanned(cloud)
    assert len(await cloud.query("QueryEvent", name="StrangerVmFound")) == 1
    assert host.domains[stranger].power == "on"
    assert not [effect for effect in host.effects if effect[1] == stranger]


async def test_new_user_data_touches_nothing_but_the_nic(cloud: Cloud) -> None:
    vm = await cloud.vm(systemTags=["userdata::one"])
    host = cloud.host_of(vm["uuid"])
    before = len(host.effects)
    (tag,) = await cloud.query("QuerySystemTag", resourceUuid=vm["uuid"])
    nic = vm["vmNics"][0]["uuid"]
    served = host.things.nics[nic]
    await cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag="userdata::two")
    await cloud.idle()
    assert [effect[0] for effect in host.effects[before:]] == [EnsureNic.__name__]
    assert host.things.nics[nic] != served
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Running"
    assert (await cloud.answer("PreviewUserdata", uuid=vm["uuid"]))["userData"] == "#cloud-config\ntwo"


async def test_new_user_data_is_served_without_a_look_first(cloud: Cloud) -> None:
    vm = await cloud.vm(systemTags=["userdata::one"])
    host = cloud.host_of(vm["uuid"])
    (tag,) = await cloud.query("QuerySystemTag", resourceUuid=vm["uuid"])
    nic = vm["vmNics"][0]["uuid"]
    served = host.things.nics[nic]
    host.delays.by_verb["ObserveVm"] = 60.0
    await cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag="userdata::two")
    async with asyncio.timeout(5):
        while host.things.nics[nic] == served:
            await asyncio.sleep(0.01)


async def test_a_name_server_reaches_the_network_of_running_vms_without_their_restart(cloud: Cloud) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    before = len(host.effects)
    await cloud.call("AddDnsToL3Network", l3NetworkUuid=cloud.uuids["l3"], dns="9.9.9.9")
    await cloud.idle()
    assert [effect[0] for effect in host.effects[before:]] == ["EnsureNetwork"]


async def test_a_hundred_vms_at_once_on_one_host(empty_cloud: Cloud) -> None:
    cloud = empty_cloud
    await cloud.build(hosts=1)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(cloud.vm(name=f"vm{number}")) for number in range(100)]
    vms = [task.result() for task in tasks]
    assert {vm["state"] for vm in vms} == {"Running"}
    assert len({vm["vmNics"][0]["ip"] for vm in vms}) == len({vm["vmNics"][0]["mac"] for vm in vms}) == 100
    (host,) = cloud.hosts
    assert len(host.domains) == len(host.things.nics) == 100
    assert {domain.starts for domain in host.domains.values()} == {1}
    verbs = Counter(verb for verb, _, _ in host.effects)
    assert (verbs["StartDomain"], verbs["DefineDomain"], verbs["EnsureVolume"]) == (100, 100, 100)
    (row,) = await cloud.query("QueryHost")
    assert row["availableMemoryCapacity"] == row["totalMemoryCapacity"] - (100 << 28) - (512 << 20)
    assert await cloud.database.verify() == []


async def test_a_scan_that_finds_nothing_new_is_no_change_of_a_vm(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    await _scanned(cloud)
    before = await cloud.one("QueryVmInstance", uuid)
    await asyncio.sleep(1.1)  # dates are told to the second
    await _scanned(cloud)
    assert (await cloud.one("QueryVmInstance", uuid))["lastOpDate"] == before["lastOpDate"]


async def _scanned(cloud: Cloud) -> None:
    """Have every host scanned now, and what it leads to carried out."""
    for host in await cloud.query("QueryHost"):
        cloud.core.loop.poke("Host", host["uuid"])
    await cloud.idle()


async def test_a_new_name_of_a_running_vm_reaches_its_guest(cloud: Cloud) -> None:
    vm = await cloud.vm(name="web")
    host, (nic,) = cloud.host_of(vm["uuid"]), vm["vmNics"]
    (before, _) = host.things.nics[nic["uuid"]]
    await cloud.call("UpdateVmInstance", uuid=vm["uuid"], name="db")
    async with asyncio.timeout(5):
        while host.things.nics[nic["uuid"]][0] == before:
            await asyncio.sleep(0.01)


async def test_a_tag_that_is_taken_off_is_no_longer_served(cloud: Cloud) -> None:
    vm = await cloud.vm()
    nic, things = vm["vmNics"][0]["uuid"], cloud.host_of(vm["uuid"]).things
    without = things.nics[nic]
    tag = await cloud.call(
        "CreateSystemTag", resourceType="VmInstanceVO", resourceUuid=vm["uuid"], tag="userdata::a"
    )
    await cloud.idle()
    assert things.nics[nic] != without
    await cloud.call("DeleteTag", uuid=tag["uuid"])
    await cloud.idle()
    assert things.nics[nic] == without


async def test_services_reach_vms_that_are_there_already(cloud: Cloud) -> None:
    (provider,) = await cloud.query("QueryNetworkServiceProvider", type="Flat")
    services = {provider["uuid"]: ["DHCP", "Userdata"]}
    l3 = (await cloud.call("CreateL3Network", name="late", l2NetworkUuid=cloud.uuids["l2"]))["uuid"]
    ranges = {}
    for first, last in (
        ("10.77.0.10", "10.77.0.10"),
        ("10.77.0.20", "10.77.0.21"),
        ("10.77.0.30", "10.77.0.31"),
    ):
        made = await cloud.call("AddIpRange", name=first, l3NetworkUuid=l3, startIp=first, endIp=last,
                                netmask="255.255.255.0", gateway="10.77.0.1")  # fmt: skip
        ranges[first] = made["uuid"]
    vm = await cloud.vm(l3NetworkUuids=[l3])
    nic, things = vm["vmNics"][0], cloud.host_of(vm["uuid"]).things
    unserved = things.nics[nic["uuid"]]
    assert (nic["ip"], l3 in things.networks) == ("10.77.0.10", False)
    await cloud.call("AttachNetworkServiceToL3Network", l3NetworkUuid=l3, networkServices=services)
    await cloud.idle()
    assert l3 in things.networks
    assert things.nics[nic["uuid"]] != unserved
    assert [tag["tag"].split("::")[2] for tag in await cloud.query("QuerySystemTag", resourceUuid=l3)] == [
        "10.77.0.20"
    ]
    # The server's address goes with its range, and is one of another from then on.
    await cloud.call("DeleteIpRange", uuid=ranges["10.77.0.20"])
    await cloud.idle()
    assert [tag["tag"].split("::")[2] for tag in await cloud.query("QuerySystemTag", resourceUuid=l3)] == [
        "10.77.0.30"
    ]
    error = await cloud.refused("DeleteIpRange", uuid=ranges["10.77.0.10"])
    assert "VMs have 1 address of 10.77.0.10-10.77.0.10" in error["details"]
