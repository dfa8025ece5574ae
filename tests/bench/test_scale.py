"""Creating and destroying a VM among ten thousand costs hardly more than among a hundred."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.bench.measure import compare
from tests.simulated_cloud import Cloud
from tests.simulated_fleet import grow

FEW, MANY = 100, 10_000
HOSTS = 16
ONCE = 10
"""VMs that are created and destroyed for one figure."""

BAR = 1.3


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fleets(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[int, Cloud]]:
    """Two appliances on simulated hosts, each with its VMs on one network and in one cluster."""
    made = {}
    for vms in (FEW, MANY):
        made[vms] = Cloud(tmp_path_factory.mktemp(f"fleet{vms}") / "data")
        await made[vms].start()
        await made[vms].build(HOSTS)
        await grow(made[vms], vms)
    yield made
    for cloud in made.values():
        await cloud.stop()


async def test_a_vm_among_ten_thousand_costs_what_it_costs_among_a_hundred(fleets: dict[int, Cloud]) -> None:
    numbers = itertools.count(1)

    async def lives(cloud: Cloud) -> float:
        """Seconds of CPU, those of the simulated hosts included: what is done in one process and without a disk."""
        begun = time.process_time()
        for _ in range(ONCE):
            vm = await cloud.vm(name=f"bench-{next(numbers)}")
            await cloud.call("DestroyVmInstance", uuid=vm["uuid"])
            await cloud.call("ExpungeVmInstance", uuid=vm["uuid"])
        return time.process_time() - begun

    compared = await compare(
        f"{ONCE} VMs, among {MANY} and {FEW}", lambda: lives(fleets[MANY]), lambda: lives(fleets[FEW])
    )
    assert compared.ratio <= BAR
