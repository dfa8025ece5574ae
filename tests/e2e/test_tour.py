"""A tour of the full screen in a real tmux, by keys alone: one VM from the form to the recycle bin and back.

What each step shows is looked at, and what it did is asked of the hosts. The frames go to `screenshots/` with
`ZSTUI_SCREENSHOTS=write`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from wcwidth import wcswidth

from tests.e2e.conftest import VmFactory
from tests.e2e.guest import BOOT_SECONDS, Guest
from tests.e2e.pane import Pane
from tests.e2e.pictures import keep, plain_name, plainly_named
from tests.e2e.stage import Stage, installer, until
from tests.e2e.test_iso import in_drive
from tests.e2e.test_vm_move import of

NAME, CHINESE = "web-01", "数据库-主"
USERDATA = """#cloud-config
hostname: web-01
packages: nginx
runcmd:
  - echo 你好 > /run/问候
"""
MOVE_SECONDS = 120.0


class Tour:
    """The full screen in a pane, and the cloud that it is on."""

    def __init__(self, cloud: Stage, pane: Pane, folder: Path) -> None:
        self.cloud = cloud
        self.pane = pane
        self._folder = folder

    async def frame(self, name: str) -> None:
        """Draw what is shown."""
        keep(await self.pane.svg("zstui"), f"tour-{name}", self._folder)

    async def vm(self) -> Guest:
        """The tour's VM as it is now."""
        [found] = await self.cloud.session.query("VmInstance", name=NAME)
        return Guest(self.cloud, found)

    async def is_in_state(self, state: str) -> None:
        """Wait until the appliance has the VM in a state."""

        async def look() -> bool:
            return (await self.vm()).state == state

        await until(look, what=f"{state} {NAME}")


@asynccontextmanager
async def touring(cloud: Stage, folder: Path) -> AsyncIterator[Tour]:
    """The program in a pane; what was made on the way is gone at the end."""
    environment = {
        **cloud.appliance.environment, "LC_ALL": "C.UTF-8", "COLORTERM": "truecolor", "ZSTUI_LANG": "en",
        "XDG_STATE_HOME": str(folder / "state"), "XDG_CONFIG_HOME": str(folder / "config"),
    }  # fmt: skip
    words = cloud.appliance.command()
    try:
        async with plainly_named(cloud), Pane(folder / "tmux.sock", words, environment) as pane:
            yield Tour(cloud, pane, folder)
    finally:
        await cloud.setting("vm", "deletionPolicy", "Direct")
        for left in await cloud.session.query("VmInstance", name=NAME):
            message = "ExpungeVmInstance" if left["state"] == "Destroyed" else "DestroyVmInstance"
            await cloud.session.call(message, uuid=left["uuid"], timeout_seconds=60)


@pytest.mark.timeout(400)
async def test_the_tour(cloud: Stage, vm: VmFactory, tmp_path: Path) -> None:
    await vm(CHINESE, host=2)
    await cloud.setting("vm", "deletionPolicy", "Delay")
    async with installer(cloud), touring(cloud, tmp_path) as tour:
        await tour.pane.sees("◉ live", CHINESE, "vms 1/1")
        await creates(tour)
        await watches_it_boot(tour)
        await writes_user_data(tour)
        await asks_for_it_in_the_guest(tour)
        await puts_an_iso_in(tour)
        await moves_it(tour)
        address = (await tour.vm()).ip
        await destroys_it(tour)
        await takes_it_back(tour, address)
        await says_it_in_chinese(tour)


async def creates(tour: Tour) -> None:
    """By the form, whose networks, image and offering are chosen from what there is."""
    pane = tour.pane
    await pane.press("n")
    await pane.sees("Create VM", "* name")
    await pane.write(NAME)
    for typed in ("tiny", "tiny", "flat"):
        await pane.press("Tab", "Enter")
        await pane.sees("type to narrow")
        await pane.write(typed)
        await pane.press("Enter")
        await pane.misses("type to narrow")
    await pane.sees("1 CPU, 192 MiB memory", "from tiny", "1 NIC")
    await tour.frame("create")
    await pane.press("C-s")
    await pane.sees("vms 2/2", NAME)
    await pane.press(":")
    await pane.write(NAME)
    await pane.press("Enter")
    await pane.sees(f"{NAME}  VM", "◉ Running")
    guest = await tour.vm()
    assert (guest.state, await guest.on()) == ("Running", True)


async def watches_it_boot(tour: Tour) -> None:
    """On its serial console, from the first line to where one logs in."""
    pane, guest = tour.pane, await tour.vm()
    await pane.press("c")
    await pane.sees(f"{NAME} serial ◉ live")
    await pane.sees("zstui-tiny: ready", "login:", seconds=BOOT_SECONDS)
    await pane.sees(f"{NAME} login:", guest.ip)
    await tour.frame("boot")
    await leaves_the_console(tour)


async def writes_user_data(tour: Tour) -> None:
    """In the editor, which says what looks wrong and keeps it all the same."""
    pane, guest = tour.pane, await tour.vm()
    await pane.press("e")
    await pane.sees(f"user data of {NAME}", "no user data yet")
    for line in USERDATA.splitlines():
        await pane.write(line)
        await pane.press("Enter")
    await pane.sees("cloud-config  ·", "line 3", "userdata::#cloud-config")
    await pane.press("C-s")
    await pane.sees("saved; the guest gets it")
    await tour.frame("userdata")
    tags = await tour.cloud.session.query("SystemTag", resource_uuid=guest.uuid)
    assert f"userdata::{USERDATA}" in [tag["tag"] for tag in tags]
    await pane.press("Escape")
    await pane.misses("user data of")


async def asks_for_it_in_the_guest(tour: Tour) -> None:
    """By typing on its serial console."""
    pane = tour.pane
    await pane.press("c")
    await pane.sees(f"{NAME} login:")
    await pane.write("root")
    await pane.press("Enter")
    await pane.sees(f"root@{NAME}:~#")
    await pane.write("wget -qO- http://169.254.169.254/latest/user-data")
    await pane.press("Enter")
    await pane.sees("packages: nginx", "  - echo 你好 > /run/问候")
    await tour.frame("console")
    await leaves_the_console(tour)


async def puts_an_iso_in(tour: Tour) -> None:
    """Into the drive of the running guest."""
    pane, guest = tour.pane, await tour.vm()
    await pane.press("b")
    await pane.sees(f"What {NAME} starts from", "drive", "empty")
    assert await in_drive(tour.cloud, guest) == "-"
    await pane.press("i")
    await pane.sees("Which ISO?", "installer")
    await pane.press("Enter")
    await pane.until(lambda shown: "Which ISO?" not in shown and "empty" not in shown, "an ISO in the drive")
    await tour.frame("iso")
    assert (await in_drive(tour.cloud, guest)).endswith(".iso")
    await pane.press("Escape")
    await pane.misses("starts from")


async def moves_it(tour: Tour) -> None:
    """To the other host, while it runs."""
    pane, cloud, guest = tour.pane, tour.cloud, await tour.vm()
    here, other = guest.host, cloud.machines[2 - guest.host.number]
    await pane.press("m")
    await pane.sees(f"Move {NAME} to another host", f"{plain_name(other)}  ✓")
    await tour.frame("move")
    await pane.press("Enter")
    await pane.sees("◍ Migrating  ", f"{NAME} is asked to move to {plain_name(other)}")
    await tour.frame("moving")

    async def is_there() -> bool:
        return guest.uuid in await cloud.domains(other) and guest.uuid not in await cloud.domains(
            here, "--all"
        )

    await until(is_there, MOVE_SECONDS, f"{NAME} on {other.name} alone")
    await tour.is_in_state("Running")
    assert await of(cloud, other, guest)

    async def has_left() -> bool:
        return not await of(cloud, here, guest)

    await until(has_left, 30, f"the end of {NAME}'s files on {here.name}")
    await pane.until(lambda shown: "Migrating" not in shown, "the end of the move")


async def destroys_it(tour: Tour) -> None:
    """Once it was said what that means."""
    pane = tour.pane
    guest = await tour.vm()
    await pane.press("D")
    await pane.sees(f"Destroy {NAME}?", guest.ip, "It can be recovered (u)")
    await tour.frame("destroy")
    await pane.press("y")
    await pane.sees(f"{NAME} deleted; u takes it back")
    await tour.frame("destroyed")
    assert (await tour.vm()).state == "Destroyed"
    assert guest.uuid not in await tour.cloud.domains(guest.host, "--all")


async def takes_it_back(tour: Tour, address: str) -> None:
    """By the key that the toast says, and starts it again where it was."""
    pane = tour.pane
    await pane.press("u")
    await pane.sees(f"{NAME}: taken back", "◌ Stopped", address)
    await tour.frame("undo")
    await tour.is_in_state("Stopped")
    await pane.press("s")
    await pane.sees("vms 2/2")
    await tour.is_in_state("Running")
    assert await (await tour.vm()).on()


async def says_it_in_chinese(tour: Tour) -> None:
    """The same in Chinese, with columns that stand below each other."""
    pane = tour.pane
    await pane.press("F2")
    await pane.sees("运行中", CHINESE, "简体中文")
    for said in ("简体中文", "taken back"):
        await pane.misses(said)
    await tour.frame("chinese")
    rows = [line for line in (await pane.text()).splitlines() if "运行中" in line and "172.28." in line]
    assert (
        len({wcswidth(line[: line.index("172.28.")]) for line in rows if NAME in line or CHINESE in line})
        == 1
    )
    await pane.press("0")
    await pane.sees("需要注意", "峰值")
    await tour.frame("overview")


async def leaves_the_console(tour: Tour) -> None:
    await tour.pane.press("C-]")
    await tour.pane.sees("NAME", "STATE")
