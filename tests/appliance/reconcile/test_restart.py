"""An appliance that dies in the middle of a call, and deletion that leaves nothing."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.protocol import Call, Struct
from appliance.store.backup import restore
from tests.simulated_cloud import PATIENCE_SECONDS, Cloud


@pytest.mark.parametrize(
    "verb", ["EnsureVolume", "EnsureNetwork", "EnsureNic", "DefineDomain", "StartDomain"]
)
@pytest.mark.parametrize("done", [True, False], ids=["carried out", "under way"])
async def test_a_create_survives_the_death_of_the_appliance_whole_or_not_at_all(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, verb: str, done: bool
) -> None:
    if verb == "EnsureVolume":
        await cloud.vm(name="warm")
    reached = asyncio.Event()
    for host in cloud.hosts:
        _tell_at(host, verb, reached, monkeypatch, done=done)
    _, job = await cloud.begin("CreateVmInstance", **cloud.vm_fields(name="phoenix"))
    assert job is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        await reached.wait()
    await cloud.kill()
    await cloud.start()
    body = await cloud.ended(job)
    assert body["success"], body
    await cloud.idle()
    vm = await cloud.one("QueryVmInstance", body["inventory"]["uuid"])
    assert vm["state"] == "Running"
    host = cloud.host_of(vm["uuid"])
    assert (host.domains[vm["uuid"]].power, host.domains[vm["uuid"]].starts) == ("on", 1)
    assert [volume["installPath"] in host.things.files for volume in vm["allVolumes"]] == [True]
    assert vm["vmNics"][0]["uuid"] in host.things.nics
    assert await cloud.database.verify() == []


async def test_a_failing_create_is_undone_by_the_next_appliance(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in cloud.hosts:
        await cloud.vm()
    async with cloud.untouched():
        reached = asyncio.Event()
        for host in cloud.hosts:
            _tell_at(host, "StartDomain", reached, monkeypatch, done=False)
        _, job = await cloud.begin("CreateVmInstance", **cloud.vm_fields(name="brief"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reached.wait()
        assert job is not None
        await cloud.call("CancelLongJob", uuid=job)
        await cloud.kill()
        await cloud.start()
        assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"
        assert (await cloud.one("QueryLongJob", job))["state"] == "Canceled"
        await _connected(cloud)


async def test_a_stopped_appliance_finds_everything_as_it_left_it(cloud: Cloud) -> None:
    vm = await cloud.vm()
    effects = {host.address: len(host.effects) for host in cloud.hosts}
    await cloud.stop()
    await cloud.start()
    await _connected(cloud)
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Running"
    again = {
        host.address: [verb for verb, _, _ in host.effects[effects[host.address] :]] for host in cloud.hosts
    }
    # What a cluster gives its hosts is asked for again, which changes nothing; no VM is touched.
    storage_and_bridges = {"EnsureStorage", "EnsureBridge", "ConfirmBridge"}
    assert {verb for verbs in again.values() for verb in verbs} <= storage_and_bridges


async def test_what_happened_while_the_appliance_was_away_is_seen(cloud: Cloud) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    await cloud.stop()
    host.power_off(vm["uuid"], "crashed")
    await cloud.start()
    assert (await cloud.vm_becomes(vm["uuid"], "Stopped"))["stateCause"] == "crashed"


async def test_deletion_policy_direct_leaves_nothing(cloud: Cloud) -> None:
    for _ in cloud.hosts:
        await cloud.vm(name="neighbour")
    await cloud.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    async with cloud.untouched():
        for stopped in (False, True):
            vm = await cloud.vm(systemTags=["userdata::x", "hostname::brief"], userTags=["mine"])
            if stopped:
                await cloud.call("StopVmInstance", uuid=vm["uuid"])
            await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
            assert await cloud.query("QueryVmInstance", uuid=vm["uuid"]) == []
        await cloud.call("DestroyVmInstance", uuid=vm["uuid"])


async def test_a_destroyed_vm_gives_its_address_back_and_can_be_recovered_until_expunged(
    cloud: Cloud,
) -> None:
    for _ in cloud.hosts:
        await cloud.vm(name="neighbour")
    async with cloud.untouched():
        vm = await cloud.vm()
        (volume,), (nic,) = vm["allVolumes"], vm["vmNics"]
        host = cloud.host_of(vm["uuid"])
        await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
        assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Destroyed"
        assert volume["installPath"] in host.things.files
        assert nic["uuid"] not in host.things.nics
        assert vm["uuid"] not in host.domains
        assert (await cloud.call("RecoverVmInstance", uuid=vm["uuid"]))["state"] == "Stopped"
        again = await cloud.call("StartVmInstance", uuid=vm["uuid"])
        assert again["vmNics"][0]["ip"] == nic["ip"]
        await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
        await cloud.call("ExpungeVmInstance", uuid=vm["uuid"])


def _tell_at(
    host: Any, verb: str, reached: asyncio.Event, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    """Tell when a host has carried a verb out, or has it under way."""
    real_serve, real_act = host._serve, host._carry_out

    async def serve(wire: Any, call: Call) -> None:
        if type(call.request).__name__ == verb and not done:
            reached.set()
        await real_serve(wire, call)

    def carry_out(call: Call) -> Struct:
        made: Struct = real_act(call)
        if type(call.request).__name__ == verb:
            reached.set()
        return made

    monkeypatch.setattr(host, "_serve", serve)
    monkeypatch.setattr(host, "_carry_out", carry_out)
    host.delays.by_verb[verb] = 0.02


async def _connected(cloud: Cloud) -> None:
    for query in ("QueryHost", "QueryBackupStorage"):
        await cloud.until(
            lambda query=query: cloud.query(query),  # type: ignore[misc]
            lambda found: all(each["status"] == "Connected" for each in found),
        )
    await cloud.idle()


async def test_a_restored_store_commands_hosts_that_have_heard_later_ones(
    cloud: Cloud, tmp_path: Path
) -> None:
    uuid = (await cloud.vm())["uuid"]
    copy = tmp_path / "copy.db"
    await cloud.call("BackupStore", path=str(copy))
    for message in ("StopVmInstance", "StartVmInstance", "RebootVmInstance"):
        await cloud.call(message, uuid=uuid)
    for _ in range(2):
        await cloud.stop()
        await cloud.start()
    await cloud.stop()
    restore(cloud.folder, copy)
    await cloud.start()
    for host in await cloud.query("QueryHost"):
        await cloud.until(
            partial(cloud.one, "QueryHost", host["uuid"]), lambda found: found["status"] == "Connected"
        )
    assert (await cloud.call("StopVmInstance", uuid=uuid))["state"] == "Stopped"
    assert (await cloud.call("StartVmInstance", uuid=uuid))["state"] == "Running"
    assert await cloud.database.verify() == []


async def test_a_vm_whose_disk_is_gone_is_not_given_a_blank_one(cloud: Cloud) -> None:
    vm = await cloud.vm(name="precious")
    host = cloud.host_of(vm["uuid"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    path = vm["allVolumes"][0]["installPath"]
    kept = host.things.files.pop(path)
    error = await cloud.refused("StartVmInstance", uuid=vm["uuid"])
    assert error["code"] == "VM.1001"
    assert f"root volume {path} of VM precious is not on host" in error["details"]
    assert path not in host.things.files
    host.things.files[path] = kept
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["state"] == "Running"
