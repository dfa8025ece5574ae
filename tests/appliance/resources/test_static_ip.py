"""Static addresses: taken with the tag, given to a stopped VM at once and to a running one at its next start."""

from __future__ import annotations

import asyncio

import pytest

from tests.simulated_cloud import Body, Cloud


async def taken(cloud: Cloud) -> list[str]:
    """Every address that VMs have or that is kept for them."""
    rows = await cloud.rows()
    return sorted(row["ip"] for row in rows["UsedIp"] if row["used_for"] != "DHCP")


async def address(cloud: Cloud, vm: Body) -> str:
    """What the VM's only NIC has."""
    (nic,) = (await cloud.one("QueryVmInstance", vm["uuid"]))["vmNics"]
    ip: str = nic["ip"]
    return ip


def on(vm: Body) -> dict[str, str]:
    return {"resourceType": "VmInstanceVO", "resourceUuid": vm["uuid"]}


@pytest.fixture
async def stopped(cloud: Cloud) -> Body:
    """A stopped VM without a static address."""
    vm = await cloud.vm()
    return await cloud.call("StopVmInstance", uuid=vm["uuid"])


@pytest.fixture
def tag(cloud: Cloud) -> str:
    """How a tag for the cloud's network begins."""
    return f"staticIp::{cloud.uuids['l3']}::10.9.0."


async def test_a_stopped_vm_has_another_address_with_each_change(
    cloud: Cloud, stopped: Body, tag: str
) -> None:
    first = await address(cloud, stopped)
    made = await cloud.call("CreateSystemTag", **on(stopped), tag=f"{tag}77")
    assert await address(cloud, stopped) == "10.9.0.77"
    assert await taken(cloud) == ["10.9.0.77"]
    changed = await cloud.call("UpdateSystemTag", uuid=made["uuid"], tag=f"{tag}78")
    assert (changed["uuid"], await taken(cloud)) == (made["uuid"], ["10.9.0.78"])
    (nic,) = (await cloud.call("StartVmInstance", uuid=stopped["uuid"]))["vmNics"]
    assert (nic["ip"], nic["netmask"], nic["gateway"]) == ("10.9.0.78", "255.255.255.0", "10.9.0.1")
    await cloud.call("StopVmInstance", uuid=stopped["uuid"])
    await cloud.call("DeleteTag", uuid=made["uuid"])
    assert await address(cloud, stopped) == first
    assert await taken(cloud) == [first]
    assert await cloud.database.verify() == []


async def test_a_running_vm_has_its_new_address_at_its_next_start_and_nobody_else_meanwhile(
    cloud: Cloud, tag: str
) -> None:
    vm, other = await cloud.vm(), await cloud.vm()
    first = await address(cloud, vm)
    made = await cloud.call("CreateSystemTag", **on(vm), tag=f"{tag}77")
    assert await address(cloud, vm) == first
    assert "10.9.0.77" in await taken(cloud)
    [ip_range] = (await cloud.rows())["IpRange"]
    within = f"{ip_range['start_ip']}-{ip_range['end_ip']}"
    async with cloud.untouched():
        for name, fields in (
            ("CreateSystemTag", {**on(other), "tag": f"{tag}77"}),
            ("CreateVmInstance", cloud.vm_fields(systemTags=[f"{tag}77"])),
        ):
            error = await cloud.refused(name, **fields)
            assert error["code"] == "SYS.1006"
            assert error["details"] == (
                f"IP[10.9.0.77] is not available on the L3 network[uuid:{cloud.uuids['l3']}], "
                f"as system tag {tag}77 asks: VM {vm['name']}"
                f"[uuid:{vm['uuid']}] has it; take another address of {within}, or delete that VM first"
            )
    await cloud.call("RebootVmInstance", uuid=vm["uuid"])
    assert await address(cloud, vm) == first
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    started = await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert started["vmNics"][0]["ip"] == "10.9.0.77"
    assert first not in await taken(cloud)
    await cloud.call("DeleteTag", uuid=made["uuid"])
    assert await address(cloud, vm) == "10.9.0.77"


async def test_what_was_kept_is_free_when_its_tag_goes_or_its_vm(cloud: Cloud, tag: str) -> None:
    vm = await cloud.vm()
    first = await address(cloud, vm)
    made = await cloud.call("CreateSystemTag", **on(vm), tag=f"{tag}77")
    await cloud.call("UpdateSystemTag", uuid=made["uuid"], tag=f"{tag}78")
    assert await taken(cloud) == sorted([first, "10.9.0.78"])
    await cloud.call("UpdateSystemTag", uuid=made["uuid"], tag="userdata::none of that")
    assert await taken(cloud) == [first]
    await cloud.call("UpdateSystemTag", uuid=made["uuid"], tag=f"{tag}79")
    await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
    assert await taken(cloud) == []
    await cloud.call("RecoverVmInstance", uuid=vm["uuid"])
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["vmNics"][0]["ip"] == "10.9.0.79"


async def test_an_address_that_a_vm_has_can_be_made_its_own(cloud: Cloud, stopped: Body, tag: str) -> None:
    ip = await address(cloud, stopped)
    await cloud.call("CreateSystemTag", **on(stopped), tag=f"staticIp::{cloud.uuids['l3']}::{ip}")
    assert await taken(cloud) == [ip]
    error = await cloud.refused("CreateSystemTag", **on(stopped), tag=f"{tag}90")
    assert (error["code"], "only one" in error["details"]) == ("SYS.1007", True)


async def test_an_address_is_refused_that_no_vm_can_have(cloud: Cloud, stopped: Body, tag: str) -> None:
    dhcp = (await cloud.query("QuerySystemTag", resourceUuid=cloud.uuids["l3"]))[0]["tag"].split("::")[2]
    fields = on(stopped)
    async with cloud.untouched():
        for ip in ("10.9.0.1", "10.9.0.255", "10.10.0.5", dhcp):
            error = await cloud.refused(
                "CreateSystemTag", **fields, tag=f"staticIp::{cloud.uuids['l3']}::{ip}"
            )
            assert (error["code"], "not available" in error["details"]) == ("SYS.1006", True), ip
        for text in (f"{tag}300", f"{tag}", f"{tag}5/24", f"staticIp::{'f' * 32}::10.9.0.5"):
            assert (await cloud.refused("CreateSystemTag", **fields, tag=text))["code"] == "SYS.1007", text


async def test_the_first_vm_of_a_network_may_ask_for_its_first_address(cloud: Cloud, tag: str) -> None:
    vm = await cloud.vm(systemTags=[f"{tag}2"])
    assert await address(cloud, vm) == "10.9.0.2"


async def test_one_of_many_that_ask_for_an_address_has_it(cloud: Cloud, tag: str) -> None:
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(cloud.answer("CreateVmInstance", **cloud.vm_fields(systemTags=[f"{tag}50"])))
            for _ in range(4)
        ]
    assert sorted(task.result()["success"] for task in asked) == [False, False, False, True]
    assert await taken(cloud) == ["10.9.0.50"]
    assert len(await cloud.query("QueryVmInstance")) == 1


async def test_a_stopped_vm_keeps_its_address_when_there_is_no_other(empty_cloud: Cloud) -> None:
    await empty_cloud.build()
    uuids = empty_cloud.uuids
    await empty_cloud.call("DeleteIpRange", uuid=uuids["range"])
    await empty_cloud.make(
        "few", "AddIpRange", l3NetworkUuid=uuids["l3"], startIp="10.9.0.10", endIp="10.9.0.11",
        netmask="255.255.255.0", gateway="10.9.0.1",
    )  # fmt: skip
    vm = await empty_cloud.vm(systemTags=[f"staticIp::{uuids['l3']}::10.9.0.10"])
    await empty_cloud.call("StopVmInstance", uuid=vm["uuid"])
    (tag,) = await empty_cloud.query("QuerySystemTag", resourceUuid=vm["uuid"])
    await empty_cloud.call("DeleteTag", uuid=tag["uuid"])
    assert await taken(empty_cloud) == ["10.9.0.10"]


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ("1", "it is in none of its IP ranges; take a free address of {within}"),
        ("{dhcp}", "its DHCP server has it; take another address of {within}"),
    ],
)
async def test_an_address_that_cannot_be_had_is_refused_with_a_way_out(
    cloud: Cloud, last: str, why: str
) -> None:
    vm, rows = await cloud.vm(), await cloud.rows()
    within = f"{rows['IpRange'][0]['start_ip']}-{rows['IpRange'][0]['end_ip']}"
    [server] = [row["ip"] for row in rows["UsedIp"] if row["used_for"] == "DHCP"]
    ip = f"10.9.0.{last}" if last.isdecimal() else server
    l3 = cloud.uuids["l3"]
    async with cloud.untouched():
        error = await cloud.refused("CreateSystemTag", **on(vm), tag=f"staticIp::{l3}::{ip}")
    assert error["details"] == (
        f"IP[{ip}] is not available on the L3 network[uuid:{l3}], as system tag staticIp::{l3}::{ip} asks: "
        f"{why.format(within=within)}"
    )
