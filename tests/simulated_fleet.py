"""A simulated cloud with very many VMs, without the time that creating each of them takes."""

from __future__ import annotations

import ipaddress
from functools import partial
from itertools import cycle
from typing import Any

from appliance.api.event import Event
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.l3 import UsedIp
from appliance.api.resource import Resource
from appliance.api.storage import LocalStorageResourceRef
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.reconcile.capacity import recount_host, recount_storage
from appliance.reconcile.simulating import furniture
from appliance.store.database import Database
from appliance.store.transaction import Transaction
from tests.simulated_cloud import Cloud

MIB = 1 << 20
CIDR = "10.10.0.0/16"
"""Room for 65,000 VMs on the one network."""

GROWING_SECONDS = 300.0
"""Each host is looked at whole when an appliance starts, and each VM on it."""


async def grow(cloud: Cloud, vms: int) -> None:
    """Have so many running VMs on one network and in one cluster of a built cloud, spread over its hosts.

    One is created; the others are copies of its rows, written while no appliance runs, and the simulated hosts are
    given what the store says that they have. Its `l3` and `offering` are others then, which have room for all.
    """
    await cloud.make("offering", "CreateInstanceOffering", cpuNum=1, cpuSpeed=1, memorySize=16 * MIB)
    l2 = (await cloud.one("QueryL3Network", cloud.uuids["l3"]))["l2NetworkUuid"]
    l3 = await cloud.make("l3", "CreateL3Network", l2NetworkUuid=l2)
    await cloud.make("range", "AddIpRangeByNetworkCidr", l3NetworkUuid=l3, networkCidr=CIDR)
    services = {cloud.uuids["provider"]: ["DHCP", "Userdata"]}
    await cloud.call("AttachNetworkServiceToL3Network", l3NetworkUuid=l3, networkServices=services)
    first = (await cloud.vm())["uuid"]
    await cloud.idle()
    await cloud.stop()
    database = await Database.open(cloud.folder, inline=True)
    await database.write(lambda tx: _multiply(tx, first, vms))
    for machine, host in cloud.dialer.hosts.items():
        found = await database.read(partial(furniture, machine=machine, made=True))
        host.furnish(found.domains, found.things, found.clock)
    await database.close()
    await cloud.start()
    await cloud.idle(GROWING_SECONDS)


def _multiply(tx: Transaction, uuid: str, vms: int) -> None:
    # As it was before its host was lost with the appliance that ended: who is known to run needs nothing at the start.
    vm = tx.update(tx.get(VmInstance, uuid), state="Running")
    (volume,), (nic,) = tx.all(Volume, vm_instance_uuid=uuid), tx.all(VmNic, vm_instance_uuid=uuid)
    (used,) = tx.all(UsedIp, used_for=nic.uuid)
    file = tx.find(LocalStorageResourceRef, volume.uuid)
    jobs = tx.all(LongJob, target_resource_uuid=uuid)
    events = tx.all(Event, resource_uuid=uuid)
    hosts = cycle(host.uuid for host in tx.all(Host))
    sequence = max(event.sequence for event in tx.all(Event))
    for number in range(1, vms):
        new, disk, card, ip = (tx.new_uuid() for _ in range(4))
        host, place = next(hosts), used.ip_number + number
        address = str(ipaddress.IPv4Address(place))
        path = (volume.install_path or "").replace(volume.uuid, disk)
        _copy(tx, vm, uuid=new, name=f"vm-{number:05}", root_volume_uuid=disk, host_uuid=host, last_host_uuid=host,
              internal_id=vm.internal_id + number)  # fmt: skip
        _copy(tx, volume, uuid=disk, vm_instance_uuid=new, host_uuid=host, install_path=path)
        _copy(tx, nic, uuid=card, vm_instance_uuid=new, ip=address, used_ip_uuid=ip, mac=f"fa:00:{place:08x}")
        _copy(tx, used, uuid=ip, ip=address, ip_number=place, used_for=card)
        if file is not None:
            _copy(tx, file, resource_uuid=disk, host_uuid=host)
        for job in jobs:
            _copy(tx, job, uuid=tx.new_uuid(), target_resource_uuid=new)
        for event in events:
            sequence += 1
            _copy(tx, event, sequence=sequence, resource_uuid=new)
    for each in tx.all(Host):
        recount_host(tx, each.uuid)
    recount_storage(tx, str(volume.primary_storage_uuid))


def _copy(tx: Transaction, resource: Resource, **changes: Any) -> None:
    tx.insert(type(resource)(**{**resource.__dict__, **changes}))
