"""Storage: words, states, reconnecting, measuring, and what is left of it."""

from __future__ import annotations

from agent.protocol import Capacity
from tests.simulated_cloud import GIB, Cloud


async def test_words_and_states_of_primary_storage(cloud: Cloud) -> None:
    uuid = cloud.uuids["primary"]
    changed = await cloud.call("UpdatePrimaryStorage", uuid=uuid, name="fast", description="d")
    assert (changed["name"], changed["description"], changed["url"]) == ("fast", "d", "/zstack_ps")
    vm = await cloud.vm(name="web")
    assert (await cloud.call("ChangePrimaryStorageState", uuid=uuid, stateEvent="disable"))[
        "state"
    ] == "Disabled"
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
        assert error["code"] == "HOST_ALLOCATION.1000"
        assert "has room on its primary storage" in error["details"]
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["state"] == "Running"
    async with cloud.untouched():
        error = await cloud.refused("ChangePrimaryStorageState", uuid=uuid, stateEvent="maintain")
    assert error["code"] == "SYS.1006"
    assert error["details"] == f"primary storage fast[uuid:{uuid}] is used by 1 VM (web); stop them first"
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    maintained = await cloud.call("ChangePrimaryStorageState", uuid=uuid, stateEvent="maintain")
    assert maintained["state"] == "Maintenance"
    error = await cloud.refused("StartVmInstance", uuid=vm["uuid"])
    assert error["code"] == "SYS.1006"
    assert error["details"].startswith(
        f"primary storage fast[uuid:{uuid}] is under Maintenance, and volume ROOT-for-web"
    )
    assert (await cloud.call("ChangePrimaryStorageState", uuid=uuid, stateEvent="enable"))[
        "state"
    ] == "Enabled"
    assert (await cloud.call("StartVmInstance", uuid=vm["uuid"]))["state"] == "Running"


async def test_a_primary_storage_is_reconnected_and_measured(cloud: Cloud) -> None:
    uuid = cloud.uuids["primary"]
    before = await cloud.one("QueryPrimaryStorage", uuid)
    for host in cloud.hosts:
        host.things.storage.clear()
        host.things.roots.pop(uuid)
    assert (await cloud.call("ReconnectPrimaryStorage", uuid=uuid))["status"] == "Connected"
    assert all(uuid in host.things.storage for host in cloud.hosts)
    for host in cloud.hosts:
        host.things.capacities[uuid] = Capacity(total_bytes=1 << 40, available_bytes=1 << 39)
    after = await cloud.call("SyncPrimaryStorageCapacity", primaryStorageUuid=uuid)
    assert (after["totalCapacity"], after["availablePhysicalCapacity"]) == (2 << 40, 1 << 40)
    assert before["totalCapacity"] == 2 << 44


async def test_a_primary_storage_that_no_host_has_is_disconnected(cloud: Cloud) -> None:
    uuid = cloud.uuids["primary"]
    for host in cloud.hosts:
        host.faults.by_verb["EnsureStorage"] = 1.0
    for name in ("ReconnectPrimaryStorage", "SyncPrimaryStorageCapacity"):
        field = "uuid" if name.startswith("Reconnect") else "primaryStorageUuid"
        error = await cloud.refused(name, **{field: uuid})
        assert (error["code"], error["cause"]["code"]) == ("PS.1000", "AGENT.1000")
        assert f"primary storage primary[uuid:{uuid}]: host host1: EnsureStorage failed" in error["details"]
        assert "host host2" in error["details"]
    assert (await cloud.one("QueryPrimaryStorage", uuid))["status"] == "Disconnected"
    error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
    assert error["code"] == "HOST_ALLOCATION.1000"
    for host in cloud.hosts:
        host.faults.by_verb.clear()
    assert (await cloud.call("ReconnectPrimaryStorage", uuid=uuid))["status"] == "Connected"
    # The backup storage on one of these hosts may have been measured meanwhile.
    backup = cloud.uuids["backup"]
    await cloud.until(
        lambda: cloud.one("QueryBackupStorage", backup), lambda found: found["status"] == "Connected"
    )
    assert (await cloud.vm())["state"] == "Running"
    for host in cloud.hosts:
        host.reachable = False
        host.cut("the cable")
    await cloud.until(
        lambda: cloud.query("QueryHost"), lambda found: {h["status"] for h in found} == {"Disconnected"}
    )
    error = await cloud.refused("ReconnectPrimaryStorage", uuid=uuid)
    assert error["code"] == "PS.1000"
    assert error["details"].startswith("no host of primary storage primary")


async def test_words_states_and_machine_of_backup_storage(cloud: Cloud) -> None:
    uuid = cloud.uuids["backup"]
    changed = await cloud.call("UpdateBackupStorage", uuid=uuid, name="images", description="d")
    assert (changed["name"], changed["description"]) == ("images", "d")
    state = await cloud.call("ChangeBackupStorageState", uuid=uuid, stateEvent="disable")
    assert state["state"] == "Disabled"
    image = {"name": "i", "url": "http://images/i", "format": "qcow2", "backupStorageUuids": [uuid]}
    async with cloud.untouched():
        error = await cloud.refused("AddImage", **image)
    assert (error["code"], "is Disabled and Connected" in error["details"]) == ("SYS.1006", True)
    await cloud.call("ChangeBackupStorageState", uuid=uuid, stateEvent="enable")
    assert (await cloud.call("AddImage", **image))["status"] == "Ready"
    moved = await cloud.call(
        "UpdateSftpBackupStorage", uuid=uuid, name="moved", hostname="10.0.0.2", username="root", password="x"
    )
    assert (moved["name"], moved["hostname"]) == ("moved", "10.0.0.2")
    assert (await cloud.call("ReconnectSftpBackupStorage", uuid=uuid))["status"] == "Connected"
    assert uuid in cloud.hosts[1].things.roots
    other = await cloud.make(
        "other", "AddSftpBackupStorage", url="/zstack_bs", hostname="10.0.0.1", username="root", password="x"
    )
    error = await cloud.refused("UpdateSftpBackupStorage", uuid=other, hostname="10.0.0.2")
    assert error["code"] == "SYS.1007"
    assert "url[/zstack_bs] of 10.0.0.2 is a backup storage already" in error["details"]
    cloud.hosts[1].reachable = False
    error = await cloud.refused("UpdateSftpBackupStorage", uuid=other, hostname="10.0.0.2", password="x")
    assert error["code"] == "SYS.1007"  # the twin is told of before the machine is touched
    error = await cloud.refused("UpdateSftpBackupStorage", uuid=uuid, password="x")
    assert (error["code"], error["cause"]["code"]) == ("BS.1000", "HOST.1003")


async def test_sftp_storages_are_told_from_simulated_ones(cloud: Cloud) -> None:
    simulated = await cloud.make("sim", "AddSimulatorBackupStorage", url="/simulated/bs")
    assert {each["uuid"] for each in await cloud.query("QueryBackupStorage")} == {
        simulated,
        cloud.uuids["backup"],
    }
    (sftp,) = await cloud.query("QuerySftpBackupStorage")
    assert (sftp["uuid"], sftp["hostname"]) == (cloud.uuids["backup"], "10.0.0.1")
    assert await cloud.query("QuerySftpBackupStorage", uuid=simulated) == []
    error = await cloud.refused("UpdateSftpBackupStorage", uuid=simulated)
    assert error["code"] == "SYS.1007"
    assert "is a SimulatorBackupStorage, not a SftpBackupStorage" in error["details"]
    for uuid in (simulated, "0" * 32):
        error = await cloud.refused("ReconnectSftpBackupStorage", uuid=uuid)
        assert error["details"] == (
            f"invalid field[uuid], resource[uuid:{uuid}, type:SftpBackupStorageVO] not found"
        )


async def test_an_ssh_password_is_no_longer_than_zstack_takes(cloud: Cloud) -> None:
    fields = {"name": "s", "hostname": "10.0.0.1", "username": "root", "url": "/other", "password": "x" * 256}
    error = await cloud.refused("AddSftpBackupStorage", **fields)
    assert error["code"] == "SYS.1007"
    assert error["details"].endswith("exceeds max length of string. expected was <= 255, actual was 256")
    await cloud.call("AddSftpBackupStorage", **{**fields, "password": "x" * 255})


async def test_which_host_has_a_volume(cloud: Cloud) -> None:
    vm = await cloud.vm(hostUuid=cloud.uuids["host2"])
    volume = vm["allVolumes"][0]
    (ref,) = await cloud.query("QueryLocalStorageResourceRef", resourceUuid=volume["uuid"])
    assert {name: ref[name] for name in ("primaryStorageUuid", "hostUuid", "size", "resourceType")} == {
        "primaryStorageUuid": cloud.uuids["primary"], "hostUuid": cloud.uuids["host2"], "size": volume["size"],
        "resourceType": "VolumeVO",
    }  # fmt: skip
    await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
    assert len(await cloud.query("QueryLocalStorageResourceRef")) == 1
    await cloud.call("ExpungeVmInstance", uuid=vm["uuid"])
    assert await cloud.query("QueryLocalStorageResourceRef") == []


async def test_no_vm_is_placed_in_a_disabled_cluster(cloud: Cloud) -> None:
    await cloud.call("ChangeClusterState", uuid=cloud.uuids["cluster"], stateEvent="disable")
    error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
    assert error["code"] == "HOST_ALLOCATION.1000"
    assert "no host is Enabled and Connected" in error["details"]
    assert "in a cluster that is Disabled" in error["details"]
    await cloud.call("ChangeClusterState", uuid=cloud.uuids["cluster"], stateEvent="enable")
    assert (await cloud.vm())["memorySize"] == GIB // 4


async def test_a_storage_whose_machine_was_a_host_too_is_left_whole_right_after_that(cloud: Cloud) -> None:
    (host,) = [each for each in cloud.hosts if each.address == "10.0.0.1"]
    await cloud.call("DeleteImage", uuid=cloud.uuids["image"])
    await cloud.call("ExpungeImage", imageUuid=cloud.uuids["image"])
    await cloud.call("DeleteHost", uuid=cloud.uuids["host1"])
    assert (await cloud.one("QueryBackupStorage", cloud.uuids["backup"]))["status"] == "Connected"
    assert cloud.uuids["backup"] in host.things.storage
    await cloud.call("DeleteBackupStorage", uuid=cloud.uuids["backup"])
    assert cloud.uuids["backup"] not in host.things.storage
    assert host._owner is None


async def test_links_of_storages_are_numbered_as_they_were_attached(cloud: Cloud) -> None:
    zone, first = cloud.uuids["zone"], cloud.uuids["cluster"]
    second = await cloud.make("second", "CreateCluster", zoneUuid=zone, hypervisorType="KVM")
    other = await cloud.make("other", "CreateZone")
    primary, backup = cloud.uuids["primary"], cloud.uuids["backup"]
    await cloud.call("AttachPrimaryStorageToCluster", primaryStorageUuid=primary, clusterUuid=second)
    await cloud.call("AttachBackupStorageToZone", backupStorageUuid=backup, zoneUuid=other)

    async def linked(query: str, condition: str) -> list[str]:
        name, value = condition.split("=")
        return [each["uuid"] for each in await cloud.query(query, **{name: value})]

    assert await linked("QueryCluster", "primaryStorageRef.id=1") == [first]
    assert await linked("QueryCluster", "primaryStorageRef.id=2") == [second]
    assert await linked("QueryZone", "backupStorageRef.id=1") == [zone]
    assert await linked("QueryZone", "backupStorageRef.id=2") == [other]
    assert await linked("QueryPrimaryStorage", "clusterRef.id=2") == [primary]
    assert await linked("QueryBackupStorage", "zoneRef.id=3") == []
