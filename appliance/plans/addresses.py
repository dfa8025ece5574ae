"""Choosing an IP address: pure arithmetic on ranges and what is taken."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence

from appliance.api.errors import InvalidArgument, NoAddressLeft
from appliance.api.l3 import IpRange


def number(ip: str, field: str) -> int:
    """An IPv4 address as a number; raises `InvalidArgument` naming the field."""
    try:
        return int(ipaddress.IPv4Address(ip))
    except ValueError as wrong:
        raise InvalidArgument(f"{field}[{ip}] is not an IPv4 address") from wrong


def first_free(
    ranges: Sequence[IpRange], taken: Collection[int], network: str, named: str
) -> tuple[IpRange, str]:
    """The lowest address that is in a range and not taken.

    Raises `NoAddressLeft` naming what of the call wants one, the network, and how many addresses it has.
    """
    for found in free(ranges, taken, 1):
        return found
    total = sum(size(ip_range) for ip_range in ranges)
    raise NoAddressLeft(
        f"{named}: all {total} addresses of the IP ranges of {network} are taken; add a range, or delete VMs"
    )


def is_free(ip_range: IpRange, wanted: int, taken: Collection[int]) -> bool:
    """Whether a NIC can have an address of a range: it is in it, not its gateway, and nobody's."""
    start, end = number(ip_range.start_ip, "startIp"), number(ip_range.end_ip, "endIp")
    return start <= wanted <= end and wanted not in taken and wanted != number(ip_range.gateway, "gateway")


def has_free(ranges: Sequence[IpRange], ip: str, taken: Collection[int]) -> bool:
    """Whether a NIC can have an address of some ranges."""
    found = range_of(ranges, ip)
    return found is not None and is_free(found, number(ip, "ip"), taken)


def free(ranges: Sequence[IpRange], taken: Collection[int], limit: int) -> list[tuple[IpRange, str]]:
    """The lowest addresses that NICs can have, at most so many, each with its range."""
    found: list[tuple[IpRange, str]] = []
    for ip_range in sorted(ranges, key=lambda each: number(each.start_ip, "startIp")):
        start, end = number(ip_range.start_ip, "startIp"), number(ip_range.end_ip, "endIp")
        gateway = number(ip_range.gateway, "gateway")
        for candidate in range(start, end + 1):
            if len(found) >= limit:
                return found
            if candidate not in taken and candidate != gateway:
                found.append((ip_range, str(ipaddress.IPv4Address(candidate))))
    return found


def size(ip_range: IpRange) -> int:
    """How many addresses of a range NICs can have."""
    start, end = number(ip_range.start_ip, "startIp"), number(ip_range.end_ip, "endIp")
    return end - start + 1 - (start <= number(ip_range.gateway, "gateway") <= end)


def range_of(ranges: Sequence[IpRange], ip: str) -> IpRange | None:
    """The range an address is in."""
    wanted = number(ip, "staticIp")
    for ip_range in ranges:
        if number(ip_range.start_ip, "startIp") <= wanted <= number(ip_range.end_ip, "endIp"):
            return ip_range
    return None


def check_range(start_ip: str, end_ip: str, netmask: str, gateway: str) -> str:
    """Check that a range makes sense and return the CIDR it is in; raises `InvalidArgument`."""
    start, end = number(start_ip, "startIp"), number(end_ip, "endIp")
    number(gateway, "gateway")
    try:
        subnet = ipaddress.IPv4Network(f"{start_ip}/{netmask}", strict=False)
    except ValueError as wrong:
        raise InvalidArgument(f"netmask[{netmask}] is not a netmask") from wrong
    if start > end:
        raise InvalidArgument(f"startIp[{start_ip}] is after endIp[{end_ip}]")
    for field, ip in (("endIp", end_ip), ("gateway", gateway)):
        if ipaddress.IPv4Address(ip) not in subnet:
            raise InvalidArgument(f"{field}[{ip}] is not in the subnet {subnet} of startIp and netmask")
    if start <= int(subnet.network_address) or end >= int(subnet.broadcast_address):
        raise InvalidArgument(
            f"startIp[{start_ip}], endIp[{end_ip}]: the range {start_ip}-{end_ip} holds the subnet's own or broadcast "
            f"address; leave those of {subnet} out"
        )
    return str(subnet)


def check_apart(new: tuple[str, str], existing: Sequence[IpRange], named: str) -> None:
    """Refuse a range that shares an address with another; raises `InvalidArgument` naming the fields and both."""
    start, end = number(new[0], "startIp"), number(new[1], "endIp")
    for other in existing:
        if start <= number(other.end_ip, "endIp") and number(other.start_ip, "startIp") <= end:
            raise InvalidArgument(
                f"{named}: the range {new[0]}-{new[1]} overlaps with {other.start_ip}-{other.end_ip} "
                f"[ipRange uuid:{other.uuid}]; give addresses outside of that, or delete it first"
            )
