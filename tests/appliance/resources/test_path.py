"""The whole path, call by call: what each API of the first cloud makes, changes, refuses and removes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from agent.protocol import EnsureNic
from appliance.api.errors import ApiError
from appliance.reconcile.vm_rows import network_rows
from tests.simulated_cloud import GIB, Cloud


async def test_everything_is_built_and_taken_apart_again(empty_cloud: Cloud) -> None:
    cloud = empty_cloud
    rows = await cloud.rows()
    await cloud.build()
    vm = await cloud.vm(name="web", systemTags=["hostname::web"], userTags=["blue"])
    await cloud.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
    uuids = cloud.uuids
    pair = {"clusterUuid": uuids["cluster"]}
    await cloud.call("DeleteImage", uuid=uuids["image"])
    await cloud.call("ExpungeImage", imageUuid=uuids["image"])
    await cloud.call("DeleteInstanceOffering", uuid=uuids["offering"])
    await cloud.call("DeleteL3Network", uuid=uuids["l3"])
    await cloud.call("DetachL2NetworkFromCluster", l2NetworkUuid=uuids["l2"], **pair)
    await cloud.call("DeleteL2Network", uuid=uuids["l2"])
    await cloud.call("DetachBackupStorageFromZone", backupStorageUuid=uuids["backup"], zoneUuid=uuids["zone"])
    await cloud.call("DeleteBackupStorage", uuid=uuids["backup"])
    await cloud.call("DetachPrimaryStorageFromCluster", primaryStorageUuid=uuids["primary"], **pair)
    await cloud.call("DeletePrimaryStorage", uuid=uuids["primary"])
    for host in ("host1", "host2"):
        await cloud.call("DeleteHost", uuid=uuids[host])
    await cloud.call("DeleteCluster", uuid=uuids["cluster"])
    await cloud.call("DeleteZone", uuid=uuids["zone"])
    await cloud.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Delay")
    assert await cloud.rows() == rows
    for host, things in cloud.things().items():
        cached = [path for path in things.pop("files") if "/imagecache/" not in path]
        assert not cached, host
        assert not any(things.values()), (host, things)


async def test_what_is_in_use_is_not_deleted(cloud: Cloud) -> None:
    await cloud.vm(name="web")
    uuids = cloud.uuids
    pair = {"clusterUuid": uuids["cluster"]}
    async with cloud.untouched():
        for name, fields in {
            "DeleteZone": {"uuid": uuids["zone"]},
            "DeleteCluster": {"uuid": uuids["cluster"]},
            "DeletePrimaryStorage": {"uuid": uuids["primary"]},
            "DetachPrimaryStorageFromCluster": {"primaryStorageUuid": uuids["primary"], **pair},
            "DeleteBackupStorage": {"uuid": uuids["backup"]},
            "DeleteL2Network": {"uuid": uuids["l2"]},
            "DetachL2NetworkFromCluster": {"l2NetworkUuid": uuids["l2"], **pair},
            "DeleteL3Network": {"uuid": uuids["l3"]},
            "DeleteIpRange": {"uuid": uuids["range"]},
        }.items():
            assert (name, (await cloud.refused(name, **fields))["code"]) == (name, "SYS.1006")
        (host,) = [each["uuid"] for each in await cloud.query("QueryVmInstance")]
        running = await cloud.one("QueryVmInstance", host)
        error = await cloud.refused("DeleteHost", uuid=running["hostUuid"])
        assert "web" in error["details"]


async def test_deleting_what_is_not_there_succeeds(cloud: Cloud) -> None:
    nothing = "f" * 12 + "4fff8" + "f" * 15
    async with cloud.untouched():
        for kind in (
            "Zone", "Cluster", "Host", "PrimaryStorage", "BackupStorage", "Image", "InstanceOffering",
            "L2Network", "L3Network", "IpRange", "Tag",
        ):  # fmt: skip
            await cloud.call(f"Delete{kind}", uuid=nothing)
        await cloud.call("DestroyVmInstance", uuid=nothing)


async def test_a_host_from_added_to_deleted(cloud: Cloud) -> None:
    host = await cloud.one("QueryHost", cloud.uuids["host1"])
    assert (host["state"], host["status"], host["managementIp"]) == ("Enabled", "Connected", "10.0.0.1")
    assert host["totalMemoryCapacity"] > host["availableMemoryCapacity"] > 0
    uuid = host["uuid"]
    for event, state in (("disable", "Disabled"), ("enable", "Enabled"), ("maintain", "Maintenance")):
        assert (await cloud.call("ChangeHostState", uuid=uuid, stateEvent=event))["state"] == state
    await cloud.call("ChangeHostState", uuid=uuid, stateEvent="enable")
    assert await cloud.call("ReconnectHost", uuid=uuid) == {"success": True}
    assert (await cloud.one("QueryHost", uuid))["status"] == "Connected"
    assert (await cloud.call("UpdateKVMHost", uuid=uuid, name="renamed"))["name"] == "renamed"
    cloud.hosts[1].reachable = False
    cloud.hosts[1].cut("the cable")
    error = await cloud.refused("ReconnectHost", uuid=cloud.uuids["host2"])
    assert error["code"] == "HOST.1002"
    assert (await cloud.one("QueryHost", cloud.uuids["host2"]))["status"] == "Disconnected"
    await cloud.call("DeleteHost", uuid=cloud.uuids["host2"])
    assert await cloud.query("QueryHost", uuid=cloud.uuids["host2"]) == []


async def test_storage_has_the_capacity_of_its_hosts(cloud: Cloud) -> None:
    before = await cloud.one("QueryPrimaryStorage", cloud.uuids["primary"])
    assert before["totalCapacity"] == 2 << 44
    assert before["attachedClusterUuids"] == [cloud.uuids["cluster"]]
    vm = await cloud.vm()
    after = await cloud.one("QueryPrimaryStorage", cloud.uuids["primary"])
    assert before["availableCapacity"] - after["availableCapacity"] == vm["allVolumes"][0]["size"]
    backup = await cloud.one("QueryBackupStorage", cloud.uuids["backup"])
    assert (backup["status"], backup["attachedZoneUuids"]) == ("Connected", [cloud.uuids["zone"]])


async def test_images_from_a_file_over_http_and_sent(cloud: Cloud) -> None:
    cloud.hosts[0].things.files["/srv/images/disk.qcow2"] = 1 << 20
    fields = {"format": "qcow2", "backupStorageUuids": [cloud.uuids["backup"]]}
    for url in ("file:///srv/images/disk.qcow2", "https://images/disk.qcow2"):
        image = await cloud.call("AddImage", name="i", url=url, **fields)
        assert (image["status"], image["size"]) == ("Ready", 1 << 26)
        assert len(image["md5Sum"]) == 32
    _, job = await cloud.begin("AddImage", name="sent", url="upload://disk.qcow2", **fields)
    assert job is not None
    (image,) = await cloud.query("QueryImage", name="sent")
    assert image["status"] == "Downloading"
    error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(imageUuid=image["uuid"]))
    assert "Downloading" in error["details"]

    async def content() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 256

    with pytest.raises(ApiError, match=r"file\.short"):
        await cloud.core.transfers.take(image["uuid"], content(), 2048, 0)
    assert await cloud.core.transfers.arrived(image["uuid"]) == 1024
    with pytest.raises(ApiError, match=r"file\.gap"):
        await cloud.core.transfers.take(image["uuid"], content(), 1024, 1025)
    how = f"zstui upload {image['uuid']} FILE"
    (waiting,) = await cloud.until(
        lambda: cloud.query("QueryLongJob", uuid=job), lambda found: "waitsFor" in found[0]
    )
    assert waiting["waitsFor"] == f"its file is awaited; send it: {how}"
    await cloud.core.transfers.take(image["uuid"], content(), 1024, 1024)
    assert (await cloud.ended(job))["inventory"]["status"] == "Ready"
    assert (await cloud.vm(imageUuid=image["uuid"]))["state"] == "Running"


async def test_l2_networks_with_and_without_vlan(cloud: Cloud) -> None:
    zone, cluster = cloud.uuids["zone"], cloud.uuids["cluster"]
    l2 = await cloud.make("tagged", "CreateL2VlanNetwork", zoneUuid=zone, physicalInterface="eth1", vlan=100)
    attached = await cloud.call("AttachL2NetworkToCluster", l2NetworkUuid=l2, clusterUuid=cluster)
    assert (attached["vlan"], attached["attachedClusterUuids"]) == (100, [cluster])
    assert all(l2 in host.things.bridges for host in cloud.hosts)
    for fields in ({"vlan": 100}, {"vlan": 4096}, {"vlan": 5, "physicalInterface": "a/b"}):
        wanted = {"name": "x", "zoneUuid": zone, "physicalInterface": "eth1", **fields}
        assert (await cloud.refused("CreateL2VlanNetwork", **wanted))["code"] == "SYS.1007"
    await cloud.call("DetachL2NetworkFromCluster", l2NetworkUuid=l2, clusterUuid=cluster)
    assert not any(l2 in host.things.bridges for host in cloud.hosts)


async def test_name_servers_and_services(cloud: Cloud) -> None:
    l3 = cloud.uuids["l3"]
    assert (await cloud.call("AddDnsToL3Network", l3NetworkUuid=l3, dns="9.9.9.9"))["dns"] == ["9.9.9.9"]
    assert (await cloud.refused("AddDnsToL3Network", l3NetworkUuid=l3, dns="9.9.9.9"))["code"] == "SYS.1007"
    error = await cloud.refused("AddDnsToL3Network", l3NetworkUuid=l3, dns="dns.example")
    assert "dns[dns.example]" in error["details"]
    assert (await cloud.call("RemoveDnsFromL3Network", l3NetworkUuid=l3, dns="9.9.9.9"))["dns"] == []
    added = ["9.9.9.9", "1.1.1.1", "5.5.5.5"]
    for dns in added:
        await cloud.call("AddDnsToL3Network", l3NetworkUuid=l3, dns=dns)
    assert (await cloud.one("QueryL3Network", l3))["dns"] == added, "a guest asks the first one first"
    served = await cloud.database.read(lambda snapshot: network_rows(snapshot, l3).dns)
    assert list(served) == added
    services = {
        ref["networkServiceType"] for ref in (await cloud.one("QueryL3Network", l3))["networkServices"]
    }
    assert services == {"DHCP", "Userdata"}
    asked = {cloud.uuids["provider"]: ["Userdata"]}
    again = {"l3NetworkUuid": l3, "networkServices": asked}
    assert (await cloud.refused("AttachNetworkServiceToL3Network", **again))["code"] == "SYS.1006"
    await cloud.call("DetachNetworkServiceFromL3Network", **again)
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    assert vm["uuid"] in host.domains
    await cloud.call("AttachNetworkServiceToL3Network", **again)


async def test_a_vm_from_create_to_destroy(cloud: Cloud) -> None:
    vm = await cloud.vm(name="web")
    uuid = vm["uuid"]
    (nic,), (volume,) = vm["vmNics"], vm["allVolumes"]
    assert (vm["state"], vm["memorySize"], vm["cpuNum"]) == ("Running", GIB // 4, 1)
    assert nic["gateway"] == "10.9.0.1"
    assert volume["installPath"].endswith(f"{volume['uuid']}.qcow2")
    console = await cloud.answer("GetVmConsoleAddress", uuid=uuid)
    assert (console["protocol"], console["hostIp"]) == ("vnc", cloud.host_of(uuid).address)
    assert console["port"] >= 5900
    assert (await cloud.call("StopVmInstance", uuid=uuid))["state"] == "Stopped"
    assert (await cloud.call("StopVmInstance", uuid=uuid))["state"] == "Stopped"
    for refused in ("RebootVmInstance", "GetVmConsoleAddress"):
        error = await cloud.refused(refused, uuid=uuid)
        assert (error["code"], error["cause"]["code"]) == ("SYS.1006", "VM.1010")
        assert "Stopped" in error["details"]
    started = await cloud.call("StartVmInstance", uuid=uuid)
    assert (started["state"], started["hostUuid"]) == ("Running", vm["hostUuid"])
    assert started["vmNics"][0]["ip"] == nic["ip"]
    assert (await cloud.refused("StartVmInstance", uuid=uuid))["cause"]["code"] == "VM.1010"
    assert (await cloud.call("RebootVmInstance", uuid=uuid))["state"] == "Running"
    assert cloud.host_of(uuid).domains[uuid].boot_count == 1
    assert (await cloud.call("UpdateVmInstance", uuid=uuid, name="other"))["name"] == "other"
    await cloud.call("DestroyVmInstance", uuid=uuid)
    assert (await cloud.one("QueryVmInstance", uuid))["state"] == "Destroyed"


async def test_vms_are_spread_over_hosts_and_kept_where_asked(cloud: Cloud) -> None:
    spread = [(await cloud.vm())["hostUuid"] for _ in range(4)]
    hosts = {cloud.uuids["host1"], cloud.uuids["host2"]}
    assert set(spread[:2]) == set(spread[2:]) == hosts
    for host in hosts:
        assert (await cloud.vm(hostUuid=host))["hostUuid"] == host


async def test_system_tags_reach_the_guest_and_come_and_go(cloud: Cloud) -> None:
    key = "ssh-ed25519 AAAAC3Nz me@here"
    vm = await cloud.vm(name="named", systemTags=[f"sshkey::{key}", "hostname::inside"])
    uuid = vm["uuid"]
    preview = await cloud.answer("PreviewUserdata", uuid=uuid)
    assert preview["publicKeys"] == [key]
    assert key in preview["userData"]
    on = {"resourceType": "VmInstanceVO", "resourceUuid": uuid}
    error = await cloud.refused("CreateSystemTag", **on, tag="hostname::second")
    assert (error["code"], "hostname" in error["details"]) == ("SYS.1007", True)
    tag = await cloud.call("CreateSystemTag", **on, tag="userdata::#!/bin/sh\necho, really")
    assert (await cloud.answer("PreviewUserdata", uuid=uuid))["userData"] == "#!/bin/sh\necho, really"
    await cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag="userdata::groups:\\n  - a")
    served = "#cloud-config\ngroups:\n  - a"  # as the agent serves it
    assert (await cloud.answer("PreviewUserdata", uuid=uuid))["userData"] == served
    await cloud.call("UpdateSystemTag", uuid=tag["uuid"], tag="userdata::#!/bin/sh\necho, really")
    again = await cloud.answer("CreateSystemTag", **on, tag="userdata::#!/bin/sh\necho, really")
    assert again == {"success": True}
    await cloud.call("DeleteTag", uuid=tag["uuid"])
    await cloud.idle()
    assert len(await cloud.query("QuerySystemTag", resourceUuid=uuid)) == 2
    l3 = await cloud.query("QuerySystemTag", resourceUuid=cloud.uuids["l3"])
    error = await cloud.refused("DeleteTag", uuid=l3[0]["uuid"])
    assert "inherent" in error["details"]


async def test_a_repeated_call_gets_the_first_answer(cloud: Cloud) -> None:
    from appliance.api.message import MESSAGES
    from appliance.serve.dispatch import Origin
    from appliance.serve.zstack import Call

    kind = MESSAGES["CreateVmInstance"]
    call = Call(java=kind.java, kind=kind, fields=cloud.vm_fields(), session_uuid=None, id="a" * 32)
    async with asyncio.TaskGroup() as group:
        origin = Origin("test", trusted=True)
        asked = [group.create_task(cloud.dispatch.answer(call, origin)) for _ in range(3)]
    assert {task.result().job_uuid for task in asked} == {"a" * 32}
    first, again = await cloud.ended("a" * 32), await cloud.ended("a" * 32)
    assert json.dumps(first) == json.dumps(again)
    assert len(await cloud.query("QueryVmInstance")) == 1
    assert EnsureNic.__name__ in {effect[0] for effect in cloud.host_of(first["inventory"]["uuid"]).effects}
