"""Data volumes of real guests: plugged into one that runs and one that is off, and the same bytes on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from agent.protocol import serial_of
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import STORAGE, Stage, until

GIB = 1 << 30
PATTERN = bytes(range(256)) * 4096
"""A mebibyte that no blank disk has."""
SUM = hashlib.md5(PATTERN, usedforsecurity=False).hexdigest()
WRITE = (
    'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i+1)); done >/tmp/line; '
    "i=0; while [ $i -lt 64 ]; do cat /tmp/line; i=$((i+1)); done >/tmp/some; "
    "i=0; while [ $i -lt 64 ]; do cat /tmp/some; i=$((i+1)); done | dd of=/dev/vdb bs=1M seek=700 2>/dev/null; sync"
)
READ = "dd if=/dev/vdb bs=1M skip=700 count=1 2>/dev/null | md5sum"


@pytest_asyncio.fixture(loop_scope="session")
async def data(cloud: Stage) -> AsyncIterator[dict[str, Any]]:
    """A new data volume of 1 GiB, and nothing of it on any host afterwards."""
    call = cloud.session.call
    disk = (await call("CreateDiskOffering", name="disk", disk_size=GIB))["inventory"]["uuid"]
    made = (await call("CreateDataVolume", name="data", disk_offering_uuid=disk))["inventory"]
    yield made
    for left in await cloud.session.query("Volume", uuid=made["uuid"]):
        if left["status"] != "Deleted":
            await call("DeleteDataVolume", uuid=made["uuid"], timeout_seconds=60)
        await call("ExpungeDataVolume", uuid=made["uuid"], timeout_seconds=60)
    await call("DeleteDiskOffering", uuid=disk)


async def attach(cloud: Stage, guest: Guest, data: dict[str, Any]) -> dict[str, Any]:
    reply = await cloud.session.call(
        "AttachDataVolumeToVm", vm_instance_uuid=guest.uuid, volume_uuid=data["uuid"], timeout_seconds=60
    )
    return dict(reply["inventory"])


async def detach(cloud: Stage, data: dict[str, Any]) -> dict[str, Any]:
    reply = await cloud.session.call("DetachDataVolumeFromVm", uuid=data["uuid"], timeout_seconds=90)
    return dict(reply["inventory"])


async def sound(cloud: Stage, guest: Guest, path: str) -> dict[str, Any]:
    """What qemu-img says of a file that it finds no fault with."""
    await cloud.run(guest.host, "qemu-img", "check", "-q", "-f", "qcow2", path)
    return dict(json.loads(await cloud.run(guest.host, "qemu-img", "info", "-U", "--output=json", path)))


async def seen(guest: Guest) -> dict[str, int]:
    """The disks that a guest sees, by name, in KiB."""
    lines = (await guest.ssh("cat /proc/partitions")).splitlines()[2:]
    return {words[3]: int(words[2]) for words in map(str.split, lines) if len(words) == 4}


async def sees(guest: Guest, disk: str, size: int) -> bool:
    return (await seen(guest)).get(disk) == size // 1024


@pytest.mark.timeout(300)
async def test_what_a_guest_writes_on_a_volume_goes_where_the_volume_goes(
    cloud: Stage, vm: VmFactory, data: dict[str, Any]
) -> None:
    one = await (await vm("disks", host=1)).booted()
    data = await attach(cloud, one, data)
    path = str(data["installPath"])
    await until(lambda: sees(one, "vdb", GIB), what="the volume in the guest")  # which is told by ACPI
    assert (await one.ssh("cat /sys/block/vdb/serial")).strip() == serial_of(data["uuid"])
    await one.ssh(WRITE)
    assert (await one.ssh(READ)).split()[0] == SUM
    assert path in await cloud.virsh(one.host, "domblklist", one.uuid)
    assert path in await cloud.virsh(one.host, "domblklist", one.uuid, "--inactive")

    await cloud.session.call("ResizeDataVolume", uuid=data["uuid"], size=2 * GIB, timeout_seconds=60)
    await until(lambda: sees(one, "vdb", 2 * GIB), what="the larger volume in the guest")

    assert "vmInstanceUuid" not in await detach(cloud, data)
    assert "vdb" not in await seen(one)
    assert path not in await cloud.virsh(one.host, "domblklist", one.uuid)
    assert path not in await cloud.virsh(one.host, "domblklist", one.uuid, "--inactive")
    assert (await sound(cloud, one, path))["virtual-size"] == 2 * GIB

    other = await (await vm("next", host=1)).booted()
    await other.stop()
    await attach(cloud, other, data)
    told = len(other.serial())
    await (await other.start()).booted(after=told)
    assert (await seen(other))["vdb"] == 2 * GIB // 1024
    assert (await other.ssh(READ)).split()[0] == SUM

    await cloud.session.call("DeleteDataVolume", uuid=data["uuid"], timeout_seconds=90)
    assert "vdb" not in await seen(other)
    assert path in await cloud.files(other.host, STORAGE)
    await cloud.session.call("RecoverDataVolume", uuid=data["uuid"])
    await attach(cloud, other, data)
    await until(lambda: sees(other, "vdb", 2 * GIB), what="the recovered volume in the guest")
    assert (await other.ssh(READ)).split()[0] == SUM
    await other.destroy()
    assert (await sound(cloud, other, path))["virtual-size"] == 2 * GIB
    await cloud.session.call("DeleteDataVolume", uuid=data["uuid"])
    await cloud.session.call("ExpungeDataVolume", uuid=data["uuid"], timeout_seconds=60)
    assert not [each for each in await cloud.files(other.host, STORAGE) if data["uuid"] in each]
