"""The screens on a real lab: what the README shows of them, and that they follow what happens by itself.

With `ZSTUI_SCREENSHOTS=write` the pictures go to `screenshots/`; without, they are drawn all the same, but
only what is on the screens is judged.
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import Stage
from tests.e2e.watch import end_of, qemu_of
from tests.zstui.conftest import Screens, screens
from zstui.picture import write_picture

WRITE = os.environ.get("ZSTUI_SCREENSHOTS") == "write"
FOLDER = Path(__file__).parents[2] / "screenshots"
SMALL, WIDE = (80, 24), (120, 36)
MOST_BYTES = 200_000
COLOURS = 64
LIVE_SECONDS = 1.0
"""From the event on the host to the terminal's cells."""

USERDATA = """#!/bin/sh
# runs once, at the first boot of this VM
echo "hello from user data" > /run/greeting
echo 你好 > /run/问候
"""
"""Served by the metadata address; the tiny image runs it."""

Shoot = Callable[[Screens, str], None]


@pytest.fixture
def shoot(tmp_path: Path) -> Shoot:
    """Draws the screen as it is to a picture of a name."""

    def draw(on: Screens, name: str) -> None:
        path = write_picture(on.app, tmp_path / f"{name}.png")
        small = small_picture(path)
        assert len(small) < MOST_BYTES, f"{name}.png has {len(small)} bytes"
        if WRITE:
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / path.name).write_bytes(small)

    return draw


def small_picture(path: Path) -> bytes:
    """A picture with few colours: text on one ground loses nothing by it."""
    packed = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS).save(packed, "png", optimize=True)
    return packed.getvalue()


@pytest_asyncio.fixture(loop_scope="session")
async def guests(cloud: Stage, vm: VmFactory) -> AsyncIterator[dict[str, Guest]]:
    """Three guests: with user data, with a Chinese name, and one that halted itself."""
    made = {
        "web-01": await vm("web-01", host=1, user_data=USERDATA),
        "数据库-主": await vm("数据库-主", host=2),
        "batch-07": await vm("batch-07", host=2),
    }
    for guest in made.values():
        await guest.booted()
    await made["batch-07"].ssh("halt", check=False)
    # With a policy that keeps destroyed VMs, destroying needs no name typed.
    await cloud.setting("vm", "deletionPolicy", "Delay")
    yield made


async def test_lists_show_the_real_cloud(cloud: Stage, guests: dict[str, Guest], shoot: Shoot) -> None:
    async with screens(cloud.appliance.socket, WIDE) as on:
        await on.sees("web-01", "数据库-主", "vms 2/3")
        await cursor_on(on, "web-01")
        await on.sees(guests["web-01"].ip, "◉ Running", "◌ Stopped", "shut down inside the guest")
        shoot(on, "vms")
        await on.press("2")
        await on.sees(*(machine.name for machine in cloud.machines), "Connected", cloud.machines[0].address)
        shoot(on, "hosts")
        await on.press("3")
        await on.sees("flat", "172.28.", "DHCP", "Userdata")
        shoot(on, "networks")
        await on.press("6")
        await on.sees("CreateVmInstance", "◉ Succeeded")
        shoot(on, "jobs")
        await on.press("7")
        await on.sees("Running → Stopped (shut down inside the guest)")
        shoot(on, "events")
    async with screens(cloud.appliance.socket, SMALL) as on:
        await on.sees("web-01", "数据库-主", "batch-07", guests["web-01"].ip, "shut down inside the guest")
        shoot(on, "vms-80x24")


async def test_a_vm_is_made_by_the_form(
    cloud: Stage, guests: dict[str, Guest], vm: VmFactory, shoot: Shoot
) -> None:
    async with screens(cloud.appliance.socket, WIDE) as on:
        await on.sees("web-01")
        await on.press("n")
        await on.sees("Create VM")
        await on.write("web-02")
        for typed in ("tiny", "tiny", "flat"):
            await pick(on, typed)
        await on.sees("web-02", "tiny", "flat")
        shoot(on, "create-vm")
        await on.press("ctrl+s")
        await on.until(lambda: on.app.screen is on.browser, "the list again")
        await on.sees("web-02")
        [made] = await cloud.session.query("VmInstance", name="web-02")
        try:
            await on.until(lambda: state_of(on, "web-02") == "Running", "web-02 running")
            assert await Guest(cloud, made).refresh()
        finally:
            await cloud.session.call("DestroyVmInstance", uuid=made["uuid"], timeout_seconds=60)
            await cloud.session.call("ExpungeVmInstance", uuid=made["uuid"], timeout_seconds=60)


async def test_screens_of_one_vm(cloud: Stage, guests: dict[str, Guest], shoot: Shoot) -> None:
    async with screens(cloud.appliance.socket, WIDE) as on:
        await on.sees("web-01")
        await cursor_on(on, "web-01")
        await on.press("e")
        await on.sees("user data of web-01", "script  ·", "问候", "fetched by the guest", "200 /latest/")
        shoot(on, "userdata")
        await on.press("escape")
        await on.until(lambda: on.app.screen is on.browser, "the list again")
        await on.press("C")
        await on.sees("Console of web-01", "protocol", guests["web-01"].host.address)
        shoot(on, "console")
        await on.press("escape", "question_mark")
        await on.sees("Keys")
        shoot(on, "help")
        await on.press("escape", "ctrl+p")
        await on.sees("Everything")
        await on.write("net")
        await on.sees("create L3 network", ":net")
        shoot(on, "palette")
        await on.press("escape", "D")
        await on.sees("Destroy web-01?", guests["web-01"].ip, "It can be recovered")
        shoot(on, "confirm")
        await on.press("escape")


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_what_happens_behind_our_back_is_on_the_screen_at_once(
    cloud: Stage, vm: VmFactory, size: tuple[int, int], record_property: Callable[[str, object], None]
) -> None:
    guest = await (await vm("live-01")).booted()
    async with screens(cloud.appliance.socket, size) as on:
        await on.sees("live-01", "◉ Running", guest.ip)
        ended = asyncio.create_task(end_of(qemu_of(guest)))
        halting = asyncio.create_task(guest.ssh("halt", check=False))
        shown = await seen_at(on, "live-01", "◌ Stopped", "shut down inside the guest")
        record_property("halt", took := shown - await ended)
        assert took < LIVE_SECONDS
        await halting

        await cloud.virsh(guest.host, "start", guest.uuid)
        returned = time.monotonic()
        shown = await seen_at(on, "live-01", "◉ Running", "started on the host")
        record_property("start", took := shown - returned)
        assert took < LIVE_SECONDS

        ended = asyncio.create_task(end_of(qemu_of(guest)))
        await cloud.virsh(guest.host, "destroy", guest.uuid)
        shown = await seen_at(on, "live-01", "◌ Stopped", "powered off on the host")
        record_property("destroy", took := shown - await ended)
        assert took < LIVE_SECONDS


async def seen_at(on: Screens, *texts: str, seconds: float = 30.0) -> float:
    """When the cells of the terminal first showed some texts (`time.monotonic`)."""
    async with asyncio.timeout(seconds):
        while not all(text in on.whole() for text in texts):
            await asyncio.sleep(0.03)  # the app draws in this loop too: leave it the time
    return time.monotonic()


async def cursor_on(on: Screens, name: str) -> None:
    """Put the cursor on the row of a name, as one does by `:`."""
    await on.press("colon")
    await on.write(name)
    await on.press("enter")
    await on.until(lambda: on.browser.row is not None and on.browser.row.name == name, f"cursor on {name}")


def state_of(on: Screens, name: str) -> str:
    """The state that the mirror has of a VM."""
    return next((str(row.get("state")) for row in on.app.mirror.all("VmInstance") if row.name == name), "")


async def pick(on: Screens, typed: str) -> None:
    """Go to the next field, open its picker and take what a word leaves."""
    form = on.app.screen
    await on.press("tab", "enter")
    await on.until(lambda: on.app.screen is not form, "the picker")
    await on.write(typed)
    await on.press("enter")
    await on.until(lambda: on.app.screen is form, "the form again")
