"""From running totals to figures."""

from __future__ import annotations

from array import array

import pytest

from agent.protocol import Used
from appliance.plans.figures import (
    Reading,
    added,
    from_text,
    highest,
    mean,
    paced,
    pack,
    rates,
    to_text,
    unpack,
)


def test_what_was_used_is_the_difference_over_the_time() -> None:
    before = Used(cpu_ns=1_000_000_000, memory_bytes=5, disk_read_bytes=100, network_out_bytes=7)
    now = Used(cpu_ns=11_000_000_000, memory_bytes=9, disk_read_bytes=600, network_out_bytes=7)
    assert rates(before, now, 10.0, 2) == (50.0, 9.0, 50.0, 0.0, 0.0, 0.0)
    assert rates(before, now, 10.0, 1) == (100.0, 9.0, 50.0, 0.0, 0.0, 0.0)


def test_memory_that_a_guest_does_not_tell_is_unknown_and_stays_so() -> None:
    point = rates(Used(), Used(cpu_ns=1), 1.0, 1)
    assert point is not None
    assert point[1] is None
    assert [unpack(code) for code in pack(point)][1] is None
    assert mean([point, (0.0, 4.0, 0, 0, 0, 0), (0.0, 8.0, 0, 0, 0, 0)])[1] == 6.0
    assert mean([point, point])[1] is None


def test_a_total_that_began_anew_tells_nothing() -> None:
    assert rates(Used(cpu_ns=5), Used(cpu_ns=4), 1.0, 1) is None
    assert rates(Used(network_in_bytes=5), Used(), 1.0, 1) is None
    assert rates(Used(), Used(), 0.0, 1) is None


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, 37.5, 100.0, 1e6, 1 << 40, 1e18])
def test_packing_keeps_a_figure_to_a_thousandth(value: float) -> None:
    [code] = pack((value,))
    assert 0 < code < 65_536
    assert unpack(code) == pytest.approx(value, rel=1e-3, abs=1e-3)
    assert from_text(to_text(array("H", [0, code]))) == array("H", [0, code])
    assert unpack(0) is None


def test_hosts_together_are_weighed_by_their_cpus() -> None:
    total = added([((100.0, 1.0, 1, 1, 1, 1), 1), ((0.0, 2.0, 2, 2, 2, 2), 3)])
    assert total == (25.0, 3.0, 3, 3, 3, 3)


def test_the_highest_of_each_figure_is_kept_where_it_is_known() -> None:
    assert highest([(1.0, None, 5.0), (3.0, None, 2.0)]) == (3.0, None, 5.0)


def test_a_period_has_its_average_highest_and_newest_and_a_gap_stays_one() -> None:
    samples = [Reading(at, value, value, value) for at, value in ((10, 1.0), (13, 6.0), (15, 2.0), (40, 7.0))]
    assert paced(samples, 10, 10) == [Reading(10, 3.0, 6.0, 2.0), Reading(40, 7.0, 7.0, 7.0)]
    of_slots = [Reading(0, 1.0, 9.0, 1.0), Reading(300, 3.0, 4.0, 3.0)]
    assert paced(of_slots, 0, 600) == [Reading(0, 2.0, 9.0, 3.0)]
