"""What requests about L3 networks, their ranges and name servers mean."""

from __future__ import annotations

import ipaddress

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.l2 import L2Network
from appliance.api.l3 import (
    AddDnsToL3Network,
    AddIpRange,
    AddIpRangeByNetworkCidr,
    CreateL3Network,
    DeleteIpRange,
    DeleteL3Network,
    IpRange,
    L3Network,
    L3NetworkDns,
    RemoveDnsFromL3Network,
    UsedIp,
)
from appliance.api.vm import VmNic
from appliance.plans import addresses
from appliance.resources.creating import add, uuid_for
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.storage import promise
from appliance.resources.tags_of import LABEL
from appliance.store.transaction import Transaction


@handles(CreateL3Network)
def create_l3(tx: Transaction, request: CreateL3Network, caller: Caller) -> L3Network:
    """A row."""
    if request.dns_domain is not None and not LABEL.match(request.dns_domain):
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
    addresses.check_apart((start_ip, end_ip), existing)
    for other in existing:
        if other.l3_network_uuid == network.uuid and (other.network_cidr, other.gateway) != (cidr, gateway):
            raise InvalidArgument(
                f"L3 network {network.name} is {other.network_cidr} with gateway {other.gateway}; "
                f"the new range is {cidr} with gateway {gateway}"
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
    """Gone when no VM has an address of it."""
    found = tx.find(IpRange, request.uuid)
    if found is None:
        return
    used = [row for row in tx.all(UsedIp, ip_range_uuid=found.uuid) if row.used_for != "DHCP"]
    if used:
        raise OperationFailed(f"{len(used)} addresses of {found.start_ip}-{found.end_ip} belong to VMs")
    for row in tx.all(UsedIp, ip_range_uuid=found.uuid):
        tx.delete(row)
        l3 = tx.get(L3Network, found.l3_network_uuid)
        tx.update(l3, dhcp_ip=None, generation=l3.generation + 1)
    tx.delete(found)


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
