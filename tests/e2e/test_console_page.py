"""A real guest's screen in a real browser: by an address that is good for one visit."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.conftest import VmFactory
from tests.e2e.stage import Stage
from tests.faces.chromium import chromium
from zstui.screens.console import browser_link

pytestmark = pytest.mark.timeout(180)

COLOURS = """(() => {
  const screen = document.getElementById("screen");
  const dots = new Uint32Array(
    screen.getContext("2d").getImageData(0, 0, screen.width, screen.height).data.buffer);
  return new Set(dots).size;
})()"""


async def test_a_guests_screen_is_seen_once_and_until_it_is_off(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm("web-console")
    await guest.booted()
    access = (await cloud.session.call("RequestConsoleAccess", vmInstanceUuid=guest.uuid))["inventory"]
    link = browser_link(access, "web-console")
    async with chromium() as page, chromium() as other:
        await page.open(link)
        await page.until("document.activeElement.id == 'screen'")
        # What the guest has written there: no one colour.
        await page.until(f"{COLOURS} > 1")
        await other.open(link)
        await other.until("document.getElementById('state').textContent.includes('has ended')")
        await cloud.session.call("StopVmInstance", uuid=guest.uuid)
        await page.until("document.getElementById('state').textContent.includes('The console has ended')")
        async with asyncio.timeout(30):
            said = await page.run("document.getElementById('state').textContent")
        assert said == "The console has ended: the VM is off."
        assert page.broken == []
