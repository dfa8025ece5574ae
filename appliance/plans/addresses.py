"""Choosing an IP address: pure arithmetic on ranges and what is taken."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

from appliance.api.counting import counted
from appliance.api.errors import InvalidArgument, NoAddressLeft
from appliance.api.l3 import IpRange
from appliance.api.tally import BLOCK_BITS


def number(ip: str, field: str) -> int:
    """An IPv4 address as a number; raises `InvalidArgument` naming the field."""
    try:
        return int(ipaddress.IPv4Address(ip))
    except ValueError as wrong:
        raise InvalidArgument(f"{field}[{ip}] is not an IPv4 address") from wrong


class Taken(Protocol):
    """What somebody has of IP ranges. It is not a set of numbers: a network may have very many."""

    def by_block(self, ip_range: IpRange) -> Mapping[int, int]:
        """How many addresses of a range are taken, by the number of their block; none where none is."""

    def between(self, ip_range: IpRange, first: int, last: int) -> Collection[int]:
        """Those that are taken of some addresses of a range, both ends included."""


def first_free(ranges: Sequence[IpRange], taken: Taken, network: str, named: str) -> tuple[IpRange, str]:
    """The lowest address that is in a range and not taken.

    Raises `NoAddressLeft` naming what of the call wants one, the network, and how many addresses it has.
    """
    for found in free(ranges, taken, 1):
        return found
    total = sum(size(ip_range) for ip_range in ranges)
    raise NoAddressLeft(
        f"{named}: the IP ranges of {network} have {counted(total, 'address', 'addresses')}, and none is free; "
        f"add a range, or delete VMs"
    )


def is_free(ip_range: IpRange, wanted: int, taken: Taken) -> bool:
    """Whether a NIC can have an address of a range: it is in it, not its gateway, and nobody's."""
    start, end = number(ip_range.start_ip, "startIp"), number(ip_range.end_ip, "endIp")
    fits = start <= wanted <= end and wanted != number(ip_range.gateway, "gateway")
    return fits and wanted not in taken.between(ip_range, wanted, wanted)


def spans(ranges: Sequence[IpRange]) -> str:
    """The first and last address of each range, as errors name them."""
    return ", ".join(f"{each.start_ip}-{each.end_ip}" for each in ranges)


def has_free(ranges: Sequence[IpRange], ip: str, taken: Taken) -> bool:
    """Whether a NIC can have an address of some ranges."""
    found = range_of(ranges, ip)
    return found is not None and is_free(found, number(ip, "ip"), taken)


def free(ranges: Sequence[IpRange], taken: Taken, limit: int) -> list[tuple[IpRange, str]]:
    """The lowest addresses that NICs can have, at most so many, each with its range.

    Of all that is taken, what is in blocks that have an address left is looked at, and not more than is wanted of it.
    """
    found: list[tuple[IpRange, str]] = []
    for ip_range in sorted(ranges, key=lambda each: number(each.start_ip, "startIp")):
        gateway = number(ip_range.gateway, "gateway")
        for first, last in _with_room(ip_range, taken.by_block(ip_range)):
            if len(found) >= limit:
                return found
            used = taken.between(ip_range, first, last)
            left = (each for each in range(first, last + 1) if each not in used and each != gateway)
            wanted = islice(left, limit - len(found))
            found += [(ip_range, str(ipaddress.IPv4Address(each))) for each in wanted]
    return found


def _with_room(ip_range: IpRange, held: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """The first and last address of each block of a range that is not taken to the last."""
    start, end = number(ip_range.start_ip, "startIp"), number(ip_range.end_ip, "endIp")
    gateway = number(ip_range.gateway, "gateway")
    for block in range(start >> BLOCK_BITS, (end >> BLOCK_BITS) + 1):
        first, last = max(start, block << BLOCK_BITS), min(end, (block + 1 << BLOCK_BITS) - 1)
        if held.get(block, 0) < last - first + 1 - (first <= gateway <= last):
            yield first, last


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
