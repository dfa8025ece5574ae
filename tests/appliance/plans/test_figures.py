"""From running totals to figures."""

from __future__ import annotations

from array import array

import pytest

from agent.protocol import Used
from appliance.plans.figures import added, from_text, paced, pack, rates, to_text, unpack


def test_what_was_used_is_the_difference_over_the_time() -> None:
    before = Used(cpu_ns=1_000_000_000, memory_bytes=5, disk_read_bytes=100, network_out_bytes=7)
    now = Used(cpu_ns=11_000_000_000, memory_bytes=9, disk_read_bytes=600, network_out_bytes=7)
    assert rates(before, now, 10.0, 2, 0) == (50.0, 9.0, 50.0, 0.0, 0.0, 0.0)
    assert rates(before, now, 10.0, 1, 0) == (100.0, 9.0, 50.0, 0.0, 0.0, 0.0)


def test_a_guest_uses_no_more_memory_than_it_has() -> None:
    """QEMU's own memory counts in what the host tells."""
    for told, held in ((1 << 27, 1 << 27), (1 << 28, 1 << 28), ((1 << 28) + (90 << 20), 1 << 28)):
        assert rates(Used(), Used(memory_bytes=told), 1.0, 1, 1 << 28) == (
            0.0,
            float(held),
            0.0,
            0.0,
            0.0,
            0.0,
        )


def test_a_total_that_began_anew_tells_nothing() -> None:
    assert rates(Used(cpu_ns=5), Used(cpu_ns=4), 1.0, 1, 0) is None
    assert rates(Used(network_in_bytes=5), Used(), 1.0, 1, 0) is None
    assert rates(Used(), Used(), 0.0, 1, 0) is None


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


def test_a_period_is_one_average_and_a_gap_stays_one() -> None:
    assert paced([(10, 1.0), (15, 3.0), (40, 7.0)], 10, 10) == [(10, 2.0), (40, 7.0)]
