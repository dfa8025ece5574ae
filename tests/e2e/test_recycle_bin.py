"""The recycle bin on real hosts: what comes back is what it was, and what is expunged leaves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from appliance.api.errors import ApiError
from appliance.lab.cloud import tiny_image
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import IMAGES, STORAGE, Stage, until, upload_image
from tests.e2e.test_snapshots import chain, has_disk, snap, words, write
from tests.e2e.test_volumes import GIB

pytestmark = pytest.mark.lab


async def binned(cloud: Stage, uuid: str) -> dict[str, Any]:
    """What the bin says of something, once its host has said what it takes."""

    async def look() -> dict[str, Any] | None:
        (found,) = await cloud.session.query("RecycleBinItem", resource_uuid=uuid)
        return found if "reclaimableSize" in found else None

    found = await until(look, what="the size of what is in the bin")
    assert found is not None
    return found


async def taken(cloud: Stage, guest: Guest, paths: list[str]) -> int:
    """Bytes that files take on a host's disk, as `du` counts them."""
    said = await cloud.run(guest.host, "du", "--block-size=1", "-c", *paths)
    return int(said.split("\n")[-2].split()[0])


async def everything(cloud: Stage) -> dict[str, set[str]]:
    """Every file of the storages, by host."""
    return {machine.name: await cloud.files(machine, STORAGE, IMAGES) for machine in cloud.machines}


@pytest.mark.timeout(400)
async def test_what_is_recovered_is_what_it_was_and_what_is_expunged_leaves_nothing(
    cloud: Stage, vm: VmFactory
) -> None:
    call = cloud.session.call
    before = await everything(cloud)
    for category in ("vm", "volume", "image"):
        await cloud.setting(category, "deletionPolicy", "Delay")
    image = await upload_image(cloud, "binned", tiny_image())
    guest = await (await vm("binned", host=2, image=image)).booted()
    disk = (await call("CreateDiskOffering", name="disk", disk_size=GIB))["inventory"]["uuid"]
    data = (await call("CreateDataVolume", name="data", disk_offering_uuid=disk))["inventory"]["uuid"]
    await call("AttachDataVolumeToVm", vm_instance_uuid=guest.uuid, volume_uuid=data, timeout_seconds=60)
    await until(lambda: has_disk(guest), what="the volume in the guest")
    await write(guest, 0, "first")
    await snap(cloud, data, "kept")
    await snap(cloud, str(guest.inventory["rootVolumeUuid"]), "root")
    await write(guest, 1, "second")
    await guest.ssh("dd if=/dev/urandom of=/root/some bs=64k count=32 2>/dev/null; sync")
    sums = await guest.ssh("md5sum /root/some")
    files = await chain(cloud, guest, str(guest.inventory["rootVolumeUuid"]))

    await guest.destroy()
    assert guest.uuid not in await cloud.domains(guest.host, "--all")
    item = await binned(cloud, guest.uuid)
    assert item["reclaimableSize"] == await taken(cloud, guest, files[:-1]) > 0
    assert item["dataVolumeUuids"] == [data]
    await call("DeleteImage", uuid=image)
    await call("ExpungeImage", image_uuid=image, timeout_seconds=60)
    assert files[-1] in await cloud.files(guest.host, STORAGE), "the base of a disk in the bin"

    back = await call("RecoverVmInstance", uuid=guest.uuid, attach_data_volumes=True)
    assert back["inventory"]["vmNics"][0]["ip"] == guest.ip
    told = len(guest.serial())
    await (await guest.start()).booted(after=told)
    assert await guest.ssh("md5sum /root/some") == sums
    assert (await words(guest))[:2] == ["first", "second"]

    await guest.destroy()
    await call("DeleteDataVolume", uuid=data, timeout_seconds=60)
    await call("ExpungeVmInstance", uuid=guest.uuid, timeout_seconds=60)
    await call("ExpungeDataVolume", uuid=data, timeout_seconds=60)
    for message in ("RecoverVmInstance", "RecoverDataVolume", "RecoverImage"):
        uuid = {"RecoverDataVolume": data, "RecoverImage": image}.get(message, guest.uuid)
        named = {"image_uuid" if message == "RecoverImage" else "uuid": uuid}
        with pytest.raises(ApiError) as refused:
            await call(message, **named)
        assert refused.value.code == "SYS.1003"

    async def as_before() -> bool:
        return await everything(cloud) == before

    await until(as_before, what="the storages as they were")
    assert await cloud.session.query("RecycleBinItem") == []
    await call("DeleteDiskOffering", uuid=disk)
    await cloud.setting("vm", "deletionPolicy", "Direct")  # as the other tests have it
