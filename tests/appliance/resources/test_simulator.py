"""A cloud of the simulator hypervisor, through dispatch only: built, used, restarted, made slow, made to fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulated_cloud import GIB, Cloud, SimulatorCloud


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[SimulatorCloud]:
    """An appliance that knows nothing yet."""
    cloud = SimulatorCloud(tmp_path / "data")
    await cloud.start()
    yield cloud
    assert cloud.dialer.hosts == {}, "a real machine was dialled"
    await cloud.stop()


@pytest.fixture
async def sim(empty: SimulatorCloud) -> SimulatorCloud:
    """Two simulated hosts, and storage, network, offering and image for them."""
    await empty.build()
    return empty


async def test_what_is_added_is_what_was_said(sim: SimulatorCloud) -> None:
    host = await sim.one("QueryHost", sim.uuids["host1"])
    assert (host["hypervisorType"], host["status"], host["state"]) == ("Simulator", "Connected", "Enabled")
    assert (host["memoryCapacity"], host["cpuCapacity"]) == (64 * GIB, 100_000)
    assert (host["totalMemoryCapacity"], host["totalCpuCapacity"]) == (64 * GIB, 100_000)
    assert (host["availableMemoryCapacity"], host["availableCpuCapacity"]) == (64 * GIB, 100_000)
    assert "accelerator" not in host, "nothing runs there"
    primary = await sim.one("QueryPrimaryStorage", sim.uuids["primary"])
    assert (primary["type"], primary["status"]) == ("SimulatorPrimaryStorage", "Connected")
    assert (primary["totalCapacity"], primary["availableCapacity"]) == (1000 * GIB, 1000 * GIB)
    backup = await sim.one("QueryBackupStorage", sim.uuids["backup"])
    assert (backup["type"], backup["status"]) == ("SimulatorBackupStorage", "Connected")
    assert (backup["totalCapacity"], backup["availableCapacity"]) == (1000 * GIB, 1000 * GIB)
    image = await sim.one("QueryImage", sim.uuids["image"])
    assert (image["format"], image["status"]) == ("simulator", "Ready")


@pytest.mark.parametrize(
    ("message", "query", "fields"),
    [
        ("AddSimulatorPrimaryStorage", "QueryPrimaryStorage", {"url": "nfs://a"}),
        ("AddLocalPrimaryStorage", "QueryPrimaryStorage", {"url": "/b"}),
        ("AddSimulatorBackupStorage", "QueryBackupStorage", {"url": "nfs://c"}),
    ],
)
async def test_the_reply_holds_the_dates_that_are_kept(
    sim: SimulatorCloud, message: str, query: str, fields: dict[str, str]
) -> None:
    zone = {"zoneUuid": sim.uuids["zone"]} if query == "QueryPrimaryStorage" else {}
    made = await sim.call(message, name="more", **zone, **fields)
    kept = await sim.one(query, made["uuid"])
    for date in ("createDate", "lastOpDate"):
        assert made[date] == kept[date]
        assert "1970" not in made[date]


async def test_a_vm_from_create_to_expunge(sim: SimulatorCloud) -> None:
    vm = await sim.vm(name="web")
    uuid = vm["uuid"]
    assert (vm["state"], vm["hypervisorType"]) == ("Running", "Simulator")
    assert vm["vmNics"][0]["ip"].startswith("10.9.0.")
    assert vm["allVolumes"][0]["format"] == "simulator"
    left = (await sim.one("QueryPrimaryStorage", sim.uuids["primary"]))["availableCapacity"]
    assert left == 1000 * GIB - vm["allVolumes"][0]["size"]
    assert (await sim.call("StopVmInstance", uuid=uuid))["state"] == "Stopped"
    assert (await sim.call("StartVmInstance", uuid=uuid))["state"] == "Running"
    assert (await sim.call("RebootVmInstance", uuid=uuid))["state"] == "Running"
    assert (await sim.answer("GetVmConsoleAddress", uuid=uuid))["protocol"] == "vnc"
    await sim.call("DestroyVmInstance", uuid=uuid)
    assert (await sim.one("QueryVmInstance", uuid))["state"] == "Destroyed"
    assert (await sim.call("RecoverVmInstance", vmInstanceUuid=uuid))["state"] == "Stopped"
    assert (await sim.call("StartVmInstance", uuid=uuid))["state"] == "Running"
    await sim.call("DestroyVmInstance", uuid=uuid)
    await sim.call("ExpungeVmInstance", uuid=uuid)
    assert await sim.query("QueryVmInstance", uuid=uuid) == []
    left = (await sim.one("QueryPrimaryStorage", sim.uuids["primary"]))["availableCapacity"]
    assert left == 1000 * GIB


async def test_a_primary_storage_has_a_reserve(sim: SimulatorCloud) -> None:
    left = (await sim.one("QueryPrimaryStorage", sim.uuids["primary"]))["availableCapacity"]
    reserve = {"category": "primaryStorage", "name": "reservedCapacity"}
    await sim.call("UpdateGlobalConfig", **reserve, value=str(left))
    async with sim.untouched():
        error = await sim.refused("CreateVmInstance", **sim.vm_fields())
        assert "0 MiB of primary storage left above the reserve" in error["details"]
    await sim.call("UpdateGlobalConfig", **reserve)
    await sim.vm()


async def test_a_vm_moves_and_can_be_started_where_it_went(sim: SimulatorCloud) -> None:
    vm = await sim.vm(hostUuid=sim.uuids["host1"])
    moved = await sim.call("MigrateVm", vmInstanceUuid=vm["uuid"], hostUuid=sim.uuids["host2"])
    assert (moved["state"], moved["hostUuid"]) == ("Running", sim.uuids["host2"])
    await sim.call("StopVmInstance", uuid=vm["uuid"])
    started = await sim.call("StartVmInstance", uuid=vm["uuid"])
    assert (started["state"], started["hostUuid"]) == ("Running", sim.uuids["host2"])
    left = (await sim.one("QueryPrimaryStorage", sim.uuids["primary"]))["availableCapacity"]
    assert left == 1000 * GIB - vm["allVolumes"][0]["size"]


async def test_a_hundred_vms_at_once_are_quick(empty: SimulatorCloud) -> None:
    await empty.build(hosts=10, cidr="10.9.0.0/23")
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(empty.vm(name=f"vm{number}")) for number in range(100)]
    seconds = time.monotonic() - began
    vms = [task.result() for task in made]
    assert {vm["state"] for vm in vms} == {"Running"}
    assert len({vm["vmNics"][0]["ip"] for vm in vms}) == 100
    per_host = [len(host.domains) for host in empty.hosts if host.domains]
    assert per_host == [10] * 10
    print(f"100 VMs at once on 10 simulated hosts: {seconds:.2f} s")
    assert seconds < 15


async def test_what_ran_runs_after_a_restart_and_nothing_is_made_again(sim: SimulatorCloud) -> None:
    runs, stopped = await sim.vm(name="runs"), await sim.vm(name="stopped")
    await sim.call("RebootVmInstance", uuid=stopped["uuid"])
    await sim.call("StopVmInstance", uuid=stopped["uuid"])
    gone = await sim.vm(name="gone")
    await sim.call("DestroyVmInstance", uuid=gone["uuid"])
    await sim.idle()
    things = sim.things()
    rows = {name: rows for name, rows in (await sim.rows()).items() if name not in {"Host", "ManagementNode"}}
    await sim.stop()
    await sim.start()
    await sim.until(
        lambda: sim.query("QueryHost"), lambda found: all(h["status"] == "Connected" for h in found)
    )
    await sim.idle()
    after = sim.things()
    for address in things:
        running = {uuid: found for uuid, found in things[address]["domains"].items() if found[0] == "on"}
        assert {u: f for u, f in after[address]["domains"].items() if f[0] == "on"} == running
        assert after[address]["files"].keys() == things[address]["files"].keys()
        assert after[address]["bridges"] == things[address]["bridges"]
    verbs = {verb for host in sim.hosts for verb, _, _ in host.effects}
    assert verbs <= {"EnsureStorage", "EnsureBridge"}
    assert {n: r for n, r in (await sim.rows()).items() if n not in {"Host", "ManagementNode"}} == rows
    assert (await sim.one("QueryVmInstance", runs["uuid"]))["state"] == "Running"
    assert (await sim.one("QueryVmInstance", stopped["uuid"]))["state"] == "Stopped"
    assert (await sim.call("StartVmInstance", uuid=stopped["uuid"]))["state"] == "Running"
    assert (await sim.call("StopVmInstance", uuid=runs["uuid"]))["state"] == "Stopped"
    assert (await sim.call("RecoverVmInstance", vmInstanceUuid=gone["uuid"]))["state"] == "Stopped"
    assert (await sim.call("StartVmInstance", uuid=gone["uuid"]))["state"] == "Running"


async def test_a_create_cut_off_by_kill_ends_after_the_restart(sim: SimulatorCloud) -> None:
    await sim.call("UpdateGlobalConfig", category="simulator", name="delay", value="StartDomain=3600")
    await _behaves(sim, lambda host: host.delays.of("StartDomain") == 3600)
    _, job = await sim.begin("CreateVmInstance", **sim.vm_fields())
    assert job is not None
    await sim.until(
        lambda: sim.query("QueryLongJob"), lambda jobs: any(each.get("step") == "start" for each in jobs)
    )
    await sim.kill()
    await sim.start()
    await sim.call("UpdateGlobalConfig", category="simulator", name="delay", value="0")
    assert (await sim.ended(job))["inventory"]["state"] == "Running"


async def test_delay_and_fault_rate_by_setting_and_by_tag(sim: SimulatorCloud) -> None:
    host = sim.uuids["host1"]
    on = {"resourceType": "HostVO", "resourceUuid": host}
    tag = await sim.call("CreateSystemTag", **on, tag="simulator::faultRate::StartDomain=1")
    await _behaves(sim, lambda h: h.faults.by_verb["StartDomain"] == (h.address == "10.0.0.1"))
    error = await sim.refused("CreateVmInstance", **sim.vm_fields(hostUuid=host))
    assert (error["code"], error["cause"]["code"]) == ("VM.1000", "AGENT.1000")
    assert "StartDomain failed, as the simulator was told it should" in error["details"]
    assert await sim.query("QueryVmInstance") == []
    assert (await sim.vm(hostUuid=sim.uuids["host2"]))["state"] == "Running"
    await sim.call("DeleteTag", uuid=tag["uuid"])
    await _behaves(sim, lambda h: not h.faults.strikes("StartDomain"))
    assert (await sim.vm(hostUuid=host))["state"] == "Running"
    await sim.call("UpdateGlobalConfig", category="simulator", name="delay", value="0.2 ObserveVm=0")
    await _behaves(sim, lambda h: h.delays.of("StartDomain") == 0.2 and h.delays.of("Ping") == 0)
    began = time.monotonic()
    await sim.vm()
    assert time.monotonic() - began > 0.4


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("delay", "fast", "'fast' is not a number from 0 to 3600, nor VERB=number"),
        ("delay", "StartVm=1", "StartVm is no request to a host; those are "),
        ("delay", "-1", "'-1' is not a number from 0 to 3600"),
        ("delay", "1e9", "'1e9' is not a number"),
        ("faultRate", "StartDomain=1.5", "'StartDomain=1.5' is not a number from 0 to 1, nor"),
        ("faultRate", "\t", "'\\t' is not a number from 0 to 1"),
    ],
)
async def test_conduct_that_makes_no_sense_is_refused(
    sim: SimulatorCloud, name: str, value: str, says: str
) -> None:
    error = await sim.refused("UpdateGlobalConfig", category="simulator", name=name, value=value)
    assert error["code"] == "SYS.1007"
    assert says in error["details"]
    on = {"resourceType": "HostVO", "resourceUuid": sim.uuids["host1"]}
    error = await sim.refused("CreateSystemTag", **on, tag=f"simulator::{name}::{value}")
    assert error["code"] == "SYS.1007"
    assert says in error["details"]


async def test_hosts_and_storage_are_added_with_care(sim: SimulatorCloud) -> None:
    zone = sim.uuids["zone"]
    kvm = await sim.make("kvm", "CreateCluster", zoneUuid=zone, hypervisorType="KVM")
    host = {
        "name": "h",
        "managementIp": "10.0.0.9",
        "clusterUuid": kvm,
        "memoryCapacity": 1,
        "cpuCapacity": 1,
    }
    async with sim.untouched():
        error = await sim.refused("AddSimulatorHost", **host)
        assert error["code"] == "SYS.1007"
        assert error["details"].endswith("is for KVM, not for Simulator hosts")
        twin = {**host, "managementIp": "10.0.0.1", "clusterUuid": sim.uuids["cluster"]}
        error = await sim.refused("AddSimulatorHost", **twin)
        assert (error["code"], "there has been a host having managementIp[10.0.0.1]" in error["details"]) == (
            "SYS.1007", True,
        )  # fmt: skip
        for name in ("memoryCapacity", "cpuCapacity"):
            error = await sim.refused("AddSimulatorHost", **{**host, name: 0})
            assert (error["code"], name in error["details"]) == ("SYS.1007", True)
        error = await sim.refused(
            "AddKVMHost", name="k", managementIp="10.0.0.8", clusterUuid=sim.uuids["cluster"], username="root",
            password="x",
        )  # fmt: skip
        assert error["details"].endswith("is for Simulator, not for KVM hosts")
        space = {"totalCapacity": 1, "availableCapacity": 2, "name": "s", "url": "/simulated/other"}
        for name in ("AddSimulatorPrimaryStorage", "AddSimulatorBackupStorage"):
            of = {"zoneUuid": zone} if "Primary" in name else {}
            error = await sim.refused(name, **space, **of)
            assert (error["code"], error["details"]) == (
                "SYS.1007", "availableCapacity[2] is more than totalCapacity[1]",
            )  # fmt: skip
        error = await sim.refused("AddSimulatorPrimaryStorage", name="s", url="/simulated/ps", zoneUuid=zone)
        assert "url[/simulated/ps] is a primary storage of the zone" in error["details"]


async def test_simulated_and_real_do_not_mix(sim: SimulatorCloud) -> None:
    uuids = sim.uuids
    kvm = await sim.make("kvm", "CreateCluster", zoneUuid=uuids["zone"], hypervisorType="KVM")
    local = await sim.make("local", "AddLocalPrimaryStorage", url="/zstack_ps", zoneUuid=uuids["zone"])
    async with sim.untouched():
        error = await sim.refused(
            "AttachPrimaryStorageToCluster", primaryStorageUuid=uuids["primary"], clusterUuid=kvm
        )
        assert error["code"] == "SYS.1007"
        assert (
            "is a SimulatorPrimaryStorage, which is for clusters of hypervisorType Simulator"
            in error["details"]
        )
        error = await sim.refused(
            "AttachPrimaryStorageToCluster", primaryStorageUuid=local, clusterUuid=uuids["cluster"]
        )
        assert error["code"] == "SYS.1007"
        assert "is a LocalStorage, which is for clusters of hypervisorType KVM" in error["details"]
        error = await sim.refused(
            "AddImage", name="i", url="http://images/i", format="qcow2", backupStorageUuids=[uuids["backup"]]
        )
        assert error["code"] == "SYS.1007"
        assert "images there are of format simulator" in error["details"]
        error = await sim.refused("CreateVmInstance", **sim.vm_fields(clusterUuid=kvm))
        assert error["code"] == "SYS.1007"
        assert "is of format simulator, which runs on Simulator, and cluster kvm" in error["details"]


async def test_a_simulator_image_is_refused_on_a_real_storage(cloud: Cloud) -> None:
    fields = {"name": "i", "url": "http://images/i", "backupStorageUuids": [cloud.uuids["backup"]]}
    async with cloud.untouched():
        error = await cloud.refused("AddImage", format="simulator", **fields)
    assert error["code"] == "SYS.1007"
    assert (
        "which is a SftpBackupStorage; images there are of format qcow2, raw, vmdk or iso" in error["details"]
    )


async def test_a_real_host_is_not_told_to_be_slow(cloud: Cloud) -> None:
    on = {"resourceType": "HostVO", "resourceUuid": cloud.uuids["host1"]}
    async with cloud.untouched():
        error = await cloud.refused("CreateSystemTag", **on, tag="simulator::delay::1")
    assert error["code"] == "SYS.1007"
    assert "is for hosts of hypervisorType Simulator; host host1" in error["details"]


async def test_tags_at_birth_are_heeded_at_the_first_connect(sim: SimulatorCloud) -> None:
    tag = "simulator::faultRate::Hello=1"
    host = {
        "name": "h",
        "managementIp": "10.0.0.9",
        "clusterUuid": sim.uuids["cluster"],
        "memoryCapacity": GIB,
    }
    error = await sim.refused("AddSimulatorHost", **host, cpuCapacity=1000, systemTags=[tag])
    assert (error["code"], error["cause"]["code"]) == ("HOST.1000", "AGENT.1000")
    await sim.until(lambda: sim.query("QueryHost", managementIp="10.0.0.9"), lambda found: not found)
    assert await sim.query("QuerySystemTag", tag=tag) == []


async def test_a_host_that_was_deleted_comes_back_empty(sim: SimulatorCloud) -> None:
    await sim.vm(hostUuid=sim.uuids["host2"])
    again = {"managementIp": "10.0.0.1", "clusterUuid": sim.uuids["cluster"]}
    await sim.call("DeleteHost", uuid=sim.uuids["host1"])
    await sim.make("again", "AddSimulatorHost", **again, memoryCapacity=GIB, cpuCapacity=2000)
    host = await sim.one("QueryHost", sim.uuids["again"])
    assert (host["status"], host["totalMemoryCapacity"]) == ("Connected", GIB)
    await sim.call("ReconnectHost", uuid=sim.uuids["host2"])
    assert (await sim.one("QueryHost", sim.uuids["host2"]))["status"] == "Connected"
    (vm,) = await sim.query("QueryVmInstance")
    assert (await sim.vm_becomes(vm["uuid"], "Running"))["hostUuid"] == sim.uuids["host2"]


async def test_a_hosts_tag_goes_before_the_setting_for_what_it_names(sim: SimulatorCloud) -> None:
    await sim.call(
        "UpdateGlobalConfig", category="simulator", name="delay", value="startdomain=0.1 copy=0.2 Copy=0.3"
    )
    on = {"resourceType": "HostVO", "resourceUuid": sim.uuids["host1"]}
    await sim.call("CreateSystemTag", **on, tag="simulator::delay::StartDomain=0.4")
    one = {"StartDomain": 0.4, "Copy": 0.3}
    other = {"StartDomain": 0.1, "Copy": 0.3}
    await _behaves(sim, lambda host: host.delays.by_verb == (one if host.address == "10.0.0.1" else other))


async def test_a_console_speaks_what_was_set_when_it_started(sim: SimulatorCloud) -> None:
    old = (await sim.vm())["uuid"]
    await sim.call("UpdateGlobalConfig", category="kvm", name="vm.consoleMode", value="spice")
    new = (await sim.vm())["uuid"]
    for uuid, protocol in ((old, "vnc"), (new, "spice")):
        assert (await sim.answer("GetVmConsoleAddress", uuid=uuid))["protocol"] == protocol
    await sim.call("StopVmInstance", uuid=old)
    await sim.call("StartVmInstance", uuid=old)
    assert (await sim.answer("GetVmConsoleAddress", uuid=old))["protocol"] == "spice"


async def _behaves(sim: SimulatorCloud, holds) -> None:  # type: ignore[no-untyped-def]
    """Wait until every host of the cluster behaves as was said."""
    async with asyncio.timeout(10):
        while not all(holds(host) for host in sim.hosts if host.address.startswith("10.")):
            await asyncio.sleep(0.01)


async def test_backups_outlive_the_appliance_as_the_hosts_do_not(sim: SimulatorCloud) -> None:
    vm = await sim.vm(name="web")
    where = {"backupStorageUuid": sim.uuids["backup"], "name": "b"}
    backup = await sim.call("CreateVolumeBackup", volumeUuid=vm["rootVolumeUuid"], **where)
    assert (backup["status"], backup["volumeSize"]) == ("Ready", vm["allVolumes"][0]["size"])
    await sim.idle()
    await sim.stop()
    await sim.start()
    made = await sim.call(
        "CreateDataVolumeFromVolumeBackup", backupUuid=backup["uuid"], name="again",
        primaryStorageUuid=sim.uuids["primary"], hostUuid=sim.uuids["host2"],
    )  # fmt: skip
    assert (made["status"], made["format"]) == ("Ready", "simulator")
    image = await sim.call("CreateRootVolumeTemplateFromVolumeBackup", backupUuid=backup["uuid"], name="was")
    assert (image["status"], image["format"]) == ("Ready", "simulator")
    assert (await sim.vm(name="other", imageUuid=image["uuid"]))["state"] == "Running"
