"""Hosts in maintenance: their VMs stop first, and what keeps them from that is said."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.reconcile import maintenance
from tests.simulated_cloud import Cloud


async def test_maintenance_stops_the_vms_and_then_begins(cloud: Cloud) -> None:
    host = cloud.uuids["host1"]
    vms = [await cloud.vm(name=f"vm-{number}", hostUuid=host) for number in range(2)]
    elsewhere = await cloud.vm(name="elsewhere", hostUuid=cloud.uuids["host2"])
    for simulated in cloud.hosts:
        simulated.delays.usual = 0.3
    _, job = await cloud.begin("ChangeHostState", uuid=host, stateEvent="maintain")
    assert job is not None
    assert (await cloud.one("QueryHost", host))["state"] == "PreMaintenance"
    ended = await cloud.ended(job)
    assert ended["success"]
    assert ended["inventory"]["state"] == "Maintenance"
    for vm in vms:
        assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Stopped"
    assert (await cloud.one("QueryVmInstance", elsewhere["uuid"]))["state"] == "Running"
    refused = await cloud.refused("StartVmInstance", uuid=vms[0]["uuid"])
    assert refused["code"] == "HOST_ALLOCATION.1000"
    await cloud.call("ChangeHostState", uuid=host, stateEvent="enable")
    await cloud.until(lambda: cloud.one("QueryHost", host), lambda seen: seen["status"] == "Connected")
    await cloud.call("StartVmInstance", uuid=vms[0]["uuid"])


async def test_what_is_being_destroyed_stays_destroyed(cloud: Cloud) -> None:
    host = cloud.uuids["host1"]
    vm = await cloud.vm(hostUuid=host)
    cloud.hosts[0].delays.usual = 0.3
    _, destroying = await cloud.begin("DestroyVmInstance", uuid=vm["uuid"])
    _, maintaining = await cloud.begin("ChangeHostState", uuid=host, stateEvent="maintain")
    assert destroying is not None
    assert maintaining is not None
    assert (await cloud.ended(destroying))["success"]
    assert (await cloud.ended(maintaining))["success"]
    left = await cloud.query("QueryVmInstance", uuid=vm["uuid"])
    assert [each["state"] for each in left] in ([], ["Destroyed"])


async def test_a_host_that_cannot_be_emptied_is_enabled_as_before(cloud: Cloud) -> None:
    host = cloud.uuids["host2"]
    vm = await cloud.vm(hostUuid=host)
    cloud.hosts[1].delays.usual = 5.0
    _, job = await cloud.begin("ChangeHostState", uuid=host, stateEvent="maintain")
    assert job is not None
    cloud.hosts[1].reachable = False
    cloud.hosts[1].cut("the cable")
    ended = await cloud.ended(job)
    assert ended["error"]["code"] == "HOST.1001"
    assert (await cloud.one("QueryHost", host))["state"] == "Enabled"
    async with cloud.untouched():
        refused = await cloud.refused("ChangeHostState", uuid=host, stateEvent="maintain")
    assert refused["code"] == "HOST.1001"
    assert (
        f"VM {vm['name']}[uuid:{vm['uuid']}] cannot be stopped now: its host is Disconnected"
        in refused["details"]
    )


async def test_enabling_and_cancelling_end_what_waits_for_maintenance(cloud: Cloud) -> None:
    host = cloud.uuids["host1"]
    await cloud.vm(hostUuid=host)
    cloud.hosts[0].delays.usual = 3.0
    _, job = await cloud.begin("ChangeHostState", uuid=host, stateEvent="maintain")
    assert job is not None
    await cloud.call("ChangeHostState", uuid=host, stateEvent="enable")
    assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"
    _, job = await cloud.begin("ChangeHostState", uuid=host, stateEvent="maintain")
    assert job is not None
    await cloud.call("CancelLongJob", uuid=job)
    assert (await cloud.ended(job))["error"]["code"] == "JOB.1000"
    assert (await cloud.one("QueryHost", host))["state"] == "Enabled"


async def test_vms_that_do_not_stop_are_not_waited_for_without_end(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, vm = await _with_one_that_does_not_stop(cloud, monkeypatch)
    refused = await cloud.refused("ChangeHostState", uuid=host, stateEvent="maintain")
    assert refused["code"] == "HOST.1001"
    assert f"these VMs have not stopped: {vm['name']}[uuid:{vm['uuid']}]" in str(refused)
    assert (await cloud.one("QueryHost", host))["state"] == "Enabled"


async def test_a_state_is_what_is_seen(cloud: Cloud) -> None:
    vm = await cloud.vm()
    assert (await cloud.call("UpdateVmInstance", uuid=vm["uuid"], state="Running"))["state"] == "Running"
    async with cloud.untouched():
        refused = await cloud.refused("UpdateVmInstance", uuid=vm["uuid"], state="Stopped", name="other")
    assert "StopVmInstance changes that" in refused["details"]


async def test_where_errors_are_ignored_it_begins_with_what_does_not_stop(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, vm = await _with_one_that_does_not_stop(cloud, monkeypatch)
    ignoring = {"category": "host", "name": "maintenanceMode.ignoreError"}
    await cloud.call("UpdateGlobalConfig", **ignoring, value="true")
    assert (await cloud.call("ChangeHostState", uuid=host, stateEvent="maintain"))["state"] == "Maintenance"
    (event,) = await cloud.query("QueryEvent", name="MaintenanceWithErrors", resourceUuid=host)
    assert f"VMs may still run there ({vm['name']}): after 2 s these VMs have not stopped" in str(event)


async def test_where_errors_are_ignored_a_host_that_is_gone_goes_into_maintenance(cloud: Cloud) -> None:
    host = cloud.uuids["host2"]
    vm = await cloud.vm(hostUuid=host)
    cloud.hosts[1].reachable = False
    cloud.hosts[1].cut("the cable")
    # Also its worker has tried by then, and has nothing more to say.
    tried = "10.0.0.2 does not answer"
    await cloud.until(lambda: cloud.one("QueryHost", host), lambda seen: seen.get("statusReason") == tried)
    async with cloud.untouched():
        refused = await cloud.refused("ChangeHostState", uuid=host, stateEvent="maintain")
    assert "its host is Disconnected" in refused["details"]
    ignoring = {"category": "host", "name": "maintenanceMode.ignoreError"}
    await cloud.call("UpdateGlobalConfig", **ignoring, value="true")
    assert (await cloud.call("ChangeHostState", uuid=host, stateEvent="maintain"))["state"] == "Maintenance"
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Unknown"
    cloud.hosts[1].reachable = True
    await cloud.call("ChangeHostState", uuid=host, stateEvent="enable")
    await cloud.vm_becomes(vm["uuid"], "Running")


async def _with_one_that_does_not_stop(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, dict[str, Any]]:
    """A host, and a VM there that nothing stops; little patience is had with it."""
    host = cloud.uuids["host1"]
    vm = await cloud.vm(hostUuid=host)
    monkeypatch.setattr(maintenance, "PATIENCE_SECONDS", 0.5)
    await cloud.call("UpdateGlobalConfig", category="vm", name="stopGrace", value="1")
    cloud.hosts[0].faults.by_verb = {"ShutdownDomain": 1.0, "DestroyDomain": 1.0}
    return host, vm
