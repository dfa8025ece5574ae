"""NICs that come and go: rows, addresses and guards together, whole or not at all, running or stopped."""

from __future__ import annotations

import pytest

from agent.protocol import EnsureNic
from appliance.hosts.simulator import SimulatedHost
from tests.simulated_cloud import Body, Cloud

JAVA = "org.zstack.header.vm"


@pytest.fixture
async def other(cloud: Cloud) -> str:
    """A second network, served as the first."""
    l3 = await cloud.make("other", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"])
    await cloud.call("AddIpRangeByNetworkCidr", name="r", l3NetworkUuid=l3, networkCidr="10.8.0.0/24")
    services = {cloud.uuids["provider"]: ["DHCP", "Userdata"]}
    await cloud.call("AttachNetworkServiceToL3Network", l3NetworkUuid=l3, networkServices=services)
    return l3


async def attach(cloud: Cloud, vm: Body, l3: str) -> Body:
    return await cloud.call("AttachL3NetworkToVm", vmInstanceUuid=vm["uuid"], l3NetworkUuid=l3)


def nic_on(vm: Body, l3: str) -> Body:
    (found,) = [nic for nic in vm["vmNics"] if nic["l3NetworkUuid"] == l3]
    return dict(found)


async def counted(cloud: Cloud) -> dict[str, list[Body]]:
    """Every row, but how often its intent has changed."""
    rows = await cloud.rows()
    return {kind: [{**row, "generation": 0} for row in found] for kind, found in rows.items()}


def watched(cloud: Cloud) -> dict[str, EnsureNic]:
    """What hosts are asked to do for NICs from now on, the last of each network."""
    served: dict[str, EnsureNic] = {}
    for host in cloud.hosts:
        ensure = host.things.carry_out

        def watch(request, ensure=ensure):  # type: ignore[no-untyped-def]  # passes everything on
            if isinstance(request, EnsureNic):
                served[request.l3_uuid] = request
            return ensure(request)

        host.things.carry_out = watch  # type: ignore[method-assign]
    return served


def verbs(host: SimulatedHost, vm: Body) -> list[str]:
    return [verb for verb, resource, _ in host.effects if resource == vm["uuid"]]


async def test_a_running_vm_gets_a_nic_that_is_guarded_before_it_is_plugged(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    before = len(verbs(host, vm))
    attached = await attach(cloud, vm, other)
    nic = nic_on(attached, other)
    assert (nic["deviceId"], nic["gateway"], attached["state"]) == (1, "10.8.0.1", "Running")
    assert nic["mac"].endswith(":01")
    assert attached["defaultL3NetworkUuid"] == cloud.uuids["l3"]
    assert verbs(host, vm)[before:] == ["EnsureNetwork", "EnsureNic", "DefineDomain"]
    assert len(host.domains[vm["uuid"]].nics) == 2
    assert host.domains[vm["uuid"]].starts == 1
    answer = await cloud.answer("CheckIpAvailability", l3NetworkUuid=other, ip=nic["ip"])
    assert answer["available"] is False
    for call in ("StopVmInstance", "StartVmInstance"):
        again = await cloud.call(call, uuid=vm["uuid"])
    assert nic_on(again, other)["ip"] == nic["ip"]
    assert len(host.domains[vm["uuid"]].nics) == 2


async def test_a_running_vm_lets_a_nic_go_before_its_guard_falls(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm(l3NetworkUuids=[cloud.uuids["l3"], other])
    host = cloud.host_of(vm["uuid"])
    nic = nic_on(vm, other)
    before = len(verbs(host, vm))
    detached = await cloud.call("DetachL3NetworkFromVm", vmNicUuid=nic["uuid"])
    assert [each["l3NetworkUuid"] for each in detached["vmNics"]] == [cloud.uuids["l3"]]
    assert verbs(host, vm)[before:] == ["DefineDomain", "DropNic"]
    assert nic["uuid"] not in host.things.nics
    assert len(host.domains[vm["uuid"]].nics) == 1
    answer = await cloud.answer("CheckIpAvailability", l3NetworkUuid=other, ip=nic["ip"])
    assert answer["available"] is True
    assert await cloud.query("QueryVmNic", uuid=nic["uuid"]) == []
    again = nic_on(await attach(cloud, vm, other), other)
    assert (again["deviceId"], again["mac"]) == (nic["deviceId"], nic["mac"])


async def test_user_data_is_served_on_every_network_that_has_the_service(cloud: Cloud, other: str) -> None:
    """A guest may ask the DHCP server of any of its NICs for it, as cloud-init's CloudStack source does."""
    first = cloud.uuids["l3"]
    of = watched(cloud)
    await cloud.vm(l3NetworkUuids=[first, other], defaultL3NetworkUuid=first)
    assert (of[first].primary, of[other].primary) == (True, False)
    assert of[first].metadata is not None
    assert of[other].metadata == of[first].metadata


async def test_with_its_default_network_goes_the_router_to_the_next(cloud: Cloud, other: str) -> None:
    first = cloud.uuids["l3"]
    vm = await cloud.vm(l3NetworkUuids=[first, other], systemTags=["sshkey::ssh-ed25519 AAAA me"])
    served = watched(cloud)
    detached = await cloud.call("DetachL3NetworkFromVm", vmNicUuid=nic_on(vm, first)["uuid"])
    assert detached["defaultL3NetworkUuid"] == other
    assert served[other].primary
    assert served[other].metadata is not None
    assert first not in served
    last = await cloud.call("DetachL3NetworkFromVm", vmNicUuid=nic_on(vm, other)["uuid"])
    assert (last["vmNics"], "defaultL3NetworkUuid" in last) == ([], False)
    assert (await attach(cloud, vm, first))["defaultL3NetworkUuid"] == first


async def test_a_stopped_vm_has_a_new_nic_at_its_next_start_and_an_old_one_no_more(
    cloud: Cloud, other: str
) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    before = len(verbs(host, vm))
    body, job = await cloud.begin("AttachL3NetworkToVm", vmInstanceUuid=vm["uuid"], l3NetworkUuid=other)
    assert job is None
    assert nic_on(body["inventory"], other)["ip"].startswith("10.8.0.")
    await cloud.idle()
    assert verbs(host, vm)[before:] == []
    started = await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert len(host.domains[vm["uuid"]].nics) == 2
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    nic = nic_on(started, other)
    detached = await cloud.call("DetachL3NetworkFromVm", vmNicUuid=nic["uuid"])
    assert (len(detached["vmNics"]), detached["state"]) == (1, "Stopped")
    assert nic["uuid"] not in host.things.nics
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert len(host.domains[vm["uuid"]].nics) == 1


async def test_a_static_address_is_given_and_leaves_with_the_nic(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm(systemTags=[f"staticIp::{other}::10.8.0.77"])
    nic = nic_on(await attach(cloud, vm, other), other)
    assert nic["ip"] == "10.8.0.77"
    await cloud.call("DetachL3NetworkFromVm", vmNicUuid=nic["uuid"])
    assert await cloud.query("QuerySystemTag", resourceUuid=vm["uuid"]) == []


async def test_a_guest_that_does_not_let_go_keeps_all_of_its_nic(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm(l3NetworkUuids=[cloud.uuids["l3"], other])
    host = cloud.host_of(vm["uuid"])
    host.domains[vm["uuid"]].clinging = True
    for l3 in (cloud.uuids["l3"], other):
        nic = nic_on(vm, l3)
        error = await cloud.refused("DetachL3NetworkFromVm", vmNicUuid=nic["uuid"])
        assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "AGENT.1000")
        assert "let go" in error["details"]
        await cloud.idle()
        kept = await cloud.one("QueryVmInstance", vm["uuid"])
        assert nic_on(kept, l3)["ip"] == nic["ip"]
        assert (kept["state"], kept["defaultL3NetworkUuid"]) == ("Running", cloud.uuids["l3"])
        assert nic["uuid"] in host.things.nics
    host.domains[vm["uuid"]].clinging = False
    await cloud.call("DetachL3NetworkFromVm", vmNicUuid=nic_on(vm, other)["uuid"])


async def test_a_nic_that_cannot_be_plugged_leaves_nothing(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm()
    await cloud.vm(l3NetworkUuids=[other])  # the second network is served on the hosts already
    await cloud.vm(l3NetworkUuids=[other])
    host = cloud.host_of(vm["uuid"])
    host.domains[vm["uuid"]].full = True
    rows, things = await counted(cloud), cloud.things()
    fields = {"vmInstanceUuid": vm["uuid"], "l3NetworkUuid": other}
    error = await cloud.refused("AttachL3NetworkToVm", **fields)
    assert (error["code"], error["cause"]["code"]) == ("VM.1007", "AGENT.1000")
    assert "PCI" in error["details"]
    await cloud.idle()
    assert (await counted(cloud), cloud.things()) == (rows, things)
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Running"
    host.domains[vm["uuid"]].full = False
    await attach(cloud, vm, other)


async def test_a_nic_that_its_guest_lets_go_of_late_is_put_back(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm(l3NetworkUuids=[cloud.uuids["l3"], other])
    host = cloud.host_of(vm["uuid"])
    host.let_go(vm["uuid"], "vnic1.1")
    await cloud.idle()
    assert sorted(host.domains[vm["uuid"]].nics) == ["vnic1.0", "vnic1.1"]


async def test_what_speaks_against_a_nic(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm()
    uuid, first, zone = vm["uuid"], cloud.uuids["l3"], cloud.uuids["zone"]
    l2 = await cloud.make("far", "CreateL2NoVlanNetwork", zoneUuid=zone, physicalInterface="eth2")
    far = await cloud.make("far3", "CreateL3Network", l2NetworkUuid=l2)
    system = await cloud.make("sys", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"], system=True)
    off = await cloud.make("off", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"])
    await cloud.call("ChangeL3NetworkState", uuid=off, stateEvent="disable")
    answer = await cloud.answer("GetVmAttachableL3Network", vmInstanceUuid=uuid)
    assert [each["uuid"] for each in answer["inventories"]] == [other]
    words = {
        first: f"The L3 network[uuid:{first}] is already attached to the vm[uuid: {uuid}]",
        off: f"The L3 network[uuid:{off}] is disabled",
        system: f"The L3 network[uuid:{system}] is a system network and the vm[uuid: {uuid}] is a user vm",
        far: f"The L3 network[uuid:{far}] is on the L2 network[uuid:{l2}], "
        f"which the cluster of the vm[uuid: {uuid}] has not",
    }
    async with cloud.untouched():
        for l3, text in words.items():
            error = await cloud.refused("AttachL3NetworkToVm", vmInstanceUuid=uuid, l3NetworkUuid=l3)
            assert (error["code"], error["details"]) == (
                "SYS.1006", f"unable to attach a L3 network. {text}",
            )  # fmt: skip


async def test_states_that_allow_no_change_of_nics(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm()
    await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
    for call, fields in {
        "AttachL3NetworkToVm": {"vmInstanceUuid": vm["uuid"], "l3NetworkUuid": other},
        "DetachL3NetworkFromVm": {"vmNicUuid": vm["vmNics"][0]["uuid"]},
    }.items():
        error = await cloud.refused(call, **fields)
        assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "VM.1010")
        assert error["details"] == (
            f"current vm instance state[Destroyed] doesn't allow to proceed message"
            f"[{JAVA}.API{call}Msg], allowed states are [Running, Stopped]"
        )


async def test_what_was_begun_with_nics_ends_with_the_vm(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm(l3NetworkUuids=[cloud.uuids["l3"]])
    host = cloud.host_of(vm["uuid"])
    host.delays.by_verb["DefineDomain"] = 0.5
    _, job = await cloud.begin("AttachL3NetworkToVm", vmInstanceUuid=vm["uuid"], l3NetworkUuid=other)
    assert job is not None
    await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
    body = await cloud.ended(job)
    assert (body["success"], body["error"]["code"]) == (False, "JOB.1000")
    await cloud.idle()
    assert [nic["l3NetworkUuid"] for nic in (await cloud.one("QueryVmInstance", vm["uuid"]))["vmNics"]] == [
        cloud.uuids["l3"]
    ]
    assert host.things.nics == {}


async def test_a_change_of_nics_survives_the_appliance(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    host.delays.by_verb["DefineDomain"] = 0.3
    _, job = await cloud.begin("AttachL3NetworkToVm", vmInstanceUuid=vm["uuid"], l3NetworkUuid=other)
    assert job is not None
    await cloud.kill()
    await cloud.start()
    assert nic_on((await cloud.ended(job))["inventory"], other)["deviceId"] == 1
    assert len(host.domains[vm["uuid"]].nics) == 2


async def test_an_attachment_taken_back_leaves_no_nic(cloud: Cloud, other: str) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    host.delays.by_verb["DefineDomain"] = 0.3
    _, job = await cloud.begin("AttachL3NetworkToVm", vmInstanceUuid=vm["uuid"], l3NetworkUuid=other)
    assert job is not None
    await cloud.call("CancelLongJob", uuid=job)
    assert (await cloud.call("CancelLongJob", uuid=job))["uuid"] == job  # once more is no other wish
    body = await cloud.ended(job)
    assert (body["success"], body["error"]["code"]) == (False, "JOB.1000")
    await cloud.idle()
    left = await cloud.one("QueryVmInstance", vm["uuid"])
    assert ([nic["l3NetworkUuid"] for nic in left["vmNics"]], left["state"]) == (
        [cloud.uuids["l3"]],
        "Running",
    )
    assert sorted(host.domains[vm["uuid"]].nics) == ["vnic1.0"]
    assert len([nic for nic, (_, owner) in host.things.nics.items() if owner == vm["uuid"]]) == 1
