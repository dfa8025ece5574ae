"""ISOs in real guests: a system installed from one, and one that changes in a drive while its guest reads."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from appliance.lab.cloud import tiny_image
from appliance.plans.naming import cached_image
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import STORAGE, Stage, installer, until

GIB = 1 << 30
READ = "mount -t iso9660 -o ro /dev/sr0 /mnt && md5sum </mnt/vmlinuz; umount /mnt"
NO_MEDIUM = "head -c 1 /dev/sr0"


@pytest_asyncio.fixture(loop_scope="session")
async def iso(cloud: Stage) -> AsyncIterator[str]:
    """The tiny image's installer."""
    async with installer(cloud) as uuid:
        yield uuid


@pytest_asyncio.fixture(loop_scope="session")
async def disk(cloud: Stage) -> AsyncIterator[str]:
    """A disk offering of 1 GiB."""
    made = (await cloud.session.call("CreateDiskOffering", name="root", disk_size=GIB))["inventory"]["uuid"]
    yield str(made)
    await cloud.session.call("DeleteDiskOffering", uuid=made)


async def order(cloud: Stage, guest: Guest) -> list[str]:
    reply: dict[str, Any] = await cloud.session.call("GetVmBootOrder", uuid=guest.uuid)
    return list(reply["order"])


async def in_drive(cloud: Stage, guest: Guest) -> str:
    """What virsh says is in the CD-ROM drive of a running guest; `-` is nothing."""
    lines = (await cloud.virsh(guest.host, "domblklist", guest.uuid)).splitlines()
    return next(line.split()[1] for line in lines if line.split()[:1] == ["hdc"])


@pytest.mark.timeout(300)
async def test_a_system_is_installed_from_an_iso_and_starts_from_its_disk(
    cloud: Stage, vm: VmFactory, iso: str, disk: str
) -> None:
    guest = await vm("installed", image=iso, root_disk_offering_uuid=disk)
    assert await order(cloud, guest) == ["HardDisk"]
    assert await in_drive(cloud, guest) == cached_image(STORAGE, iso, "iso")
    await guest.says(r"^zstui-tiny: installed on /dev/vda, restarting")
    await guest.booted()  # nobody did anything: its guest restarted, and came up from the disk
    assert guest.serial().count("zstui-tiny: installing") == 1
    assert int(await guest.ssh("cat /sys/block/vda/size")) == GIB // 512
    assert (await guest.refresh()).state == "Running"
    told = len(guest.serial())
    await guest.ssh("reboot", check=False)
    await guest.booted(after=told)
    told = len(guest.serial())
    await guest.stop()
    await (await guest.start()).booted(after=told)
    assert guest.serial().count("zstui-tiny: installing") == 1
    assert await in_drive(cloud, guest) == cached_image(STORAGE, iso, "iso")


@pytest.mark.timeout(300)
async def test_a_guest_reads_what_is_put_into_its_drive_and_no_longer_what_is_taken_out(
    cloud: Stage, vm: VmFactory, iso: str
) -> None:
    call = cloud.session.call
    guest = await (await vm("reads")).booted()
    path = cached_image(STORAGE, iso, "iso")
    await guest.ssh("load-modules cdrom; test -b /dev/sr0")
    assert "No medium" in await guest.ssh(f"{NO_MEDIUM} 2>&1", check=False)

    await call("AttachIsoToVmInstance", vm_instance_uuid=guest.uuid, iso_uuid=iso, timeout_seconds=60)
    assert await in_drive(cloud, guest) == path
    await until(lambda: _reads(guest), what="the ISO in the guest")
    assert await order(cloud, guest) == ["HardDisk"]

    told = len(guest.serial())
    await guest.stop()
    await (await guest.start()).booted(after=told)
    assert await in_drive(cloud, guest) == path, "what is in the drive stays there"
    await guest.ssh("load-modules cdrom")
    await until(lambda: _reads(guest), what="the ISO in the guest, after a restart")

    await call("DetachIsoFromVmInstance", vm_instance_uuid=guest.uuid, timeout_seconds=60)
    assert await in_drive(cloud, guest) == "-"
    assert "No medium" in await guest.ssh(f"{NO_MEDIUM} 2>&1", check=False)


@pytest.mark.timeout(300)
async def test_a_boot_order_is_what_the_next_start_takes(cloud: Stage, vm: VmFactory, iso: str) -> None:
    call = cloud.session.call
    guest = await (await vm("order")).booted()
    await call("AttachIsoToVmInstance", vm_instance_uuid=guest.uuid, iso_uuid=iso, timeout_seconds=60)
    await call("SetVmBootOrder", uuid=guest.uuid, boot_order=["CdRom", "HardDisk"])
    assert await order(cloud, guest) == ["CdRom", "HardDisk"]
    told = len(guest.serial())
    await guest.ssh("reboot", check=False)
    await guest.booted(after=told)  # a restart of the guest is no start of the VM
    assert "zstui-tiny: installing" not in guest.serial()
    await guest.stop()
    await guest.start()
    await guest.says(r"^zstui-tiny: installing", after=told)
    await call("DestroyVmInstance", uuid=guest.uuid, timeout_seconds=60)


async def _reads(guest: Guest) -> bool:
    """Whether the guest reads the installer's kernel from the CD, byte for byte."""
    kernel = tiny_image().with_name("vmlinuz").read_bytes()
    words = (await guest.ssh(READ, check=False)).split()
    return words[:1] == [hashlib.md5(kernel, usedforsecurity=False).hexdigest()]
