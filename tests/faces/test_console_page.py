"""A VM's screen in a real browser: our page before a real QEMU, whose guest repeats what is typed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import WSMsgType, web
from PIL import Image, ImageChops

from appliance.serve.browser import Browser
from tests.faces.chromium import Page, chromium

pytestmark = pytest.mark.timeout(240)

ECHO = bytes.fromhex("b401 b90020 cd10 b400 cd16 b40e cd10 ebf6")
"""A boot sector: hide the cursor, whose blinking no two pictures share, then wait for a key, show it, again."""

SECONDS = 60.0
TEXT_MEMORY = 0xB8000


class Machine:
    """A QEMU with a screen, asked by QMP what its guest has there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vnc = folder / "vnc.sock"

    async def __aenter__(self) -> Machine:
        disk = self.folder / "echo.img"
        disk.write_bytes(ECHO.ljust(510, b"\0") + b"\x55\xaa")
        self._process = await asyncio.create_subprocess_exec(
            "qemu-system-x86_64", "-accel", "tcg", "-m", "16", "-nodefaults", "-vga", "std", "-display", "none",
            "-drive", f"file={disk},format=raw,if=ide", "-vnc", f"unix:{self.vnc}",
            "-qmp", f"unix:{self.folder / 'qmp.sock'},server=on,wait=off", "-net", "none",
        )  # fmt: skip
        async with asyncio.timeout(SECONDS):
            while True:
                with contextlib.suppress(OSError):
                    self._in, self._out = await asyncio.open_unix_connection(self.folder / "qmp.sock")
                    break
                await asyncio.sleep(0.05)
        await self._in.readline()
        await self.ask("qmp_capabilities")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._out.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def ask(self, command: str, **arguments: Any) -> Any:
        """Carry out a command of QMP."""
        self._out.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            said = json.loads(await self._in.readline())
            if "event" not in said:
                return said["return"]

    async def shown(self) -> str:
        """The characters in the guest's text memory."""
        line = f"xp /4000xb {TEXT_MEMORY}"
        dump = await self.ask("human-monitor-command", **{"command-line": line})
        cells = bytes(
            int(each, 16) for each in re.findall(r"0x([0-9a-f]{2})\b", re.sub(r"(?m)^\w+:", "", dump))
        )
        return cells[::2].decode("cp437")

    async def sees(self, text: str) -> None:
        """Wait until the guest shows a text."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while text not in await self.shown():
                    await asyncio.sleep(0.05)
                return
        raise AssertionError(f"no {text!r} in {(await self.shown()).split()}")

    async def picture(self) -> Image.Image:
        """What QEMU itself says the screen looks like."""
        await self.ask("screendump", filename=str(self.folder / "screen.ppm"))
        return Image.open(self.folder / "screen.ppm").convert("RGB")


@pytest_asyncio.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    async with Machine(tmp_path) as machine:
        await machine.sees("Booting from Hard Disk")
        yield machine


@pytest_asyncio.fixture
async def url(machine: Machine) -> AsyncIterator[str]:
    """Our pages, and the machine's screen behind the address that they ask."""

    async def screen(request: web.Request) -> web.StreamResponse:
        assert request.query["token"] == "once"
        socket = web.WebSocketResponse(protocols=("binary",))
        await socket.prepare(request)
        reader, writer = await asyncio.open_unix_connection(machine.vnc)

        async def there() -> None:
            async for message in socket:
                assert message.type is WSMsgType.BINARY
                writer.write(message.data)

        async def back() -> None:
            while data := await reader.read(1 << 16):
                await socket.send_bytes(data)

        ways = [asyncio.create_task(there()), asyncio.create_task(back())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        writer.close()
        await socket.close(code=4001, message=b"the VM is off")
        return socket

    app = web.Application()
    for route in Browser(None, None).table():  # type: ignore[arg-type]  # pages need neither
        app.router.add_route(route.methods[0], route.path, route.answer)
    app.router.add_get("/websockify", screen)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest_asyncio.fixture
async def page(url: str) -> AsyncIterator[Page]:
    async with chromium() as page:
        await page.open(f"{url}/console#token=once&name=%E6%95%B0%E6%8D%AE%E5%BA%93")
        yield page
        assert page.broken == []


async def canvas(page: Page) -> Image.Image:
    """The page's canvas, dot by dot."""
    width, height = await page.run(
        "[document.getElementById('screen').width, document.getElementById('screen').height]"
    )
    dots = await page.run(
        "Array.from(document.getElementById('screen').getContext('2d').getImageData(0, 0, "
        f"{width}, {height}).data, (each) => String.fromCharCode(each)).join('')"
    )
    return Image.frombytes("RGBA", (width, height), dots.encode("latin1")).convert("RGB")


async def same(page: Page, machine: Machine) -> None:
    """Wait until the page shows what QEMU shows."""
    async with asyncio.timeout(SECONDS):
        while True:
            ours, theirs = await canvas(page), await machine.picture()
            if ours.size == theirs.size and ImageChops.difference(ours, theirs).getbbox() is None:
                return
            await asyncio.sleep(0.2)


async def test_keys_reach_the_guest_and_its_screen_the_page(machine: Machine, page: Page) -> None:
    await page.until("document.activeElement.id == 'screen'")
    assert await page.run("document.title") == "数据库"
    assert await page.run("location.hash") == ""
    await page.press("h", "i")
    await machine.sees("hi")
    await page.run("document.getElementById('paste').click()")
    await page.write('Type #1: ~/a_b | c\\d "E" <F>')
    await page.run("document.querySelector('#typing button').click()")
    await machine.sees('hiType #1: ~/a_b | c\\d "E" <F>')
    await same(page, machine)


async def test_it_says_why_it_has_ended(machine: Machine, page: Page) -> None:
    await page.until("document.activeElement.id == 'screen'")
    await machine.ask("quit")
    await page.until(
        "document.getElementById('state').textContent.includes('The console has ended: the VM is off.')"
    )
