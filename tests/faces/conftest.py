"""A real appliance process with simulated hosts, and faces on it as people have them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from appliance.client import Session
from tests.e2e.appliance_process import ApplianceProcess, free_port

GIB = 1 << 30
HERE = f"{Path(__file__).parent}/"
VMS = ("web-1", "数据库主机")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is here starts processes and browsers: it is for `make test`."""
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.lab)


class Served(ApplianceProcess):
    """An appliance that shows the full screen to browsers and by SSH."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ssh_port = free_port()
        self.words = ("--ssh", f"127.0.0.1:{self.ssh_port}")


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """It runs, and has two VMs, one of them with a Chinese name."""
    process = Served(tmp_path / "data")
    await process.start()
    try:
        async with await Session.connect(process.socket) as session:
            await _fill(session)
        yield process
    finally:
        await process.stop()


async def _fill(session: Session) -> None:
    async def make(message: str, /, **fields: object) -> str:
        reply = await session.call(message, **fields)
        return str(reply["inventory"]["uuid"])

    zone = await make("CreateZone", name="zone1")
    cluster = await make("CreateCluster", name="c1", zoneUuid=zone, hypervisorType="Simulator")
    storage = await make("AddSimulatorPrimaryStorage", name="ps", url="nfs://sim/ps", zoneUuid=zone)
    await session.call("AttachPrimaryStorageToCluster", clusterUuid=cluster, primaryStorageUuid=storage)
    backup = await make("AddSimulatorBackupStorage", name="bs", url="nfs://sim/bs")
    await session.call("AttachBackupStorageToZone", zoneUuid=zone, backupStorageUuid=backup)
    await make("AddSimulatorHost", name="node-a", managementIp="10.0.0.1", clusterUuid=cluster,
               memoryCapacity=64 * GIB, cpuCapacity=100_000)  # fmt: skip
    l2 = await make("CreateL2NoVlanNetwork", name="wire", zoneUuid=zone, physicalInterface="eth1")
    await session.call("AttachL2NetworkToCluster", l2NetworkUuid=l2, clusterUuid=cluster)
    l3 = await make("CreateL3Network", name="lan", l2NetworkUuid=l2)
    await make("AddIpRangeByNetworkCidr", name="r", l3NetworkUuid=l3, networkCidr="10.9.0.0/24")
    offering = await make("CreateInstanceOffering", name="small", cpuNum=1, cpuSpeed=100, memorySize=GIB)
    image = await make("AddImage", name="tiny", url="http://sim/tiny.img", format="simulator",
                       backupStorageUuids=[backup])  # fmt: skip
    for name in VMS:
        await make("CreateVmInstance", name=name, instanceOfferingUuid=offering, imageUuid=image,
                   l3NetworkUuids=[l3])  # fmt: skip
