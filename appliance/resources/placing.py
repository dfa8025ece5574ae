"""Giving a VM its host, disk and addresses: allocation, inside the transaction that creates its rows."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from appliance.api.errors import InvalidArgument, NoHostAvailable, OperationFailed
from appliance.api.host import Host
from appliance.api.l2 import L2NetworkClusterRef
from appliance.api.l3 import IpRange, L3Network, UsedIp
from appliance.api.service import NetworkServiceL3NetworkRef
from appliance.api.storage import (
    BackupStorageZoneRef,
    LocalStorageHostRef,
    PrimaryStorageClusterRef,
)
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.plans import addresses
from appliance.plans.placement import Demand, HostOption, choose_host, fitting
from appliance.reconcile.vm_nic import nics_of
from appliance.reconcile.vm_state import placed_on
from appliance.resources.tags_of import put_inherent_tag, system_tags
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def pick_host(
    snapshot: Snapshot, demand: Demand, zone_uuid: str, cluster_uuid: str | None, backup_uuids: set[str]
) -> tuple[Host, str]:
    """The host for a new VM, and the primary storage there; raises `NoHostAvailable`."""
    where: dict[str, Any] = {"zone_uuid": zone_uuid} | (
        {"cluster_uuid": cluster_uuid} if cluster_uuid else {}
    )
    hosts = {host.uuid: host for host in snapshot.all(Host, intended="Present", **where)}
    zone_has_image = any(
        snapshot.exists(BackupStorageZoneRef, backup_storage_uuid=uuid, zone_uuid=zone_uuid)
        for uuid in backup_uuids
    )
    storages = {uuid: _roomiest(snapshot, host) for uuid, host in hosts.items()}
    options = [
        _option(snapshot, host, disk=storages[host.uuid][1], image=zone_has_image) for host in hosts.values()
    ]
    chosen = choose_host(options, demand)
    return hosts[chosen], storages[chosen][0]


def check_room(snapshot: Snapshot, vm: VmInstance) -> None:
    """Refuse to start a VM on a host that cannot take it."""
    check_increase(snapshot, vm, Demand(vm.memory_size, vm.cpu_num * vm.cpu_speed, 0, frozenset()))


def check_increase(snapshot: Snapshot, vm: VmInstance, demand: Demand) -> None:
    """Refuse to give a VM so much more of its host; its local disk ties it to that host."""
    host_uuid = placed_on(snapshot, vm)
    host = snapshot.find(Host, host_uuid) if host_uuid else None
    if host is None:
        raise NoHostAvailable(f"VM {vm.name}[uuid:{vm.uuid}] has no host: its disk's host was deleted")
    choose_host([_option(snapshot, host)], demand)


def move_targets(snapshot: Snapshot, vm: VmInstance) -> list[Host]:
    """The hosts that a running VM could go on on: others that have its root volume, and room for it."""
    root = snapshot.find(Volume, vm.root_volume_uuid) if vm.root_volume_uuid else None
    if root is None:
        return []
    # A local disk is on one host; any other is wherever its storage is.
    reach: dict[str, Any] = (
        {"uuid": root.host_uuid} if root.host_uuid is not None else {"zone_uuid": vm.zone_uuid}
    )
    hosts = [
        host
        for host in snapshot.all(Host, intended="Present", hypervisor_type=vm.hypervisor_type, **reach)
        if host.uuid != vm.host_uuid
    ]
    networks = [snapshot.get(L3Network, nic.l3_network_uuid) for nic in nics_of(snapshot, vm)]
    l2_uuids = frozenset(network.l2_network_uuid for network in networks)
    demand = Demand(vm.memory_size, vm.cpu_num * vm.cpu_speed, 0, l2_uuids)
    left = fitting([_option(snapshot, host) for host in hosts], demand)
    return [host for host in hosts if host.uuid in left]


def _option(snapshot: Snapshot, host: Host, *, disk: int = 0, image: bool = True) -> HostOption:
    return HostOption(
        uuid=host.uuid,
        name=host.name,
        state=host.state,
        status=host.status,
        hypervisor_type=host.hypervisor_type,
        available_memory=host.available_memory_capacity,
        available_cpu=host.available_cpu_capacity,
        available_disk=disk,
        l2_uuids=_l2_uuids(snapshot, host),
        backup_storage_in_zone=image,
        vms=snapshot.count(VmInstance, host_uuid=host.uuid),
    )


def ensure_dhcp_address(tx: Transaction, l3: L3Network) -> L3Network:
    """A network with DHCP has an address for its server, taken from its ranges at first use."""
    wanted = tx.exists(NetworkServiceL3NetworkRef, l3_network_uuid=l3.uuid, network_service_type="DHCP")
    if not wanted or l3.dhcp_ip is not None:
        return l3
    used = _take(tx, l3, used_for="DHCP")
    put_inherent_tag(tx, l3, f"flatNetwork::DhcpServer::{used.ip}::ipUuid::{used.uuid}")
    return tx.update(l3, dhcp_ip=used.ip, generation=l3.generation + 1)


def take_address(tx: Transaction, vm: VmInstance, nic: VmNic) -> VmNic:
    """Give a NIC an address: its `staticIp` tag's, else the lowest free; raises `NoAddressLeft`."""
    l3 = tx.get(L3Network, nic.l3_network_uuid)
    wanted = None
    for tag in system_tags(tx, vm.uuid):
        if tag.startswith(f"staticIp::{l3.uuid}::"):
            wanted = tag.rsplit("::", 1)[1]
    used = _take(tx, l3, used_for=nic.uuid, wanted=wanted)
    ip_range = tx.get(IpRange, used.ip_range_uuid)
    return tx.update(
        nic, ip=used.ip, netmask=ip_range.netmask, gateway=ip_range.gateway, used_ip_uuid=used.uuid
    )


def _take(tx: Transaction, l3: L3Network, *, used_for: str, wanted: str | None = None) -> UsedIp:
    ranges = tx.all(IpRange, l3_network_uuid=l3.uuid)
    if not ranges:
        raise OperationFailed(f"L3 network {l3.name}[uuid:{l3.uuid}] has no IP range; add one first")
    taken = taken_in(tx, ranges)
    if wanted is None:
        ip_range, ip = addresses.first_free(ranges, taken, f"L3 network {l3.name}[uuid:{l3.uuid}]")
    else:
        found = addresses.range_of(ranges, wanted)
        if found is None or not addresses.is_free(found, int(ipaddress.IPv4Address(wanted)), taken):
            raise OperationFailed(f"IP[{wanted}] is not available on the L3 network[uuid:{l3.uuid}]")
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


def taken_in(snapshot: Snapshot, ranges: Sequence[IpRange]) -> set[int]:
    """The addresses of ranges that somebody has, as numbers."""
    statement = "SELECT ip_number FROM used_ip WHERE ip_range_uuid = ?"
    return {int(row[0]) for each in ranges for row in snapshot.rows(statement, (each.uuid,))}


def _roomiest(snapshot: Snapshot, host: Host) -> tuple[str, int]:
    """The primary storage with most room on a host, and that room; -1 where there is none."""
    attached = {
        ref.primary_storage_uuid
        for ref in snapshot.all(PrimaryStorageClusterRef, cluster_uuid=host.cluster_uuid, intended="Present")
    }
    rooms = [
        (ref.available_capacity, ref.primary_storage_uuid)
        for ref in snapshot.all(LocalStorageHostRef, host_uuid=host.uuid)
        if ref.primary_storage_uuid in attached
    ]
    room, uuid = max(rooms, default=(-1, ""))
    return uuid, room


def _l2_uuids(snapshot: Snapshot, host: Host) -> frozenset[str]:
    refs = snapshot.all(L2NetworkClusterRef, cluster_uuid=host.cluster_uuid, intended="Present")
    return frozenset(ref.l2_network_uuid for ref in refs)


def check_zone(zone_uuids: set[str], what: str) -> str:
    """The one zone that all of them are in; raises `InvalidArgument`."""
    if len(zone_uuids) != 1:
        raise InvalidArgument(f"{what} are in different zones: {', '.join(sorted(zone_uuids))}")
    return next(iter(zone_uuids))
