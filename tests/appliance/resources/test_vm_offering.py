"""Another size for a VM: at once while it is stopped, from its next start on while it runs."""

from __future__ import annotations

import pytest

from agent.protocol import digest
from appliance.api.host import Host
from appliance.api.offering import InstanceOffering
from appliance.api.vm import VmInstance
from appliance.plans.vm_spec import domain_spec
from appliance.reconcile.vm_rows import vm_rows
from tests.simulated_cloud import GIB, Body, Cloud

PENDING = "pendingCapacityChange::cpuNum::2::cpuSpeed::10::memory::536870912"


@pytest.fixture
async def large(cloud: Cloud) -> str:
    return await cloud.make("large", "CreateInstanceOffering", cpuNum=2, cpuSpeed=10, memorySize=GIB // 2)


async def change(cloud: Cloud, vm: Body, offering: str) -> Body:
    return await cloud.call(
        "ChangeInstanceOffering", vmInstanceUuid=vm["uuid"], instanceOfferingUuid=offering
    )


async def room(cloud: Cloud, vm: Body) -> tuple[int, int]:
    host = await cloud.one("QueryHost", vm.get("hostUuid") or vm["lastHostUuid"])
    return host["availableMemoryCapacity"], host["availableCpuCapacity"]


def size(vm: Body) -> tuple[int, int, int]:
    return vm["cpuNum"], vm["cpuSpeed"], vm["memorySize"]


async def pending(cloud: Cloud, vm: Body) -> list[Body]:
    tags = await cloud.query("QuerySystemTag", resourceUuid=vm["uuid"])
    return [tag for tag in tags if tag["tag"].startswith("pendingCapacityChange")]


async def test_a_stopped_vm_has_its_new_size_at_once(cloud: Cloud, large: str) -> None:
    vm = await cloud.vm()
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    changed = await change(cloud, vm, large)
    assert (size(changed), changed["instanceOfferingUuid"]) == ((2, 10, GIB // 2), large)
    assert await pending(cloud, vm) == []
    before = await room(cloud, vm)
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    after = await room(cloud, vm)
    assert (before[0] - after[0], before[1] - after[1]) == (GIB // 2, 20)


async def test_a_running_vm_has_it_from_its_next_start_on(cloud: Cloud, large: str) -> None:
    vm = await cloud.vm()
    before = await room(cloud, vm)
    changed = await change(cloud, vm, large)
    assert (size(changed), changed["instanceOfferingUuid"]) == ((1, 10, GIB // 4), large)
    (tag,) = await pending(cloud, vm)
    assert (tag["tag"], tag["inherent"]) == (PENDING, True)
    reserved = await room(cloud, vm)
    assert (before[0] - reserved[0], before[1] - reserved[1]) == (GIB // 4, 10)
    await cloud.call("RebootVmInstance", uuid=vm["uuid"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    assert await pending(cloud, vm) != []
    started = await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert size(started) == (2, 10, GIB // 2)
    assert await pending(cloud, vm) == []
    assert await room(cloud, vm) == reserved

    def wanted(snapshot):  # type: ignore[no-untyped-def]  # a read of two rows
        row = snapshot.get(VmInstance, vm["uuid"])
        return domain_spec(vm_rows(snapshot, row, snapshot.get(Host, row.host_uuid)))

    spec = await cloud.database.read(wanted)
    assert (spec.cpu_num, spec.memory_bytes) == (2, GIB // 2)
    assert cloud.host_of(vm["uuid"]).domains[vm["uuid"]].digest == digest(spec)


async def test_the_last_size_asked_for_counts(cloud: Cloud, large: str) -> None:
    vm = await cloud.vm()
    before = await room(cloud, vm)
    await change(cloud, vm, large)
    small = await cloud.make("small", "CreateInstanceOffering", cpuNum=1, cpuSpeed=5, memorySize=GIB // 8)
    await change(cloud, vm, small)
    (tag,) = await pending(cloud, vm)
    assert tag["tag"].endswith(f"::memory::{GIB // 8}")
    # What runs now still has what it was given.
    assert await room(cloud, vm) == before
    back = await change(cloud, vm, cloud.uuids["offering"])
    assert back["instanceOfferingUuid"] == cloud.uuids["offering"]
    assert await pending(cloud, vm) == []


async def test_more_than_the_host_has_is_refused(cloud: Cloud) -> None:
    vm = await cloud.vm()
    huge = await cloud.make("huge", "CreateInstanceOffering", cpuNum=1, cpuSpeed=10, memorySize=1 << 50)
    fields = {"vmInstanceUuid": vm["uuid"], "instanceOfferingUuid": huge}
    async with cloud.untouched():
        error = await cloud.refused("ChangeInstanceOffering", **fields)
    assert (error["code"], "enough memory" in error["details"]) == ("HOST_ALLOCATION.1000", True)


async def test_states_that_allow_no_other_size(cloud: Cloud, large: str) -> None:
    vm = await cloud.vm()
    await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
    fields = {"vmInstanceUuid": vm["uuid"], "instanceOfferingUuid": large}
    error = await cloud.refused("ChangeInstanceOffering", **fields)
    assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "VM.1010")
    assert (
        error["details"]
        == error["cause"]["details"]
        == (
            "current vm instance state[Destroyed] doesn't allow to proceed message"
            "[org.zstack.header.vm.APIChangeInstanceOfferingMsg], allowed states are [Running, Stopped]"
        )
    )


async def test_a_disabled_offering_is_given_to_no_vm(cloud: Cloud, large: str) -> None:
    vm = await cloud.vm()
    await cloud.database.write(lambda tx: tx.update(tx.get(InstanceOffering, large), state="Disabled"))
    async with cloud.untouched():
        for call, fields in (
            ("CreateVmInstance", cloud.vm_fields(instanceOfferingUuid=large)),
            ("ChangeInstanceOffering", {"vmInstanceUuid": vm["uuid"], "instanceOfferingUuid": large}),
        ):
            error = await cloud.refused(call, **fields)
            assert error["code"] == "SYS.1006"
            assert error["details"].startswith(f"instance offering[uuid:{large}] is Disabled, can't ")
