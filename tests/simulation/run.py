"""One seed, one run: a cloud is made, used and hurt, then left alone, and everything must be right."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from tests.simulation import clock, invariants
from tests.simulation.chaos import Chaos
from tests.simulation.clock import VirtualLoop
from tests.simulation.host import WatchedHost
from tests.simulation.life import Complaints, claim
from tests.simulation.workload import Cloud, Users
from tests.simulation.world import Counts, Options, Violation, World

USERS = 4
ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
REST_SECONDS = 300.0
"""With every host reachable everything comes to rest within so long."""

CONTENT_SECONDS = 65.0
"""Events may be lost: by then every host has been scanned again."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    seed: int
    options: Options
    violations: list[Violation]
    counts: Counts
    digest: str
    tail: list[str]

    def __str__(self) -> str:
        found = "; ".join(str(each) for each in self.violations[:3]) or "no violation"
        return f"seed {self.seed} ({self.options}): {found}"


def simulate(seed: int, options: Options | None = None) -> Outcome:
    """Run a seed from beginning to end."""
    found: list[Outcome] = []

    async def main(loop: VirtualLoop) -> None:
        found.append(await _main(seed, options or Options(), loop))

    logging.getLogger("appliance").setLevel(logging.ERROR)
    clock.run(main, on_task=claim)
    return found[0]


async def _main(seed: int, options: Options, loop: VirtualLoop) -> Outcome:
    world = World(seed, options, loop)
    complaints = Complaints(world)
    log = logging.getLogger("appliance")
    log.addHandler(complaints)
    log.propagate = False
    try:
        for address in ADDRESSES:
            world.hosts[address] = WatchedHost(world, address)
        await _run(world)
    finally:
        log.removeHandler(complaints)
        log.propagate = True
        await world.end()
    return Outcome(seed, options, world.violations, world.counts, world.digest, list(world.trace_tail))


async def _run(world: World) -> None:
    cloud = Cloud()
    users = Users(world, cloud)
    await world.begin()
    await _build(users, cloud)
    chaos = Chaos(world)
    world.calm = False
    raging = asyncio.create_task(chaos.rage())
    try:
        await users.work(USERS)
    finally:
        raging.cancel()
        await asyncio.wait([raging])
    await chaos.calm_down()
    await _rest(world)
    for name, text in invariants.findings(world.look(), world, cloud):
        world.violated(name, text)
    life = await world.alive()
    for finding in await life.database.verify():
        world.violated("I-28", str(finding))


async def _rest(world: World) -> None:
    """Wait until nothing moves any more."""
    await asyncio.sleep(CONTENT_SECONDS)
    deadline = world.now + REST_SECONDS
    while left := invariants.unsettled(world.look(), world):
        if world.now > deadline:
            world.violated("I-25", f"{left}, {REST_SECONDS:g} s after the last fault")
            return
        await asyncio.sleep(1.0)


async def _build(users: Users, cloud: Cloud) -> None:
    """The cloud, by the calls that a user would make."""

    async def call(message: str, **fields: Any) -> dict[str, Any]:
        reply = await users.ask(message, **fields)
        assert reply is not None, message
        assert reply.body.get("success"), (message, reply.body)
        inventory: dict[str, Any] = reply.body.get("inventory", reply.body)
        return inventory

    async def made(message: str, **fields: Any) -> str:
        return str((await call(message, **fields))["uuid"])

    await call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    cloud.zone = await made("CreateZone", name="zone")
    cluster = await made("CreateCluster", name="cluster", zoneUuid=cloud.zone, hypervisorType="KVM")
    for address in ADDRESSES:
        await made(
            "AddKVMHost",
            name=address,
            managementIp=address,
            clusterUuid=cluster,
            username="root",
            password="x",
        )
    primary = await made("AddLocalPrimaryStorage", name="local", url="/zstack_ps", zoneUuid=cloud.zone)
    await call("AttachPrimaryStorageToCluster", clusterUuid=cluster, primaryStorageUuid=primary)
    backup = await made(
        "AddSftpBackupStorage",
        name="images",
        url="/zstack_bs",
        hostname=ADDRESSES[0],
        username="root",
        password="x",
    )
    await call("AttachBackupStorageToZone", zoneUuid=cloud.zone, backupStorageUuid=backup)
    l2 = await made("CreateL2NoVlanNetwork", name="l2", zoneUuid=cloud.zone, physicalInterface="eth1")
    await call("AttachL2NetworkToCluster", clusterUuid=cluster, l2NetworkUuid=l2)
    cloud.l3 = await made("CreateL3Network", name="l3", l2NetworkUuid=l2)
    await call("AddIpRangeByNetworkCidr", name="range", l3NetworkUuid=cloud.l3, networkCidr="10.9.0.0/24")
    provider = (await call("QueryNetworkServiceProvider"))["inventories"][0]["uuid"]
    services = {provider: ["DHCP", "Userdata"]}
    await call("AttachNetworkServiceToL3Network", l3NetworkUuid=cloud.l3, networkServices=services)
    cloud.image = await made(
        "AddImage", name="tiny", url="http://images/tiny", format="qcow2", backupStorageUuids=[backup]
    )
    cloud.offering = await made(
        "CreateInstanceOffering", name="small", cpuNum=1, cpuSpeed=10, memorySize=1 << 28
    )
