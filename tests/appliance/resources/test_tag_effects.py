"""What system tags do: names and keys that guests are served, room that hosts keep, storage that disks go to."""

from __future__ import annotations

from functools import partial

import pytest

from agent.protocol import DomainSpec, EnsureNic
from appliance.api.storage import LocalStorageHostRef
from appliance.api.vm import VmInstance
from appliance.plans.vm_spec import domain_spec, nic_spec
from appliance.reconcile.vm_rows import vm_rows
from appliance.resources.storage_wish import ANY, StorageWish, storage_wish
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction
from tests.simulated_cloud import GIB, Body, Cloud

KEY = "ssh-ed25519 AAAA one@here, and there"


async def served(cloud: Cloud, vm: Body) -> EnsureNic:
    """What the VM's host is told of its first NIC."""

    def look(snapshot):  # type: ignore[no-untyped-def]
        rows = vm_rows(snapshot, snapshot.get(VmInstance, vm["uuid"]), None)
        return nic_spec(rows, rows.nics[0])

    found: EnsureNic = await cloud.database.read(look)
    return found


# --- names --------------------------------------------------------------------------------------------


async def test_a_host_name_is_one_vms_on_a_default_network_only(cloud: Cloud) -> None:
    uuids = cloud.uuids
    other = await cloud.make("other", "CreateL3Network", l2NetworkUuid=uuids["l2"])
    await cloud.call("AddIpRangeByNetworkCidr", name="r", l3NetworkUuid=other, networkCidr="10.8.0.0/24")
    both = [uuids["l3"], other]
    vm = await cloud.vm(systemTags=["hostname::web"])
    async with cloud.untouched():
        fields = cloud.vm_fields(systemTags=["hostname::WEB"])
        assert (await cloud.refused("CreateVmInstance", **fields))["code"] == "SYS.1007"
    twin = await cloud.vm(systemTags=["hostname::web"], l3NetworkUuids=both, defaultL3NetworkUuid=other)
    async with cloud.untouched():
        error = await cloud.refused("UpdateVmInstance", uuid=twin["uuid"], defaultL3NetworkUuid=uuids["l3"])
        assert (error["code"], "hostname[web]" in error["details"]) == ("SYS.1007", True)
    await cloud.call("UpdateVmInstance", uuid=twin["uuid"], defaultL3NetworkUuid=other, name="same")
    (tag,) = await cloud.query("QuerySystemTag", resourceUuid=vm["uuid"])
    await cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag="hostname::Web")
    await cloud.call("DeleteTag", uuid=tag["uuid"])
    await cloud.call("UpdateVmInstance", uuid=twin["uuid"], defaultL3NetworkUuid=uuids["l3"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("hostname::one", "hostname::two"),
        ("sshkey::ssh-ed25519 AAAA one", "sshkey::ssh-ed25519 BBBB two"),
        ("rootPassword::one", "rootPassword::two"),
        ("userdata::one", "userdata::two"),
    ],
)
async def test_a_running_guest_is_served_what_its_tags_say_now(cloud: Cloud, before: str, after: str) -> None:
    vm = await cloud.vm(systemTags=[before])
    host = cloud.host_of(vm["uuid"])
    started = host.domains[vm["uuid"]].starts
    (tag,) = await cloud.query("QuerySystemTag", resourceUuid=vm["uuid"])
    nic = vm["vmNics"][0]["uuid"]
    seen = [host.things.nics[nic]]
    for change in (
        lambda: cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag=after),
        lambda: cloud.call("DeleteTag", uuid=tag["uuid"]),
        lambda: cloud.call(
            "CreateSystemTag", resourceType="VmInstanceVO", resourceUuid=vm["uuid"], tag=before
        ),
    ):
        at = len(host.effects)
        await change()
        await cloud.idle()
        assert [effect[0] for effect in host.effects[at:]] == [EnsureNic.__name__]
        seen.append(host.things.nics[nic])
    assert seen[0] == seen[3]
    assert len(set(seen)) == 3
    assert host.domains[vm["uuid"]].starts == started


async def test_the_first_of_several_user_data_is_served_and_its_name_beside_it(cloud: Cloud) -> None:
    vm = await cloud.vm(
        systemTags=["hostname::web.inside", "userdata::first", "userdata::second", f"sshkey::{KEY}"]
    )
    nic = await served(cloud, vm)
    assert nic.metadata is not None
    assert (nic.hostname, nic.metadata.local_hostname) == ("web.inside", "web.inside")
    assert (nic.metadata.user_data, nic.metadata.public_keys) == ("first", [KEY])
    (tag,) = await cloud.query("QuerySystemTag", tag="userdata::first")
    await cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag="userdata::changed")
    assert (await served(cloud, vm)).metadata.user_data == "changed"  # type: ignore[union-attr]
    await cloud.call("DeleteTag", uuid=tag["uuid"])
    assert (await served(cloud, vm)).metadata.user_data == "second"  # type: ignore[union-attr]


async def test_tags_that_a_client_cut_at_commas_are_stored_to_the_letter(cloud: Cloud) -> None:
    text = 'userdata::groups:\\n - ubuntu: [foo,bar]\\nusers, admin\n\ttab ünd "quotes" '
    sent = [*text.split(","), *f"sshkey::{KEY}".split(","), "hostname::h", "rootPassword::a,b"]
    vm = await cloud.vm(systemTags=sent)
    found = await cloud.query("QuerySystemTag", resourceUuid=vm["uuid"])
    assert sorted(tag["tag"] for tag in found) == sorted(
        [text, f"sshkey::{KEY}", "hostname::h", "rootPassword::a,b"]
    )
    async with cloud.untouched():
        for lost in (["hostname::a", "b"], ["b", "userdata::a"], ["userdata::a", "x::y"]):
            error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(systemTags=lost))
            piece = next(each for each in lost if each in ("b", "x::y"))
            assert (error["code"], error["details"]) == ("SYS.1007", f"no system tag matches {piece}")


# --- room ---------------------------------------------------------------------------------------------


async def test_a_tag_that_becomes_another_gives_back_what_it_kept(cloud: Cloud) -> None:
    host = cloud.uuids["host1"]
    before = (await cloud.one("QueryHost", host))["availableMemoryCapacity"]
    tag = await cloud.call(
        "CreateSystemTag", resourceType="HostVO", resourceUuid=host, tag="reservedMemory::8G"
    )
    kept = (await cloud.one("QueryHost", host))["availableMemoryCapacity"]
    assert before - kept == 8 * GIB - GIB // 2  # the setting keeps half a GiB
    changed = await cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag="accelerator::tcg")
    assert changed["uuid"] == tag["uuid"]
    assert (await cloud.one("QueryHost", host))["availableMemoryCapacity"] == before


async def test_how_guests_run_changes_with_its_tag_and_without_another_connection(cloud: Cloud) -> None:
    host = cloud.uuids["host1"]
    connects = await cloud.query("QueryEvent", name="HostConnected", resourceUuid=host)

    async def runs(accelerator: str) -> None:
        await cloud.until(lambda: cloud.one("QueryHost", host), lambda row: row["accelerator"] == accelerator)

    await runs("kvm")
    tag = await cloud.call(
        "CreateSystemTag", resourceType="HostVO", resourceUuid=host, tag="accelerator::tcg"
    )
    await runs("tcg")
    await cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag="accelerator::kvm")
    await runs("kvm")
    await cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag="accelerator::tcg")
    await runs("tcg")
    await cloud.call("DeleteTag", uuid=tag["uuid"])
    await runs("kvm")
    assert await cloud.query("QueryEvent", name="HostConnected", resourceUuid=host) == connects


# --- storage ------------------------------------------------------------------------------------------


@pytest.fixture
async def storages(cloud: Cloud) -> Cloud:
    """Three primary storages on each host."""
    for key in ("second", "third"):
        storage = await cloud.make(key, "AddLocalPrimaryStorage", url=f"/{key}", zoneUuid=cloud.uuids["zone"])
        await cloud.call(
            "AttachPrimaryStorageToCluster", primaryStorageUuid=storage, clusterUuid=cloud.uuids["cluster"]
        )
    return cloud


async def storage_of(cloud: Cloud, **changes: str) -> str:
    """The key of the storage that a new VM's disk is on."""
    vm = await cloud.vm(**changes)
    (volume,) = vm["allVolumes"]
    return next(key for key, uuid in cloud.uuids.items() if uuid == volume["primaryStorageUuid"])


async def offering(cloud: Cloud, *tags: str) -> str:
    """An offering with these tags."""
    fields = {"name": "o", "cpuNum": 1, "cpuSpeed": 10, "memorySize": GIB // 4}
    start = "primaryStorage::allocator::"
    made = await cloud.call("CreateInstanceOffering", **fields, systemTags=[f"{start}{tag}" for tag in tags])
    uuid: str = made["uuid"]
    return uuid


async def mark(cloud: Cloud, key: str, tag: str) -> None:
    await cloud.call("CreateUserTag", resourceType="PrimaryStorageVO", resourceUuid=cloud.uuids[key], tag=tag)


async def test_a_storage_says_that_it_can_snapshot(cloud: Cloud) -> None:
    simulated = await cloud.make(
        "sim", "AddSimulatorPrimaryStorage", zoneUuid=cloud.uuids["zone"], url="/s", totalCapacity=GIB
    )
    for uuid in (cloud.uuids["primary"], simulated):
        (tag,) = await cloud.query("QuerySystemTag", resourceUuid=uuid)
        assert (tag["tag"], tag["inherent"]) == ("capability:snapshot", True)


async def test_a_windows_vm_has_its_disks_where_its_tag_says(cloud: Cloud) -> None:
    await cloud.call("UpdateImage", uuid=cloud.uuids["image"], platform="Windows")
    on = {False: "ide", True: "virtio"}
    for tagged, bus in on.items():
        vm = await cloud.vm(systemTags=["windows::virtioVolume"] if tagged else [])
        spec = await cloud.database.read(partial(_spec, vm["uuid"]))
        assert ([disk.bus for disk in spec.disks], [nic.model for nic in spec.nics]) == ([bus], ["e1000"])


def _spec(uuid: str, snapshot: Snapshot) -> DomainSpec:
    return domain_spec(vm_rows(snapshot, snapshot.get(VmInstance, uuid), None))


async def test_an_allocators_tag_on_a_storage_is_kept(cloud: Cloud) -> None:
    primary = cloud.uuids["primary"]
    on = {"resourceType": "PrimaryStorageVO", "resourceUuid": primary}
    for rest in (f"uuid::{primary}", "userTag::fast", "userTag::fast::required"):
        tag = f"primaryStorage::allocator::{rest}"
        assert (await cloud.call("CreateSystemTag", **on, tag=tag))["tag"] == tag


async def test_disks_go_to_the_storage_that_their_offering_names(storages: Cloud) -> None:
    for key in ("second", "primary", "third", "second"):
        size = await offering(storages, f"uuid::{storages.uuids[key]}")
        assert await storage_of(storages, instanceOfferingUuid=size) == key


async def test_a_refusal_says_that_the_storage_asked_for_is_where_nothing_can_run(storages: Cloud) -> None:
    second, one, two = (storages.uuids[key] for key in ("second", "host1", "host2"))

    def leave(tx: Transaction) -> None:
        ref = tx.first(LocalStorageHostRef, primary_storage_uuid=second, host_uuid=one)
        assert ref is not None
        tx.delete(ref)

    await storages.database.write(leave)
    await storages.call("ChangeHostState", uuid=two, stateEvent="disable")
    fields = storages.vm_fields(instanceOfferingUuid=await offering(storages, f"uuid::{second}"))
    async with storages.untouched():
        error = await storages.refused("CreateVmInstance", **fields)
    assert (
        "no host is Enabled and Connected that also has a primary storage that the instance offering's tags ask for: "
        "enable or reconnect a host, enable its cluster, or add a host with AddKVMHost; ruled out last: host2 is "
        "Disabled"
    ) in error["details"]
    await storages.call("ChangeHostState", uuid=two, stateEvent="enable")
    assert (await storages.call("CreateVmInstance", **fields))["hostUuid"] == two


async def test_a_stopped_vm_is_where_its_volumes_are(cloud: Cloud) -> None:
    vm = await cloud.vm(hostUuid=cloud.uuids["host2"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("ChangeHostState", uuid=cloud.uuids["host2"], stateEvent="disable")
    async with cloud.untouched():
        error = await cloud.refused("StartVmInstance", uuid=vm["uuid"])
    assert (
        "no host is Enabled and Connected that also has the VM's volumes: enable or reconnect it; ruled out last: "
        "host2 is Disabled"
    ) in error["details"]


async def test_disks_go_to_a_marked_storage_rather_or_nowhere_else(storages: Cloud) -> None:
    rather = await offering(storages, "userTag::ssd, fast")
    must = await offering(storages, "userTag::ssd, fast::required")
    assert await storage_of(storages, instanceOfferingUuid=rather) in storages.uuids
    async with storages.untouched():
        error = await storages.refused("CreateVmInstance", **storages.vm_fields(instanceOfferingUuid=must))
        assert error["code"] == "HOST_ALLOCATION.1000"
    await mark(storages, "third", "ssd, fast")
    for size in (rather, must, rather, must):
        assert await storage_of(storages, instanceOfferingUuid=size) == "third"
    await storages.call("ChangePrimaryStorageState", uuid=storages.uuids["third"], stateEvent="disable")
    assert await storage_of(storages, instanceOfferingUuid=rather) != "third"
    async with storages.untouched():
        await storages.refused("CreateVmInstance", **storages.vm_fields(instanceOfferingUuid=must))


async def test_what_several_tags_ask_for_must_all_hold(storages: Cloud) -> None:
    second, third = storages.uuids["second"], storages.uuids["third"]
    await mark(storages, "second", "ssd")
    both = await offering(storages, f"uuid::{third}", "userTag::ssd::required", "userTag::ssd")
    plain = await offering(storages)
    look = storages.database.read
    assert await look(lambda s: storage_wish(s, both)) == StorageWish(frozenset(), frozenset([second]))
    assert await look(lambda s: storage_wish(s, plain)) == ANY
