"""A whole appliance on simulated hosts, served on a socket, with screens on it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual import _wait
from textual.pilot import Pilot

from appliance.api.setting import GlobalConfig
from appliance.client import Session
from appliance.core import Core, running
from appliance.hosts.simulated_dialer import SimulatedDialer
from appliance.hosts.simulator import SimulatedHost
from appliance.serve.auth import Auth, ensure_admin
from appliance.serve.dispatch import Dispatch
from appliance.serve.events import Broadcast
from appliance.serve.http import Server
from appliance.serve.listen import TcpListener, UnixListener
from appliance.store import meta
from appliance.store.database import Database
from appliance.store.transaction import Transaction
from tests import empty_store
from zstui.app import Zstui
from zstui.i18n import begin
from zstui.screens.browser import Browser
from zstui.table import LiveTable

PASSWORD = "correct horse"
LIMIT_SECONDS = float(os.environ.get("ZSTUI_TEST_SECONDS", "10"))
LOOK_SECONDS = 0.005
SMALL = (80, 24)
LARGE = (160, 45)


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who speaks English and has chosen nothing before."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ZSTUI_LANG", "en")
    monkeypatch.delenv("NO_COLOR", raising=False)
    begin("en")


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual looks whether the app still works on a key for 20 ms at a time, which is most of a test's time."""
    monkeypatch.setattr(_wait, "SLEEP_GRANULARITY", LOOK_SECONDS)
    monkeypatch.setattr(_wait, "SLEEP_IDLE", LOOK_SECONDS / 20)


@dataclass
class Cloud:
    """A running appliance, its simulated hosts, and a session of the test's own."""

    socket: Path
    dialer: SimulatedDialer
    session: Session
    server: Server
    uuids: dict[str, str]

    async def make(self, message: str, /, **fields: Any) -> dict[str, Any]:
        """Carry out a message and remember the uuid of what it made by its name."""
        reply = await self.session.call(message, **fields)
        inventory: dict[str, Any] = reply.get("inventory", {})
        if "name" in fields and "uuid" in inventory:
            self.uuids[fields["name"]] = inventory["uuid"]
        return inventory

    async def vm(self, name: str, **fields: Any) -> str:
        """Make a VM of the usual size on the usual network."""
        made = await self.make(
            "CreateVmInstance", name=name, instanceOfferingUuid=self.uuids["small"],
            imageUuid=self.uuids["tiny"], l3NetworkUuids=[self.uuids["lan"]], **fields,
        )  # fmt: skip
        return str(made["uuid"])

    def host_of(self, vm_uuid: str) -> SimulatedHost:
        """The simulated host that has a VM's domain."""
        return next(host for host in self.dialer.hosts.values() if vm_uuid in host.domains)


async def fill(cloud: Cloud) -> None:
    """Zone, cluster, two hosts, storage, network, image, offering."""
    make, uuids = cloud.make, cloud.uuids
    await make("CreateZone", name="zone1")
    await make("CreateCluster", name="cluster1", zoneUuid=uuids["zone1"], hypervisorType="KVM")
    for name, address in (("node-a", "10.0.0.1"), ("node-b", "10.0.0.2")):
        await make("AddKVMHost", name=name, managementIp=address, clusterUuid=uuids["cluster1"],
                   username="root", password="x")  # fmt: skip
    await make("AddLocalPrimaryStorage", name="local", url="/zstack_ps", zoneUuid=uuids["zone1"])
    await make("AttachPrimaryStorageToCluster", clusterUuid=uuids["cluster1"],
               primaryStorageUuid=uuids["local"])  # fmt: skip
    await make("AddSftpBackupStorage", name="images", url="/zstack_bs", hostname="10.0.0.1",
               username="root", password="x")  # fmt: skip
    await make("AttachBackupStorageToZone", zoneUuid=uuids["zone1"], backupStorageUuid=uuids["images"])
    await make("CreateL2NoVlanNetwork", name="wire", zoneUuid=uuids["zone1"], physicalInterface="eth1")
    await make("AttachL2NetworkToCluster", l2NetworkUuid=uuids["wire"], clusterUuid=uuids["cluster1"])
    await make("CreateL3Network", name="lan", l2NetworkUuid=uuids["wire"])
    await make("AddIpRangeByNetworkCidr", name="r", l3NetworkUuid=uuids["lan"], networkCidr="10.9.0.0/24")
    [provider] = await cloud.session.query("NetworkServiceProvider")
    await make("AttachNetworkServiceToL3Network", l3NetworkUuid=uuids["lan"],
               networkServices={provider["uuid"]: ["DHCP", "Userdata"]})  # fmt: skip
    await make("AddImage", name="tiny", url="http://images.example/tiny.qcow2", format="qcow2",
               backupStorageUuids=[uuids["images"]])  # fmt: skip
    await make("CreateInstanceOffering", name="small", cpuNum=1, cpuSpeed=1000, memorySize=1 << 28)


OWNER = "1" * 32


def _sample_never(tx: Transaction) -> None:
    """Figures come when a test says so, not after so many seconds."""
    tx.update(tx.get(GlobalConfig, "monitor.interval"), value="86400")


@asynccontextmanager
async def serving(
    folder: Path, dialer: SimulatedDialer, socket: Path, *, account: bool = False
) -> AsyncIterator[Server]:
    """An appliance on a folder, listening on a socket and on loopback; an account takes a while to make."""
    empty_store.lay(folder)
    database = await Database.open(folder, inline=True)
    try:
        if account:
            await ensure_admin(database, PASSWORD)
        await database.write(_sample_never)
        # Hardware addresses are made of it, and pictures of screens show them.
        database.owner = OWNER
        await database.write(lambda tx: meta.write_meta(tx, meta.OWNER, OWNER))
        core = Core(database, dialer)
        dispatch = Dispatch(database, Auth(database), version="1", node_uuid=database.owner, live=core.live)
        broadcast = Broadcast(database, core.figures)
        server = Server(dispatch, broadcast, transfers=core.transfers, live=core.live)
        async with running(core):
            telling = asyncio.create_task(broadcast.run())
            await server.start(UnixListener(socket), TcpListener("127.0.0.1", 0))
            try:
                yield server
            finally:
                await server.stop()
                telling.cancel()
                await asyncio.wait([telling])
    finally:
        await database.close()


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    """An appliance with two simulated hosts and all that a VM needs."""
    dialer = SimulatedDialer()
    socket = tmp_path / "appliance.sock"
    async with serving(tmp_path / "data", dialer, socket) as server, await Session.connect(socket) as session:
        made = Cloud(socket, dialer, session, server, {})
        await fill(made)
        yield made


class Screens:
    """A running app in the hands of a test."""

    def __init__(self, app: Zstui, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def browser(self) -> Browser:
        """The main screen."""
        return next(screen for screen in self.app.screen_stack if isinstance(screen, Browser))

    def text(self) -> list[str]:
        """The screen's lines as they are painted."""
        return ["".join(part.text for part in strip) for strip in self.app.screen._compositor.render_strips()]

    def whole(self) -> str:
        """The screen as one text."""
        return "\n".join(self.text())

    async def press(self, *keys: str) -> None:
        """Press keys, and let what they do settle."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        """Type a text."""
        await self.press(*(KEYS.get(each, each) for each in text))

    async def until(self, holds: Callable[[], Any], what: str = "") -> None:
        """Wait until something holds; the screen is in the message when it never does."""
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                while not holds():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError(f"never came: {what or holds}\n{self.whole()}") from None

    async def hush(self) -> None:
        """Have everything taken back that was said in passing."""
        for said in list(self.app._notifications):
            self.app.take_back(said)
        await self.pilot.pause()

    async def sees(self, *texts: str) -> None:
        """Wait until the screen shows all texts."""
        await self.until(lambda: all(text in self.whole() for text in texts), f"{texts} on the screen")

    async def misses(self, text: str) -> None:
        """Wait until the screen no longer shows a text."""
        await self.until(lambda: text not in self.whole(), f"{text!r} gone from the screen")


KEYS = {" ": "space", "/": "slash", ":": "colon", "-": "minus", ".": "full_stop", "_": "underscore",
        "?": "question_mark", "#": "number_sign", "!": "exclamation_mark"}  # fmt: skip


@asynccontextmanager
async def screens(
    target: Path | str,
    size: tuple[int, int] = SMALL,
    *,
    connected: bool = True,
    program: str = "zstui",
) -> AsyncIterator[Screens]:
    """The app on an appliance, at a size, and unless told otherwise connected."""
    app = Zstui(target, program=program)
    async with app.run_test(size=size, notifications=True) as pilot:
        on = Screens(app, pilot)
        await on.until(lambda: any(each.query(LiveTable) for each in app.screen_stack), "the first list")
        if connected:
            await on.sees("◉ live")
        yield on
