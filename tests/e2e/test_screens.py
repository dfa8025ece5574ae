"""The screens on a real lab: what they show of it, and that they follow what happens by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.pictures import keep, plain_name, plainly_named
from tests.e2e.stage import Stage
from tests.e2e.watch import end_of, qemu_of
from tests.zstui.conftest import Screens, nobody, screens

__all__ = ["nobody"]

SMALL, WIDE = (80, 24), (120, 36)
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
        keep(on.app.export_screenshot(simplify=True), name, tmp_path)

    return draw


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
    async with plainly_named(cloud):
        yield made


async def test_lists_show_the_real_cloud(cloud: Stage, guests: dict[str, Guest], shoot: Shoot) -> None:
    async with screens(cloud.appliance.socket, WIDE) as on:
        await on.sees("web-01", "数据库-主", "vms 2/3")
        await cursor_on(on, "web-01")
        await on.sees(guests["web-01"].ip, "◉ Running", "◌ Stopped", "shut down inside the guest")
        shoot(on, "vms")
        await on.press("2")
        await on.sees(*map(plain_name, cloud.machines), "Connected", cloud.machines[0].address)
        shoot(on, "hosts")
        await on.press("3")
        await on.sees("flat", "172.28.", "DHCP", "Userdata")
        shoot(on, "networks")
        await on.press("6")
        await on.sees("create VM", "◉ Succeeded")
        shoot(on, "jobs")
        await on.press("7")
        await on.sees("Running → Stopped (shut down inside the guest)")
        shoot(on, "events")
    async with screens(cloud.appliance.socket, SMALL) as on:
        await on.sees("web-01", "数据库-主", "batch-07", guests["web-01"].ip, "shut down inside the guest")
        shoot(on, "vms-80x24")


async def test_screens_of_one_vm(cloud: Stage, guests: dict[str, Guest], shoot: Shoot) -> None:
    async with screens(cloud.appliance.socket, WIDE) as on:
        await on.sees("web-01")
        await cursor_on(on, "web-01")
        await on.press("e")
        await on.sees("user data of web-01", "script  ·", "问候", "fetched by the guest", "200 /latest/")
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
        await on.press("escape")


@pytest.mark.alone
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
