"""The cloud that a simulated run starts with, and what everybody knows of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.simulation.world import World

GIB = 1 << 30


@dataclass
class Promised:
    """What callers were told about one VM."""

    created: bool = False
    """Its creation was answered with success."""
    create_failed: bool = False
    may_go: bool = False
    """Somebody has asked to destroy it, with whatever answer."""
    gone: bool = False
    """Its destruction was answered with success where that leaves nothing."""
    userdata: dict[str, str] = field(default_factory=dict)
    """Tag uuid to the last text answered; a tag with a change in doubt is left out."""


@dataclass
class Cloud:
    """Uuids of what was built, and the promises made since."""

    uuids: dict[str, str] = field(default_factory=dict)
    direct: bool = False
    """Whether destroying leaves nothing to recover."""
    vms: dict[str, Promised] = field(default_factory=dict)
    answers: dict[str, tuple[str, dict[str, Any], bool]] = field(default_factory=dict)
    """Call id to message, fields and success, of every call whose end was told."""


async def build(world: World) -> Cloud:
    """Zone, cluster, hosts, storage, network, offering and image, while nothing goes wrong."""
    cloud = Cloud()
    maker = _Maker(world, cloud)
    zone = await maker.make("zone", "CreateZone")
    cluster = await maker.make("cluster", "CreateCluster", zoneUuid=zone, hypervisorType="KVM")
    for address in sorted(world.hosts):
        await maker.make(
            f"host {address}", "AddKVMHost", managementIp=address, clusterUuid=cluster, username="root",
            password="password",
        )  # fmt: skip
    primary = await maker.make("primary", "AddLocalPrimaryStorage", url="/zstack_ps", zoneUuid=zone)
    await maker.ask("AttachPrimaryStorageToCluster", primaryStorageUuid=primary, clusterUuid=cluster)
    backup = await maker.make(
        "backup", "AddSftpBackupStorage", url="/zstack_bs", hostname="10.0.0.1", username="root",
        password="password",
    )  # fmt: skip
    await maker.ask("AttachBackupStorageToZone", backupStorageUuid=backup, zoneUuid=zone)
    await _network(maker, zone, cluster)
    for key, memory in (("offering", GIB // 4), ("other offering", GIB // 2)):
        await maker.make(key, "CreateInstanceOffering", cpuNum=1, cpuSpeed=10, memorySize=memory)
    if world.options.disks:
        await maker.make("disk", "CreateDiskOffering", diskSize=GIB)
        policy = world.chance.choice(("Direct", "Delay"))
        await maker.ask("UpdateGlobalConfig", category="volume", name="deletionPolicy", value=policy)
    await maker.make(
        "image", "AddImage", url="http://images/tiny.qcow2", format="qcow2", backupStorageUuids=[backup]
    )
    cloud.direct = world.happens(0.5)
    policy = "Direct" if cloud.direct else "Delay"
    await maker.ask("UpdateGlobalConfig", category="vm", name="deletionPolicy", value=policy)
    return cloud


async def _network(maker: _Maker, zone: str, cluster: str) -> None:
    l2 = await maker.make("l2", "CreateL2NoVlanNetwork", zoneUuid=zone, physicalInterface="eth1")
    await maker.ask("AttachL2NetworkToCluster", l2NetworkUuid=l2, clusterUuid=cluster)
    found = await maker.ask("QueryNetworkServiceProvider")
    services = {found["inventories"][0]["uuid"]: ["DHCP", "Userdata"]}
    for key, cidr in (("l3", "10.9.0.0/28"), ("second l3", "10.8.0.0/28")):
        l3 = await maker.make(key, "CreateL3Network", l2NetworkUuid=l2)
        await maker.make(f"range of {key}", "AddIpRangeByNetworkCidr", l3NetworkUuid=l3, networkCidr=cidr)
        await maker.ask("AttachNetworkServiceToL3Network", l3NetworkUuid=l3, networkServices=services)


class _Maker:
    def __init__(self, world: World, cloud: Cloud) -> None:
        self._world = world
        self._cloud = cloud

    async def make(self, key: str, name: str, /, **fields: Any) -> str:
        body = await self.ask(name, name=key, **fields)
        uuid: str = body["inventory"]["uuid"]
        self._cloud.uuids[key] = uuid
        return uuid

    async def ask(self, message: str, /, **fields: Any) -> dict[str, Any]:
        life = self._world.life
        assert life is not None
        call_id = self._world.new_uuid()
        reply = await life.ask(message, fields, call_id)
        if not reply.done and reply.job_uuid is not None:
            ended = await life.outcome(reply.job_uuid, 120.0)
            assert ended is not None, message
            reply = ended
        body: dict[str, Any] = reply.body
        assert body["success"], (message, body)
        return body
