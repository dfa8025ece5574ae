"""Whether a system tag makes sense: it follows a pattern, what stands in its holes is sound, and it fits the others."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from appliance.api.errors import InvalidArgument, NotBuilt
from appliance.api.host import Host
from appliance.api.l3 import IpRange, L3Network, UsedIp
from appliance.api.size import parse_size
from appliance.api.storage import PrimaryStorage
from appliance.api.tag import USERDATA_LIMIT, SystemTag, TagPattern, is_to_come, pattern_of
from appliance.api.vm import VmInstance, VmNic
from appliance.hosts.simulated_conduct import parse_delay, parse_fault_rate
from appliance.plans import addresses
from appliance.plans.naming import is_domain_name
from appliance.resources.placing import unavailable
from appliance.resources.taken import TakenIn
from appliance.store.snapshot import Snapshot

READ: dict[str, Callable[[str], object]] = {
    "capacity": parse_size, "delay": parse_delay, "faultRate": parse_fault_rate,
}  # fmt: skip
"""How holes with numbers are read."""

TWIN = """
SELECT 1 FROM vm_nic AS nic WHERE nic.l3_network_uuid = ?1 AND nic.vm_instance_uuid <> ?2
  AND EXISTS (SELECT 1 FROM system_tag AS tag WHERE tag.resource_uuid = nic.vm_instance_uuid AND tag.tag = ?3)
  AND EXISTS (SELECT 1 FROM vm_instance AS vm WHERE vm.uuid = nic.vm_instance_uuid AND vm.default_l3_network_uuid = ?1)
LIMIT 1
"""
"""Whether another VM with this default network has this tag. Its NICs come first: they are fewer than tags."""


def check_system_tag(snapshot: Snapshot, vo: str, uuid: str, tag: str, *, besides: str = "") -> None:
    """Refuse a system tag that matches nothing or makes no sense; `besides` is the tag it replaces.

    Raises `InvalidArgument`, `NotBuilt` for a tag of ZStack's that means nothing here yet, and `OperationFailed` for an
    address that nobody can have now.
    """
    found = pattern_of(vo, tag)
    if found is None and is_to_come(vo, tag):
        raise NotBuilt(f"{tag} is a tag of ZStack 1.0 for routers, which are not built here yet")
    if found is None:
        raise InvalidArgument(f"no system tag matches {tag}")
    pattern, holes = found
    if pattern.inherent:
        raise InvalidArgument(f"system tag {tag} is made by the appliance only")
    _check_alone(snapshot, uuid, pattern, holes, besides)
    _check_hypervisor(snapshot, uuid, pattern, tag)
    for name, value in holes.items():
        _check_hole(snapshot, uuid, name, value, holes)
        _check_number(pattern, name, value)


def check_host_name(snapshot: Snapshot, vm_uuid: str, l3_uuid: str | None, name: str) -> None:
    """Refuse a host name that another VM has whose default network is the same. Case is no difference."""
    if l3_uuid is not None and snapshot.rows(TWIN, (l3_uuid, vm_uuid, f"hostname::{name}")):
        raise InvalidArgument(
            f"hostname[{name}] is another VM's on the L3 network[uuid:{l3_uuid}]; choose another name"
        )


def _check_alone(
    snapshot: Snapshot, uuid: str, pattern: TagPattern, holes: dict[str, str], besides: str
) -> None:
    """Refuse a second tag where there can be one only, and a second address on one network."""
    for other in snapshot.all(SystemTag, resource_uuid=uuid):
        theirs = pattern.match(other.tag) if other.uuid != besides else None
        if theirs is None:
            continue
        same = "l3NetworkUuid" in holes and theirs["l3NetworkUuid"] == holes["l3NetworkUuid"]
        if pattern.only_one or same:
            raise InvalidArgument(
                f"only one {pattern.pattern} tag is allowed{' on a network' if same else ''}, and there is one "
                f"already: {other.tag}[uuid:{other.uuid}]"
            )


def _check_hypervisor(snapshot: Snapshot, host_uuid: str, pattern: TagPattern, tag: str) -> None:
    """Refuse on a host what only others heed."""
    host = snapshot.find(Host, host_uuid) if pattern.hypervisor else None
    if host is not None and host.hypervisor_type != pattern.hypervisor:
        raise InvalidArgument(
            f"system tag {tag} is for hosts of hypervisorType {pattern.hypervisor}; "
            f"host {host.name}[uuid:{host.uuid}] is of {host.hypervisor_type}"
        )


def _check_hole(snapshot: Snapshot, uuid: str, name: str, value: str, holes: dict[str, str]) -> None:
    match name:
        case "hostname":
            _check_host_name(snapshot, uuid, value)
        case "staticIp":
            _check_static_ip(snapshot, uuid, holes["l3NetworkUuid"], value)
        case "userdata" if len(value.encode()) > USERDATA_LIMIT:
            raise InvalidArgument(f"userdata has {len(value.encode())} bytes, {USERDATA_LIMIT} at most")
        case "revision" if not re.fullmatch(r"[1-9][0-9]{0,8}", value):
            raise InvalidArgument(f"userdataRevision[{value}] is not a number from 1 to 999999999")
        case "sshkey":
            _check_key(value)
        case "rootPassword" if re.search(r"[\x00-\x1f:]", value):
            raise InvalidArgument("rootPassword may not hold line breaks or colons")
        case "accelerator" if value not in {"auto", "kvm", "tcg"}:
            raise InvalidArgument(f"accelerator[{value}] is not one of auto, kvm, tcg")
        case "primaryStorageUuid" if snapshot.find(PrimaryStorage, value) is None:
            raise InvalidArgument(f"there is no primary storage[uuid:{value}] to put volumes on")


def _check_number(pattern: TagPattern, hole: str, value: str) -> None:
    if hole not in READ:
        return
    try:
        READ[hole](value)
    except ValueError as wrong:
        raise InvalidArgument(f"{pattern.value_name}[{value}]: {wrong}") from wrong


def _check_key(value: str) -> None:
    if "\n" in value.strip() or "\r" in value or not re.match(r"(ssh|ecdsa|sk)-\S+ \S+", value.strip()):
        raise InvalidArgument("sshkey is not one public key in OpenSSH form, like ssh-ed25519 AAAA…")


def _check_host_name(snapshot: Snapshot, vm_uuid: str, name: str) -> None:
    if not is_domain_name(name):
        raise InvalidArgument(f"hostname[{name}] is not a host name: letters, digits, dashes, dots")
    vm = snapshot.find(VmInstance, vm_uuid)
    check_host_name(snapshot, vm_uuid, vm.default_l3_network_uuid if vm else None, name)


def _check_static_ip(snapshot: Snapshot, vm_uuid: str, l3_uuid: str, ip: str) -> None:
    """Refuse an address that no NIC can have, or somebody else has; that of the VM's own NIC is its to keep."""
    if snapshot.find(L3Network, l3_uuid) is None:
        raise InvalidArgument(f"staticIp names L3 network[uuid:{l3_uuid}], which does not exist")
    try:
        wanted = int(ipaddress.IPv4Address(ip))
    except ValueError as wrong:
        raise InvalidArgument(f"staticIp[{ip}] is not an IPv4 address") from wrong
    used = snapshot.first(UsedIp, l3_network_uuid=l3_uuid, ip=ip)
    if used is not None and snapshot.exists(VmNic, uuid=used.used_for, vm_instance_uuid=vm_uuid):
        return
    ranges = snapshot.all(IpRange, l3_network_uuid=l3_uuid)
    found = addresses.range_of(ranges, ip)
    if found is None or not addresses.is_free(found, wanted, TakenIn(snapshot)):
        raise unavailable(snapshot, l3_uuid, ip)
