"""Global configs do what they say from the moment they change, and refuse what makes no sense in ZStack's words."""

from __future__ import annotations

import pytest

from appliance.api.host import Host
from appliance.api.setting import SETTINGS
from appliance.api.vm import VmInstance
from appliance.plans.vm_spec import domain_spec
from appliance.reconcile.backup_storage import BackupStorageWorker
from appliance.reconcile.context import Context
from appliance.reconcile.vm_rows import vm_rows
from appliance.store.snapshot import Snapshot
from tests.simulated_cloud import GIB, Cloud
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
    context = Context(cloud.database, cloud.core.fleet, lambda kind, uuid: None)
    worker = BackupStorageWorker(context, cloud.uuids["backup"])
    assert (await worker.advance()).seconds == 7.0


@pytest.mark.parametrize(
    ("category", "name", "value", "words"),
    [
        ("vm", "nothing", "1", "Unable to find GlobalConfig[category: vm, value: nothing]"),
        ("vm", "deletionPolicy", "Sometimes",
         "Sometimes is not a valid value. Valid values are [Direct, Delay, Never]"),
        ("vm", "expungePeriod", "abc", "abc is not a number"),
        ("vm", "expungePeriod", "-1",
         "Global config[category: vm, name: expungePeriod] must be greater than 0, but got -1"),
        ("kvm", "vm.consoleMode", "tty", "tty is not a valid value. Valid values are [vnc, spice]"),
        ("kvm", "vm.cpuMode", "fast",
         "fast is not a valid value. Valid values are [none, host-model, host-passthrough]"),
        ("kvm", "vm.cacheMode", "3", "3 is not a valid value. Valid values are [0, 1, 2]"),
        ("kvm", "reservedMemory", "much", "much is not a size like 512M"),
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
