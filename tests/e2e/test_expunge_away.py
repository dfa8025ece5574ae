"""VMs destroyed for good while their host cannot be reached: gone from it, with all traces, when it is back."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e import traces
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import STORAGE, Stage, until

pytestmark = pytest.mark.lab


async def cut(cloud: Stage, guest: Guest) -> None:
    """Nothing of the host's sshd is heard any more; what runs there runs on."""
    await cloud.run(guest.host, "nft", "add", "table", "inet", "cut")
    hook = "{ type filter hook input priority -10 ; }"
    await cloud.run(guest.host, "nft", "add", "chain", "inet", "cut", "way", hook)
    await cloud.run(guest.host, "nft", "add", "rule", "inet", "cut", "way", "tcp", "dport", "22", "drop")


@pytest.mark.timeout(400)
async def test_what_is_destroyed_and_expunged_meanwhile_is_gone_when_the_host_is_back(
    cloud: Stage, vm: VmFactory
) -> None:
    running = await (await vm("cut", host=2)).booted()
    binned = await (await vm("binned", host=2)).booted()
    await cloud.setting("vm", "deletionPolicy", "Delay")
    await binned.destroy()
    await cloud.setting("vm", "deletionPolicy", "Direct")
    await cut(cloud, running)
    try:
        uuid = await cloud.host_uuid(2)

        async def lost() -> bool:
            (host,) = await cloud.session.query("Host", uuid=uuid)
            return bool(host["status"] != "Connected")

        await until(lost, 150, "the loss of the host")
        asked = [
            await cloud.session.call_job("DestroyVmInstance", uuid=running.uuid),
            await cloud.session.call_job("ExpungeVmInstance", uuid=binned.uuid),
        ]
        await asyncio.sleep(5)
        found = await cloud.session.query("LongJob", uuid=asked[0])
        found += await cloud.session.query("LongJob", uuid=asked[1])
        assert [job["state"] for job in found] == ["Running", "Running"]
        assert await running.on()
        assert binned.root_volume in await cloud.files(binned.host, STORAGE)
    finally:
        await cloud.run(running.host, "nft", "delete", "table", "inet", "cut")
    for job in asked:
        await cloud.session.wait(job, 120)
    for guest in (running, binned):
        words = (guest.uuid, str(guest.inventory["rootVolumeUuid"]))
        left = await traces.on_host(cloud, guest.host, *words)
        assert left == [], "\n".join(left)
        assert guest.root_volume not in await cloud.files(guest.host, STORAGE)
