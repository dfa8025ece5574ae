"""What requests about L3 networks, their ranges and name servers mean."""

from __future__ import annotations

import ipaddress
from typing import Any

from appliance.api.counting import counted
from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.l2 import L2Network
from appliance.api.l3 import (
    AddDnsToL3Network,
    AddIpRange,
    AddIpRangeByNetworkCidr,
    ChangeL3NetworkState,
    CheckIpAvailability,
    CreateL3Network,
    DeleteIpRange,
    DeleteL3Network,
    GetFreeIp,
    GetIpAddressCapacity,
    GetL3NetworkTypes,
    IpRange,
    L3Network,
    L3NetworkDns,
    RemoveDnsFromL3Network,
    UpdateIpRange,
    UpdateL3Network,
    UsedIp,
)
from appliance.api.vm import VmNic
from appliance.plans import addresses
from appliance.plans.naming import is_domain_name
from appliance.reconcile.inherent_tags import drop_inherent_tags
from appliance.resources.creating import add, given, uuid_for
from appliance.resources.placing import served
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles, reads
from appliance.resources.taken import TakenIn
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(CreateL3Network)
def create_l3(tx: Transaction, request: CreateL3Network, caller: Caller) -> L3Network:
    """A row."""
    if request.dns_domain is not None and not is_domain_name(request.dns_domain):
        raise InvalidArgument(f"dnsDomain[{request.dns_domain}] is not a domain name")
    network = L3Network(
        uuid=uuid_for(tx, request, L3Network),
        name=request.name,
        description=request.description,
        zone_uuid=tx.get(L2Network, request.l2_network_uuid).zone_uuid,
        l2_network_uuid=request.l2_network_uuid,
        dns_domain=request.dns_domain,
        system=request.system,
    )
    return add(tx, request, network)


@handles(AddIpRange)
def add_ip_range(tx: Transaction, request: AddIpRange, caller: Caller) -> IpRange:
    """A row, when it makes sense and overlaps with none."""
    return _add_range(tx, request, request.start_ip, request.end_ip, request.netmask, request.gateway)


@handles(AddIpRangeByNetworkCidr)
def add_ip_range_by_cidr(tx: Transaction, request: AddIpRangeByNetworkCidr, caller: Caller) -> IpRange:
    """A row: the first address is the gateway, the others but the broadcast address are given to VMs."""
    try:
        subnet = ipaddress.IPv4Network(request.network_cidr, strict=False)
    except ValueError as wrong:
        raise InvalidArgument(
            f"networkCidr[{request.network_cidr}] is not a CIDR like 10.0.0.0/24"
        ) from wrong
    if subnet.prefixlen > 29 or subnet.prefixlen < 8:
        raise InvalidArgument(f"networkCidr[{request.network_cidr}] must be from /8 to /29")
    first = subnet.network_address + 1
    last = subnet.broadcast_address - 1
    return _add_range(tx, request, str(first + 1), str(last), str(subnet.netmask), str(first))


def _add_range(
    tx: Transaction,
    request: AddIpRange | AddIpRangeByNetworkCidr,
    start_ip: str,
    end_ip: str,
    netmask: str,
    gateway: str,
) -> IpRange:
    cidr = addresses.check_range(start_ip, end_ip, netmask, gateway)
    network = tx.get(L3Network, request.l3_network_uuid)
    siblings = [l3.uuid for l3 in tx.all(L3Network, l2_network_uuid=network.l2_network_uuid)]
    existing = tx.all(IpRange, l3_network_uuid=siblings)
    named = f"startIp[{start_ip}], endIp[{end_ip}]"
    if isinstance(request, AddIpRangeByNetworkCidr):
        named = f"networkCidr[{request.network_cidr}]"
    addresses.check_apart((start_ip, end_ip), existing, named)
    for other in existing:
        if other.l3_network_uuid == network.uuid and (other.network_cidr, other.gateway) != (cidr, gateway):
            raise InvalidArgument(
                f"{named}: L3 network {network.name} is {other.network_cidr} with gateway {other.gateway}, and "
                f"the new range is {cidr} with gateway {gateway}; give a range of the same, or make another L3 network"
            )
    return add(
        tx,
        request,
        IpRange(
            uuid=uuid_for(tx, request, IpRange),
            l3_network_uuid=network.uuid,
            name=request.name,
            description=request.description,
            start_ip=start_ip,
            end_ip=end_ip,
            netmask=netmask,
            gateway=gateway,
            network_cidr=cidr,
        ),
    )


@handles(DeleteIpRange)
def delete_ip_range(tx: Transaction, request: DeleteIpRange, caller: Caller) -> None:
    """Gone when no VM has an address of it. The DHCP server takes one of another range, if VMs need it."""
    found = tx.find(IpRange, request.uuid)
    if found is None:
        return
    servers = tx.all(UsedIp, ip_range_uuid=found.uuid, used_for="DHCP")
    used = TakenIn(tx).count([found]) - len(servers)
    if used:
        raise OperationFailed(
            f"VMs have {counted(used, 'address', 'addresses')} of {found.start_ip}-{found.end_ip}; "
            f"destroy them, or detach their NICs, first"
        )
    for row in servers:
        tx.delete(row)
    tx.delete(found)
    if servers:
        l3 = tx.get(L3Network, found.l3_network_uuid)
        drop_inherent_tags(tx, l3, "flatNetwork::DhcpServer::")
        served(tx, tx.update(l3, dhcp_ip=None, generation=l3.generation + 1))


@handles(AddDnsToL3Network)
def add_dns(tx: Transaction, request: AddDnsToL3Network, caller: Caller) -> L3Network:
    """A row; hosts tell it to guests at the next renewal."""
    addresses.number(request.dns, "dns")
    network = tx.get(L3Network, request.l3_network_uuid)
    if tx.exists(L3NetworkDns, l3_network_uuid=network.uuid, dns=request.dns):
        raise InvalidArgument(f"dns[{request.dns}] is on L3 network {network.name} already")
    tx.insert(L3NetworkDns(uuid=tx.new_uuid(), l3_network_uuid=network.uuid, dns=request.dns))
    return tx.update(network, generation=network.generation + 1)


@handles(RemoveDnsFromL3Network)
def remove_dns(tx: Transaction, request: RemoveDnsFromL3Network, caller: Caller) -> L3Network:
    """The row removed."""
    network = tx.get(L3Network, request.l3_network_uuid)
    for row in tx.all(L3NetworkDns, l3_network_uuid=network.uuid, dns=request.dns):
        tx.delete(row)
    return tx.update(network, generation=network.generation + 1)


@handles(DeleteL3Network)
def delete_l3(tx: Transaction, request: DeleteL3Network, caller: Caller) -> Promise | None:
    """Intended absent when no VM is on it; hosts stop serving it first."""
    network = tx.find(L3Network, request.uuid)
    if network is None:
        return None
    nics = tx.count(VmNic, l3_network_uuid=network.uuid)
    if nics:
        raise OperationFailed(f"L3 network {network.name}[uuid:{network.uuid}] has {nics} NICs on it")
    return promise(tx, request, tx.update(network, intended="Absent"), caller)


@handles(UpdateL3Network)
def update_l3(tx: Transaction, request: UpdateL3Network, caller: Caller) -> L3Network:
    """The row's words."""
    return tx.update(tx.get(L3Network, request.uuid), **given(request, "name", "description", "system"))


@handles(ChangeL3NetworkState)
def change_l3_state(tx: Transaction, request: ChangeL3NetworkState, caller: Caller) -> L3Network:
    """Enabled or Disabled: no new NIC comes onto a disabled network."""
    state = "Enabled" if request.state_event == "enable" else "Disabled"
    return tx.update(tx.get(L3Network, request.uuid), state=state)


@handles(UpdateIpRange)
def update_ip_range(tx: Transaction, request: UpdateIpRange, caller: Caller) -> IpRange:
    """The row's words."""
    return tx.update(tx.get(IpRange, request.uuid), **given(request, "name", "description"))


@reads(GetL3NetworkTypes)
def get_l3_types(snapshot: Snapshot, request: GetL3NetworkTypes, caller: Caller) -> dict[str, Any]:
    """Those that can be created."""
    return {"l3NetworkTypes": ["L3BasicNetwork"]}


@reads(CheckIpAvailability)
def check_ip(snapshot: Snapshot, request: CheckIpAvailability, caller: Caller) -> dict[str, Any]:
    """In a range, and nobody's."""
    wanted = addresses.number(request.ip, "ip")
    ranges = snapshot.all(IpRange, l3_network_uuid=request.l3_network_uuid)
    taken = TakenIn(snapshot)
    return {"available": any(addresses.is_free(each, wanted, taken) for each in ranges)}


@reads(GetFreeIp)
def get_free_ip(snapshot: Snapshot, request: GetFreeIp, caller: Caller) -> dict[str, Any]:
    """What the next NICs could get."""
    if request.ip_range_uuid is not None:
        ranges = [snapshot.get(IpRange, request.ip_range_uuid)]
    elif request.l3_network_uuid is not None:
        ranges = snapshot.all(IpRange, l3_network_uuid=request.l3_network_uuid)
    else:
        raise InvalidArgument("ipRangeUuid and l3NetworkUuid cannot both be null; you must set either one.")
    free = addresses.free(ranges, TakenIn(snapshot), request.limit)
    return {
        "inventories": [
            {"ipRangeUuid": each.uuid, "ip": ip, "netmask": each.netmask, "gateway": each.gateway}
            for each, ip in free
        ]
    }


@reads(GetIpAddressCapacity)
def get_ip_capacity(snapshot: Snapshot, request: GetIpAddressCapacity, caller: Caller) -> dict[str, Any]:
    """How many addresses there are, and how many are left."""
    ranges = _counted(snapshot, request)
    total = sum(addresses.size(each) for each in ranges)
    return {"totalCapacity": total, "availableCapacity": total - TakenIn(snapshot).count(ranges)}


def _counted(snapshot: Snapshot, request: GetIpAddressCapacity) -> list[IpRange]:
    """The ranges asked about, by the narrowest of what the call names."""
    if request.all:
        return snapshot.all(IpRange)
    if request.ip_range_uuids:
        return snapshot.all(IpRange, uuid=request.ip_range_uuids)
    if request.l3_network_uuids:
        return snapshot.all(IpRange, l3_network_uuid=request.l3_network_uuids)
    if request.zone_uuids:
        networks = snapshot.all(L3Network, zone_uuid=request.zone_uuids)
        return snapshot.all(IpRange, l3_network_uuid=[network.uuid for network in networks])
    raise InvalidArgument(
        "zoneUuids, l3NetworkUuids, ipRangeUuids must have at least one be none-empty list, "
        "or all is set to true"
    )
