"""`timeout`, which every message takes: a job that is not done by then is given up, and nothing of it is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.simulated_cloud import Body, SimulatorCloud

SLOW = 3.0
SOON = "300"


@pytest.fixture
async def sim(tmp_path: Path) -> AsyncIterator[SimulatorCloud]:
    """A simulated cloud in which no domain starts before long."""
    cloud = SimulatorCloud(tmp_path / "data")
    await cloud.start()
    await cloud.build()
    yield cloud
    await cloud.stop()


async def slowly(cloud: SimulatorCloud, verb: str) -> None:
    delay = {"category": "simulator", "name": "delay"}
    await cloud.call("UpdateGlobalConfig", **delay, value=f"{verb}={SLOW}")


async def timed(cloud: SimulatorCloud, job: str | None) -> Body:
    """The error of a job, which must come before what its host is at is done."""
    assert job is not None
    began = time.monotonic()
    body = await cloud.ended(job)
    assert time.monotonic() - began < SLOW
    assert not body["success"]
    error: Body = body["error"]
    return error


async def test_a_creation_that_takes_too_long_is_given_up_and_undone(sim: SimulatorCloud) -> None:
    await slowly(sim, "StartDomain")
    _, job = await sim.begin("CreateVmInstance", timeout=SOON, **sim.vm_fields())
    error = await timed(sim, job)
    assert (error["code"], error["description"]) == ("SYS.1001", "An operation timeout")
    assert error["details"] == (
        "CreateVmInstance was not done within its timeout of 300 ms; it is given up, and what it did is undone"
    )
    await sim.until(lambda: sim.query("QueryVmInstance"), lambda vms: not vms)
    assert await sim.query("QueryVolume") == []


async def test_a_start_that_takes_too_long_leaves_the_vm_stopped(sim: SimulatorCloud) -> None:
    vm = await sim.vm()
    await sim.call("StopVmInstance", uuid=vm["uuid"])
    await slowly(sim, "StartDomain")
    _, job = await sim.begin("StartVmInstance", uuid=vm["uuid"], timeout=int(SOON))
    assert (await timed(sim, job))["code"] == "SYS.1001"
    await sim.until(lambda: sim.one("QueryVmInstance", vm["uuid"]), lambda found: found["state"] == "Stopped")
    assert (await sim.one("QueryLongJob", str(job)))["state"] == "Failed"


async def test_a_call_that_waits_for_its_turn_too_long_is_given_up(sim: SimulatorCloud) -> None:
    vm = await sim.vm()
    await slowly(sim, "RebootDomain")
    _, first = await sim.begin("RebootVmInstance", uuid=vm["uuid"])
    assert first is not None
    _, job = await sim.begin("StopVmInstance", uuid=vm["uuid"], timeout=SOON)
    assert (await sim.one("QueryLongJob", str(job)))["state"] == "Queued"
    error = await timed(sim, job)
    assert error["code"] == "SYS.1001"
    assert error["details"].endswith("of 300 ms; it had not begun, and is not carried out")
    assert (await sim.ended(first))["success"]
    assert (await sim.one("QueryVmInstance", vm["uuid"]))["state"] == "Running"


@pytest.mark.parametrize(
    ("name", "verb", "asked"),
    [("StopVmInstance", "ShutdownDomain", "power off"), ("RebootVmInstance", "RebootDomain", "restart")],
)
async def test_what_a_guest_was_asked_is_not_said_to_be_undone(
    sim: SimulatorCloud, name: str, verb: str, asked: str
) -> None:
    vm = await sim.vm()
    await slowly(sim, verb)
    _, job = await sim.begin(name, uuid=vm["uuid"], timeout=SOON)
    assert (await timed(sim, job))["details"].endswith(
        f"; it is given up; a guest that has been asked to {asked} may do so all the same"
    )


async def test_what_cannot_be_cancelled_is_seen_to_its_end(sim: SimulatorCloud) -> None:
    vm = await sim.vm()
    await sim.call("UpdateGlobalConfig", category="simulator", name="delay", value="DestroyDomain=0.5")
    assert (await sim.answer("DestroyVmInstance", uuid=vm["uuid"], timeout="100"))["success"]
    assert (await sim.one("QueryVmInstance", vm["uuid"]))["state"] == "Destroyed"


async def test_a_job_keeps_its_limit_over_a_restart(sim: SimulatorCloud) -> None:
    await slowly(sim, "StartDomain")
    _, job = await sim.begin("CreateVmInstance", timeout="1000", **sim.vm_fields())
    assert job is not None
    await sim.kill()
    await asyncio.sleep(1)
    await sim.start()
    assert (await sim.ended(job))["error"]["code"] == "SYS.1001"


@pytest.mark.parametrize("limit", ["0", "-1", 1_800_000])
async def test_what_is_done_in_time_is_done(sim: SimulatorCloud, limit: object) -> None:
    assert (await sim.call("CreateVmInstance", timeout=limit, **sim.vm_fields()))["state"] == "Running"


@pytest.mark.parametrize("name", ["QueryZone", "CreateZone", "IsReadyToGo"])
async def test_every_message_checks_it(sim: SimulatorCloud, name: str) -> None:
    error = await sim.refused(name, timeout="2 s", name="z")
    assert error["code"] == "SYS.1007"
    assert "field[timeout]" in error["details"]
    assert "whole number" in error["details"]
