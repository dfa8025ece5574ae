"""A cloud built, used and removed by ZStack's own client; run by that client's Python, told the URL.

Knows nothing of this project: class names come from the client's own catalogue where it has them.
Ends with one line of JSON that says what it saw.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from zstack_mcp.api_search import ApiSearchIndex
from zstack_mcp.server import get_api_index
from zstack_mcp.zstack_client import ZStackApiError, ZStackClient

VMS = 100
HOSTS = 4
GIB = 1 << 30

OLD_NAMES = {
    "AttachNetworkServiceProviderToL2Network": "org.zstack.header.network.service",
    "CreateSystemTag": "org.zstack.header.tag",
    "CreateUserTag": "org.zstack.header.tag",
    "AddImage": "org.zstack.header.image",
    "AddSimulatorHost": "org.zstack.header.simulator",
    "AddSimulatorPrimaryStorage": "org.zstack.header.simulator.storage.primary",
    "AddSimulatorBackupStorage": "org.zstack.header.simulator.storage.backup",
}
"""The packages of what today's catalogue no longer lists."""


class Client:
    """The client, by short names."""

    def __init__(self, url: str) -> None:
        self.zstack = ZStackClient(url, "admin", os.environ["ZSTACK_PASSWORD"])
        self.catalogue: ApiSearchIndex = get_api_index()
        self.used: set[str] = set()

    async def call(self, name: str, /, **fields: Any) -> dict[str, Any]:
        """Carry out a message; its inventory, or its whole answer."""
        found = self.catalogue.get_api(name)
        full = found.full_name if found else f"{OLD_NAMES[name]}.API{name}Msg"
        self.used.add(name)
        try:
            answer = await self.zstack.execute(name, full, fields)
        except ZStackApiError as error:
            error.add_note(f"{name} {fields}: {error.details}")
            raise
        return answer.get("inventory", answer)

    async def make(self, message: str, /, **fields: Any) -> str:
        """Make something; its uuid."""
        return str((await self.call(message, **fields))["uuid"])

    async def find(self, name: str, *conditions: tuple[str, str, Any], **rest: Any) -> list[dict[str, Any]]:
        """What a query finds."""
        every = [{"name": field, "op": op, "value": value} for field, op, value in conditions]
        return list(
            (await self.call(name, **({"conditions": every} if every else {}), **rest))["inventories"]
        )

    async def count(self, name: str, *conditions: tuple[str, str, Any]) -> int:
        """How many a query finds."""
        every = [{"name": field, "op": op, "value": value} for field, op, value in conditions]
        return int((await self.call(name, conditions=every, count=True))["total"])

    async def refused(self, name: str, /, **fields: Any) -> str:
        """The code of a call that must fail."""
        try:
            await self.call(name, **fields)
        except ZStackApiError as error:
            return str(error.code)
        raise AssertionError(f"{name} was not refused")


async def build(on: Client) -> dict[str, str]:
    """Everything a VM needs; uuids by noun."""
    zone = await on.make("CreateZone", name="z1")
    cluster = await on.make("CreateCluster", name="c1", zoneUuid=zone, hypervisorType="Simulator")
    space = {"totalCapacity": 4096 * GIB, "availableCapacity": 4096 * GIB}
    storage = await on.make(
        "AddSimulatorPrimaryStorage", name="ps1", url="nfs://sim/ps", zoneUuid=zone, **space
    )
    backup = await on.make("AddSimulatorBackupStorage", name="bs1", url="nfs://sim/bs", **space)
    await on.call("AttachPrimaryStorageToCluster", clusterUuid=cluster, primaryStorageUuid=storage)
    await on.call("AttachBackupStorageToZone", zoneUuid=zone, backupStorageUuid=backup)
    for number in range(1, HOSTS + 1):
        await on.call(
            "AddSimulatorHost", name=f"host{number}", managementIp=f"10.0.0.{number}", clusterUuid=cluster,
            memoryCapacity=512 * GIB, cpuCapacity=1_000_000,
        )  # fmt: skip
    l2 = await on.make("CreateL2NoVlanNetwork", name="l2", zoneUuid=zone, physicalInterface="eth0")
    await on.call("AttachL2NetworkToCluster", l2NetworkUuid=l2, clusterUuid=cluster)
    l3 = await on.make("CreateL3Network", name="flat", l2NetworkUuid=l2, type="L3BasicNetwork")
    await on.call(
        "AddIpRange", l3NetworkUuid=l3, name="range", startIp="10.1.0.10", endIp="10.1.0.250",
        netmask="255.255.255.0", gateway="10.1.0.1",
    )  # fmt: skip
    (flat,) = await on.find("QueryNetworkServiceProvider", ("type", "=", "Flat"))
    await on.call(
        "AttachNetworkServiceToL3Network",
        l3NetworkUuid=l3,
        networkServices={flat["uuid"]: ["DHCP", "Userdata"]},
    )
    offering = await on.make("CreateInstanceOffering", name="small", cpuNum=1, cpuSpeed=100, memorySize=GIB)
    image = await on.make(
        "AddImage", name="image", url="http://sim/image.img", format="simulator", mediaType="RootVolumeTemplate",
        platform="Linux", backupStorageUuids=[backup],
    )  # fmt: skip
    return {"zone": zone, "cluster": cluster, "storage": storage, "backup": backup, "l2": l2, "l3": l3,
            "offering": offering, "image": image}  # fmt: skip


async def create_vms(on: Client, cloud: dict[str, str]) -> list[str]:
    """A hundred VMs at once."""
    every = [
        on.make(
            "CreateVmInstance", name=f"vm-{number:03}", instanceOfferingUuid=cloud["offering"],
            imageUuid=cloud["image"], l3NetworkUuids=[cloud["l3"]], description="even" if number % 2 == 0 else None,
        )
        for number in range(VMS)
    ]  # fmt: skip
    return list(await asyncio.gather(*every))


async def query(on: Client, cloud: dict[str, str], vms: list[str]) -> dict[str, int]:
    """What each operator finds."""
    vm = "QueryVmInstance"
    found = {
        "=": await on.count(vm, ("state", "=", "Running")),
        "!=": await on.count(vm, ("name", "!=", "vm-000")),
        ">": await on.count(vm, ("name", ">", "vm-089")),
        "<": await on.count(vm, ("name", "<", "vm-010")),
        ">=": await on.count(vm, ("cpuNum", ">=", "1")),
        "<=": await on.count(vm, ("memorySize", "<=", str(GIB - 1))),
        "in": await on.count(vm, ("uuid", "in", ",".join(vms[:7]))),
        "not in": await on.count(vm, ("uuid", "not in", ",".join(vms[:7]))),
        "like": await on.count(vm, ("name", "like", "vm-00%")),
        "not like": await on.count(vm, ("name", "not like", "vm-00%")),
        "is null": await on.count(vm, ("description", "is null", "")),
        "is not null": await on.count(vm, ("description", "is not null", "")),
        "nested": await on.count(
            vm, ("vmNics.l3NetworkUuid", "=", cloud["l3"]), ("vmNics.ip", "like", "10.1.0.%")
        ),
        "joined": await on.count(vm, ("host.managementIp", "in", "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4")),
    }
    page = await on.find(vm, ("state", "=", "Running"), limit=10, start=5, sortBy="name", sortDirection="desc",
                         fields=["uuid", "name"])  # fmt: skip
    assert [each["name"] for each in page] == [f"vm-{number:03}" for number in range(94, 84, -1)], page
    assert all(set(each) == {"uuid", "name"} for each in page)
    both = await on.call(vm, limit=3, replyWithCount=True)
    assert (len(both["inventories"]), both["total"]) == (3, VMS)
    assert await on.refused(vm, conditions=[{"name": "nonsense", "op": "=", "value": "1"}]) == "SYS.1007"
    return found


async def tags_and_configs(on: Client, vms: list[str]) -> None:
    """Tags put on, changed and taken off; a config changed and put back."""
    first = {"resourceType": "VmInstanceVO", "resourceUuid": vms[0]}
    tag = await on.call("CreateSystemTag", **first, tag="userdata::#!/bin/sh\necho 1")
    await on.call("UpdateSystemTag", uuid=tag["uuid"], tag="userdata::#!/bin/sh\necho 2")
    (read,) = await on.find("QuerySystemTag", ("resourceUuid", "=", vms[0]), ("tag", "like", "userdata%"))
    assert (read["uuid"], read["tag"]) == (tag["uuid"], "userdata::#!/bin/sh\necho 2")
    await on.call("DeleteTag", uuid=tag["uuid"])
    assert await on.find("QuerySystemTag", ("uuid", "=", tag["uuid"])) == []
    assert await on.refused("CreateSystemTag", **first, tag="nonsense::x") == "SYS.1007"
    await on.call("CreateUserTag", **first, tag="mine")
    (marked,) = await on.find("QueryVmInstance", ("__userTag__", "=", "mine"))
    assert marked["uuid"] == vms[0]
    config = {"category": "vm", "name": "deletionPolicy"}
    assert await on.refused("UpdateGlobalConfig", **config, value="Perhaps") == "SYS.1007"
    assert (await on.call("UpdateGlobalConfig", **config, value="Direct"))["value"] == "Direct"
    (read,) = await on.find("QueryGlobalConfig", ("category", "=", "vm"), ("name", "=", "deletionPolicy"))
    assert (read["value"], read["defaultValue"]) == ("Direct", "Delay")


async def use(on: Client, vms: list[str]) -> None:
    """A VM's everyday, and what must be refused."""
    stopped = await on.call("StopVmInstance", uuid=vms[0])
    assert stopped["state"] == "Stopped"
    assert "hostUuid" not in stopped
    assert await on.refused("RebootVmInstance", uuid=vms[0]) == "SYS.1006"
    assert (await on.call("StartVmInstance", uuid=vms[0]))["state"] == "Running"
    assert (await on.call("UpdateVmInstance", uuid=vms[0], name="renamed"))["name"] == "renamed"
    assert await on.refused("StartVmInstance", uuid="f" * 32) == "SYS.1003"


async def remove(on: Client, cloud: dict[str, str], vms: list[str]) -> None:
    """All of it gone again."""
    await asyncio.gather(*(on.call("DestroyVmInstance", uuid=uuid) for uuid in vms))
    assert await on.count("QueryVmInstance") == 0
    await on.call("DetachL2NetworkFromCluster", l2NetworkUuid=cloud["l2"], clusterUuid=cloud["cluster"])
    for message, noun in (
        ("DeleteImage", "image"), ("DeleteInstanceOffering", "offering"), ("DeleteL3Network", "l3"),
        ("DeleteL2Network", "l2"),
    ):  # fmt: skip
        await on.call(message, uuid=cloud[noun])
    await on.call("ExpungeImage", imageUuid=cloud["image"])


async def main(url: str) -> None:
    """The whole of it."""
    on = Client(url)
    cloud = await build(on)
    began = time.monotonic()
    vms = await create_vms(on, cloud)
    seconds = time.monotonic() - began
    found = await query(on, cloud, vms)
    await tags_and_configs(on, vms)
    await use(on, vms)
    await remove(on, cloud, vms)
    hosts = await on.find("QueryHost")
    await on.zstack.logout()
    seen = {"vms": len(set(vms)), "seconds": seconds, "found": found, "hosts": [each["status"] for each in hosts],
            "messages": sorted(on.used)}  # fmt: skip
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
