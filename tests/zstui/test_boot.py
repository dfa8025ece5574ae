"""What a VM starts from: its order turned, an ISO put in and taken out."""

from __future__ import annotations

from tests.zstui.conftest import Cloud, screens
from tests.zstui.test_look import compare


async def test_the_order_is_turned_and_an_iso_goes_in_and_out(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    await cloud.make("AddImage", name="installer", url="http://images.example/i.iso", format="iso",
                     mediaType="ISO", backupStorageUuids=[cloud.uuids["images"]])  # fmt: skip
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("b")
        await on.sees("What web-1 starts from", "1.", "disk", "drive", "empty")
        await on.press("b")
        await on.sees("CD-ROM", "that is empty")
        assert await cloud.session.call("GetVmBootOrder", uuid=uuid) == {"order": ["CdRom"]}
        await on.press("i")
        await on.sees("Which ISO?", "installer")
        await on.press("enter")
        await on.sees("drive", "installer")
        await on.misses("that is empty")
        compare("boot-80x24", on)
        await on.press("i")
        await on.sees("empty")
        lines = [entry.line.split()[2] for entry in on.app.calls.log]
        assert lines == ["SetVmBootOrder", "AttachIsoToVmInstance", "DetachIsoFromVmInstance"]


async def test_without_an_iso_it_says_where_they_come_from(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("b")
        await on.sees("drive")
        await on.press("i")
        await on.sees("there is no ISO yet")
