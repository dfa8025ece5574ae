"""Running VMs moved between real hosts while they write: one guest, one disk, one address, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from appliance.api.errors import ApiError
from appliance.lab import LabHost
from tests.e2e.conftest import VmFactory
from tests.e2e.frames import listening, octets
from tests.e2e.guest import Guest
from tests.e2e.stage import STORAGE, Stage, until
from tests.e2e.test_console import shown
from tests.e2e.test_move import KEYS, apart, fill, kill, lane

MIB = 1 << 20
RARP = bytes.fromhex("8035")
BUSY = """
cat >/root/busy <<'END'
i=0
while true; do
    i=$((i+1))
    echo $i >/root/count
    dd if=/dev/urandom of=/root/piece.$((i % 4)) bs=64k count=1 2>/dev/null
    sync
    sleep 0.5
done
END
dd if=/dev/urandom of=/root/kept bs=1M count=24 2>/dev/null; md5sum /root/kept >/root/kept.sum; sync
(sh /root/busy >/dev/null 2>&1 &)
"""
HURRIED = """
cat >/root/hurried <<'END'
while true; do dd if=/root/kept of=/root/fast bs=1M count=8 conv=notrunc,fsync 2>/dev/null; done
END
(sh /root/hurried >/dev/null 2>&1 & echo $! >/root/hurried.pid)
"""
THINKING = """
mkdir -p /root/mem && mount -t tmpfs none /root/mem
cat >/root/thinking <<'END'
while true; do dd if=/dev/urandom of=/root/mem/fast bs=1M count=32 conv=notrunc 2>/dev/null; done
END
(sh /root/thinking >/dev/null 2>&1 & echo $! >/root/thinking.pid)
"""
STEP = 16 * MIB
"""QEMU copies so much of a disk at once, and pays for it afterwards."""
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
SOUND = "sync; echo 3 >/proc/sys/vm/drop_caches; md5sum -c /root/kept.sum && echo sound"


async def begin(cloud: Stage, guest: Guest, number: int) -> str:
    host = await cloud.host_uuid(number)
    return await cloud.session.call_job("MigrateVm", vm_instance_uuid=guest.uuid, host_uuid=host)


async def busy(vm: VmFactory, name: str) -> tuple[Guest, str]:
    """A guest on host 1 that writes without end, and what tells this boot of it from any other."""
    guest = await (await vm(name, host=1)).booted()
    await guest.ssh(BUSY)
    return guest, (await guest.ssh(BOOT_ID)).strip()


async def of(cloud: Stage, host: LabHost, guest: Guest) -> set[str]:
    """The files of a guest's root volume on a host."""
    root = str(guest.inventory["rootVolumeUuid"])
    return {path for path in await cloud.files(host, STORAGE) if root in path}


async def is_only_on(cloud: Stage, guest: Guest, number: int, boot_id: str) -> None:
    """One host has the guest, as it was, and the other has nothing of it."""
    here, other = cloud.machines[number - 1], cloud.machines[2 - number]

    async def gone() -> bool:
        known = guest.uuid in await cloud.domains(other, "--all")
        return not known and not await of(cloud, other, guest)

    await until(gone, 30, f"the end of all that {other.name} had of {guest.uuid}")
    for each in cloud.machines:

        async def closed(at: LabHost = each) -> bool:
            return "zstui-lane" not in await cloud.run(at, "cat", KEYS)

        await until(closed, 30, f"the end of the lane's key on {each.name}")

    async def runs() -> bool:
        return (await guest.refresh()).state == "Running"

    await until(runs, 20, "the VM to be Running")

    async def answers() -> bool:
        return boot_id in await guest.ssh(BOOT_ID, check=False)

    try:
        await until(answers, 60, "the same boot of the guest, by ssh")
    except AssertionError as gone:
        state = await cloud.virsh(here, "domstate", guest.uuid, "--reason")
        raise AssertionError(f"{gone}; it is {state.strip()}, and said: {guest.serial()[-3000:]}") from None
    assert guest.host.number == number
    assert guest.uuid in await cloud.domains(here)


async def moving(cloud: Stage, job: str) -> None:
    """Wait until the memory and disks of a VM are on their way."""

    async def begun() -> bool:
        (row,) = await cloud.session.query("LongJob", uuid=job)
        assert row["state"] == "Running", row
        return str(row.get("step", "")).startswith("move memory")

    await until(begun, 60, "the move of memory and disks")


@pytest.mark.timeout(400)
async def test_a_guest_that_writes_goes_on_with_its_disk_address_and_lease(
    cloud: Stage, vm: VmFactory
) -> None:
    one, two = cloud.machines
    guest, boot_id = await busy(vm, "walker")
    root = str(guest.inventory["rootVolumeUuid"])
    await cloud.session.call("CreateVolumeSnapshot", volume_uuid=root, name="s", timeout_seconds=60)
    counted = int(await guest.ssh("cat /root/count"))
    address, mac = guest.ip, guest.mac
    files = await of(cloud, one, guest)
    assert len(files) == 2

    async with listening(two.name, "eth1") as uplink:
        reply = await cloud.session.wait(await begin(cloud, guest, 2), 180)
        # The switches learn where it is now, before it says anything itself.
        await uplink.hear(lambda frame: frame[6:14] == octets(mac) + RARP)
    assert reply["inventory"]["hostUuid"] == await cloud.host_uuid(2)
    await is_only_on(cloud, guest, 2, boot_id)
    assert (guest.ip, await of(cloud, two, guest)) == (address, files)
    assert mac not in await cloud.leases(one, cloud.l3)

    async def counts() -> bool:
        return int((await guest.ssh("cat /root/count")).strip() or 0) > counted

    await until(counts, 20, "the guest to go on writing")
    assert "sound" in await guest.ssh(SOUND)
    # Its console still shows its boot, which was on the other host.
    assert "zstui-tiny: ready" not in guest.serial()
    async with await cloud.session.console(guest.uuid, "serial") as stream:
        await shown(stream, b"zstui-tiny: ready")
    # Its lease is renewed by the host that it is on, and its user data served there.
    await guest.ssh("killall -USR1 udhcpc")

    async def renewed() -> bool:
        return mac in await cloud.leases(two, cloud.l3)

    await until(renewed, 20, "a lease on the new host")
    told = await guest.ssh("wget -qO- http://169.254.169.254/latest/meta-data/instance-id")
    assert told.strip() == guest.uuid

    # And it is a VM like any other there: it stops, its snapshot is gone back to, it starts.
    await guest.stop()
    (head,) = [path for path in files if "snapshots" in path]
    chain = json.loads(await cloud.run(two, "qemu-img", "info", "--backing-chain", "--output=json", head))
    assert len(chain) == 3
    await cloud.run(two, "qemu-img", "check", "-q", "-f", "qcow2", head)
    (snapshot,) = await cloud.session.query("VolumeSnapshot", volume_uuid=root)
    await cloud.session.call("RevertVolumeFromSnapshot", uuid=snapshot["uuid"], timeout_seconds=60)
    said = len(guest.serial())
    await (await guest.start()).booted(after=said)
    assert guest.host.number == 2
    console: dict[str, Any] = await cloud.session.call("GetVmConsoleAddress", uuid=guest.uuid)
    assert console["hostIp"] == two.address


@pytest.mark.timeout(300)
async def test_a_move_that_is_cancelled_leaves_the_guest_where_it_is(cloud: Stage, vm: VmFactory) -> None:
    guest, boot_id = await busy(vm, "stays")
    await cloud.setting("localStorage", "migration.bytesPerSecond", str(2 * MIB))
    try:
        job = await begin(cloud, guest, 2)
        await moving(cloud, job)
        began = time.monotonic()
        await cloud.session.call("CancelLongJob", uuid=job)
        with pytest.raises(ApiError, match="cancelled by its caller"):
            await cloud.session.wait(job, 60)
        assert time.monotonic() - began < 40, "it waited for the move to end, which takes most of a minute"
    finally:
        await cloud.setting("localStorage", "migration.bytesPerSecond", None)
    await is_only_on(cloud, guest, 1, boot_id)
    assert "sound" in await guest.ssh(SOUND)


async def speeds(cloud: Stage, guest: Guest) -> set[int]:
    """The limits of all that QEMU copies of a guest on host 1, in bytes a second."""
    asked = ("qemu-monitor-command", guest.uuid)
    jobs = json.loads(await cloud.virsh(1, *asked, '{"execute": "query-block-jobs"}'))
    memory = json.loads(await cloud.virsh(1, *asked, '{"execute": "query-migrate-parameters"}'))
    return {*(job["speed"] for job in jobs["return"]), memory["return"]["max-bandwidth"]}


async def copied(cloud: Stage, guest: Guest) -> int:
    """Bytes of a guest's disk that QEMU has copied on host 1."""
    said = await cloud.virsh(1, "qemu-monitor-command", guest.uuid, '{"execute": "query-block-jobs"}')
    return sum(job["offset"] for job in json.loads(said)["return"])


@pytest.mark.timeout(400)
async def test_a_limit_holds_to_the_byte_changes_on_the_way_and_a_guest_that_outruns_it_is_named(
    cloud: Stage, vm: VmFactory
) -> None:
    guest, boot_id = await busy(vm, "hurried")
    job = ""

    async def row() -> dict[str, Any]:
        (found,) = await cloud.session.query("LongJob", uuid=job)
        return found

    try:
        # What libvirt would round, and then less than it can say.
        await cloud.setting("localStorage", "migration.bytesPerSecond", "2000000")
        began = time.monotonic()
        job = await begin(cloud, guest, 2)
        await moving(cloud, job)
        for _ in range(10):
            passed = await copied(cloud, guest)
            assert passed <= STEP + 2_000_000 * (time.monotonic() - began), passed
            await asyncio.sleep(0.5)
        for limit in (700_000, 2_000_000):
            await cloud.setting("localStorage", "migration.bytesPerSecond", str(limit))

            async def kept(limit: int = limit) -> bool:
                return await speeds(cloud, guest) == {limit}

            await until(kept, 30, f"{limit} bytes a second")
        await guest.ssh(HURRIED)

        async def named() -> bool:
            return str((await row()).get("waitsFor", "")).startswith("its guest to write less")

        await until(named, 150, "word of a guest that writes as fast as the limit allows to copy")
        told = await row()
        assert "2000000 bytes a second" in told["waitsFor"]
        assert " left" not in told["step"]
        await guest.ssh("kill $(cat /root/hurried.pid)")
        await cloud.setting("localStorage", "migration.bytesPerSecond", None)
        await cloud.session.wait(job, 120)
    finally:
        await cloud.setting("localStorage", "migration.bytesPerSecond", None)
    ended = await row()
    assert ended["doneBytes"] == ended["totalBytes"] > 24 * MIB
    assert ended.get("bytesPerSecond") is None
    await is_only_on(cloud, guest, 2, boot_id)
    assert "sound" in await guest.ssh(SOUND)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", ["appliance", "source agent", "target agent", "ssh", "target"])
async def test_whoever_is_killed_the_guest_is_on_one_host_and_goes_on(
    cloud: Stage, vm: VmFactory, victim: str
) -> None:
    guest, boot_id = await busy(vm, "survives")
    await cloud.setting("localStorage", "migration.bytesPerSecond", str(6 * MIB))
    try:
        job = await begin(cloud, guest, 2)
        await moving(cloud, job)
        await kill(cloud, victim, await lane(cloud))
        await cloud.setting("localStorage", "migration.bytesPerSecond", None)
        try:
            await cloud.session.wait(job, 120)
            number = 2
        except ApiError:
            number = 1
    finally:
        await cloud.setting("localStorage", "migration.bytesPerSecond", None)
    await is_only_on(cloud, guest, number, boot_id)
    assert "sound" in await guest.ssh(SOUND)


@pytest.mark.timeout(300)
async def test_a_guest_whose_former_move_broke_off_stays_until_it_was_started_anew(
    cloud: Stage, vm: VmFactory
) -> None:
    """QEMU without KVM would give the new host a memory that misses some of what the guest wrote."""
    guest, boot_id = await busy(vm, "broken-off")
    nobody = '{"execute": "migrate", "arguments": {"uri": "tcp:127.0.0.1:1"}}'
    await cloud.virsh(guest.host, "qemu-monitor-command", guest.uuid, nobody)

    async def failed() -> bool:
        asked = ("qemu-monitor-command", guest.uuid, '{"execute": "query-migrate"}')
        return '"status":"failed"' in await cloud.virsh(guest.host, *asked)

    await until(failed, what="a move that breaks off")
    with pytest.raises(ApiError, match="stop and start the VM, then move it"):
        await cloud.session.wait(await begin(cloud, guest, 2), 60)
    await is_only_on(cloud, guest, 1, boot_id)
    # From then on that is said before it is tried.
    asked = await cloud.session.call("GetVmMigrationCandidateHosts", vm_instance_uuid=guest.uuid)
    assert asked["inventories"] == []
    assert all("stop and start the VM" in each["reason"] for each in asked["excluded"])
    with pytest.raises(ApiError, match="stop and start the VM, then move it"):
        await begin(cloud, guest, 2)
    assert "sound" in await guest.ssh(SOUND)
    told = len(guest.serial())
    guest = await (await (await guest.stop()).start()).booted(after=told)
    boot_id = (await guest.ssh(BOOT_ID)).strip()
    await cloud.session.wait(await begin(cloud, guest, 2), 120)
    await is_only_on(cloud, guest, 2, boot_id)


@pytest.mark.timeout(300)
async def test_a_guest_that_found_no_room_leaves_its_full_host_stopped(cloud: Stage, vm: VmFactory) -> None:
    """It stands still, so that libvirt does not move it as it runs; what it had written before is all there."""
    one, _ = cloud.machines
    guest = await (await vm("cramped", host=1)).booted()
    await guest.stop()
    (volume,) = await cloud.session.query("Volume", uuid=str(guest.inventory["rootVolumeUuid"]))
    folder = volume["installPath"][: volume["installPath"].index("/vol-")]
    said = len(guest.serial())
    async with apart(cloud, one, folder):
        await (await guest.start()).booted(after=said)
        await guest.ssh(
            "dd if=/dev/urandom of=/root/kept bs=1M count=24 2>/dev/null; md5sum /root/kept >/root/kept.sum"
        )
        await guest.ssh("sync")
        # It stands still in the middle of that, and answers nobody.
        await guest.ssh("(sleep 3; cp /root/kept /root/more; sync) </dev/null >/dev/null 2>&1 &")
        await fill(cloud, one, folder)

        async def stands_still() -> bool:
            return "I/O error" in await cloud.virsh(one, "domstate", guest.uuid, "--reason")

        await until(stands_still, 30, "a guest that finds no room")
        with pytest.raises(ApiError, match="its guest stands still"):
            await cloud.session.wait(await begin(cloud, guest, 2), 120)
        await guest.stop()
        there = {"volume_uuid": volume["uuid"], "dest_host_uuid": await cloud.host_uuid(2)}
        await cloud.session.call("LocalStorageMigrateVolume", **there, timeout_seconds=60)
        assert await of(cloud, one, guest) == set()
        said = len(guest.serial())
        await (await guest.start()).booted(after=said)
    assert guest.host.number == 2
    assert "sound" in await guest.ssh(SOUND)


@pytest.mark.timeout(300)
async def test_memory_that_is_written_faster_than_the_limit_is_named_all_the_while_and_progress_never_goes_back(
    cloud: Stage, vm: VmFactory
) -> None:
    guest, boot_id = await busy(vm, "thinker")
    await guest.ssh(THINKING)
    limit, job = 8 * MIB, ""
    seen: list[tuple[float, dict[str, Any]]] = []

    async def look() -> dict[str, Any]:
        (found,) = await cloud.session.query("LongJob", uuid=job)
        if found.get("totalBytes"):
            seen.append((time.monotonic(), found))
        return found

    async def named() -> bool:
        return "its memory changes" in (await look()).get("waitsFor", "")

    try:
        await cloud.setting("localStorage", "migration.bytesPerSecond", str(limit))
        job = await begin(cloud, guest, 2)
        await until(named, 120, "word of memory that is written faster than it is copied")
        rounds_end = time.monotonic() + 30
        while time.monotonic() < rounds_end:
            assert await named()
            assert " left" not in seen[-1][1]["step"]
            await asyncio.sleep(0.5)
        await guest.ssh("kill $(cat /root/thinking.pid)")

        async def over() -> bool:
            row = await look()
            return row["state"] != "Running" or not row.get("waitsFor")

        await until(over, 60, "the end of that word")
        await cloud.setting("localStorage", "migration.bytesPerSecond", None)
        await cloud.session.wait(job, 120)
    finally:
        await cloud.setting("localStorage", "migration.bytesPerSecond", None)
    done = [row.get("doneBytes", 0) for _, row in seen]
    assert done == sorted(done)
    # The disks' first step, and their last, are all that the limit lets pass at once; memory has none.
    (began, first), *later = seen
    for at, row in later:
        passed = row.get("doneBytes", 0) - first.get("doneBytes", 0)
        assert passed < STEP + (at - began + 2) * limit * 1.1, (at - began, passed)
    await is_only_on(cloud, guest, 2, boot_id)
    assert "sound" in await guest.ssh(SOUND)
