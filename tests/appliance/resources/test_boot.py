"""ISOs and boot orders: put in and taken out of VMs that run and rest, installed from, whole or not at all."""

from __future__ import annotations

import pytest

from appliance.hosts.simulated_domain import Domain
from tests.simulated_cloud import GIB, Body, Cloud


@pytest.fixture
async def iso(cloud: Cloud) -> str:
    """An ISO on the backup storage, its uuid."""
    return await cloud.make(
        "iso", "AddImage", url="http://images/install.iso", format="iso", mediaType="ISO",
        backupStorageUuids=[cloud.uuids["backup"]],
    )  # fmt: skip


def domain(cloud: Cloud, vm: Body) -> Domain:
    return cloud.host_of(vm["uuid"]).domains[vm["uuid"]]


async def insert(cloud: Cloud, vm: Body, iso: str) -> Body:
    return await cloud.call("AttachIsoToVmInstance", vmInstanceUuid=vm["uuid"], isoUuid=iso)


async def order(cloud: Cloud, vm: Body) -> list[str]:
    found: list[str] = (await cloud.answer("GetVmBootOrder", uuid=vm["uuid"]))["order"]
    return found


async def tags(cloud: Cloud, vm: Body) -> list[str]:
    return sorted(tag["tag"] for tag in await cloud.query("QuerySystemTag", resourceUuid=vm["uuid"]))


async def test_an_iso_is_in_the_drive_of_a_running_vm_at_once(cloud: Cloud, iso: str) -> None:
    vm = await cloud.vm()
    assert domain(cloud, vm).iso == ""
    assert (await insert(cloud, vm, iso))["state"] == "Running"
    path = domain(cloud, vm).iso
    assert path.endswith(f"/imagecache/iso/{iso}/{iso}.iso")
    assert path in cloud.host_of(vm["uuid"]).things.files
    assert await tags(cloud, vm) == [f"iso::{iso}"]
    assert await order(cloud, vm) == ["HardDisk"], "what is in the drive does not say what a VM boots from"
    await cloud.call("DetachIsoFromVmInstance", vmInstanceUuid=vm["uuid"])
    assert (domain(cloud, vm).iso, domain(cloud, vm).starts, await tags(cloud, vm)) == ("", 1, [])


async def test_an_iso_waits_for_the_start_of_a_stopped_vm(cloud: Cloud, iso: str) -> None:
    vm = await cloud.vm()
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    assert (await insert(cloud, vm, iso))["state"] == "Stopped"
    assert domain(cloud, vm).iso == ""
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert domain(cloud, vm).iso.endswith(f"{iso}.iso")
    assert domain(cloud, vm).booted_from == ("hd",)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("DetachIsoFromVmInstance", vmInstanceUuid=vm["uuid"])
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert domain(cloud, vm).iso == ""


async def test_to_empty_an_empty_drive_succeeds(cloud: Cloud) -> None:
    vm = await cloud.vm()
    await cloud.call("DetachIsoFromVmInstance", vmInstanceUuid=vm["uuid"])
    assert domain(cloud, vm).iso == ""


async def test_a_drive_takes_one_iso(cloud: Cloud, iso: str) -> None:
    vm = await cloud.vm()
    await insert(cloud, vm, iso)
    async with cloud.untouched():
        error = await cloud.refused("AttachIsoToVmInstance", vmInstanceUuid=vm["uuid"], isoUuid=iso)
    assert error["code"] == "SYS.1006"
    assert error["details"] == f"VM[uuid:{vm['uuid']}] already has an ISO[uuid:{iso}] attached"


async def test_only_an_iso_that_is_ready_fits(cloud: Cloud, iso: str) -> None:
    vm, template = await cloud.vm(), cloud.uuids["image"]
    async with cloud.untouched():
        error = await cloud.refused("AttachIsoToVmInstance", vmInstanceUuid=vm["uuid"], isoUuid=template)
    assert error["code"] == "SYS.1007"
    assert f"isoUuid[{template}] is a RootVolumeTemplate" in error["details"]
    await cloud.call("ChangeImageState", uuid=iso, stateEvent="disable")
    async with cloud.untouched():
        error = await cloud.refused("AttachIsoToVmInstance", vmInstanceUuid=vm["uuid"], isoUuid=iso)
    assert error["code"] == "SYS.1006"
    assert "is Ready and Disabled" in error["details"]


async def test_an_iso_that_cannot_be_brought_leaves_the_drive_empty(cloud: Cloud, iso: str) -> None:
    vm = await cloud.vm()
    before = await tags(cloud, vm)
    cloud.host_of(vm["uuid"]).faults.by_verb["CopyFile"] = 1.0
    cloud.host_of(vm["uuid"]).faults.by_verb["DefineDomain"] = 1.0
    await cloud.refused("AttachIsoToVmInstance", vmInstanceUuid=vm["uuid"], isoUuid=iso)
    cloud.host_of(vm["uuid"]).faults.by_verb.clear()
    await cloud.idle()
    assert await tags(cloud, vm) == before
    assert domain(cloud, vm).iso == ""
    await insert(cloud, vm, iso)
    assert domain(cloud, vm).iso


async def test_a_boot_order_counts_from_the_next_start(cloud: Cloud) -> None:
    vm = await cloud.vm()
    assert await order(cloud, vm) == ["HardDisk"]
    answer = await cloud.call("SetVmBootOrder", uuid=vm["uuid"], bootOrder=["CdRom", "HardDisk"])
    assert (answer["uuid"], await order(cloud, vm)) == (vm["uuid"], ["CdRom", "HardDisk"])
    assert domain(cloud, vm).booted_from == ("hd",)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert domain(cloud, vm).booted_from == ("cdrom", "hd")
    assert await tags(cloud, vm) == ["bootOrder::CdRom,HardDisk"]
    await cloud.call("SetVmBootOrder", uuid=vm["uuid"])
    assert (await order(cloud, vm), await tags(cloud, vm)) == (["HardDisk"], [])


@pytest.mark.parametrize(("wrong", "named"), [("Floppy", "Floppy"), ("hd", "hd"), ("CdRom,CdRom", "CdRom")])
async def test_a_boot_order_of_what_is_not_there(cloud: Cloud, wrong: str, named: str) -> None:
    vm = await cloud.vm()
    async with cloud.untouched():
        error = await cloud.refused("SetVmBootOrder", uuid=vm["uuid"], bootOrder=wrong.split(","))
    assert error["code"] == "SYS.1007"
    assert error["details"] == f"invalid boot device[{named}] in boot order[{wrong}]"


async def test_a_vm_made_from_an_iso_boots_from_it_until_its_guest_restarts(cloud: Cloud, iso: str) -> None:
    disk = await cloud.make("disk", "CreateDiskOffering", diskSize=4 * GIB)
    vm = await cloud.vm(imageUuid=iso, rootDiskOfferingUuid=disk)
    assert domain(cloud, vm).booted_from == ("cdrom",)
    assert domain(cloud, vm).order == ("hd",)
    assert domain(cloud, vm).iso.endswith(f"{iso}.iso")
    assert await order(cloud, vm) == ["HardDisk"]
    root = await cloud.one("QueryVolume", vm["rootVolumeUuid"])
    assert (root["size"], root["diskOfferingUuid"], "rootImageUuid" in root) == (4 * GIB, disk, False)
    assert vm["imageUuid"] == iso
    assert root["installPath"] not in cloud.host_of(vm["uuid"]).things.backings
    await cloud.call("RebootVmInstance", uuid=vm["uuid"])
    assert domain(cloud, vm).booted_from == ("hd",)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert domain(cloud, vm).booted_from == ("hd",)


async def test_what_it_is_installed_on_must_be_said_and_only_then(cloud: Cloud, iso: str) -> None:
    disk = await cloud.make("disk", "CreateDiskOffering", diskSize=GIB)
    async with cloud.untouched():
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(imageUuid=iso))
        assert error["code"] == "SYS.1007"
        assert "rootDiskOfferingUuid cannot be null when image media type is ISO" in error["details"]
        error = await cloud.refused("CreateVmInstance", **cloud.vm_fields(rootDiskOfferingUuid=disk))
        assert (error["code"], error["details"]) == (
            "SYS.1007",
            "rootDiskOfferingUuid is for ISO images only; leave it out",
        )


async def test_an_iso_whose_image_is_gone_stays_in_the_drive(cloud: Cloud, iso: str) -> None:
    vm = await cloud.vm()
    await insert(cloud, vm, iso)
    await cloud.call("DeleteImage", uuid=iso)
    await cloud.call("ExpungeImage", imageUuid=iso)
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    assert domain(cloud, vm).iso.endswith(f"{iso}.iso")
