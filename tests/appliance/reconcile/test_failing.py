"""What fails again and again is said once for each reason, in the log and as an event, and not at every try."""

from __future__ import annotations

import asyncio
import logging

import pytest

from appliance.hosts.simulated_conduct import Faults
from appliance.reconcile import loop
from tests.simulated_cloud import PATIENCE_SECONDS, Cloud

TRIES = 5


class Failing:
    """Makes a verb fail on a simulated host, and counts how often it was tried."""

    def __init__(self, cloud: Cloud, vm_uuid: str, verb: str) -> None:
        self.tries = 0
        self.host = cloud.host_of(vm_uuid)
        self.host.faults = Faults({verb: 1.0}, self._chance)

    def _chance(self) -> float:
        self.tries += 1
        return 0.0

    async def tried(self) -> None:
        """Wait until it was tried several times, and let it work from then on."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.tries < TRIES:
                await asyncio.sleep(0.001)
        self.host.faults = Faults()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_RETRY_SECONDS", "LAST_RETRY_SECONDS"):
        monkeypatch.setattr(loop, name, 0.001)


def said(caplog: pytest.LogCaptureFixture, uuid: str) -> list[str]:
    return [each.getMessage() for each in caplog.records if f"vm {uuid}:" in each.getMessage()]


async def test_a_vm_that_cannot_be_destroyed(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    vm = await cloud.vm()
    failing = Failing(cloud, vm["uuid"], "DestroyDomain")
    _, job = await cloud.begin("DestroyVmInstance", uuid=vm["uuid"])
    assert job is not None
    await failing.tried()
    assert (await cloud.ended(job))["success"]
    (line,) = said(caplog, vm["uuid"])
    assert "tried again" in line


async def test_a_vm_that_cannot_be_mended(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    vm = await cloud.vm()
    host = cloud.host_of(vm["uuid"])
    failing = Failing(cloud, vm["uuid"], "EnsureNic")
    (nic,) = vm["vmNics"]
    del host.things.nics[nic["uuid"]]
    cloud.core.loop.poke("VmInstance", vm["uuid"])
    await failing.tried()
    await cloud.idle()
    assert nic["uuid"] in host.things.nics
    assert len(said(caplog, vm["uuid"])) == 1
    assert len(await cloud.query("QueryEvent", name="VmRepairFailed")) == 1
