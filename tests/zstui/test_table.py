"""Live lists: what happens in the cloud shows, the cursor stays on its row, wide characters line up."""

from __future__ import annotations

import pytest

from tests.zstui.conftest import Cloud, screens
from zstui.verbs import title_of


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


@pytest.mark.parametrize(
    ("message", "title"),
    [("CreateVmInstance", "create VM"), ("GetVmConsoleAddress", "get VM console address"),
     ("CreateL2NoVlanNetwork", "create untagged L2 network"), ("CreateL2VlanNetwork", "create L2 VLAN network"),
     ("AddDnsToL3Network", "add DNS to L3 network"), ("AddKVMHost", "add KVM host"),
     ("AddIpRangeByNetworkCidr", "add IP range by CIDR")],
)  # fmt: skip
def test_messages_have_titles_as_people_write_them(message: str, title: str) -> None:
    assert title_of(message) == title
