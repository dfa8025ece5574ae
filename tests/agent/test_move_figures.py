"""What libvirt says of a domain on its way, as we tell it; and the limit it is begun with."""

from __future__ import annotations

import pytest

from agent.hypervisor_move import copying_of, whole_mib
from agent.protocol import Copying

MIB = 1 << 20


def test_memory_that_has_not_begun_is_still_to_come_whole() -> None:
    stats = {"data_total": 300, "disk_total": 300, "disk_processed": 100, "disk_remaining": 200}
    assert copying_of(stats, 512) == Copying(
        disks_done=100, disks_left=200, memory_done=0, memory_left=512, memory_round=0
    )


def test_memory_goes_in_rounds_from_the_first() -> None:
    stats = {
        "disk_processed": 300,
        "disk_remaining": 0,
        "memory_total": 600,
        "memory_processed": 40,
        "memory_remaining": 90,
    }
    seen = copying_of(stats, 512)
    assert (seen.memory_done, seen.memory_left, seen.memory_round) == (40, 90, 1)
    assert copying_of(stats | {"memory_iteration": 3}, 512).memory_round == 3


@pytest.mark.parametrize(
    ("limit", "begun_with"), [(0, 0), (1, 1), (700_000, 1), (MIB, 1), (2_000_000, 2), (8 * MIB + 1, 9)]
)
def test_a_limit_is_rounded_up_so_that_it_is_lowered_afterwards_and_never_raised(
    limit: int, begun_with: int
) -> None:
    assert whole_mib(limit) == begun_with
