"""Images made of real disks: the same bytes on backup storage, with nothing below, and VMs that boot from them."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from appliance.lab import LabHost
from tests.e2e.conftest import VmFactory
from tests.e2e.stage import IMAGES, Stage, until
from tests.e2e.test_move import KEYS, digest

ROOT = "CreateRootVolumeTemplateFromRootVolume"
SNAPSHOT = "CreateRootVolumeTemplateFromVolumeSnapshot"


async def stored(cloud: Stage, image: dict[str, Any]) -> tuple[LabHost, str]:
    """The host that has an image, and its file there."""
    (ref,) = image["backupStorageRefs"]
    for host in cloud.machines:
        if ref["installPath"] in await cloud.files(host, IMAGES):
            return host, ref["installPath"]
    raise AssertionError(f"no host has {ref['installPath']}")


async def nothing_left(cloud: Stage) -> None:
    for host in cloud.machines:

        async def clean(at: LabHost = host) -> bool:
            found = await cloud.files(at)
            left = [path for path in found if "templateWorkspace" in path or path.endswith(".part")]
            return not left and "zstui-lane" not in await cloud.run(at, "cat", KEYS)

        await until(clean, 30, f"the end of what was made on {host.name}")


async def removed(cloud: Stage, image: dict[str, Any]) -> None:
    await cloud.session.call("DeleteImage", uuid=image["uuid"], timeout_seconds=60)
    await cloud.session.call("ExpungeImage", image_uuid=image["uuid"], timeout_seconds=60)


@pytest.mark.timeout(400)
async def test_an_image_of_a_root_volume_has_its_bytes_and_boots(cloud: Stage, vm: VmFactory) -> None:
    before = [await cloud.files(host) for host in cloud.machines]
    made = []
    for number in (1, 2):  # one of them has the backup storage, too
        guest = await (await vm(f"golden-{number}", host=number)).booted()
        await guest.ssh("echo kept > /root/mark; sync; dd if=/dev/urandom of=/root/bulk bs=1M count=8; sync")
        machine = guest.host
        await guest.stop()
        seen = await digest(cloud, machine, guest.root_volume)
        image = (
            await cloud.session.call(
                ROOT,
                name=f"golden-{number}",
                root_volume_uuid=guest.inventory["rootVolumeUuid"],
                timeout_seconds=120,
            )
        )["inventory"]
        made.append(image)
        host, path = await stored(cloud, image)
        assert (await digest(cloud, host, path)) == seen
        assert "backing file" not in await cloud.run(host, "qemu-img", "info", path)
        assert (await cloud.run(host, "md5sum", path)).split()[0] == image["md5Sum"]
        assert int(await cloud.run(host, "stat", "-c", "%b", path)) * 512 == image["actualSize"]
        await nothing_left(cloud)
    child = await (await vm("child", host=1, image=made[1]["uuid"])).booted()
    assert (await child.ssh("cat /root/mark")).strip() == "kept"
    await child.destroy()
    for image in made:
        await removed(cloud, image)
    for host, files in zip(cloud.machines, before, strict=True):
        stored_now = await cloud.files(host, IMAGES)
        assert stored_now <= files


@pytest.mark.timeout(400)
async def test_an_image_of_a_snapshot_is_made_while_its_guest_writes_and_through_kills(
    cloud: Stage, vm: VmFactory
) -> None:
    guest = await (await vm("writer", host=2)).booted()
    await guest.ssh("echo before > /root/mark; dd if=/dev/urandom of=/root/bulk bs=1M count=48; sync")
    root = str(guest.inventory["rootVolumeUuid"])
    kept = (await cloud.session.call("CreateVolumeSnapshot", volume_uuid=root, name="s", timeout_seconds=60))[
        "inventory"
    ]
    seen = await digest(cloud, guest.host, kept["primaryStorageInstallPath"])
    await guest.ssh("echo after > /root/mark; sync")
    job = await cloud.session.call_job(SNAPSHOT, name="then", snapshot_uuid=kept["uuid"])
    await asyncio.sleep(0.3)
    os.kill(cloud.appliance.pid, signal.SIGKILL)
    await cloud.appliance.kill()
    await cloud.restart()
    pids = await cloud.pids(guest.host, "agent serve")
    assert pids
    await cloud.run(guest.host, "kill", "-9", *map(str, pids))
    image = (await cloud.session.wait(job, 120))["inventory"]
    host, path = await stored(cloud, image)
    assert await digest(cloud, host, path) == seen
    await nothing_left(cloud)
    assert (await guest.ssh("cat /root/mark")).strip() == "after"
    await guest.destroy()
    await removed(cloud, image)
