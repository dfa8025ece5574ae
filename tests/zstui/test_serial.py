"""The serial console: seen, typed into, scrolled, searched, recorded, ended and opened again."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from rich.cells import cell_len

from appliance.hosts.simulated_console import SimulatedSerial
from tests.zstui.conftest import LARGE, Cloud, Screens, screens
from zstui.serial_view import SerialView

WELCOME = "This guest is simulated"


async def guest_of(cloud: Cloud, name: str = "web-1") -> tuple[str, SimulatedSerial]:
    """A running VM, and its end of the line."""
    uuid = await cloud.vm(name)
    return uuid, cloud.host_of(uuid).doors.line(uuid)


async def opened(on: Screens) -> SerialView:
    """The console of the VM under the cursor."""
    await on.sees("◉ Running")
    await on.press("c")
    await on.sees(WELCOME, "serial ◉ live")
    return on.app.screen.query_one(SerialView)


async def test_what_the_guest_wrote_is_shown_and_every_key_is_the_guests(cloud: Cloud) -> None:
    _, guest = await guest_of(cloud)
    async with screens(cloud.socket) as on:
        view = await opened(on)
        for key in ("l", "s", "q", "1", "question_mark", "colon", "ctrl+c", "ctrl+q", "ctrl+p", "escape",
                    "up", "tab", "f5", "backspace", "enter"):  # fmt: skip
            await on.press(key)
        sent = b"lsq1?:\x03\x11\x10\x1b\x1b[A\t\x1b[15~\x7f\r"
        await on.until(lambda: bytes(guest.text).endswith(sent), "all keys at the guest")
        guest.write("\r\n\x1b[1;31m登入\x1b[0m: ".encode())
        await on.sees("登入:")
        assert all(cell_len(line) == 80 for line in on.text())
        assert view.has_focus
        await on.press("ctrl+right_square_bracket")
        await on.until(lambda: on.app.screen is on.browser, "the list again")
        assert on.app.calls.log[-1].line.endswith("console=serial")


async def test_what_scrolled_off_is_found_again_and_copied(cloud: Cloud) -> None:
    _, guest = await guest_of(cloud)
    async with screens(cloud.socket) as on:
        await opened(on)
        guest.write(b"".join(b"line %d\r\n" % number for number in range(300)))
        await on.sees("line 299")
        await on.press("pageup")
        await on.misses("line 299")
        await on.press("home")
        await on.sees(WELCOME, "line 0 ")
        await on.press("end")
        await on.sees("line 299")
        await on.press("pageup", "slash")
        await on.write("LINE 42")
        await on.press("enter")
        await on.sees("line 42 ", "line 41 ")
        await on.press("y")
        await on.until(lambda: "line 42\n" in on.app.clipboard)
        guest.write(b"more\r\n")
        await on.pilot.pause(0.2)
        assert "line 42 " in on.whole(), "what comes does not move what is read"
        await on.press("escape")
        await on.sees("more")


async def test_who_is_elsewhere_records_nothing_here(cloud: Cloud, tmp_path: Path) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        on.app.is_guest = True
        await on.sees("◉ Running")
        await on.press("c")
        await on.sees("serial ◉ live")
        await on.press("ctrl+r")
        await on.sees("where the appliance is")
    assert not (tmp_path / "state" / "zstui" / "recordings").exists()


async def test_a_recording_is_what_asciinema_plays(cloud: Cloud, tmp_path: Path) -> None:
    _, guest = await guest_of(cloud)
    async with screens(cloud.socket) as on:
        await opened(on)
        await on.press("ctrl+r")
        await on.sees("recorded from now on to", "●")
        guest.write("你好\r\n".encode())
        await on.sees("你好")
        await on.press("ctrl+r")
        await on.sees("recorded:")
        await on.until(lambda: "●" not in on.text()[0])
        [path] = (tmp_path / "state" / "zstui" / "recordings").glob("web-1-*.cast")
        head, first, *events = [json.loads(line) for line in path.read_text().splitlines()]
        assert (head["version"], head["width"], head["height"]) == (2, 80, 24)
        assert WELCOME in first[2]
        assert "".join(text for _, kind, text in events if kind == "o") == "你好\r\n"
        assert path.stat().st_mode & 0o777 == 0o600
        guest.write(b"after")
        await on.sees("after")
        assert "after" not in path.read_text()


async def test_it_says_how_it_ended_and_opens_again_with_its_vm(cloud: Cloud) -> None:
    uuid, guest = await guest_of(cloud)
    async with screens(cloud.socket) as on:
        await opened(on)
        await cloud.session.call("StopVmInstance", uuid=uuid)
        await on.sees("◌ the VM is off", "Enter try again")
        guest.write(b"a new boot\r\n")
        await cloud.session.call("StartVmInstance", uuid=uuid)
        await on.sees("◉ live", "a new boot")


async def test_a_flood_leaves_keys_alive_and_is_not_kept(cloud: Cloud) -> None:
    _, guest = await guest_of(cloud)
    async with screens(cloud.socket) as on:
        view = await opened(on)
        flooding = True

        async def flood() -> None:
            while flooding:
                guest.write(b"y\r\n" * 20_000)
                await asyncio.sleep(0.005)

        task = asyncio.create_task(flood())
        await on.sees("left out")
        began, drawn = time.monotonic(), view.lines_drawn
        await on.pilot.pause(1.0)
        lines = (view.lines_drawn - drawn) / (time.monotonic() - began)
        assert lines < 30 * 24, "no more than so many pictures a second"
        flooding = False
        await on.press("x")
        await on.until(lambda: bytes(guest.text).endswith(b"x"))
        await task
        assert view.terminal.top - view.terminal.first <= 5000


async def test_it_may_be_a_pane_on_a_large_terminal(cloud: Cloud) -> None:
    await guest_of(cloud)
    async with screens(cloud.socket, LARGE) as on:
        await opened(on)
        await on.misses("Offering")
        await on.press("f12")
        await on.sees(WELCOME, "node-")
        assert on.app.screen.query_one(SerialView).size == (80, 25) or on.app.screen.has_class("-pane")
        await on.pilot.resize_terminal(80, 24)
        await on.sees("serial ◉ live")
        await on.until(lambda: all(cell_len(line) == 80 for line in on.text()), "lines of 80 cells")


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (160, 45)])
async def test_it_fits_and_resizes_without_loss(cloud: Cloud, size: tuple[int, int]) -> None:
    _, guest = await guest_of(cloud)
    guest.write(b"".join(b"line %d\r\n" % number for number in range(40)))
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("c")
        await on.sees("line 39")
        await on.pilot.resize_terminal(*size)
        await on.sees("line 39")
        await on.pilot.resize_terminal(80, 24)
        await on.sees("line 39", "line 30 ")
        terminal = on.app.screen.query_one(SerialView).terminal
        text = [terminal.text(number).strip() for number in range(terminal.first, terminal.end)]
        assert [line for line in text if line.startswith("line")] == [
            f"line {number}" for number in range(40)
        ]
