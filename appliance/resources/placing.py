"""Giving a VM its host, disk and addresses: allocation, inside the transaction that creates its rows."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from appliance.api.cluster import Cluster
from appliance.api.errors import InvalidArgument, NoHostAvailable, OperationFailed
from appliance.api.host import Host
from appliance.api.image import Image
from appliance.api.l2 import L2NetworkClusterRef
from appliance.api.l3 import IpRange, L3Network, UsedIp
from appliance.api.offering import LAST_HOST
from appliance.api.service import NetworkServiceL3NetworkRef
from appliance.api.simulator import FORMAT, HYPERVISOR
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.storage import (
    BackupStorageZoneRef,
    LocalStorageHostRef,
    PrimaryStorage,
    PrimaryStorageClusterRef,
)
from appliance.api.tag import SystemTag
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.plans import addresses
from appliance.plans.placement import Demand, HostOption, choose_host
from appliance.reconcile.capacity import spare_of
from appliance.reconcile.inherent_tags import put_inherent_tag
from appliance.reconcile.vm_nic import nics_of
from appliance.reconcile.vm_state import placed_on
from appliance.resources.storage_wish import ANY, StorageWish
from appliance.resources.taken import TakenIn
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def pick_host(
    snapshot: Snapshot, demand: Demand, zone_uuid: str, cluster_uuid: str | None, backup_uuids: set[str],
    wish: StorageWish = ANY,
) -> tuple[Host, str]:  # fmt: skip
    """The host for a new VM, and the primary storage there; raises `NoHostAvailable`."""
    where: dict[str, Any] = {"zone_uuid": zone_uuid} | (
        {"cluster_uuid": cluster_uuid} if cluster_uuid else {}
    )
    hosts = {host.uuid: host for host in snapshot.all(Host, intended="Present", **where)}
    zone_has_image = any(
        snapshot.exists(BackupStorageZoneRef, backup_storage_uuid=uuid, zone_uuid=zone_uuid)
        for uuid in backup_uuids
    )
    clusters = {uuid: _carried(snapshot, uuid) for uuid in {host.cluster_uuid for host in hosts.values()}}
    storages = {
        host.uuid: _roomiest(clusters[host.cluster_uuid], host, demand.disk, wish) for host in hosts.values()
    }
    vms = snapshot.tallies("vms")
    options = [
        _option(
            host,
            disk=storages[host.uuid][1],
            image=zone_has_image,
            vms=vms.get(host.uuid, 0),
            cluster=clusters[host.cluster_uuid],
        )
        for host in hosts.values()
    ]
    chosen = choose_host(options, replace(demand, storage_named=wish.only is not None))
    return hosts[chosen], storages[chosen][0]


def hypervisor_for(image: Image) -> str:
    """What hosts a VM made from an image can run on."""
    return HYPERVISOR if image.format == FORMAT else "KVM"


def check_hypervisor(
    snapshot: Snapshot, image: Image, cluster_uuid: str | None, host_uuid: str | None
) -> None:
    """Refuse an image on a cluster or host that the call names and that cannot run it."""
    wanted = hypervisor_for(image)
    named: list[Cluster | Host | None] = [
        snapshot.find(Cluster, cluster_uuid) if cluster_uuid else None,
        snapshot.find(Host, host_uuid) if host_uuid else None,
    ]
    for found in named:
        if found is not None and found.hypervisor_type != wanted:
            raise InvalidArgument(
                f"imageUuid[{image.uuid}] is of format {image.format}, which runs on {wanted}, and "
                f"{found.name_.lower()} {found.name}[uuid:{found.uuid}] is of hypervisorType "
                f"{found.hypervisor_type}"
            )


def check_room(snapshot: Snapshot, vm: VmInstance, asked: Mapping[str, str]) -> None:
    """Refuse to start a VM on a host that cannot take it, or whose storage is under maintenance."""
    _check_storage(snapshot, vm)
    demand = Demand(
        vm.memory_size,
        vm.cpu_num * vm.cpu_speed,
        0,
        frozenset(),
        strategy=LAST_HOST,
        last_host=vm.last_host_uuid,
        passthrough=passthrough(snapshot),
        asked=asked,
    )
    check_increase(snapshot, vm, demand)


def passthrough(snapshot: Snapshot) -> bool:
    """Whether VMs that start now see their host's CPU as it is."""
    return snapshot.setting("kvm", "vm.cpuMode") == "host-passthrough"


def check_increase(snapshot: Snapshot, vm: VmInstance, demand: Demand) -> None:
    """Refuse to give a VM so much more of its host; its local disk ties it to that host."""
    host_uuid = placed_on(snapshot, vm)
    host = snapshot.find(Host, host_uuid) if host_uuid else None
    if host is None:
        named = demand.named()
        raise NoHostAvailable(
            f"{named}: VM {vm.name}[uuid:{vm.uuid}] has no host: its disk's host was deleted; destroy the VM, or "
            f"make it again from its image or a backup"
        )
    choose_host([_option(host)], replace(demand, bound=True))


def move_options(snapshot: Snapshot, vm: VmInstance) -> tuple[list[HostOption], Demand]:
    """Every other host of a running VM's kind as it could go on there, and what it needs there.

    What it has on local storages goes with it, and needs room on the same ones there.
    """
    volumes = [each for each in snapshot.all(Volume, vm_instance_uuid=vm.uuid) if each.primary_storage_uuid]
    needed: dict[str, int] = {}
    shared: set[str] = set()
    for volume in volumes:
        uuid = str(volume.primary_storage_uuid)
        if snapshot.get(PrimaryStorage, uuid).type == "LocalStorage":
            needed[uuid] = needed.get(uuid, 0) + bytes_of(snapshot, volume)
        else:
            shared.add(uuid)
    found = snapshot.all(Host, intended="Present", hypervisor_type=vm.hypervisor_type, zone_uuid=vm.zone_uuid)
    hosts = [host for host in found if host.uuid != vm.host_uuid]
    clusters = {uuid: _carried(snapshot, uuid) for uuid in {host.cluster_uuid for host in hosts}}
    networks = [snapshot.get(L3Network, nic.l3_network_uuid) for nic in nics_of(snapshot, vm)]
    demand = Demand(
        memory=vm.memory_size,
        cpu=vm.cpu_num * vm.cpu_speed,
        disk=sum(needed.values()),
        l2_uuids=frozenset(network.l2_network_uuid for network in networks),
    )
    options = [
        _option(host, disk=_room_for(clusters[host.cluster_uuid], host, needed, shared),
                cluster=clusters[host.cluster_uuid])
        for host in hosts
    ]  # fmt: skip
    return options, demand


def _room_for(cluster: _Carried, host: Host, needed: dict[str, int], shared: set[str]) -> int:
    """All bytes of local volumes that a host has room for, each on its storage; -1 where it lacks a storage."""
    carried = {storage.uuid for storage in cluster.storages}
    if not shared <= carried or any((uuid, host.uuid) not in cluster.local_rooms for uuid in needed):
        return -1
    left = (cluster.local_rooms[uuid, host.uuid] - size for uuid, size in needed.items())
    return max(sum(needed.values()) + min(left, default=0), 0)


def bytes_of(snapshot: Snapshot, volume: Volume) -> int:
    """Bytes that a volume is counted with, its snapshots included."""
    return volume.size + snapshot.total(VolumeSnapshot, "size", volume_uuid=volume.uuid)


def _option(
    host: Host, *, disk: int = 0, image: bool = True, vms: int = 0, cluster: _Carried | None = None
) -> HostOption:
    """A host as placement sees it; without its cluster, for what has its place there already."""
    return HostOption(
        uuid=host.uuid,
        name=host.name,
        state=host.state,
        status=host.status,
        hypervisor_type=host.hypervisor_type,
        available_memory=host.available_memory_capacity,
        available_cpu=host.available_cpu_capacity,
        available_disk=disk,
        l2_uuids=cluster.l2_uuids if cluster else frozenset(),
        backup_storage_in_zone=image,
        vms=vms,
        cluster_state=cluster.state if cluster else "Enabled",
        accelerator=host.accelerator,
    )


def _check_storage(snapshot: Snapshot, vm: VmInstance) -> None:
    """Refuse to start a VM whose storage is under maintenance."""
    for volume in snapshot.all(Volume, vm_instance_uuid=vm.uuid):
        storage = snapshot.find(PrimaryStorage, volume.primary_storage_uuid)
        if storage is not None and storage.state == "Maintenance":
            raise OperationFailed(
                f"primary storage {storage.name}[uuid:{storage.uuid}] is under Maintenance, and volume "
                f"{volume.name}[uuid:{volume.uuid}] is on it; enable the storage first"
            )


def ensure_dhcp_address(tx: Transaction, l3: L3Network, *, named: str = "") -> L3Network:
    """A network with DHCP or user data has an address for its server, taken from its ranges at first use."""
    services = tx.all(NetworkServiceL3NetworkRef, l3_network_uuid=l3.uuid)
    wanted = any(ref.network_service_type in ("DHCP", "Userdata") for ref in services)
    if not wanted or l3.dhcp_ip is not None:
        return l3
    used = take(tx, l3, used_for="DHCP", named=named)
    put_inherent_tag(tx, l3, f"flatNetwork::DhcpServer::{used.ip}::ipUuid::{used.uuid}")
    return tx.update(l3, dhcp_ip=used.ip, generation=l3.generation + 1)


def served(tx: Transaction, l3: L3Network) -> L3Network:
    """A network that VMs are on already has its server's address from now on, if there is a range for it."""
    if not tx.exists(VmNic, l3_network_uuid=l3.uuid) or not tx.exists(IpRange, l3_network_uuid=l3.uuid):
        return l3
    return ensure_dhcp_address(tx, l3)


def static_ip(snapshot: Snapshot, vm_uuid: str, l3_uuid: str) -> str | None:
    """The address that a VM's `staticIp` tag asks for on a network."""
    start = f"staticIp::{l3_uuid}::"
    tags = (tag.tag for tag in snapshot.all(SystemTag, resource_uuid=vm_uuid))
    return next((tag.removeprefix(start) for tag in tags if tag.startswith(start)), None)


def take_address(tx: Transaction, vm: VmInstance, nic: VmNic, *, named: str) -> VmNic:
    """Give a NIC an address: its `staticIp` tag's, else the lowest free; raises `NoAddressLeft`, as `take` does."""
    l3 = tx.get(L3Network, nic.l3_network_uuid)
    wanted = static_ip(tx, vm.uuid, l3.uuid)
    return give(tx, nic, take(tx, l3, used_for=nic.uuid, wanted=wanted, named=named))


def give(tx: Transaction, nic: VmNic, used: UsedIp) -> VmNic:
    """A NIC with an address that was taken for it; what else was taken for it is free."""
    for other in tx.all(UsedIp, used_for=nic.uuid):
        if other.uuid != used.uuid:
            tx.delete(other)
    ip_range = tx.get(IpRange, used.ip_range_uuid)
    return tx.update(
        nic, ip=used.ip, netmask=ip_range.netmask, gateway=ip_range.gateway, used_ip_uuid=used.uuid
    )


def take(
    tx: Transaction, l3: L3Network, *, used_for: str, wanted: str | None = None, named: str = ""
) -> UsedIp:
    """Take an address of a network for a NIC or for `DHCP`: the wanted one, else the lowest free.

    `named` is the field of the call that wants it, with its value; by default `l3NetworkUuid` with the network's.
    Raises `OperationFailed` when the wanted one is not to be had, `NoAddressLeft` when none is left.
    """
    named = named or f"l3NetworkUuid[{l3.uuid}]"
    ranges = tx.all(IpRange, l3_network_uuid=l3.uuid)
    if not ranges:
        raise OperationFailed(f"{named}: L3 network {l3.name}[uuid:{l3.uuid}] has no IP range; add one first")
    taken = TakenIn(tx)
    if wanted is None:
        ip_range, ip = addresses.first_free(ranges, taken, f"L3 network {l3.name}[uuid:{l3.uuid}]", named)
    else:
        found = addresses.range_of(ranges, wanted)
        if found is None or not addresses.is_free(found, int(ipaddress.IPv4Address(wanted)), taken):
            raise unavailable(tx, l3.uuid, wanted)
        ip_range, ip = found, wanted
    return tx.insert(
        UsedIp(
            uuid=tx.new_uuid(),
            l3_network_uuid=l3.uuid,
            ip_range_uuid=ip_range.uuid,
            ip=ip,
            ip_number=int(ipaddress.IPv4Address(ip)),
            used_for=used_for,
        )
    )


def unavailable(snapshot: Snapshot, l3_uuid: str, ip: str) -> OperationFailed:
    """Why the address of a `staticIp` tag cannot be had, and which could; begins as ZStack says it."""
    ranges = snapshot.all(IpRange, l3_network_uuid=l3_uuid, order_by="start_ip")
    within = addresses.spans(ranges)
    ip_range, used = addresses.range_of(ranges, ip), snapshot.first(UsedIp, l3_network_uuid=l3_uuid, ip=ip)
    nic = snapshot.find(VmNic, used.used_for) if used is not None else None
    if ip_range is None:
        why = (
            f"it is in none of its IP ranges; take a free address of {within}"
            if ranges
            else "it has no IP range"
        )
    elif used is None:
        why = f"it is the gateway of {addresses.spans([ip_range])}; take another address of {within}"
    elif nic is None:
        why = f"its DHCP server has it; take another address of {within}"
    else:
        vm = snapshot.get(VmInstance, nic.vm_instance_uuid)
        why = (
            f"VM {vm.name}[uuid:{vm.uuid}] has it; take another address of {within}, or delete that VM first"
        )
    return OperationFailed(
        f"IP[{ip}] is not available on the L3 network[uuid:{l3_uuid}], as system tag "
        f"staticIp::{l3_uuid}::{ip} asks: {why}"
    )


@dataclass(frozen=True)
class _Carried:
    """What all hosts of a cluster have in common, read once for them all."""

    state: str
    l2_uuids: frozenset[str]
    storages: list[PrimaryStorage]
    """Those that new volumes may be put on."""
    local_rooms: dict[tuple[str, str], int]
    """Bytes left above the reserve, by storage and host."""
    rooms: dict[str, int]
    """The same of the storages that are no host's, by storage."""

    def room(self, storage_uuid: str, host_uuid: str) -> int | None:
        """Bytes left above the reserve of a storage, as a host of the cluster has it; None where it has not."""
        return self.rooms.get(storage_uuid, self.local_rooms.get((storage_uuid, host_uuid)))


def _carried(snapshot: Snapshot, cluster_uuid: str) -> _Carried:
    networks = snapshot.all(L2NetworkClusterRef, cluster_uuid=cluster_uuid, intended="Present")
    refs = snapshot.all(PrimaryStorageClusterRef, cluster_uuid=cluster_uuid, intended="Present")
    uuids = [ref.primary_storage_uuid for ref in refs]
    storages = snapshot.all(PrimaryStorage, uuid=uuids, state="Enabled", status="Connected") if uuids else []
    local = [storage.uuid for storage in storages if storage.type == "LocalStorage"]
    disks = snapshot.all(LocalStorageHostRef, primary_storage_uuid=local) if local else []
    spare = spare_of(snapshot)
    return _Carried(
        state=snapshot.get(Cluster, cluster_uuid).state,
        l2_uuids=frozenset(ref.l2_network_uuid for ref in networks),
        storages=storages,
        local_rooms={
            (disk.primary_storage_uuid, disk.host_uuid): spare(disk.available_capacity) for disk in disks
        },
        rooms={each.uuid: spare(each.available_capacity) for each in storages if each.uuid not in local},
    )


def _roomiest(cluster: _Carried, host: Host, disk: int, wish: StorageWish) -> tuple[str, int]:
    """The primary storage with most room on a host, and that room above its reserve; -1 where there is none.

    Of those that may be used, one that had better be and has room for the disk goes before the others.
    """
    rooms = [
        (room, storage.uuid)
        for storage in cluster.storages
        if wish.allows(storage.uuid) and (room := cluster.room(storage.uuid, host.uuid)) is not None
    ]
    better = [(room, uuid) for room, uuid in rooms if uuid in wish.rather and room >= disk]
    room, uuid = max(better or rooms, default=(-1, ""))
    return uuid, room


def roomiest_storage(snapshot: Snapshot, vm: VmInstance, size: int) -> str:
    """The primary storage for a new volume of a VM: on its host, that with most room. Raises `OperationFailed`."""
    host_uuid = placed_on(snapshot, vm)
    host = snapshot.find(Host, host_uuid) if host_uuid else None
    if host is None:
        raise OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}] has no host: its disk's host was deleted")
    uuid, room = _roomiest(_carried(snapshot, host.cluster_uuid), host, size, ANY)
    if room < size:
        left = (
            "no primary storage"
            if room < 0
            else (f"no primary storage with more than {room} bytes left above the reserve")
        )
        raise OperationFailed(
            f"host {host.name}[uuid:{host.uuid}] of VM {vm.name} has {left}, and {size} are needed; expunge "
            f"something there, attach another storage to its cluster, or lower the global config primaryStorage "
            f"reservedCapacity"
        )
    return uuid


def room_on(snapshot: Snapshot, storage: PrimaryStorage, host_uuid: str | None) -> int:
    """Bytes that a primary storage has left above its reserve: on the host, if it is local; -1 where it has none."""
    spare = spare_of(snapshot)
    if storage.type != "LocalStorage":
        return spare(storage.available_capacity)
    ref = snapshot.first(LocalStorageHostRef, primary_storage_uuid=storage.uuid, host_uuid=host_uuid)
    return spare(ref.available_capacity) if ref is not None else -1


def check_zone(zone_uuids: set[str], what: str) -> str:
    """The one zone that all of them are in; raises `InvalidArgument`."""
    if len(zone_uuids) != 1:
        raise InvalidArgument(f"{what} are in different zones: {', '.join(sorted(zone_uuids))}")
    return next(iter(zone_uuids))
