"""Every screen in every language, at two sizes, as text, one below the other: `snapshots/every-LANGUAGE-SIZE.txt`.

One walk sees all languages: lists are told to speak one after the other, and what opens above them opens in each.
After a change that is meant, write them anew with `ZSTUI_SNAPSHOTS=write pytest tests/zstui/test_every_screen.py` and
read the difference in review. Dates stand still here, and what differs from run to run is put aside as in
`test_look.py`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from uuid import UUID

import pytest

from appliance.store import database
from tests.zstui.conftest import SMALL, Cloud, Screens, screens
from tests.zstui.test_look import FOLDER, WRITE, steady
from tests.zstui.test_recycle_bin import data_volume
from zstui import cells, words
from zstui.i18n import LANGUAGES, language, tr
from zstui.nouns import NOUNS

WIDE = (160, 48)
USERDATA = "#cloud-config\nhostname: web-1\n"
MINIFIED = "userdata::#cloud-config\\n"
DATE = "Jan 30, 2016 3:01:03 PM"
LISTS = (
    "vm",
    "host",
    "net",
    "img",
    "store",
    "l2",
    "vol",
    "mig",
    "globalconfig",
    "account",
    "off",
    "cluster",
    "zone",
)
"""Of jobs, events and the recycle bin what a test asks for, since hosts come up side by side."""

FILTERED = {"job": "web-1", "ev": "web-1", "bin": "", "tag": "userdata"}
VM_PANELS = ("move", "snapshots", "boot", "related")
"""The consoles' panes show what a guest says; they have tests of their own."""

NETWORK_PANELS = ("addresses", "services")
KEYS = {"user data": "e", "destroy": "D", "change": "E", "copy": "y", "more": "x",
        "help": "question_mark", "jump": "colon", "palette": "ctrl+p", "create VM": "n", "calls": "L",
        "overview": "0"}  # fmt: skip
FORMS = {"host": "create host", "net": "create network", "img": "create image", "store": "create storage"}

UNSTEADY = (
    (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "fa:xx:xx:xx:xx:xx"),
    (re.compile(r"\b\d+(?:\.\d)? (s|秒)(?=\s|$)", re.MULTILINE), r"0 \1"),
)


COMING = ("reading …", "Reading …", "asking its host …", "asking the appliance …")
"""What stands where something is awaited."""


def shown(on: Screens) -> str:
    """The screen without what differs from run to run, and without empty lines."""
    text = steady(on)
    for pattern, instead in UNSTEADY:
        text = pattern.sub(instead, text)
    return "\n".join(line for line in text.split("\n") if line.strip())


class Album:
    """What all screens show, by their names, in each language."""

    def __init__(self, on: Screens) -> None:
        self.on = on
        self.pages: dict[str, list[str]] = {each: [] for each in LANGUAGES}
        self.wrong: list[str] = []

    async def settle(self) -> None:
        """Wait until two looks are the same, and nothing is still to come."""
        before = ""
        coming = [tr(each) for each in COMING]
        for _ in range(200):
            await self.on.pilot.pause(0.03)
            now = self.on.whole()
            if now == before and not any(each in now for each in coming):
                return
            before = now
        raise AssertionError(f"never stands still:\n{before}")

    async def take(self, name: str) -> None:
        """Keep what is shown; each line must be as wide as the terminal."""
        await self.settle()
        self.wrong += [name for line in self.on.text() if cells.width(line) != self.on.app.size.width]
        self.pages[language()].append(f"════ {name}\n{shown(self.on)}\n")

    async def take_list(self, noun: str) -> None:
        """Keep the list that is shown, in each language."""
        for each in LANGUAGES:
            self.on.app.speak(each)
            await self.take(f"list {noun}")

    async def take_above(self, name: str, show: Callable[[], Awaitable[None]]) -> None:
        """Keep what opens above the list, in each language."""
        for each in LANGUAGES:
            self.on.app.speak(each)
            await show()
            await self.take(name)
            await self.back()

    async def back(self) -> None:
        """Back to the list."""
        for _ in range(4):
            if self.on.app.screen is self.on.browser:
                break
            await self.on.press("escape")
            await self.on.pilot.pause(0.02)
        else:
            self.on.app.screen.dismiss(None)
        await self.on.until(lambda: self.on.app.screen is self.on.browser, "the list again")

    async def all(self) -> None:
        """Every screen."""
        browser = self.on.browser
        for noun in LISTS:
            await self.show(noun)
            await self.take_list(noun)
        for noun, wanted in FILTERED.items():
            await self.show(noun)
            browser.table.set_filter(wanted)
            await self.take_list(noun)
            browser.table.set_filter("")
        for noun, name in FORMS.items():
            await browser.action_show(noun)
            await self.take_above(name, partial(self.press, "n"))
        for noun, panels in (("vm", VM_PANELS), ("net", NETWORK_PANELS)):
            await self.show(noun, "web-1" if noun == "vm" else "")
            for panel in panels:
                await self.take_above(f"panel {panel}", partial(self.panel, panel))
        await self.show("vm", "数据库-主")
        await self.take_above("console", partial(self.press, "C"))
        await self.show("vm", "web-1")
        for name, key in KEYS.items():
            await self.take_above(name, partial(self.press, key))

    async def show(self, noun: str, name: str = "") -> None:
        """A list that has been read, with the cursor on a row of a name."""
        browser, mirror = self.on.browser, self.on.app.mirror
        await browser.action_show(noun)
        await self.on.until(lambda: all(kind in mirror.rows for kind in NOUNS[noun].kinds), f"{noun} read")
        await self.on.until(lambda: not mirror._pushed, f"{noun} read to its end")
        mirror.flush()
        if name:
            browser.table.select(
                next(row.key for row in browser.table.listing.rows.values() if row.name == name)
            )

    async def panel(self, name: str) -> None:
        """What stands beside the list's row."""
        await self.on.app.run_action(f"screen.panel('{name}')", self.on.browser)

    async def press(self, key: str) -> None:
        """What a key of the list opens."""
        await self.on.press(key)
        if key == KEYS["user data"]:
            await self.on.until(lambda: MINIFIED in self.on.whole(), "the tag, a moment after the text")


class InTurn:
    """Uuids in the order in which they are made, with ends that are all alike: only those are ever seen."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __call__(self) -> UUID:
        return UUID(f"{0:08x}{next(self._numbers):016x}{0:08x}")


@pytest.fixture(autouse=True)
def uuids_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the cloud is made."""
    monkeypatch.setattr(database, "uuid", SimpleNamespace(uuid4=InTurn()))


@pytest.mark.timeout(240)  # the longest there is: it begins first
@pytest.mark.parametrize("size", [SMALL, pytest.param(WIDE, marks=pytest.mark.long)])
async def test_every_screen_is_as_it_was(
    cloud: Cloud, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = await cloud.vm(
        "web-1",
        hostUuid=cloud.uuids["node-a"],
        systemTags=[f"userdata::{USERDATA}", "hostname::web-1"],
    )
    await cloud.vm("数据库-主", hostUuid=cloud.uuids["node-b"])
    await data_volume(cloud, "data", uuid)
    gone = await cloud.vm("gone", hostUuid=cloud.uuids["node-a"])
    root = await cloud.session.query("Volume", vmInstanceUuid=uuid, type="Root")
    await cloud.session.call("CreateVolumeSnapshot", volumeUuid=root[0]["uuid"], name="before")
    await cloud.make("AddImage", name="installer", url="http://images.example/i.iso", format="iso", mediaType="ISO",
                     backupStorageUuids=[cloud.uuids["images"]])  # fmt: skip
    await cloud.session.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Delay")
    await cloud.session.call("DestroyVmInstance", uuid=gone)
    await cloud.session.call("StopVmInstance", uuid=uuid)
    then = words.seconds(DATE)
    monkeypatch.setattr(words, "seconds", lambda wire: then if wire else 0.0)
    monkeypatch.setattr(words, "now", lambda: then + 3.0)
    async with screens(cloud.socket, size, connected=False) as on:
        await on.sees("web-1", "◌")
        await on.until(lambda: on.app.mirror.status == "live")
        album = Album(on)
        await album.all()
    assert album.wrong == []
    for each, pages in album.pages.items():
        path = FOLDER / f"every-{each}-{size[0]}x{size[1]}.txt"
        now = "\n".join(pages)
        if WRITE:
            path.write_text(now, encoding="utf-8")
        assert now == path.read_text(encoding="utf-8")
