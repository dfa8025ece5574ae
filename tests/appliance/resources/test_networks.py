"""Networks, images and volumes: the calls beside create and delete, with ZStack's own words."""

from __future__ import annotations

import pytest

from tests.simulated_cloud import Cloud


@pytest.mark.parametrize(
    ("call", "key", "query"),
    [
        ("UpdateL2Network", "l2", "QueryL2Network"),
        ("UpdateL3Network", "l3", "QueryL3Network"),
        ("UpdateIpRange", "range", "QueryIpRange"),
        ("UpdateHost", "host1", "QueryHost"),
    ],
)
async def test_names_and_descriptions_change(cloud: Cloud, call: str, key: str, query: str) -> None:
    uuid = cloud.uuids[key]
    await cloud.call(call, uuid=uuid, name="new", description="said")
    again = await cloud.call(call, uuid=uuid, name="newer")
    assert (again["name"], again["description"]) == ("newer", "said")
    assert await cloud.one(query, uuid) == again
    nobody = "f" * 12 + "4fff8" + "f" * 15
    assert (await cloud.refused(call, uuid=nobody, name="x"))["code"] == "SYS.1003"


async def test_two_hosts_cannot_have_one_address(cloud: Cloud) -> None:
    error = await cloud.refused("UpdateHost", uuid=cloud.uuids["host1"], managementIp="10.0.0.2")
    assert error["code"] == "SYS.1007"
    assert error["details"] == "there has been a host having managementIp[10.0.0.2]"


async def test_a_disabled_network_takes_no_new_nics(cloud: Cloud) -> None:
    l3 = cloud.uuids["l3"]
    vm = await cloud.vm()
    changed = await cloud.call("ChangeL3NetworkState", uuid=l3, stateEvent="disable")
    assert changed["state"] == "Disabled"
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
        assert (error["code"], l3 in error["details"], "Disabled" in error["details"]) == (
            "SYS.1006", True, True,
        )  # fmt: skip
    for call in ("StopVmInstance", "StartVmInstance"):
        await cloud.call(call, uuid=vm["uuid"])
    assert (await cloud.call("ChangeL3NetworkState", uuid=l3, stateEvent="enable"))["state"] == "Enabled"
    assert (await cloud.vm())["state"] == "Running"
    error = await cloud.refused("ChangeL3NetworkState", uuid=l3, stateEvent="maintain")
    assert error["details"] == (
        "valid value for field[stateEvent] of message"
        "[org.zstack.header.network.l3.APIChangeL3NetworkStateMsg] are [enable, disable], "
        "but actual is maintain"
    )


async def test_free_addresses_are_those_that_nobody_has(cloud: Cloud) -> None:
    l3 = cloud.uuids["l3"]
    (nic,) = (await cloud.vm())["vmNics"]
    dhcp = (await cloud.query("QuerySystemTag", resourceUuid=l3))[0]["tag"].split("::")[2]
    free = (await cloud.answer("GetFreeIp", l3NetworkUuid=l3, limit=3))["inventories"]
    assert len(free) == 3
    assert {nic["ip"], dhcp, "10.9.0.1"}.isdisjoint(each["ip"] for each in free)
    assert free[0] == {
        "ipRangeUuid": cloud.uuids["range"], "ip": free[0]["ip"], "netmask": "255.255.255.0",
        "gateway": "10.9.0.1",
    }  # fmt: skip
    assert len((await cloud.answer("GetFreeIp", ipRangeUuid=cloud.uuids["range"]))["inventories"]) == 100
    error = await cloud.refused("GetFreeIp")
    assert error["details"] == ("ipRangeUuid and l3NetworkUuid cannot both be null; you must set either one.")
    for ip, available in {
        free[0]["ip"]: True, nic["ip"]: False, dhcp: False, "10.9.0.1": False, "10.8.0.9": False,
    }.items():  # fmt: skip
        answer = await cloud.answer("CheckIpAvailability", l3NetworkUuid=l3, ip=ip)
        assert (ip, answer["available"]) == (ip, available)
    error = await cloud.refused("CheckIpAvailability", l3NetworkUuid=l3, ip="10.9.0")
    assert (error["code"], "ip[10.9.0]" in error["details"]) == ("SYS.1007", True)


async def test_the_gateway_is_nobodys_static_address(cloud: Cloud) -> None:
    l3 = await cloud.make("other", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"])
    await cloud.call(
        "AddIpRange", l3NetworkUuid=l3, name="r", startIp="10.8.0.1", endIp="10.8.0.9",
        netmask="255.255.255.0", gateway="10.8.0.5",
    )  # fmt: skip
    fields = {"l3NetworkUuids": [l3], "systemTags": [f"staticIp::{l3}::10.8.0.5"]}
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(**fields))
    assert (error["code"], error["details"]) == (
        "SYS.1006",
        f"IP[10.8.0.5] is not available on the L3 network[uuid:{l3}], as system tag staticIp::{l3}::10.8.0.5 asks: "
        f"it is the gateway of 10.8.0.1-10.8.0.9; take another address of 10.8.0.1-10.8.0.9",
    )  # fmt: skip


async def test_the_capacity_of_ranges_is_what_nics_can_have(cloud: Cloud) -> None:
    asked: dict[str, dict[str, object]] = {
        "all": {"all": True},
        "zone": {"zoneUuids": [cloud.uuids["zone"]]},
        "network": {"l3NetworkUuids": [cloud.uuids["l3"]]},
        "range": {"ipRangeUuids": [cloud.uuids["range"]]},
    }
    for fields in asked.values():
        before = await cloud.answer("GetIpAddressCapacity", **fields)
        assert (before["totalCapacity"], before["availableCapacity"]) == (253, 253)
    await cloud.vm()
    for fields in asked.values():
        after = await cloud.answer("GetIpAddressCapacity", **fields)
        assert (after["totalCapacity"], after["availableCapacity"]) == (253, 251)
    error = await cloud.refused("GetIpAddressCapacity")
    assert (error["code"], error["details"]) == (
        "SYS.1007",
        "zoneUuids, l3NetworkUuids, ipRangeUuids must have at least one be none-empty list, "
        "or all is set to true",
    )


async def test_the_flat_provider_is_on_each_new_l2_network(cloud: Cloud) -> None:
    zone, provider = cloud.uuids["zone"], cloud.uuids["provider"]
    plain = await cloud.make("plain", "CreateL2NoVlanNetwork", zoneUuid=zone, physicalInterface="eth2")
    tagged = await cloud.make(
        "tagged", "CreateL2VlanNetwork", zoneUuid=zone, physicalInterface="eth2", vlan=7
    )
    found = await cloud.one("QueryNetworkServiceProvider", provider)
    assert {plain, tagged, cloud.uuids["l2"]} == set(found["attachedL2NetworkUuids"])
    pair = {"networkServiceProviderUuid": provider}
    detached = await cloud.call("DetachNetworkServiceProviderFromL2Network", **pair, l2NetworkUuid=plain)
    assert plain not in detached["attachedL2NetworkUuids"]
    l3 = await cloud.make("bare", "CreateL3Network", l2NetworkUuid=plain)
    asked = {"l3NetworkUuid": l3, "networkServices": {provider: ["DHCP"]}}
    assert (await cloud.refused("AttachNetworkServiceToL3Network", **asked))["code"] == "SYS.1006"
    error = await cloud.refused(
        "DetachNetworkServiceProviderFromL2Network", **pair, l2NetworkUuid=cloud.uuids["l2"]
    )
    assert (error["code"], cloud.uuids["l3"] in error["details"]) == ("SYS.1006", True)


async def test_what_kinds_there_are(cloud: Cloud) -> None:
    services = (await cloud.answer("GetNetworkServiceTypes"))["serviceAndProviderTypes"]
    assert services["Userdata"] == ["Flat"]
    assert (await cloud.answer("GetL3NetworkTypes"))["l3NetworkTypes"] == ["L3BasicNetwork"]
    types = (await cloud.answer("GetL2NetworkTypes"))["l2NetworkTypes"]
    assert types == ["L2NoVlanNetwork", "L2VlanNetwork"]
    formats = {each["format"]: each for each in (await cloud.answer("GetVolumeFormat"))["formats"]}
    assert formats["qcow2"]["supportingHypervisorTypes"] == ["KVM"]


async def test_no_vm_is_made_from_a_disabled_image(cloud: Cloud) -> None:
    image = cloud.uuids["image"]
    assert (await cloud.call("ChangeImageState", uuid=image, stateEvent="disable"))["state"] == "Disabled"
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
        assert (error["code"], image in error["details"], "Disabled" in error["details"]) == (
            "SYS.1006", True, True,
        )  # fmt: skip
    await cloud.call("ChangeImageState", uuid=image, stateEvent="enable")
    assert (await cloud.vm())["state"] == "Running"


async def test_volumes_are_renamed_enabled_and_disabled(cloud: Cloud) -> None:
    vm = await cloud.vm()
    (volume,) = vm["allVolumes"]
    uuid = volume["uuid"]
    renamed = await cloud.call("UpdateVolume", uuid=uuid, name="system", description="root disk")
    assert (renamed["name"], renamed["description"]) == ("system", "root disk")
    assert (await cloud.call("ChangeVolumeState", uuid=uuid, stateEvent="disable"))["state"] == "Disabled"
    assert (await cloud.call("ChangeVolumeState", uuid=uuid, stateEvent="enable"))["state"] == "Enabled"
    await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
    error = await cloud.refused("ChangeVolumeState", uuid=uuid, stateEvent="disable")
    assert (error["code"], error["details"]) == (
        "SYS.1006", f"volume[uuid:{uuid}] is in status of deleted, cannot do the operation",
    )  # fmt: skip
