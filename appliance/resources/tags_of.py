"""Tags that come and go with their resource."""

from __future__ import annotations

import ipaddress
import re

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.host import Host
from appliance.api.l3 import L3Network, UsedIp
from appliance.api.message import CreateMessage
from appliance.api.resource import Resource
from appliance.api.simulator import HYPERVISOR
from appliance.api.tag import USERDATA_LIMIT, SystemTag, UserTag, pattern_of
from appliance.hosts.simulated_conduct import parse_delay, parse_fault_rate
from appliance.plans.naming import is_domain_name
from appliance.reconcile.capacity import parse_size
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def put_tags(tx: Transaction, request: CreateMessage, resource: Resource) -> None:
    """Put a create message's tags on what it made, each once; refuse those that mean nothing."""
    uuid = str(resource.key_value)
    for tag in dict.fromkeys(request.system_tags):
        check_system_tag(tx, resource.vo, uuid, tag)
        tx.insert(SystemTag(uuid=tx.new_uuid(), resource_uuid=uuid, resource_type=resource.vo, tag=tag))
    for tag in dict.fromkeys(request.user_tags):
        tx.insert(UserTag(uuid=tx.new_uuid(), resource_uuid=uuid, resource_type=resource.vo, tag=tag))


def system_tags(snapshot: Snapshot, uuid: str) -> list[str]:
    """The texts of a resource's system tags, oldest first."""
    return [tag.tag for tag in snapshot.all(SystemTag, resource_uuid=uuid, order_by="create_date")]


def check_system_tag(snapshot: Snapshot, vo: str, uuid: str, tag: str, *, besides: str = "") -> None:
    """Refuse a system tag that matches nothing or makes no sense; `besides` is the tag it replaces."""
    found = pattern_of(vo, tag)
    if found is None:
        raise InvalidArgument(f"no system tag matches {tag}")
    pattern, holes = found
    if pattern.inherent:
        raise InvalidArgument(f"system tag {tag} is made by the appliance only")
    others = [t for t in snapshot.all(SystemTag, resource_uuid=uuid) if t.uuid != besides]
    if pattern.only_one and any(pattern.match(other.tag) for other in others):
        raise InvalidArgument(f"only one {pattern.pattern} tag is allowed, and there is one already")
    if tag.startswith("simulator::"):
        _check_simulated(snapshot, uuid, tag)
    for name, value in holes.items():
        _check_hole(snapshot, name, value, holes)


def _check_simulated(snapshot: Snapshot, host_uuid: str, tag: str) -> None:
    """Refuse on a real host what only a simulated one heeds."""
    host = snapshot.find(Host, host_uuid)
    if host is not None and host.hypervisor_type != HYPERVISOR:
        raise InvalidArgument(
            f"system tag {tag} is for hosts of hypervisorType {HYPERVISOR}; host {host.name}[uuid:{host.uuid}] is "
            f"of {host.hypervisor_type}"
        )


def _check_hole(snapshot: Snapshot, name: str, value: str, holes: dict[str, str]) -> None:  # noqa: C901 - a table of cases
    match name:
        case "hostname":
            if not is_domain_name(value):
                raise InvalidArgument(f"hostname[{value}] is not a host name: letters, digits, dashes, dots")
        case "userdata":
            if len(value.encode()) > USERDATA_LIMIT:
                raise InvalidArgument(f"userdata has {len(value.encode())} bytes, {USERDATA_LIMIT} at most")
        case "sshkey":
            _check_key(value)
        case "rootPassword":
            if re.search(r"[\x00-\x1f:]", value):
                raise InvalidArgument("rootPassword may not hold line breaks or colons")
        case "accelerator":
            if value not in {"auto", "kvm", "tcg"}:
                raise InvalidArgument(f"accelerator[{value}] is not one of auto, kvm, tcg")
        case "capacity":
            try:
                parse_size(value)
            except ValueError as wrong:
                raise InvalidArgument(str(wrong)) from wrong
        case "delay" | "faultRate":
            try:
                (parse_delay if name == "delay" else parse_fault_rate)(value)
            except ValueError as wrong:
                raise InvalidArgument(str(wrong)) from wrong
        case "staticIp":
            check_free(snapshot, holes["l3NetworkUuid"], value)


def _check_key(value: str) -> None:
    if "\n" in value.strip() or "\r" in value or not re.match(r"(ssh|ecdsa|sk)-\S+ \S+", value.strip()):
        raise InvalidArgument("sshkey is not one public key in OpenSSH form, like ssh-ed25519 AAAA…")


def check_free(snapshot: Snapshot, l3_uuid: str, ip: str) -> None:
    """Refuse an address that a NIC cannot have."""
    if snapshot.find(L3Network, l3_uuid) is None:
        raise InvalidArgument(f"staticIp names L3 network[uuid:{l3_uuid}], which does not exist")
    try:
        ipaddress.IPv4Address(ip)
    except ValueError as wrong:
        raise InvalidArgument(f"staticIp[{ip}] is not an IPv4 address") from wrong
    if snapshot.exists(UsedIp, l3_network_uuid=l3_uuid, ip=ip):
        raise OperationFailed(f"IP[{ip}] is not available on the L3 network[uuid:{l3_uuid}]")
