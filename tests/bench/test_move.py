"""A volume moves about as fast as scp copies its files."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from appliance.lab import LabHost
from tests.bench.measure import Compared
from tests.e2e.conftest import VmFactory
from tests.e2e.stage import Stage

COPY_BAR = 1.10
JOB_BAR = 1.10
WIRE_BAR = 1.02
MIB = 1 << 20
PIECE = 288
"""MiB in each of four files, random: 1.1 GiB."""
ROUNDS = 3
CIPHER = "aes128-gcm@openssh.com"
SSH = (
    f"ssh -F none -i /root/.ssh/bench -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
-o LogLevel=ERROR -c {CIPHER} -S /tmp/bench-master"
)


@pytest_asyncio.fixture(loop_scope="session")
async def chain(cloud: Stage, vm: VmFactory) -> AsyncIterator[dict[str, Any]]:
    """A data volume that no VM has, on host 1: four files."""
    call = cloud.session.call
    disk = (await call("CreateDiskOffering", name="disk", disk_size=4 << 30))["inventory"]["uuid"]
    made = (await call("CreateDataVolume", name="data", disk_offering_uuid=disk))["inventory"]
    holder = await (await vm("holder", host=1)).stop()
    attach = {"vm_instance_uuid": holder.uuid, "volume_uuid": made["uuid"], "timeout_seconds": 60}
    await call("AttachDataVolumeToVm", **attach)
    await cloud.run(holder.host, "sh", "-c", f"head -c {PIECE}M /dev/urandom >/tmp/piece")
    for number in range(4):
        (found,) = await cloud.session.query("Volume", uuid=made["uuid"])
        where = f"write -q -s /tmp/piece {number * PIECE}M {PIECE}M"
        await cloud.run(holder.host, "qemu-io", "-f", "qcow2", "-c", where, found["installPath"], seconds=60)
        if number < 3:
            taken = {"volume_uuid": made["uuid"], "name": f"s{number}", "timeout_seconds": 60}
            await call("CreateVolumeSnapshot", **taken)
    await call("DetachDataVolumeFromVm", uuid=made["uuid"], timeout_seconds=60)
    yield (await cloud.session.query("Volume", uuid=made["uuid"]))[0]
    await call("DeleteDataVolume", uuid=made["uuid"], timeout_seconds=60)
    await call("ExpungeDataVolume", uuid=made["uuid"], timeout_seconds=60)
    await call("DeleteDiskOffering", uuid=disk)


@pytest_asyncio.fixture(loop_scope="session")
async def master(cloud: Stage) -> AsyncIterator[str]:
    """An open SSH connection from host 1 to host 2, as scp uses it."""
    one, two = cloud.machines
    await cloud.run(
        one, "sh", "-c", "rm -f /root/.ssh/bench*; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/bench"
    )
    key = (await cloud.run(one, "cat", "/root/.ssh/bench.pub")).strip()
    await cloud.run(two, "sh", "-c", f"echo '{key}' >>/root/.ssh/authorized_keys")
    await cloud.run(one, "sh", "-c", f"{SSH} -M -f -N root@{two.address}")
    yield two.address
    await cloud.run(one, "sh", "-c", f"{SSH} -O exit root@{two.address}", check=False)


HEADERS = 14 + 20 + 32
"""Bytes of a frame before what its TCP segment carries: Ethernet, IPv4, TCP with time stamps."""


async def sent_by(cloud: Stage, host: LabHost) -> int:
    """Bytes that TCP has carried from a host on its link so far, those of SSH around the files included.

    Not the bytes of the frames: how many of these there are is the link's affair, not ours. Where it cuts segments
    itself one of 64 KiB counts as one frame, and where its offloads are off, as a veth's may be, as 45, so that the
    headers alone are 4.6 % of what is carried, scp's as well. What is sent twice, since it was lost, does count.
    """
    counted = "cd /sys/class/net/eth0/statistics && cat tx_bytes tx_packets"
    sent, frames = map(int, (await cloud.run(host, "sh", "-c", counted)).split())
    return sent - frames * HEADERS


async def test_a_volume_moves_as_fast_as_scp_copies(cloud: Stage, chain: dict[str, Any], master: str) -> None:
    one, _ = cloud.machines
    folder = chain["installPath"].rpartition("/vol-")[0] + f"/vol-{chain['uuid']}"
    find = f"find {folder} -name '*.qcow2'"
    allocated = int((await cloud.run(one, "sh", "-c", f"du -cB1 $({find}) | tail -1")).split()[0])
    assert allocated > 4 * PIECE * MIB
    copies, wholes = (
        Compared("copy of a chain, against scp"),
        Compared("move of a chain, against scp+sync+hash"),
    )
    wires = []
    for _ in range(ROUNDS):
        copy, whole = await _scp(cloud, find, master)
        copies.reference.append(copy)
        wholes.reference.append(whole)
        before = await sent_by(cloud, one)
        wholes.ours.append(await _move(cloud, chain["uuid"], 2))
        wires.append((await sent_by(cloud, one) - before) / allocated)
        copies.ours.append(await _copied(cloud))
        await _move(cloud, chain["uuid"], 1)
    print(f"\n{copies}\n{wholes}\n  wire bytes by allocated: {', '.join(f'{each:.4f}' for each in wires)}")
    assert copies.ratio <= COPY_BAR
    assert wholes.ratio <= JOB_BAR
    assert max(wires) <= WIRE_BAR


async def _move(cloud: Stage, uuid: str, number: int) -> float:
    begun = time.perf_counter()
    host = await cloud.host_uuid(number)
    await cloud.session.call(
        "LocalStorageMigrateVolume", volume_uuid=uuid, dest_host_uuid=host, timeout_seconds=120
    )
    return time.perf_counter() - begun


async def _copied(cloud: Stage) -> float:
    """Seconds that the copy itself took in the latest move."""
    found = await cloud.session.query("Event", name="VolumeCopied")
    match = re.search(r"in ([0-9.]+) s", max(found, key=lambda event: int(event["sequence"]))["text"])
    assert match
    return float(match[1])


async def _scp(cloud: Stage, find: str, address: str) -> tuple[float, float]:
    """Seconds of the copy, and of that with `sync` and the same hash on both sides at once."""
    one, _ = cloud.machines
    await cloud.run(
        one, "sh", "-c", f"{SSH} root@{address} 'rm -rf /zstack_ps/bench; mkdir /zstack_ps/bench; sync'"
    )
    begun = time.perf_counter()
    scp = SSH.replace("ssh -F", "scp -q -F", 1).replace(" -S ", " -o ControlPath=", 1)
    await cloud.run(one, "sh", "-c", f"{scp} $({find}) root@{address}:/zstack_ps/bench/", seconds=120)
    copied = time.perf_counter() - begun
    there = (
        f"{SSH} root@{address} 'sync -f /zstack_ps/bench; ls /zstack_ps/bench/* | xargs -P 2 -n 1 sha256sum'"
    )
    here = f"{find} | xargs -P 2 -n 1 sha256sum"
    await cloud.run(one, "sh", "-c", f"({here}) >/dev/null & {there} >/dev/null; wait", seconds=120)
    return copied, time.perf_counter() - begun
