"""Calls on a VM or a volume wait for those before them, in order, also past the appliance's end."""

from __future__ import annotations

import asyncio
from typing import Any

from appliance.api.message import MESSAGES
from appliance.serve.dispatch import Origin
from appliance.serve.zstack import Call
from tests.simulated_cloud import Cloud


async def slow_vm(cloud: Cloud) -> str:
    """A running VM that takes a moment to stop."""
    uuid: str = (await cloud.vm())["uuid"]
    cloud.host_of(uuid).delays.by_verb["ShutdownDomain"] = 0.1
    return uuid


async def job_of(cloud: Cloud, uuid: str) -> dict[str, Any]:
    return await cloud.one("QueryLongJob", uuid)


async def accepted(cloud: Cloud, name: str, /, **fields: Any) -> str:
    """The job of a call that is not answered at once."""
    body, job = await cloud.begin(name, **fields)
    assert job is not None, body
    return job


async def test_calls_are_carried_out_one_after_the_other(cloud: Cloud) -> None:
    uuid = await slow_vm(cloud)
    names = ("StopVmInstance", "StartVmInstance", "RebootVmInstance", "StopVmInstance")
    jobs = [await accepted(cloud, name, uuid=uuid) for name in names]
    states = [(await job_of(cloud, job))["state"] for job in jobs]
    assert states == ["Running", "Queued", "Queued", "Queued"]
    assert (await job_of(cloud, jobs[1]))["waitsFor"] == "an earlier call on vm"
    for job, state in zip(jobs, ("Stopped", "Running", "Running", "Stopped"), strict=True):
        body = await cloud.ended(job)
        assert body["success"], body
        assert body["inventory"]["uuid"] == uuid
        assert state in ("Running", "Stopped")
    assert (await cloud.one("QueryVmInstance", uuid))["state"] == "Stopped"


async def test_what_is_not_allowed_when_its_turn_comes_is_refused_then(cloud: Cloud) -> None:
    uuid = await slow_vm(cloud)
    stop, reboot = [await accepted(cloud, name, uuid=uuid) for name in ("StopVmInstance", "RebootVmInstance")]
    assert (await cloud.ended(stop))["success"]
    error = (await cloud.ended(reboot))["error"]
    assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "VM.1010")
    assert "current vm instance state[Stopped] doesn't allow to proceed" in error["details"]


async def test_a_call_that_ends_at_once_has_its_answer_all_the_same(cloud: Cloud) -> None:
    uuid = await slow_vm(cloud)
    l3 = await cloud.make("other", "CreateL3Network", l2NetworkUuid=cloud.uuids["l2"])
    await cloud.call("AddIpRangeByNetworkCidr", name="other", l3NetworkUuid=l3, networkCidr="10.77.0.0/24")
    stop = await accepted(cloud, "StopVmInstance", uuid=uuid)
    attach = await accepted(cloud, "AttachL3NetworkToVm", vmInstanceUuid=uuid, l3NetworkUuid=l3)
    assert (await cloud.ended(stop))["success"]
    body = await cloud.ended(attach)
    assert l3 in [nic["l3NetworkUuid"] for nic in body["inventory"]["vmNics"]]


async def test_a_queued_call_can_be_cancelled(cloud: Cloud) -> None:
    uuid = await slow_vm(cloud)
    stop, start = [await accepted(cloud, name, uuid=uuid) for name in ("StopVmInstance", "StartVmInstance")]
    assert (await cloud.call("CancelLongJob", uuid=start))["state"] == "Canceled"
    assert (await cloud.ended(stop))["success"]
    assert (await cloud.ended(start))["error"]["code"] == "JOB.1000"
    await cloud.idle()
    assert (await cloud.one("QueryVmInstance", uuid))["state"] == "Stopped"


async def test_what_waits_for_a_vm_that_goes_ends_with_it(cloud: Cloud) -> None:
    await cloud.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    uuid = await slow_vm(cloud)
    await accepted(cloud, "StopVmInstance", uuid=uuid)
    start = await accepted(cloud, "StartVmInstance", uuid=uuid)
    await cloud.call("DestroyVmInstance", uuid=uuid)
    assert (await cloud.ended(start))["error"]["code"] == "JOB.1000"


async def test_an_accepted_call_outlives_the_appliance(cloud: Cloud) -> None:
    uuid = await slow_vm(cloud)
    stop, start = [await accepted(cloud, name, uuid=uuid) for name in ("StopVmInstance", "StartVmInstance")]
    await cloud.kill()
    await cloud.start()
    assert (await cloud.ended(stop))["success"]
    body = await cloud.ended(start)
    assert body["success"], body
    assert body["inventory"]["state"] == "Running"


async def test_snapshots_of_one_volume_are_taken_one_after_the_other(cloud: Cloud) -> None:
    volume = (await cloud.vm())["rootVolumeUuid"]
    jobs = [await accepted(cloud, "CreateVolumeSnapshot", volumeUuid=volume, name=f"s{n}") for n in range(5)]
    taken = [(await cloud.ended(job))["inventory"] for job in jobs]
    assert [each["name"] for each in taken] == [f"s{n}" for n in range(5)]
    assert [each.get("parentUuid") for each in taken[1:]] == [each["uuid"] for each in taken[:-1]]


async def test_a_call_that_is_sent_twice_waits_once(cloud: Cloud) -> None:
    uuid = await slow_vm(cloud)
    stop = await accepted(cloud, "StopVmInstance", uuid=uuid)
    kind = MESSAGES["StartVmInstance"]
    call = Call(java=kind.java, kind=kind, fields={"uuid": uuid}, session_uuid=None, id="a" * 32)
    async with asyncio.TaskGroup() as both:
        sent = [both.create_task(cloud.dispatch.answer(call, Origin("test", trusted=True))) for _ in range(2)]
    assert [(each.result().job_uuid, each.result().done) for each in sent] == [("a" * 32, False)] * 2
    assert (await cloud.ended(stop))["success"]
    assert (await cloud.ended("a" * 32))["inventory"]["state"] == "Running"


async def test_who_wants_a_vm_destroyed_that_is_being_destroyed_has_it_destroyed(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    cloud.host_of(uuid).delays.by_verb["DestroyDomain"] = 0.1
    both = [await accepted(cloud, "DestroyVmInstance", uuid=uuid) for _ in range(2)]
    for job in both:
        assert (await cloud.ended(job)) == {"success": True}
    assert (await cloud.one("QueryVmInstance", uuid))["state"] == "Destroyed"


async def test_calls_on_a_vm_that_is_being_destroyed_are_judged_when_it_is(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    cloud.host_of(uuid).delays.by_verb["DestroyDomain"] = 0.1
    destroy = await accepted(cloud, "DestroyVmInstance", uuid=uuid)
    names = ("StopVmInstance", "RecoverVmInstance", "ExpungeVmInstance", "StartVmInstance")
    stop, recover, expunge, start = [await cloud.waits(name, uuid=uuid) for name in names]
    assert (await cloud.ended(destroy))["success"]
    assert "state[Destroyed] doesn't allow" in (await cloud.ended(stop))["error"]["details"]
    assert (await cloud.ended(recover))["inventory"]["state"] == "Stopped"
    assert "state[Stopped] doesn't allow" in (await cloud.ended(expunge))["error"]["details"]
    assert (await cloud.ended(start))["inventory"]["state"] == "Running"


async def test_a_call_waits_behind_one_that_waits_and_names_the_same_volume(cloud: Cloud) -> None:
    disk = await cloud.make("disk", "CreateDiskOffering", diskSize=1 << 30)
    data = await cloud.make("data", "CreateDataVolume", diskOfferingUuid=disk)
    uuid = await slow_vm(cloud)
    stop = await accepted(cloud, "StopVmInstance", uuid=uuid)
    attach = await cloud.waits("AttachDataVolumeToVm", vmInstanceUuid=uuid, volumeUuid=data)
    delete = await cloud.waits("DeleteDataVolume", uuid=data)
    for job in (stop, attach, delete):
        body = await cloud.ended(job)
        assert body["success"], body
    assert (await cloud.one("QueryVolume", data))["status"] == "Deleted"


async def test_a_network_is_attached_again_once_it_is_detached(cloud: Cloud) -> None:
    vm = await cloud.vm()
    (nic,) = vm["vmNics"]
    cloud.host_of(vm["uuid"]).delays.by_verb["DropNic"] = 0.1
    detach = await accepted(cloud, "DetachL3NetworkFromVm", vmNicUuid=nic["uuid"])
    attach = await cloud.waits(
        "AttachL3NetworkToVm", vmInstanceUuid=vm["uuid"], l3NetworkUuid=cloud.uuids["l3"]
    )
    assert (await cloud.ended(detach))["success"]
    (again,) = (await cloud.ended(attach))["inventory"]["vmNics"]
    assert again["uuid"] != nic["uuid"]


async def test_a_reboot_whose_host_loses_power_did_not_happen(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    host = cloud.host_of(uuid)
    host.delays.by_verb["RebootDomain"] = 3600
    job = await accepted(cloud, "RebootVmInstance", uuid=uuid)
    while not host._tasks:
        await asyncio.sleep(0)
    host.crash_and_boot()
    host.delays.by_verb.clear()
    error = (await cloud.ended(job))["error"]
    assert (error["code"], "went off before it was restarted" in error["details"]) == ("VM.1003", True)
    assert (await cloud.vm_becomes(uuid, "Stopped"))["uuid"] == uuid
    assert (await cloud.call("StartVmInstance", uuid=uuid))["state"] == "Running"


async def test_what_is_at_work_on_a_running_vm_keeps_the_next_call_waiting(cloud: Cloud) -> None:
    """So that a call that is cancelled, or out of time, ends nobody else's."""
    uuid = (await cloud.vm())["uuid"]
    root = (await cloud.one("QueryVmInstance", uuid))["rootVolumeUuid"]
    cloud.host_of(uuid).delays.by_verb["EnsureOverlay"] = 0.3
    made = await accepted(cloud, "CreateVolumeSnapshot", volumeUuid=root, name="s")
    stop = await accepted(cloud, "StopVmInstance", uuid=uuid, timeout=100)
    assert [(await job_of(cloud, job))["state"] for job in (made, stop)] == ["Running", "Queued"]
    assert (await cloud.ended(stop))["error"]["code"] == "SYS.1001"
    second = await accepted(cloud, "StopVmInstance", uuid=uuid)
    assert (await cloud.call("CancelLongJob", uuid=second))["state"] == "Canceled"
    body = await cloud.ended(made)
    assert body["success"], body
    assert (await cloud.one("QueryVmInstance", uuid))["state"] == "Running"


async def test_who_destroys_a_vm_again_wants_no_recovery_in_between(cloud: Cloud) -> None:
    uuid = await slow_vm(cloud)
    names = ("DestroyVmInstance", "RecoverVmInstance", "DestroyVmInstance")
    first, recover, again = [await accepted(cloud, name, uuid=uuid) for name in names]
    error = (await cloud.ended(recover))["error"]
    assert (error["code"], error["details"]) == ("JOB.1000", "another call on the VM took its place")
    assert (await cloud.ended(first))["success"]
    assert (await cloud.ended(again))["success"]
    assert (await cloud.one("QueryVmInstance", uuid))["state"] == "Destroyed"
