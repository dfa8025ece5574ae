"""Volumes moved between real hosts: every file of the chain with the same bytes, whoever is killed on the way."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from appliance.api.errors import ApiError
from appliance.lab import LabHost
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import STORAGE, Stage, until

GIB = 1 << 30
MIB = 1 << 20
PIECE = 16
"""MiB that are written between two snapshots."""
KEYS = "/root/.ssh/authorized_keys"


@pytest_asyncio.fixture(loop_scope="session")
async def chain(cloud: Stage, vm: VmFactory) -> AsyncIterator[dict[str, Any]]:
    """A data volume that no VM has, on host 1, with three snapshots and 64 MiB of data."""
    call = cloud.session.call
    disk = (await call("CreateDiskOffering", name="disk", disk_size=GIB))["inventory"]["uuid"]
    made = (await call("CreateDataVolume", name="data", disk_offering_uuid=disk))["inventory"]
    holder = await (await vm("holder", host=1)).stop()
    await call(
        "AttachDataVolumeToVm", vm_instance_uuid=holder.uuid, volume_uuid=made["uuid"], timeout_seconds=60
    )
    for number in range(4):
        (found,) = await cloud.session.query("Volume", uuid=made["uuid"])
        where = f"write -P {number + 1} {number * 3 * PIECE}M {PIECE}M"
        await cloud.run(holder.host, "qemu-io", "-f", "qcow2", "-c", where, found["installPath"])
        if number < 3:
            await call(
                "CreateVolumeSnapshot", volume_uuid=made["uuid"], name=f"s{number}", timeout_seconds=60
            )
    await call("DetachDataVolumeFromVm", uuid=made["uuid"], timeout_seconds=60)
    yield (await cloud.session.query("Volume", uuid=made["uuid"]))[0]
    if not cloud.appliance.running:
        await cloud.restart()
    await cloud.setting("localStorage", "migration.bytesPerSecond", None)
    for left in await cloud.session.query("Volume", uuid=made["uuid"]):
        if left["status"] != "Deleted":
            await call("DeleteDataVolume", uuid=made["uuid"], timeout_seconds=60)
        await call("ExpungeDataVolume", uuid=made["uuid"], timeout_seconds=60)
    await call("DeleteDiskOffering", uuid=disk)


async def digest(cloud: Stage, host: LabHost, path: str) -> str:
    """The MD5 of what a guest would read of a volume, sound from its file to the lowest below."""
    await cloud.run(host, "qemu-img", "check", "-q", "-f", "qcow2", path)
    out = "/tmp/seen.raw"
    await cloud.run(host, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, out)
    summed = await cloud.run(host, "md5sum", out)
    await cloud.run(host, "rm", out)
    return summed.split()[0]


async def begin(cloud: Stage, uuid: str, number: int) -> str:
    host = await cloud.host_uuid(number)
    return await cloud.session.call_job("LocalStorageMigrateVolume", volume_uuid=uuid, dest_host_uuid=host)


async def of(cloud: Stage, host: LabHost, uuid: str) -> set[str]:
    """The files of a volume on a host, parts included."""
    return {path for path in await cloud.files(host, STORAGE) if uuid in path}


async def nothing_left(cloud: Stage, host: LabHost, uuid: str) -> None:
    async def gone() -> bool:
        return not await of(cloud, host, uuid)

    await until(gone, 30, f"the end of {uuid} on {host.name}")
    for each in cloud.machines:

        async def closed(at: LabHost = each) -> bool:
            return "zstui-lane" not in await cloud.run(at, "cat", KEYS)

        await until(closed, 30, f"the end of the lane's key on {each.name}")


async def arrived(cloud: Stage, host: LabHost, uuid: str, size: int) -> None:
    """Wait until so many bytes of a volume are beside their places on a host."""

    folder = f"{STORAGE}/*/*/vol-{uuid}"
    count = f"du -cB1 {folder}/*.part {folder}/snapshots/*.part 2>/dev/null | tail -1"

    async def enough() -> bool:
        found = await cloud.run(host, "sh", "-c", count, check=False)
        return int((found.split() or ["0"])[0]) > size

    await until(enough, 30, "the first bytes")


async def sent(cloud: Stage) -> int:
    """Bytes that the last try of the latest move had to send."""
    found = await cloud.session.query("Event", name="VolumeCopied")
    latest = max(found, key=lambda event: int(event["sequence"]))
    match = re.search(r"(\d+) bytes sent", latest["text"])
    assert match
    return int(match[1])


@pytest.mark.timeout(300)
async def test_a_volume_of_three_snapshots_moves_and_its_guest_reads_the_same(
    cloud: Stage, vm: VmFactory, chain: dict[str, Any]
) -> None:
    one, two = cloud.machines
    uuid, path = chain["uuid"], chain["installPath"]
    before, files = await digest(cloud, one, path), await of(cloud, one, uuid)
    assert len(files) == 4
    reply = await cloud.session.wait(await begin(cloud, uuid, 2), 60)
    assert reply["inventory"]["hostUuid"] == await cloud.host_uuid(2)
    assert await of(cloud, two, uuid) == files
    assert await digest(cloud, two, path) == before
    await nothing_left(cloud, one, uuid)
    assert 4 * PIECE * MIB <= await sent(cloud) <= 1.02 * 4 * PIECE * MIB + 4 * MIB

    guest = await (await vm("read-only", host=2)).booted()
    await cloud.session.call(
        "AttachDataVolumeToVm", vm_instance_uuid=guest.uuid, volume_uuid=uuid, timeout_seconds=60
    )
    for number in range(4):
        place = number * 3 * PIECE + PIECE - 1
        read = f"dd if=/dev/vdb bs=1M skip={place} count=1 2>/dev/null | head -c 1 | od -An -tu1"
        await until(lambda: _is_there(guest), what="the volume in the guest")
        assert int(await guest.ssh(read)) == number + 1
    await cloud.session.call("DetachDataVolumeFromVm", uuid=uuid, timeout_seconds=60)


async def _says_how_fast(cloud: Stage, job: str) -> bool:
    (row,) = await cloud.session.query("LongJob", uuid=job)
    return "MiB/s" in row.get("step", "")


async def _is_there(guest: Guest) -> bool:
    return "there" in await guest.ssh("test -b /dev/vdb && echo there", check=False)


@pytest.mark.timeout(300)
async def test_a_stopped_vm_moves_with_its_snapshots_and_keeps_its_address(
    cloud: Stage, vm: VmFactory
) -> None:
    one, two = cloud.machines
    guest = await (await vm("mover", host=1)).booted()
    root = str(guest.inventory["rootVolumeUuid"])
    await guest.ssh("echo before >/root/before; sync")
    await cloud.session.call("CreateVolumeSnapshot", volume_uuid=root, name="s", timeout_seconds=60)
    await guest.ssh("echo after >/root/after; sync")
    with pytest.raises(ApiError, match="please stop it before migration"):
        await cloud.session.wait(await begin(cloud, root, 2), 60)
    address, mac = guest.ip, guest.mac
    await guest.stop()
    await cloud.session.wait(await begin(cloud, root, 2), 90)
    assert await of(cloud, one, root) == set()
    assert guest.uuid not in await cloud.domains(one, "--all")
    assert mac not in await cloud.leases(one, cloud.l3)
    await (await guest.start()).booted()
    assert (guest.host.number, guest.ip) == (2, address)
    assert (await guest.ssh("cat /root/before /root/after")).split() == ["before", "after"]
    assert guest.uuid in await cloud.domains(two)
    (snapshot,) = await cloud.session.query("VolumeSnapshot", volume_uuid=root)
    await cloud.session.call("DeleteVolumeSnapshot", uuid=snapshot["uuid"], timeout_seconds=120)


async def kill(cloud: Stage, victim: str, move: str) -> None:
    """End a process of a move as `kill -9` does."""
    one, two = cloud.machines
    patterns = {
        "source agent": (one, "agent serve"),
        "target agent": (two, "agent serve"),
        "ssh": (one, f"lanes/{move}"),
        "target": (two, f"lane {move}"),
    }
    if victim == "appliance":
        os.kill(cloud.appliance.pid, signal.SIGKILL)
        await cloud.appliance.kill()
        await cloud.restart()
        return
    host, pattern = patterns[victim]

    async def killed() -> bool:
        # A step is told before its first process runs, and one that has just been seen may have ended by itself.
        pids = await cloud.pids(host, pattern)
        if not pids:
            return False
        ended = await cloud.lab.exec(host, ["kill", "-9", *map(str, pids)])
        return ended.returncode == 0

    await until(killed, 20.0, f"{pattern} on {host.name}, to be killed")


async def lane(cloud: Stage) -> str:
    """The lane that is open to host 2."""

    async def found() -> re.Match[str] | None:
        return re.search(r"zstui-lane-(\w+)", await cloud.run(cloud.machines[1], "cat", KEYS))

    lane = await until(found, 20.0, "a lane to host 2")
    assert lane
    return lane[1]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["appliance", "source agent", "target agent", "ssh", "target"])
async def test_whoever_is_killed_the_copy_goes_on_where_it_was(
    cloud: Stage, chain: dict[str, Any], victim: str
) -> None:
    one, two = cloud.machines
    uuid, path = chain["uuid"], chain["installPath"]
    before = await digest(cloud, one, path)
    await cloud.setting("localStorage", "migration.bytesPerSecond", str(12 * MIB))
    job = await begin(cloud, uuid, 2)
    await arrived(cloud, two, uuid, 24 * MIB)
    await kill(cloud, victim, await lane(cloud))
    await cloud.session.wait(job, 90)
    assert await digest(cloud, two, path) == before
    await nothing_left(cloud, one, uuid)
    if victim in {"source agent", "ssh", "target"}:
        assert 0 < await sent(cloud) < 48 * MIB


@pytest.mark.timeout(300)
async def test_a_link_that_is_cut_for_thirty_seconds_is_waited_for(
    cloud: Stage, chain: dict[str, Any]
) -> None:
    one, two = cloud.machines
    uuid, path = chain["uuid"], chain["installPath"]
    before = await digest(cloud, one, path)
    await cloud.setting("localStorage", "migration.bytesPerSecond", str(12 * MIB))
    job = await begin(cloud, uuid, 2)
    await arrived(cloud, two, uuid, 24 * MIB)
    drop = ["nft", "add", "rule", "inet", "cut", "way", "ip", "saddr", one.address, "drop"]
    await cloud.run(two, "nft", "add", "table", "inet", "cut")
    hook = "{ type filter hook input priority 0 ; }"
    await cloud.run(two, "nft", "add", "chain", "inet", "cut", "way", hook)
    await cloud.run(two, *drop)
    await asyncio.sleep(30)
    await cloud.run(two, "nft", "delete", "table", "inet", "cut")
    await cloud.session.wait(job, 90)
    assert await digest(cloud, two, path) == before
    assert 0 < await sent(cloud) < 48 * MIB
    await nothing_left(cloud, one, uuid)


@pytest.mark.timeout(300)
async def test_wrong_bytes_on_the_target_are_caught(cloud: Stage, chain: dict[str, Any]) -> None:
    one, two = cloud.machines
    uuid, path = chain["uuid"], chain["installPath"]
    before = await digest(cloud, one, path)
    await cloud.setting("localStorage", "migration.bytesPerSecond", str(12 * MIB))
    job = await begin(cloud, uuid, 2)
    await arrived(cloud, two, uuid, 24 * MIB)
    part = min(await of(cloud, two, uuid), key=lambda each: "snapshots" in each)
    await cloud.run(
        two, "sh", "-c", f"printf wrong | dd of={part} bs=1 seek=8388608 conv=notrunc 2>/dev/null"
    )
    await cloud.session.wait(job, 90)
    assert await digest(cloud, two, path) == before
    assert await sent(cloud) > 4 * PIECE * MIB
    await nothing_left(cloud, one, uuid)


@pytest.mark.timeout(300)
async def test_a_move_can_be_cancelled_in_the_middle(cloud: Stage, chain: dict[str, Any]) -> None:
    one, two = cloud.machines
    uuid, path = chain["uuid"], chain["installPath"]
    before, files = await digest(cloud, one, path), await of(cloud, one, uuid)
    await cloud.setting("localStorage", "migration.bytesPerSecond", str(2 * MIB))
    job = await begin(cloud, uuid, 2)
    await arrived(cloud, two, uuid, 2 * MIB)
    await until(lambda: _says_how_fast(cloud, job), what="how fast it goes")
    began = time.monotonic()
    await cloud.session.call("CancelLongJob", uuid=job)
    with pytest.raises(ApiError, match="cancelled by its caller"):
        await cloud.session.wait(job, 30)
    assert time.monotonic() - began < 20, "it waited for the copy to end, which takes half a minute"
    await nothing_left(cloud, two, uuid)
    assert await of(cloud, one, uuid) == files
    assert await digest(cloud, one, path) == before
    (volume,) = await cloud.session.query("Volume", uuid=uuid)
    assert volume["status"] == "Ready"


@pytest.mark.timeout(300)
async def test_a_full_target_leaves_everything_where_it_was(cloud: Stage, chain: dict[str, Any]) -> None:
    one, two = cloud.machines
    uuid, path = chain["uuid"], chain["installPath"]
    before, files = await digest(cloud, one, path), await of(cloud, one, uuid)
    folder = path[: path.index("/vol-")]
    await cloud.run(two, "mkdir", "-p", folder)
    await cloud.run(two, "mount", "-t", "tmpfs", "-o", "size=24m", "none", folder)
    try:
        with pytest.raises(ApiError) as failed:
            await cloud.session.wait(await begin(cloud, uuid, 2), 60)
        assert "No space left" in str(failed.value.to_wire())
        await nothing_left(cloud, two, uuid)
    finally:
        await cloud.run(two, "umount", folder)
    assert await of(cloud, one, uuid) == files
    assert await digest(cloud, one, path) == before


@pytest.mark.timeout(300)
async def test_a_full_source_gives_its_volume_away_all_the_same(cloud: Stage, chain: dict[str, Any]) -> None:
    one, two = cloud.machines
    uuid, path = chain["uuid"], chain["installPath"]
    before, files = await digest(cloud, one, path), await of(cloud, one, uuid)
    folder = path[: path.index("/vol-")]
    async with apart(cloud, one, folder):
        await fill(cloud, one, folder)
        await cloud.session.wait(await begin(cloud, uuid, 2), 60)
        assert await of(cloud, two, uuid) == files
        await nothing_left(cloud, one, uuid)
    assert await digest(cloud, two, path) == before


@asynccontextmanager
async def apart(cloud: Stage, host: LabHost, folder: str) -> AsyncIterator[None]:
    """A folder of a host's storage on a disk of its own, with what is in it, which nobody uses."""
    aside, copy = f"{folder}.aside", "cp -a --sparse=always"
    await cloud.run(
        host, "sh", "-ec",
        f"mv {folder} {aside}; mkdir {folder}; mount -t tmpfs none {folder}; {copy} {aside}/. {folder}; rm -r {aside}",
    )  # fmt: skip
    try:
        yield
    finally:
        await cloud.run(
            host, "sh", "-ec",
            f"rm -f {folder}/filler; mkdir {aside}; {copy} {folder}/. {aside}; umount -l {folder}; rmdir {folder}; "
            f"mv {aside} {folder}",
        )  # fmt: skip


async def fill(cloud: Stage, host: LabHost, folder: str) -> None:
    """Leave no byte of a disk."""
    await cloud.run(
        host, "sh", "-ec",
        f"mount -o remount,size=$(du -sk {folder} | cut -f1)k {folder}; "
        f"if head -c 1M /dev/zero >{folder}/filler; then exit 1; fi",
    )  # fmt: skip
