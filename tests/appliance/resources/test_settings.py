"""Global configs do what they say from the moment they change, and refuse what makes no sense in ZStack's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent.protocol import Capacity
from appliance.api.errors import ApiError
from appliance.api.host import Host
from appliance.api.setting import SETTINGS
from appliance.api.vm import VmInstance
from appliance.plans.vm_spec import domain_spec
from appliance.reconcile.backup_storage import BackupStorageWorker
from appliance.reconcile.context import Context
from appliance.reconcile.figures import Sampler
from appliance.reconcile.host import HostWorker
from appliance.reconcile.vm_rows import vm_rows
from appliance.store.snapshot import Snapshot
from tests.simulated_cloud import GIB, PATIENCE_SECONDS, Body, Cloud
from tests.tenants import Tenants


async def put(cloud: Cloud, category: str, name: str, value: str) -> None:
    await cloud.call("UpdateGlobalConfig", category=category, name=name, value=value)


async def memory(cloud: Cloud) -> int:
    return int((await cloud.one("QueryHost", cloud.uuids["host1"]))["availableMemoryCapacity"])


@pytest.mark.parametrize(
    ("level", "key", "vo", "tag"),
    [
        ("hostLevel", "host1", "HostVO", "reservedMemory::1G"),
        ("clusterLevel", "cluster", "ClusterVO", "host::reservedMemory::1G"),
        ("zoneLevel", "zone", "ZoneVO", "host::reservedMemory::1G"),
    ],
)
async def test_a_level_keeps_room_only_while_it_counts(
    cloud: Cloud, level: str, key: str, vo: str, tag: str
) -> None:
    await put(cloud, "kvm", "reservedMemory", "0")
    before = await memory(cloud)
    await cloud.call("CreateSystemTag", resourceType=vo, resourceUuid=cloud.uuids[key], tag=tag)
    assert await memory(cloud) == before - GIB
    await put(cloud, "hostAllocator", f"reservedCapacity.{level}", "false")
    assert await memory(cloud) == before
    await put(cloud, "hostAllocator", f"reservedCapacity.{level}", "true")
    assert await memory(cloud) == before - GIB


@pytest.mark.parametrize(("value", "cache"), [("0", "none"), ("1", "writethrough"), ("2", "writeback")])
async def test_the_cache_of_disks(cloud: Cloud, value: str, cache: str) -> None:
    await put(cloud, "kvm", "vm.cacheMode", value)
    vm = await cloud.vm()

    def caches(snapshot: Snapshot) -> set[str]:
        host = snapshot.get(Host, vm["hostUuid"])
        return {
            disk.cache
            for disk in domain_spec(vm_rows(snapshot, snapshot.get(VmInstance, vm["uuid"]), host)).disks
        }

    assert await cloud.database.read(caches) == {cache}


async def test_placing_leaves_the_reserve_of_a_primary_storage_free(cloud: Cloud) -> None:
    primary = cloud.uuids["primary"]
    (disk,) = {each["availableCapacity"] for each in await disks(cloud)}
    small = await cloud.make("small", "CreateDiskOffering", diskSize=GIB)
    vm = await cloud.vm()
    await cloud.call("DestroyVmInstance", uuid=(await cloud.vm())["uuid"])
    volume = (await cloud.call("CreateDataVolume", name="data", diskOfferingUuid=small))["uuid"]
    image = await cloud.make(
        "template", "AddImage", url="http://images/t.qcow2", format="qcow2", mediaType="DataVolumeTemplate",
        backupStorageUuids=[cloud.uuids["backup"]],
    )  # fmt: skip
    calls: dict[str, Any] = {
        "CreateVmInstance": cloud.vm_fields(name="more"),
        "AttachDataVolumeToVm": {"volumeUuid": volume, "vmInstanceUuid": vm["uuid"]},
        "CreateDataVolumeFromVolumeTemplate": {
            "imageUuid": image, "name": "made", "primaryStorageUuid": primary, "hostUuid": vm["hostUuid"],
        },
        "MigrateVm": {"vmInstanceUuid": vm["uuid"]},
    }  # fmt: skip
    await put(cloud, "primaryStorage", "reservedCapacity", str(disk))
    for name, fields in calls.items():
        async with cloud.untouched():
            details = (await cloud.refused(name, **fields))["details"]
        assert "left above the reserve" in details
        assert "primaryStorage reservedCapacity" in details
    assert {each["totalCapacity"] for each in await disks(cloud)} == {disk}  # what is left is told as ever
    await put(cloud, "primaryStorage", "reservedCapacity", str(disk - 3 * GIB))
    for name, fields in calls.items():
        await cloud.call(name, **fields)


async def test_adding_images_leaves_the_reserve_of_a_backup_storage_free(cloud: Cloud) -> None:
    backup = cloud.uuids["backup"]
    vm = await cloud.vm()
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    fields = {"format": "qcow2", "backupStorageUuids": [backup]}
    calls: list[tuple[str, Any]] = [
        ("AddImage", {"name": "fetched", "url": "http://images/f.qcow2", **fields}),
        ("CreateRootVolumeTemplateFromRootVolume", {"name": "made", "rootVolumeUuid": vm["rootVolumeUuid"]}),
        (
            "CreateVolumeBackup",
            {"name": "saved", "volumeUuid": vm["rootVolumeUuid"], "backupStorageUuid": backup},
        ),
    ]
    free = (await cloud.one("QueryBackupStorage", backup))["availableCapacity"]
    await put(cloud, "backupStorage", "reservedCapacity", str(free))
    for name, words in calls:
        error = await cloud.refused(name, **words)
        assert f"{free} are free, of which {free} are kept in reserve" in error["details"]
    _, job = await cloud.begin("AddImage", name="sent", url="upload://sent.qcow2", **fields)
    assert job is not None
    (sent,) = await cloud.query("QueryImage", name="sent")

    async def content() -> AsyncIterator[bytes]:
        yield b"\0" * 512

    with pytest.raises(ApiError, match="are kept in reserve"):
        await cloud.core.transfers.take(sent["uuid"], content(), 512, 0)
    await put(cloud, "backupStorage", "reservedCapacity", "1G")
    for name, words in calls:
        await cloud.call(name, **words)
    await cloud.core.transfers.take(sent["uuid"], content(), 512, 0)
    assert (await cloud.ended(job))["success"]


async def test_a_hosts_copy_of_an_image_leaves_the_reserve_of_its_primary_storage_free(cloud: Cloud) -> None:
    for host in cloud.hosts:
        full = Capacity(total_bytes=GIB * 1000, available_bytes=GIB)
        host.things.capacities[cloud.uuids["primary"]] = host.things.storage[cloud.uuids["primary"]] = full
    error = await cloud.refused("CreateVmInstance", **cloud.vm_fields())
    assert f"{GIB} are free, of which {GIB} are kept in reserve" in error["details"]
    await put(cloud, "primaryStorage", "reservedCapacity", "512M")
    await cloud.vm()


async def disks(cloud: Cloud) -> list[Body]:
    reply = await cloud.answer("GetLocalStorageHostDiskCapacity", primaryStorageUuid=cloud.uuids["primary"])
    return reply["inventories"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("forgets", [True, False])
async def test_vms_and_volumes_forget_an_offering_that_is_deleted_or_keep_its_uuid(
    cloud: Cloud, forgets: bool
) -> None:
    await put(cloud, "vm", "instanceOffering.setNullWhenDeleting", str(forgets).lower())
    await put(cloud, "volume", "diskOffering.setNullWhenDeleting", str(forgets).lower())
    disk = await cloud.make("disk", "CreateDiskOffering", diskSize=GIB)
    vm = await cloud.vm()
    volume = await cloud.call("CreateDataVolume", name="data", diskOfferingUuid=disk)
    await cloud.call("DeleteInstanceOffering", uuid=cloud.uuids["offering"])
    await cloud.call("DeleteDiskOffering", uuid=disk)
    assert ("instanceOfferingUuid" in await cloud.one("QueryVmInstance", vm["uuid"])) is not forgets
    assert ("diskOfferingUuid" in await cloud.one("QueryVolume", volume["uuid"])) is not forgets


async def test_how_often_a_backup_storage_is_looked_at(cloud: Cloud) -> None:
    await put(cloud, "backupStorage", "ping.interval", "7")
    context = Context(cloud.database, cloud.core.fleet, cloud.core.loop.poke, cloud.core.loop.poke_in_turn)
    worker = BackupStorageWorker(context, cloud.uuids["backup"])
    assert (await worker.advance()).seconds == 7.0


@pytest.mark.parametrize(
    ("category", "worker", "name"),
    [
        ("host.ping.interval", HostWorker, "_mend"),
        ("backupStorage.ping.interval", BackupStorageWorker, "_connect"),
        ("monitor.interval", Sampler, "round"),
    ],
)
async def test_a_shorter_interval_does_not_wait_for_the_longer_one(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, category: str, worker: type, name: str
) -> None:
    """It begins when it is set, however long who looks would have slept still."""
    category, _, setting = category.partition(".")
    await put(cloud, category, setting, "100000")
    looks = AtOnce(monkeypatch, worker, name)
    await looks.seen(cloud, "Host", [])
    await put(cloud, category, setting, "1")
    await looks.after(3)


async def test_lost_hosts_are_tried_again_as_soon_as_that_is_wanted(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(cloud, "host", "connection.autoReconnectOnError", "false")
    host, uuid = cloud.hosts[0], cloud.uuids["host1"]
    host.reachable = False
    host.cut("unplugged")
    await cloud.until(
        lambda: cloud.one("QueryHost", uuid), lambda found: "does not answer" in found.get("statusReason", "")
    )
    host.reachable = True
    await put(cloud, "host", "connection.autoReconnectOnError", "true")
    await cloud.until(lambda: cloud.one("QueryHost", uuid), lambda found: found["status"] == "Connected")


class AtOnce:
    """How many are in a method of a worker's at once; each stays a moment, for others to come."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, worker: type, name: str) -> None:
        real = getattr(worker, name)
        self.inside = self.most = self.done = 0

        async def counted(*words: Any) -> Any:
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                for _ in range(20):
                    if self.inside == 2:
                        break
                    await asyncio.sleep(0.01)
                return await real(*words)
            finally:
                self.inside -= 1
                self.done += 1

        monkeypatch.setattr(worker, name, counted)

    async def seen(self, cloud: Cloud, kind: str, uuids: list[str]) -> int:
        """The most at once of workers that are all woken now."""
        await self._until_done(0)
        self.most = self.done = 0
        for uuid in uuids:
            cloud.core.loop.poke(kind, uuid)
        await self._until_done(len(uuids))
        return self.most

    async def after(self, count: int) -> None:
        """Wait for so many."""
        await self._until_done(count)

    async def _until_done(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.done < count or self.inside:
                await asyncio.sleep(0.01)


async def test_how_many_hosts_are_scanned_at_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = AtOnce(monkeypatch, HostWorker, "_mend")
    hosts = [cloud.uuids["host1"], cloud.uuids["host2"]]
    for value, most in (("1", 1), ("2", 2), ("1", 1)):
        await put(cloud, "host", "ping.parallelismDegree", value)
        assert await at_once.seen(cloud, "Host", hosts) == most


async def test_how_many_hosts_are_connected_at_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = AtOnce(monkeypatch, HostWorker, "_connect")
    hosts = [cloud.uuids["host1"], cloud.uuids["host2"]]
    for everything, degree, most in (("true", "1", 2), ("false", "1", 1), ("false", "2", 2)):
        await put(cloud, "host", "load.all", everything)
        await put(cloud, "host", "load.parallelismDegree", degree)
        at_once.most = 0
        async with asyncio.TaskGroup() as group:
            for uuid in hosts:
                group.create_task(cloud.call("ReconnectHost", uuid=uuid))
        assert at_once.most == most


async def test_how_many_backup_storages_are_looked_at_at_once(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await cloud.make("other", "AddSimulatorBackupStorage", url="/simulated/bs")
    at_once = AtOnce(monkeypatch, BackupStorageWorker, "_connect")
    for value, most in (("1", 1), ("2", 2)):
        await put(cloud, "backupStorage", "ping.parallelismDegree", value)
        assert await at_once.seen(cloud, "BackupStorage", [cloud.uuids["backup"], other]) == most


@pytest.mark.parametrize(
    ("category", "name", "value", "words"),
    [
        ("vm", "nothing", "1", "Unable to find GlobalConfig[category: vm, value: nothing]"),
        ("vm", "deletionPolicy", "Sometimes",
         "Sometimes is not a valid value. Valid values are [Direct, Delay, Never]"),
        ("vm", "expungePeriod", "abc", "abc is not a number"),
        ("vm", "expungePeriod", "-1",
         "Global config[category: vm, name: expungePeriod] must be greater than 0, but got -1"),
        ("host", "load.parallelismDegree", "0",
         "Global config[category: host, name: load.parallelismDegree] must be greater than 0, but got 0"),
        ("host", "ping.parallelismDegree", "all", "all is not a number"),
        ("kvm", "vm.consoleMode", "tty", "tty is not a valid value. Valid values are [vnc, spice]"),
        ("kvm", "vm.cpuMode", "fast",
         "fast is not a valid value. Valid values are [none, host-model, host-passthrough]"),
        ("kvm", "vm.cacheMode", "3", "3 is not a valid value. Valid values are [0, 1, 2]"),
        ("kvm", "reservedMemory", "much", "much is not a size like 512M"),
        ("primaryStorage", "reservedCapacity", "-1", "-1 is not a size like 512M"),
        ("backupStorage", "reservedCapacity", "1.5G", "1.5G is not a size like 512M"),
        ("kvm", "dataVolume.maxNum", "25",
         "Global config[category: kvm, name: dataVolume.maxNum] must be in range of [0, 24], but got 25"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(
    cloud: Cloud, category: str, name: str, value: str, words: str
) -> None:
    async with cloud.untouched():
        error = await cloud.refused("UpdateGlobalConfig", category=category, name=name, value=value)
        assert (error["code"], error["details"]) == ("SYS.1007", words)


async def test_no_time_at_all_is_no_mistake(cloud: Cloud) -> None:
    changed = await cloud.call("UpdateGlobalConfig", category="image", name="expungePeriod", value="0")
    assert (changed["value"], changed["defaultValue"]) == ("0", "86400")
    again = await cloud.call("UpdateGlobalConfig", category="image", name="expungePeriod")
    assert again["value"] == "86400"


async def test_no_number_is_larger_than_what_reads_it_can_take(cloud: Cloud, tenants: Tenants) -> None:
    for setting in SETTINGS:
        if not setting.number:
            continue
        for value in (str(setting.maximum + 1), "9" * 25, "9" * 5000):
            words = {"category": setting.category, "name": setting.name, "value": value}
            error = await cloud.refused("UpdateGlobalConfig", **words)
            assert error["code"] == "SYS.1007"
            assert "must be in range of [" in error["details"]
        if setting.name != "reservedCpu":  # of which no host has so much
            await put(cloud, setting.category, setting.name, str(setting.maximum))
    # Whatever reads settings goes on: accounts with their quotas, sessions, VMs, what is deleted.
    await tenants.account("tenant")
    vm = await cloud.vm()
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
    assert (await cloud.one("QueryVmInstance", vm["uuid"]))["state"] == "Destroyed"
