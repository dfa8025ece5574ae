"""Live lists: what happens in the cloud shows, the cursor stays on its row, wide characters line up."""

from __future__ import annotations

from tests.zstui.conftest import Cloud, screens


async def test_vms_come_go_and_change_live(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1", "◉ Running", "10.9.0.", "◉ live")
        await cloud.vm("web-2")
        await on.sees("web-2", "vms 2/2")
        cloud.host_of(uuid).power_off(uuid, "guest_shutdown")
        await on.sees("◌ Stopped", "shut down inside the guest")
        cloud.host_of(uuid).power_on(uuid)
        await on.sees("started on the host")
        await cloud.session.call("DestroyVmInstance", uuid=uuid)
        await on.sees("Destroyed")
