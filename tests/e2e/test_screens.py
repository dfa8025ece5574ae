"""The full screen on a real lab: what it shows of real guests, live, and the pictures that the README has.

`make screenshots` writes the pictures into `screenshots/`; a plain run looks only at what is on the screens.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from PIL import Image

from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import Stage
from tests.e2e.watch import end_of, qemu_of
from tests.zstui.conftest import Screens, screens
from zstui.picture import write_picture

SMALL, MIDDLE = (80, 24), (120, 36)
AT_ONCE = 1.0
"""Seconds from libvirt's event, which comes after the end of QEMU and before virsh returns."""

PICTURES = Path(__file__).resolve().parents[2] / "screenshots"
SCRIPT = "#!/bin/sh\n# 你好\necho hello >/dev/console\n"


SMALL_PICTURES = {"vms-80x24", "create-vm-80x24", "help-80x24"}
COLOURS = 96
"""Enough for text on few grounds, and a quarter of the size."""


def keep(on: Screens, name: str) -> None:
    """Draw what is on the screen, where pictures are wanted; of small screens only some."""
    if os.environ.get("ZSTUI_SCREENSHOTS") != "write" or ("80x24" in name and name not in SMALL_PICTURES):
        return
    path = write_picture(on.app, PICTURES / f"{name}.png")
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)


async def test_what_happens_behind_our_back_is_on_the_screen_at_once(cloud: Stage, vm: VmFactory) -> None:
    guest = await (await vm("web-01")).booted()
    async with screens(cloud.appliance.socket, SMALL) as on:
        await on.sees("web-01", "◉ Running")
        ended = asyncio.create_task(end_of(qemu_of(guest)))
        await guest.ssh("halt", check=False)
        await on.sees("◌ Stopped", "shut down inside the guest")
        assert time.monotonic() - await ended < AT_ONCE

        await cloud.virsh(guest.host, "start", guest.uuid)
        started = time.monotonic()
        await on.sees("◉ Running", "started on the host")
        assert time.monotonic() - started < AT_ONCE

        ended = asyncio.create_task(end_of(qemu_of(guest)))
        await cloud.virsh(guest.host, "destroy", guest.uuid)
        await on.sees("◌ Stopped", "powered off on the host")
        assert time.monotonic() - await ended < AT_ONCE


async def test_every_screen_shows_the_real_thing(cloud: Stage, vm: VmFactory) -> None:
    web = await (await vm("web-01", user_data=SCRIPT)).booted()
    db = await vm("数据库-主")
    await (await vm("build-runner")).stop()
    halted = await (await vm("web-02")).booted()
    await halted.ssh("halt", check=False)
    for size in (SMALL, MIDDLE):
        async with screens(cloud.appliance.socket, size) as on:
            suffix = "" if size == MIDDLE else "-80x24"
            await _lists(on, suffix, web, db)
            await _windows(on, suffix, web)


async def _lists(on: Screens, suffix: str, web: Guest, db: Guest) -> None:
    await on.sees("vms 2/4", "数据库-主", "shut down inside the guest", "◌ Stopped", web.ip, db.ip)
    await on.press("j")
    await on.sees("web-01")
    keep(on, f"vms{suffix}")
    for key, name, shown in (
        ("2", "hosts", "◉ Connected"),
        ("3", "networks", "flat"),
        ("4", "images", "tiny"),
        ("5", "storage", "local"),
        ("6", "jobs", "Succeeded"),
        ("7", "events", "Starting → Running"),
    ):
        await on.press(key)
        await on.sees(shown)
        keep(on, f"{name}{suffix}")
    await on.press("1")


async def _windows(on: Screens, suffix: str, web: Guest) -> None:
    await on.press("slash")
    await on.write("web-01")
    await on.press("enter")
    await on.misses("build-runner")
    await on.press("e")
    await on.sees("user data of web-01", "script", "/latest/user-data", "Wget")
    keep(on, f"userdata{suffix}")
    await on.press("escape", "c")
    await on.sees(web.host.address)
    keep(on, f"console{suffix}")
    await on.press("escape", "D")
    await on.sees("Destroy web-01?")
    keep(on, f"destroy{suffix}")
    await on.press("escape", "escape", "n")
    await on.sees("Create VM", "tiny", "flat")
    keep(on, f"create-vm{suffix}")
    await on.press("escape", "question_mark")
    await on.sees("Reboot, reconnect", "Console address")
    keep(on, f"help{suffix}")
    await on.press("escape", "ctrl+p")
    await on.write("web")
    await on.sees("web-02")
    keep(on, f"palette{suffix}")
    await on.press("escape")
