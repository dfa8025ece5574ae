"""The full screen in a real browser: logged in, read, typed into, and closed to everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from PIL import Image
from wcwidth import wcswidth

from appliance.client import Session
from tests.e2e.appliance_process import PASSWORD
from tests.faces.chromium import Page, chromium
from tests.faces.conftest import Served

pytestmark = pytest.mark.timeout(240)


@pytest_asyncio.fixture
async def page(served: Served) -> AsyncIterator[Page]:
    """A browser at the page of the appliance."""
    async with chromium() as page:
        await page.open(f"{served.url}/")
        yield page


async def log_in(page: Page, password: str = PASSWORD) -> None:
    await page.until("document.activeElement.id == 'secret'")
    await page.write(password)
    await page.press("enter")


async def test_the_first_steps_of_the_tour(served: Served, page: Page) -> None:
    await log_in(page, "wrong")
    await page.until("document.getElementById('said').textContent == 'wrong account name or password'")
    await page.until("(document.querySelector('#languages [lang=zh-CN]').click(), true)")
    await log_in(page, "wrong")
    await page.until("document.getElementById('said').textContent == '账户名或密码错误'")
    await page.until("(document.querySelector('#languages [lang=en]').click(), true)")
    await log_in(page)
    await page.cells.sees("◉ live", "web-1", "数据库主机", "vms 2/2")
    await page.press("2")
    await page.cells.sees("node-a", "Connected")
    await page.press("1")
    await page.cells.sees("web-1")
    await page.press("n")
    await page.cells.sees("Create VM", "small", "tiny", "lan")
    # As an input method does: no key has these.
    await page.write("网关-测试")
    await page.cells.sees("网关-测试")
    await page.press("ctrl+s")
    await page.cells.sees("vms 3/3", "网关-测试")
    async with await Session.connect(served.socket) as session:
        [made] = await session.query("VmInstance", name="网关-测试")
        assert made["state"] == "Running"
    await page.press("c")
    await page.cells.sees("网关-测试 serial ◉ live", "This guest is simulated")
    await page.press("ctrl+]")
    await page.cells.sees("vms 3/3", "网关-测试")
    await page.press("end")
    await look_at_glyphs(page)
    await page.press("q")
    await page.until("document.body.innerText.includes('The full screen has ended.')")
    assert {urlsplit(url).netloc for url in page.asked} == {urlsplit(served.url).netloc}, page.asked
    assert page.broken == []


async def look_at_glyphs(page: Page) -> None:
    """Chinese characters are drawn, each another one, and what stands right of them stands where it should."""
    box = await page.run("document.querySelector('.xterm-screen').getBoundingClientRect().toJSON()")
    width, height = box["width"] / page.cells.screen.columns, box["height"] / page.cells.screen.lines

    def cut(picture: Image.Image, text: str, beside: str) -> Image.Image:
        line, _ = page.cells.place(beside)
        line, column = page.cells.place(text, line)
        left, top = box["left"] + column * width, box["top"] + line * height
        return picture.crop(
            (round(left), round(top), round(left + wcswidth(text) * width), round(top + height))
        )

    async with asyncio.timeout(30):
        while True:
            picture = await page.picture()
            states = {cut(picture, "◉ Running", name).tobytes() for name in ("web-1", "数据库主机")}
            glyphs = [cut(picture, each, "数据库主机") for each in "数据库主机"]
            inked = [len(part.getcolors() or []) > 8 for each in glyphs for part in halves(each)]
            if len(states) == 1 and all(inked) and len({each.tobytes() for each in glyphs}) == 5:
                return
            await asyncio.sleep(0.1)


def halves(glyph: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The two cells of a wide character."""
    width, height = glyph.size
    return glyph.crop((0, 0, width // 2, height)), glyph.crop((width // 2, 0, width, height))


async def test_only_our_own_page_may_ask(served: Served) -> None:
    login = {"name": "admin", "secret": PASSWORD}
    async with aiohttp.ClientSession() as http:
        evil = {"Origin": "http://evil.example"}
        async with http.post(f"{served.url}/terminal", json=login, headers=evil) as got:
            assert got.status == 403, await got.text()
        async with http.post(f"{served.url}/terminal", json=login, headers={"Origin": served.url}) as got:
            ticket = (await got.json())["ticket"]
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(f"{served.url}/terminal/{ticket}", headers=evil)
        async with http.ws_connect(
            f"{served.url}/terminal/{ticket}", headers={"Origin": served.url}
        ) as socket:
            assert (await socket.receive()).type is aiohttp.WSMsgType.BINARY
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(f"{served.url}/terminal/{ticket}", headers={"Origin": served.url})
