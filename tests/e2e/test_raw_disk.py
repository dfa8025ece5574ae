"""A guest writes the header of another format into its disk, one that builds on a file of its host.

Whatever is done with the disk from then on, those bytes are the guest's data and nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance.lab.cloud import tiny_image
from tests.e2e import stage
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import SSH, Guest
from tests.e2e.stage import IMAGES, STORAGE, Stage, until
from tests.e2e.test_snapshots import data, has_disk, snap
from tests.e2e.test_template import removed
from tests.e2e.test_volume_backup import back_up, gone, nothing_left, outside, restored

__all__ = ["data", "nothing_left"]

CANARY = "canary-of-the-host"
SHADOW = "/etc/shadow"


def header(folder: Path) -> Path:
    """A whole qcow2 file of 1 MiB that builds on a file of the host, as the guest has made it at home."""
    path = folder / "header"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", SHADOW, "-F", "raw", str(path), "1M"]
    subprocess.run(create, check=True, timeout=20)
    return path


async def put(guest: Guest, file: Path, disk: str) -> None:
    """Write a file over the beginning of a guest's disk, as the guest."""
    words = [*SSH, "-i", str(guest.stage.guest_key), f"root@{guest.ip}",
             f"test -b {disk} && dd of={disk} bs=4k conv=notrunc 2>/dev/null && sync"]  # fmt: skip
    done = await guest.ssh_process(["sh", "-c", 'exec "$@" <"$0"', str(file), *words], 60)
    assert done.returncode == 0, done.stderr


async def seen(guest: Guest, disk: str, length: int) -> str:
    """The MD5 of the beginning of a disk, as the guest reads it from there."""
    read = f"echo 3 >/proc/sys/vm/drop_caches; dd if={disk} bs=4k count={length // 4096} 2>/dev/null | md5sum"
    return (await guest.ssh(read)).split()[0]


async def content(path: Path, length: int) -> str:
    """The same of what an image of ours holds."""
    return await asyncio.to_thread(_content, path, length)


def _content(path: Path, length: int) -> str:
    out = Path(f"{path}.seen")
    read = ["qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=4k", f"count={length // 4096}"]
    try:
        subprocess.run([*read, f"if={path}", f"of={out}"], check=True, timeout=60)
        return hashlib.md5(out.read_bytes()).hexdigest()
    finally:
        out.unlink(missing_ok=True)


async def nothing_is_seen(cloud: Stage) -> None:
    """No file of any storage has a byte of the host's file."""
    for machine in cloud.machines:
        assert CANARY in await cloud.run(machine, "cat", SHADOW)
        look = ("grep", "-rlaF", CANARY, STORAGE, IMAGES)
        assert await cloud.run(machine, *look, check=False, seconds=60) == ""


async def stored(cloud: Stage, image: dict[str, Any]) -> Path:
    (ref,) = image["backupStorageRefs"]
    return outside(cloud.machines[0], ref["installPath"])


@pytest.mark.timeout(500)
async def test_a_header_that_a_guest_writes_is_its_data_and_never_a_format(
    cloud: Stage, vm: VmFactory, nothing_left: None, data: dict[str, Any], tmp_path: Path
) -> None:
    call, volume = cloud.session.call, str(data["uuid"])
    for machine in cloud.machines:
        line = f"root:{CANARY}:1:0:::::"
        await cloud.run(machine, "sh", "-c", 'grep -qF "$1" "$2" || echo "$1" >>"$2"', "sh", line, SHADOW)
    raw = tmp_path / "tiny.raw"
    convert = ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(tiny_image()), str(raw)]
    await asyncio.to_thread(subprocess.run, convert, check=True, timeout=60)
    image = await stage.upload_image(cloud, "raw", raw, format="raw")
    guest = await (await vm("writer", host=1, image=image)).booted()
    await call("AttachDataVolumeToVm", vm_instance_uuid=guest.uuid, volume_uuid=volume, timeout_seconds=60)
    await until(lambda: has_disk(guest), what="the volume in the guest")
    file = header(cloud.lab.folder)
    length = file.stat().st_size // 4096 * 4096
    wanted = hashlib.md5(file.read_bytes()[:length]).hexdigest()
    await put(guest, file, "/dev/vdb")

    await snap(cloud, volume, "s")
    backup = await back_up(cloud, volume)
    assert await content(outside(cloud.machines[0], str(backup["installPath"])), length) == wanted
    await call(
        "MigrateVm", vm_instance_uuid=guest.uuid, host_uuid=await cloud.host_uuid(2), timeout_seconds=120
    )
    await guest.refresh()
    await back_up(cloud, volume)
    assert await seen(guest, "/dev/vdb", length) == wanted
    again = await restored(cloud, backup, 2)
    assert await content(outside(cloud.machines[1], str(again["installPath"])), length) == wanted
    await gone(cloud, again)

    await guest.stop()
    template = (
        await call("CreateDataVolumeTemplateFromVolume", name="t", volume_uuid=volume, timeout_seconds=120)
    )["inventory"]
    assert await content(await stored(cloud, template), length) == wanted
    await back_up(cloud, volume)  # at rest
    await guest.start()
    await guest.booted(after=len(guest.serial()) // 2)
    assert await seen(guest, "/dev/vdb", length) == wanted

    # Its root volume last, which boots no more then: what is on a raw image has the header in front.
    await put(guest, file, "/dev/vda")
    root = str(guest.inventory["rootVolumeUuid"])
    await snap(cloud, root, "r")
    await guest.stop()
    golden = (
        await call(
            "CreateRootVolumeTemplateFromRootVolume", name="g", root_volume_uuid=root, timeout_seconds=120
        )
    )["inventory"]
    assert await content(await stored(cloud, golden), length) == wanted
    await guest.start()
    assert (await guest.refresh()).state == "Running"
    await nothing_is_seen(cloud)
    await guest.destroy()
    for made in (template, golden, {"uuid": image}):
        await removed(cloud, made)
