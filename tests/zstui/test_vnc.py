"""The screen of a VM in the terminal: the picture, keys, what it says of others."""

from __future__ import annotations

from rich.cells import cell_len

from appliance.hosts.simulated_console import BARS
from tests.zstui.conftest import LARGE, Cloud, Screens, screens
from zstui.screens.serial import Serial
from zstui.screens.vnc import Vnc
from zstui.vnc_view import VncView

SHADES = [f"#{bar & 0xF8F8F8:06x}" for bar in BARS]


def bars(on: Screens) -> list[str]:
    """The colours in the middle of the screen, from left to right."""
    view = on.app.screen.query_one(VncView)
    strip = view.render_line(view.size.height // 2)
    found = [part.style.bgcolor.name for part in strip if part.style is not None and part.style.bgcolor]
    pure = [name for name in found if name in SHADES]  # between two bars are cells with something of both
    return [name for at, name in enumerate(pure) if at == 0 or pure[at - 1] != name]


def turned(by: int) -> list[str]:
    """The colours after so many keys."""
    return [*SHADES[by:], *SHADES[:by]]


async def test_the_picture_is_drawn_and_keys_change_it(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("V")
        await on.sees("VNC ◉ live", "64×40")
        await on.until(lambda: bars(on) == SHADES)
        assert all(cell_len(line) == 80 for line in on.text())
        await on.press("A")
        await on.until(lambda: bars(on) == turned(2), "Shift, and the letter")
        await on.press("f9")
        await on.sees("F9 blocks")
        await on.press("f9")
        await on.sees("F9 dots")
        await on.press("f8")
        await on.sees("Ctrl-Alt-Del")
        await on.press("enter")
        await on.until(lambda: bars(on) == turned(5), "three keys more")
        await on.press("f8", "down", "enter")
        await on.sees("Type into web-1")
        await on.press("a", "b", "enter")
        await on.until(lambda: bars(on) == turned(7), "two keys more")
        await on.press("f11")
        await on.sees("serial ◉ live")
        await on.press("f11")
        await on.sees("VNC ◉ live")
        await on.press("ctrl+right_square_bracket")
        await on.until(lambda: on.app.screen is on.browser, "the list again")


async def test_it_ends_with_its_vm_and_fits_any_terminal(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("◉ Running")
        await on.press("C")
        await on.sees("5900")
        await on.press("g")
        await on.sees("VNC ◉ live", "64×40")
        for size in ((40, 10), (20, 5), (160, 45)):
            await on.pilot.resize_terminal(*size)
            width = size[0]
            await on.until(lambda width=width: all(cell_len(line) == width for line in on.text()), f"{size}")
        await cloud.session.call("StopVmInstance", uuid=uuid)
        await on.sees("◌ the VM is off")
        await cloud.session.call("StartVmInstance", uuid=uuid)
        await on.sees("VNC ◉ live")


async def test_what_comes_while_a_console_is_taken_down_is_left(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        for key, kind in (("V", Vnc), ("c", Serial)):
            await on.press(key)
            await on.sees("live")
            screen = on.app.screen
            assert isinstance(screen, kind)
            for view in screen.query("VncView, SerialView"):
                await view.remove()
            screen.heard(b"RFB 003.008\n")
            await on.press("ctrl+right_square_bracket")
            await on.until(lambda: on.app.screen is on.browser)
