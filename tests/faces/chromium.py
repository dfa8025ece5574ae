"""A real browser, headless: pages opened, keys typed, and what a terminal in one shows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from PIL import Image

from tests.faces.cells import Cells

START_SECONDS = 60.0
SECONDS = 60.0
VIEW = (1280, 720)
CONTROL = 2
KEYS = {
    "enter": ("Enter", 13, "\r"),
    "down": ("ArrowDown", 40, ""),
    "end": ("End", 35, ""),
    "ctrl+s": ("s", 83, ""),
    "ctrl+]": ("]", 221, ""),
}


class Page:
    """One tab, spoken to by the browser's DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.broken: list[str] = []
        """What went wrong in the page's scripts."""
        self.cells = Cells()
        """What came over the page's WebSocket, drawn."""
        self.asked: list[str] = []
        """Where the page has sent requests."""

    async def listen(self) -> None:
        """Take what the browser says, until it is closed."""
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
                continue
            match said["method"], said["params"]:
                case "Network.webSocketFrameReceived", {"response": {"opcode": 2, "payloadData": data}}:
                    self.cells.feed(base64.b64decode(data))
                case "Network.requestWillBeSent", {"request": {"url": url}}:
                    self.asked.append(url)
                case "Network.webSocketCreated", {"url": url}:
                    self.asked.append(url)
                    size = parse_qs(urlsplit(url).query)
                    if "width" in size:
                        self.cells.screen.resize(int(size["height"][0]), int(size["width"][0]))
                case "Runtime.exceptionThrown", {"exceptionDetails": details}:
                    self.broken.append(json.dumps(details))

    async def tell(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command; its result."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(SECONDS):
            said = await answer
        assert "error" not in said, said
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, url: str) -> None:
        """Go to a page and wait until it is there."""
        await self.tell("Page.navigate", url=url)
        await self.until("document.readyState == 'complete'")

    async def run(self, script: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        said = await self.tell("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression is true in the page."""
        async with asyncio.timeout(SECONDS):
            while not await self.run(script):
                await asyncio.sleep(0.05)

    async def press(self, *keys: str) -> None:
        """Press keys, each by its name or as the character it is."""
        for key in keys:
            name, code, text = KEYS.get(key, (key, 0, key))
            said: dict[str, Any] = {"key": name, "windowsVirtualKeyCode": code}
            said |= {"modifiers": CONTROL} if key.startswith("ctrl+") else {}
            down = {"text": text} if text else {}
            await self.tell("Input.dispatchKeyEvent", type="keyDown", **said, **down)
            await self.tell("Input.dispatchKeyEvent", type="keyUp", **said)

    async def write(self, text: str) -> None:
        """Put a text in where the page's cursor is, as an input method does."""
        await self.tell("Input.insertText", text=text)

    async def picture(self) -> Image.Image:
        """What the tab looks like."""
        said = await self.tell("Page.captureScreenshot", format="png")
        return Image.open(io.BytesIO(base64.b64decode(said["data"]))).convert("RGB")


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    """A browser with one tab, and nothing remembered."""
    program = shutil.which("chromium")
    assert program, "Debian's package chromium is not installed; run make setup"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
            "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--window-size={VIEW[0]},{VIEW[1]}",
            "--lang=en-US", f"--user-data-dir={profile}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await _port(Path(profile) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as http:
                async with http.get(f"http://127.0.0.1:{port}/json/list") as got:
                    [tab] = [each for each in await got.json() if each["type"] == "page"]
                async with http.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    page = Page(socket)
                    listening = asyncio.create_task(page.listen())
                    for domain in ("Page", "Network", "Runtime"):
                        await page.tell(f"{domain}.enable")
                    yield page
                    listening.cancel()
        finally:
            process.terminate()
            await process.wait()


async def _port(file: Path, process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(START_SECONDS):
        while True:
            assert process.returncode is None, "the browser ended before it began"
            lines = said(file)
            if len(lines) > 1:
                return int(lines[0])
            await asyncio.sleep(0.05)


def said(file: Path) -> list[str]:
    """A file's lines; none while it is not there."""
    return file.read_text().splitlines() if file.exists() else []
