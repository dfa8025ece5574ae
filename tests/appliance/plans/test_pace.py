"""The pace of what is moved: what comes now, not what was there before, nor the first burst."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.plans.pace import BACK, WINDOW_SECONDS, Pace

MIB = 1 << 20


def test_what_was_there_before_it_began_is_no_pace() -> None:
    pace = Pace()
    pace.take(0.0, 0)
    assert pace.rate(0.0) is None
    pace = Pace()
    for second in range(5):
        pace.take(float(second), (500 + 2 * second) * MIB)
    assert pace.rate(4.0) == 2 * MIB


def test_a_burst_at_the_beginning_is_forgotten() -> None:
    pace = Pace()
    pace.take(0.0, 0)
    for second in range(1, 41):
        pace.take(float(second), 64 * MIB + second * MIB)
    assert pace.rate(40.0) == pytest.approx(MIB)


def test_blocks_that_come_seldom_are_no_waves() -> None:
    pace = Pace()
    found = []
    for tick in range(240):  # half seconds; a block of 4 MiB each four of them
        now = tick / 2
        if tick % 8 == 0:
            pace.take(now, 4 * MIB * (tick // 8))
        found.append(pace.rate(now))
    assert {rate for rate in found if rate is not None} == {float(MIB)}


def test_many_readings_at_once_are_one() -> None:
    pace = Pace()
    for step in range(2000):
        pace.take(step / 1000, step * MIB)
    assert pace.rate(2.0) == pytest.approx(1000 * MIB, rel=0.01)
    assert len(pace._readings) < 25


def test_nothing_is_said_of_what_has_stopped_and_a_new_round_begins_anew() -> None:
    pace = Pace()
    for second in range(5):
        pace.take(float(second), second * MIB)
    assert pace.rate(4.5) == MIB
    slower = pace.rate(12.0)
    assert slower is not None
    assert slower < MIB
    assert pace.rate(4.0 + WINDOW_SECONDS + 1) is None
    pace.take(30.0, 0)
    assert pace.rate(30.0) is None


def gained(pace: Pace, began: int, seconds: int, left: Callable[[int], int]) -> list[bool]:
    """Whether it was said to gain, each second of 2 MiB that came."""
    found = []
    for second in range(began, began + seconds):
        pace.to_go(float(second), 2 * MIB * second, left(second))
        found.append(pace.gains())
    return found


def test_what_grows_as_fast_as_it_is_copied_does_not_gain() -> None:
    pace = Pace()
    # First what is there is copied, then no more than what a guest writes meanwhile.
    assert all(gained(pace, 0, 40, lambda second: 4 * MIB + 2 * MIB * (40 - second)))
    found = gained(pace, 40, 60, lambda second: (3 + second % 3) * MIB)
    assert found.index(False) <= BACK * WINDOW_SECONDS + 1
    assert not any(found[found.index(False) :])
    # It writes no more.
    assert gained(pace, 100, 2, lambda second: 2 * MIB * (101 - second))[-1]


def test_what_is_added_in_waves_does_not_gain_either() -> None:
    # 12 MiB at once, each six seconds.
    found = gained(Pace(), 0, 120, lambda second: (14 - 2 * (second % 6)) * MIB)
    assert not any(found[80:])


def test_memory_that_comes_after_the_disks_is_no_growth_of_them() -> None:
    pace = Pace()
    gained(pace, 0, 20, lambda second: 2 * MIB * (20 - second))
    assert all(gained(pace, 20, 60, lambda second: 2 * MIB * (80 - second)))


def test_what_is_copied_at_most_a_quarter_again_comes_to_its_end() -> None:
    assert all(gained(Pace(), 0, 60, lambda second: MIB * (100 - second)))


def test_a_round_of_its_own_is_looked_at_anew() -> None:
    pace = Pace()
    assert not all(gained(pace, 0, 30, lambda _: 4 * MIB))
    pace.to_go(30.0, 0, 4 * MIB)
    assert pace.gains()
