"""What a call costs does not grow with the VMs that there are: SQLite's own steps are counted, not time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.simulated_cloud import Cloud, SimulatorCloud
from tests.simulated_fleet import grow

FEW, MANY = 20, 520
"""The second fleet has addresses in more than two blocks."""

MARGIN = 1.05
"""Steps are not all alike: a uuid that is made by chance is found a little sooner or later."""


@asynccontextmanager
async def fleet(kind: type[Cloud], folder: Path, vms: int) -> AsyncIterator[Cloud]:
    cloud = kind(folder)
    await cloud.start()
    await cloud.build()
    await grow(cloud, vms)
    yield cloud
    await cloud.stop()


async def steps(cloud: Cloud, work: Callable[[], Awaitable[object]]) -> int:
    """Steps of SQLite that something takes, until all that comes of it has been done."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    seats = [cloud.database._writer, *cloud.database._readers]
    for seat in seats:
        seat.raw.set_progress_handler(step, 1)
    await work()
    await cloud.idle()
    for seat in seats:
        seat.raw.set_progress_handler(None, 0)
    return taken


async def costs(cloud: Cloud) -> dict[str, int]:
    """The steps of each call in the life of a VM."""
    vm: dict[str, str] = {}

    async def create() -> None:
        vm["uuid"] = (await cloud.vm(name="one more"))["uuid"]

    await (
        create()
    )  # what is only done once is not counted: statements are prepared, the first is no worse than others
    calls = {"CreateVmInstance": create}
    for name in ("StopVmInstance", "StartVmInstance", "DestroyVmInstance", "ExpungeVmInstance"):
        calls[name] = lambda name=name: cloud.call(name, uuid=vm["uuid"])
    return {name: await steps(cloud, call) for name, call in calls.items()}


@pytest.mark.long
@pytest.mark.parametrize("kind", [Cloud, SimulatorCloud])
async def test_the_life_of_a_vm_costs_the_same_among_few_and_many(kind: type[Cloud], tmp_path: Path) -> None:
    """`Cloud` has disks on each host, `SimulatorCloud` on one storage for all."""
    async with fleet(kind, tmp_path / "few", FEW) as cloud:
        few = await costs(cloud)
    async with fleet(kind, tmp_path / "many", MANY) as cloud:
        many = await costs(cloud)
    grown = {name: (few[name], many[name]) for name in few if many[name] > few[name] * MARGIN}
    assert not grown, f"steps among {FEW} VMs and among {MANY}: {grown}"


async def test_the_lowest_address_is_given_among_many(tmp_path: Path) -> None:
    """Whole blocks are passed over, and one that has a gap again is not."""
    async with fleet(Cloud, tmp_path / "data", MANY) as cloud:
        vms = sorted(await cloud.query("QueryVmInstance"), key=lambda vm: vm["name"])
        addresses = [vm["vmNics"][0]["ip"] for vm in vms]
        top = (await cloud.vm(name="a"))["vmNics"][0]["ip"]
        assert top == "10.10.2.11"
        assert top not in addresses
        await cloud.call("DestroyVmInstance", uuid=vms[300]["uuid"])
        await cloud.call("DestroyVmInstance", uuid=vms[30]["uuid"])
        given = [(await cloud.vm(name=name))["vmNics"][0]["ip"] for name in ("b", "c", "d")]
        assert given == [addresses[30], addresses[300], "10.10.2.12"]
