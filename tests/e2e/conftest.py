"""One lab, one appliance and one cloud for all end-to-end tests; guests of their own."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from appliance.client import Session
from appliance.lab import Lab, LabHost
from appliance.lab.instance import ROOT
from appliance.lab.machine import make_key
from tests.e2e import guest, stage
from tests.e2e.appliance_process import ApplianceProcess
from tests.e2e.guest import Guest
from tests.e2e.stage import Stage

HERE = f"{Path(__file__).parent}/"
LOG_TAIL = 6000
_logs: list[ApplianceProcess] = []
_seen: dict[str, int] = {}

VmFactory = Callable[..., Awaitable[Guest]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the lab, and runs in the one event loop that the lab was made in."""
    for item in items:
        if not str(item.path).startswith(HERE):
            continue
        item.add_marker(pytest.mark.lab)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300))
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember where the appliance's log is when a test begins."""
    for process in _logs:
        _seen[item.nodeid] = process.log_path.stat().st_size if process.log_path.exists() else 0


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test shows what the appliance said meanwhile."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        for process in _logs:
            report.sections.append(("appliance", process.log(_seen.get(item.nodeid, 0))[-LOG_TAIL:]))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def lab() -> AsyncIterator[Lab]:
    """Two hosts, gone at the end whatever happened."""
    await _sweep()
    lab = Lab(f"e2e-{os.getpid()}", 2)
    try:
        await lab.up()
        await make_key(lab.folder / "guest_key", "e2e")
        yield lab
    finally:
        await lab.purge()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def machines(lab: Lab) -> list[LabHost]:
    """The lab's hosts."""
    return await lab.up()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def appliance(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ApplianceProcess]:
    """The program itself, serving; its log goes into the report of a test that fails."""
    process = ApplianceProcess(tmp_path_factory.mktemp("appliance") / "data")
    _logs.append(process)
    try:
        await process.start()
        yield process
    finally:
        await process.stop()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def session(appliance: ApplianceProcess) -> AsyncIterator[Session]:
    """A session on the appliance's socket."""
    async with await Session.connect(appliance.socket) as session:
        yield session


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def cloud(lab: Lab, machines: list[LabHost], appliance: ApplianceProcess, session: Session) -> Stage:
    """Zone, cluster, both hosts, storages, networks, offering and the tiny image."""
    made = Stage(lab, appliance, session, machines)
    await stage.build(made, os.getpid() % 250)
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def vm(cloud: Stage) -> AsyncIterator[VmFactory]:
    """Makes guests (see `guest.create`), and destroys them when the test has ended."""
    made: list[str] = []

    async def create(name: str, **options: Any) -> Guest:
        guest_made = await guest.create(cloud, name, **options)
        made.append(guest_made.uuid)
        return guest_made

    yield create
    if not cloud.appliance.running:
        await cloud.appliance.start()
    await cloud.connected()
    await cloud.setting("vm", "deletionPolicy", "Direct")
    for left in await cloud.session.query("VmInstance", uuid=made) if made else []:
        message = "ExpungeVmInstance" if left["state"] == "Destroyed" else "DestroyVmInstance"
        await cloud.session.call(message, uuid=left["uuid"], timeout_seconds=60)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def spare(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A cluster without hosts, of an appliance of its own, and two machines; the second has one NIC."""
    await _sweep()
    lab = Lab(f"e2eh-{os.getpid()}", 2, single_nic={2})
    process = ApplianceProcess(tmp_path_factory.mktemp("spare") / "data")
    _logs.append(process)
    try:
        machines = await lab.up()
        await process.start()
        async with await Session.connect(process.socket) as session:
            yield await stage.begin(Stage(lab, process, session, machines))
    finally:
        await process.stop()
        await lab.purge()


async def _sweep() -> None:
    """Take away labs of earlier runs that were killed before they could."""
    for name in _left_behind():
        await Lab(name, 2).purge()


def _left_behind() -> list[str]:
    found = [folder.name for folder in ROOT.glob("e2e*") if re.fullmatch(r"e2e[a-z]?-\d+", folder.name)]
    return [name for name in found if not Path("/proc", name.rpartition("-")[2]).exists()]
