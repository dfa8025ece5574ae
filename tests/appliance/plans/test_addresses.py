"""Addresses: the lowest that is free, never one twice, and ranges that make sense."""

from __future__ import annotations

import contextlib
import ipaddress
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.errors import InvalidArgument, NoAddressLeft
from appliance.api.l3 import IpRange
from appliance.api.tally import BLOCK_BITS
from appliance.plans.addresses import check_apart, check_range, first_free, range_of

BASE = int(ipaddress.IPv4Address("10.0.0.0"))


def ip(offset: int) -> str:
    return str(ipaddress.IPv4Address(BASE + offset))


def a_range(start: int, end: int, gateway: int = 1) -> IpRange:
    return IpRange(
        uuid=f"r{start}", l3_network_uuid="l3", name="r", start_ip=ip(start), end_ip=ip(end),
        netmask="255.255.255.0", gateway=ip(gateway), network_cidr="10.0.0.0/24",
    )  # fmt: skip


class Held(set[int]):
    """Numbers that NICs have; a range's gateway is no NIC's."""

    def by_block(self, ip_range: IpRange) -> Mapping[int, int]:
        start, end, gateway = map(number, (ip_range.start_ip, ip_range.end_ip, ip_range.gateway))
        return Counter(each >> BLOCK_BITS for each in self.between(ip_range, start, end) if each != gateway)

    def between(self, ip_range: IpRange, first: int, last: int) -> set[int]:
        del ip_range
        return {each for each in self if first <= each <= last}


def number(address: str) -> int:
    return int(ipaddress.IPv4Address(address))


# On both sides of where a block ends.
spans = st.tuples(st.integers(220, 280), st.integers(0, 10)).map(lambda span: (span[0], span[0] + span[1]))


@given(st.lists(spans, min_size=1, max_size=3), st.sets(st.integers(215, 295)), st.integers(220, 290))
def test_the_lowest_free_address_is_given(
    spans: list[tuple[int, int]], taken: set[int], gateway: int
) -> None:
    ranges = [a_range(start, end, gateway) for start, end in spans]
    free = sorted({each for start, end in spans for each in range(start, end + 1)} - taken - {gateway})
    numbers = Held(BASE + each for each in taken)
    if not free:
        with pytest.raises(
            NoAddressLeft,
            match=r"^l3NetworkUuids\[l3\]: the IP ranges of l3 have [0-9]+ address(es)?, and none is free; add a range",
        ):
            first_free(ranges, numbers, "l3", "l3NetworkUuids[l3]")
        return
    found, address = first_free(ranges, numbers, "l3", "l3NetworkUuids[l3]")
    assert address == ip(free[0])
    assert number(address) not in numbers
    assert address != ip(gateway)
    assert range_of([found], address) == found


@given(spans, spans)
def test_ranges_are_apart_or_refused(new: tuple[int, int], old: tuple[int, int]) -> None:
    shared = set(range(new[0], new[1] + 1)) & set(range(old[0], old[1] + 1))
    pair = (ip(new[0]), ip(new[1]))
    if not shared:
        check_apart(pair, [a_range(*old)], "startIp[a], endIp[b]")
        return
    with pytest.raises(InvalidArgument, match="overlaps") as refused:
        check_apart(pair, [a_range(*old)], "startIp[a], endIp[b]")
    assert all(
        word in refused.value.details
        for word in ("startIp[a], endIp[b]:", "give addresses outside", *pair, ip(old[0]), f"r{old[0]}")
    )


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_a_range_is_inside_of_its_subnet(start: int, end: int, gateway: int) -> None:
    good = 0 < start <= end < 255
    words = (ip(start), ip(end), "255.255.255.0", ip(gateway))
    if good:
        assert check_range(*words) == "10.0.0.0/24"
    else:
        with pytest.raises(InvalidArgument):
            check_range(*words)


@given(st.text(max_size=20))
def test_no_text_breaks_the_check(text: str) -> None:
    for words in (
        (text, ip(9), "255.255.255.0", ip(1)),
        (ip(5), ip(9), text, ip(1)),
        (ip(5), ip(9), "24", text),
    ):
        with contextlib.suppress(InvalidArgument):
            check_range(*words)
