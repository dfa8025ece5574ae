"""A root volume that was reverted from a backup while it had a snapshot, moved: stopped, then under its guest."""

from __future__ import annotations

import pytest

from tests.e2e import traces
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import STORAGE, Stage
from tests.e2e.test_volume_backup import back_up, nothing_left

__all__ = ["nothing_left"]

pytestmark = pytest.mark.lab


async def reverted(cloud: Stage, guest: Guest, call: str, uuid: str) -> list[str]:
    """Stop a guest, have its disk be what it was, and start it: what its disk has then."""
    if await guest.on():
        await guest.stop()
    await cloud.session.call(call, uuid=uuid, timeout_seconds=120)
    told = len(guest.serial())
    await (await guest.start()).booted(after=told)
    return (await guest.ssh("cat /root/word")).split()


async def is_clear(cloud: Stage, number: int, *words: str) -> None:
    """A host knows nothing of a VM, nor has files of its disk."""
    host = cloud.machines[number - 1]
    left = [each for each in await traces.on_host(cloud, host, *words) if "volumeBackups" not in each]
    assert left == [], "\n".join(left)
    assert not [path for path in await cloud.files(host, STORAGE) if words[-1] in path]


@pytest.mark.timeout(400)
async def test_it_goes_with_the_tree_that_it_left_and_reverts_to_that_there(
    cloud: Stage, vm: VmFactory, nothing_left: None
) -> None:
    call = cloud.session.call
    guest = await (await vm("reverted", host=1)).booted()
    root = str(guest.inventory["rootVolumeUuid"])
    await guest.ssh("echo backup >/root/word; sync")
    kept = await back_up(cloud, root)
    await guest.ssh("echo snapshot >/root/word; sync")
    snapshot = (await call("CreateVolumeSnapshot", volume_uuid=root, name="s", timeout_seconds=60))[
        "inventory"
    ]
    await guest.ssh("echo lost >/root/word; sync")
    assert await reverted(cloud, guest, "RevertVolumeFromVolumeBackup", kept["uuid"]) == ["backup"]
    await guest.stop()
    two = await cloud.host_uuid(2)
    await call("LocalStorageMigrateVolume", volume_uuid=root, dest_host_uuid=two, timeout_seconds=120)
    await is_clear(cloud, 1, guest.uuid, root)
    await (await guest.start()).booted()
    assert (guest.host.number, (await guest.ssh("cat /root/word")).split()) == (2, ["backup"])
    await call(
        "MigrateVm", vm_instance_uuid=guest.uuid, host_uuid=await cloud.host_uuid(1), timeout_seconds=180
    )
    await is_clear(cloud, 2, guest.uuid, root)
    await guest.refresh()
    assert (await guest.ssh("cat /root/word")).split() == ["backup"]
    assert await reverted(cloud, guest, "RevertVolumeFromSnapshot", snapshot["uuid"]) == ["snapshot"]
    await call("DeleteVolumeSnapshot", uuid=snapshot["uuid"], timeout_seconds=120)
    assert (await guest.ssh("cat /root/word")).split() == ["snapshot"]
    await guest.destroy()
    await is_clear(cloud, 1, guest.uuid, root)
