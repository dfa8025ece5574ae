"""The pace of what is moved: what comes now, not what was there before, nor the first burst."""

from __future__ import annotations

import pytest

from appliance.plans.pace import QUIET_SECONDS, SILENT_SECONDS, Pace

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


def test_blocks_that_come_seldom_are_silent_once_the_next_is_long_overdue() -> None:
    pace = Pace()
    assert pace.silent(0.0) is None
    for block in range(4):
        pace.take(5.0 * block, 8 * MIB * block)
    assert pace.silent(24.9) is None
    assert pace.silent(25.1) == pytest.approx(10.1)
    pace = Pace()
    for block in range(3):  # so seldom that nobody can wait for twice as long
        pace.take(12.0 * block, 8 * MIB * block)
    assert pace.silent(24.0 + SILENT_SECONDS) is None
    assert pace.silent(25.0 + SILENT_SECONDS) == SILENT_SECONDS + 1


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
    assert (pace.rate(4.0 + QUIET_SECONDS), pace.silent(4.0 + QUIET_SECONDS)) == (MIB, None)
    assert (pace.rate(8.0), pace.silent(8.0)) == (None, 4.0)
    assert pace.silent(4.0 + SILENT_SECONDS + 1) == SILENT_SECONDS + 1
    pace.take(30.0, 0)
    assert pace.rate(30.0) is None


def test_a_limit_that_was_changed_shows_within_seconds() -> None:
    pace = Pace()
    for tick in range(80):  # eight blocks a second
        pace.take(tick / 8, 8 * MIB * tick // 8)
    for tick in range(80, 120):
        pace.take(tick / 8, 80 * MIB + MIB * (tick - 80) // 8)
    assert pace.rate(15.0) == pytest.approx(MIB)
