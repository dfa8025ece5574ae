"""What hosts and VMs used: sampled, kept over a restart, asked for by whom it concerns, gone with its resource."""

from __future__ import annotations

from typing import Any

import pytest

from agent.protocol import Used
from appliance.api.figure import KEPT_SECONDS, SYSTEM, FigureBlock
from appliance.reconcile.figures import Sampler, Track, forget
from appliance.serve.events import Broadcast
from tests.simulated_cloud import Cloud
from tests.tenants import Tenants


def sampler_of(cloud: Cloud) -> Sampler:
    return Sampler(cloud.database, cloud.core.fleet, cloud.core.figures)


async def sampled(cloud: Cloud) -> Sampler:
    """Two looks make one point."""
    made = sampler_of(cloud)
    await made.round()
    await made.round()
    return made


async def data(cloud: Cloud, namespace: str, name: str, *labels: str, **fields: Any) -> list[dict[str, Any]]:
    body = await cloud.call(
        "GetMetricData", namespace=namespace, metricName=name, labels=list(labels), **fields
    )
    found: list[dict[str, Any]] = body["data"]
    return found


async def test_figures_of_a_vm_its_host_and_all_hosts(cloud: Cloud) -> None:
    vm = await cloud.vm()
    await sampled(cloud)
    [cpu] = await data(cloud, "ZStack/VM", "CPUAverageUsedUtilization", f"VMUuid={vm['uuid']}")
    assert 0 < cpu["value"] <= 100
    assert cpu["labels"] == {"VMUuid": vm["uuid"]}
    [memory] = await data(cloud, "ZStack/VM", "MemoryUsedBytes", f"VMUuid={vm['uuid']}")
    assert 0 < memory["value"] <= vm["memorySize"]
    [host] = await data(cloud, "ZStack/Host", "MemoryUsedBytes", f"HostUuid={vm['hostUuid']}")
    assert host["value"] > memory["value"]
    [system] = await data(cloud, "ZStack/System", "MemoryUsedBytes")
    assert system["value"] > host["value"]
    metadata = (await cloud.call("GetAllMetricMetadata"))["metrics"]
    assert {"namespace": "ZStack/VM", "name": "DiskReadBytes", "labelNames": ["VMUuid"],
            "description": "Bytes a second read from disks."} in metadata  # fmt: skip


async def test_a_day_survives_the_appliance_and_ends_with_the_vm(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    await (await sampled(cloud)).save()
    now = cloud.database.now()
    await cloud.kill()
    await cloud.start()
    day = {"startTime": int(now - 7_200), "endTime": int(now + 60)}
    [point] = await data(cloud, "ZStack/VM", "MemoryUsedBytes", f"VMUuid={uuid}", **day)
    assert point["value"] > 0
    kept = await cloud.database.read(lambda s: {block.key.split(".")[0] for block in s.all(FigureBlock)})
    assert {uuid, SYSTEM} <= kept
    await cloud.call("DestroyVmInstance", uuid=uuid)
    await cloud.call("ExpungeVmInstance", uuid=uuid)
    await cloud.idle()
    kept = await cloud.database.read(lambda s: {block.key.split(".")[0] for block in s.all(FigureBlock)})
    assert uuid not in kept
    assert SYSTEM in kept


async def test_a_peak_is_the_highest_sample_in_memory_and_in_the_store(cloud: Cloud) -> None:
    sampler = sampler_of(cloud)
    now = cloud.database.now()
    track = cloud.core.figures.tracks[SYSTEM] = Track()
    for ago, percent in ((20, 10.0), (10, 90.0), (0, 20.0)):
        track.add(now - ago, (percent, 1.0, 0.0, 0.0, 0.0, 0.0), now - 3_600)
    asked = {"startTime": int(now) - 3_600, "endTime": int(now) + 3_600, "period": 14_400}
    [point] = await data(cloud, "ZStack/System", "CPUAverageUsedUtilization", **asked)
    assert [round(point[each]) for each in ("value", "maximum", "latest")] == [40, 90, 20]
    await sampler.save()
    cloud.core.figures.tracks.clear()
    [point] = await data(cloud, "ZStack/System", "CPUAverageUsedUtilization", **asked)
    assert [round(point[each]) for each in ("value", "maximum")] == [40, 90]


async def test_a_vm_that_starts_is_no_load_of_its_whole_life(cloud: Cloud) -> None:
    await cloud.vm()
    sampler = await sampled(cloud)
    vm = await cloud.vm()
    for _ in range(3):
        await sampler.round()
    for namespace, *labels in (("ZStack/System",), ("ZStack/Host", f"HostUuid={vm['hostUuid']}")):
        for name in ("NetworkOutBytes", "DiskWriteBytes"):
            found = await data(cloud, namespace, name, *labels)
            assert found
            assert max(each["maximum"] for each in found) < 1 << 30


async def test_what_was_sampled_of_a_vm_that_went_meanwhile_is_not_kept(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    sampler = await sampled(cloud)
    await cloud.call("DestroyVmInstance", uuid=uuid)
    await cloud.call("ExpungeVmInstance", uuid=uuid)
    await cloud.idle()
    await sampler.save()
    assert not await cloud.database.read(lambda s: [b for b in s.all(FigureBlock) if b.key.startswith(uuid)])
    await sampler.round()
    assert uuid not in cloud.core.figures.tracks


async def test_what_is_older_than_a_day_goes(cloud: Cloud) -> None:
    old = int(cloud.database.now()) - 2 * KEPT_SECONDS
    await cloud.database.write(
        lambda tx: tx.insert(FigureBlock(key=f"{SYSTEM}.{old}", began=old, points="", peaks=""))
    )
    await (await sampled(cloud)).save()
    await cloud.database.write(forget)
    blocks = await cloud.database.read(lambda s: s.all(FigureBlock))
    assert blocks
    assert old not in {block.began for block in blocks}


async def test_a_tenant_is_told_of_its_own_vms_only(tenants: Tenants) -> None:
    cloud = tenants.cloud
    shared = [cloud.uuids["image"], cloud.uuids["offering"], cloud.uuids["l3"]]
    await cloud.call("ShareResource", resourceUuids=shared, toPublic=True)
    a, b = await tenants.account("a"), await tenants.account("b")
    vm = await a.call("CreateVmInstance", **cloud.vm_fields(name="mine"))
    await sampled(cloud)
    asked = {"namespace": "ZStack/VM", "metricName": "MemoryUsedBytes", "labels": [f"VMUuid={vm['uuid']}"]}
    assert (await a.call("GetMetricData", **asked))["data"]
    assert (await b.refused("GetMetricData", **asked))[0] == "ID.1002"
    for asked in (
        {"namespace": "ZStack/System", "metricName": "MemoryUsedBytes"},
        {
            "namespace": "ZStack/Host",
            "metricName": "MemoryUsedBytes",
            "labels": [f"HostUuid={vm['hostUuid']}"],
        },
    ):
        assert (await a.refused("GetMetricData", **asked))[0] == "ID.1002"


async def test_a_question_that_cannot_be_answered_is_refused_with_what_is_wrong(cloud: Cloud) -> None:
    for fields, words in (
        ({"namespace": "ZStack/VM"}, "labels must be one, VMUuid=UUID"),
        ({"namespace": "ZStack/VM", "labels": ["HostUuid=1"]}, "labels must be one, VMUuid=UUID"),
        ({"namespace": "ZStack/System", "labels": ["VMUuid=1"]}, "has no labels"),
        ({"namespace": "ZStack/System", "startTime": 20, "endTime": 10}, "startTime 20 is after endTime 10"),
        ({"namespace": "ZStack/Host", "labels": ["HostUuid=1"]}, "there is no Host with uuid 1"),
    ):
        error = await cloud.refused("GetMetricData", metricName="DiskReadBytes", **fields)
        assert words in error["details"]


async def test_watchers_hear_of_all_at_first_and_then_of_what_is_other(cloud: Cloud) -> None:
    uuid = (await cloud.vm())["uuid"]
    await sampled(cloud)
    broadcast = Broadcast(cloud.database, cloud.core.figures)
    with broadcast.listen() as listener:
        await broadcast.begin(listener, None)
        first = (await anext(listener)).decode()
        assert '"whole":true' in first
        assert f'"{uuid}":[[' in first
        for word in ("event: figures", '"whole":false'):
            await sampler_of(cloud).round()
            cloud.core.figures.listeners[-1]()
            assert word in (await anext(listener)).decode()
        cloud.core.figures.tracks.pop(uuid)
        cloud.core.figures.listeners[-1]()
        assert f'"{uuid}":[]' in (await anext(listener)).decode()


async def test_watchers_hear_percents_of_a_hosts_memory_and_nothing_of_what_a_guest_does_not_tell(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = await cloud.vm()
    monkeypatch.setattr("appliance.hosts.simulated_figures._guest", lambda *_: Used(cpu_ns=1))
    await sampled(cloud)
    latest = dict(cloud.core.figures.latest(1))
    [host] = latest[vm["hostUuid"]][1]
    assert host is not None
    assert 0 <= host <= 100
    assert latest[vm["uuid"]][1] == [None]
    assert await data(cloud, "ZStack/VM", "MemoryUsedBytes", f"VMUuid={vm['uuid']}") == []
