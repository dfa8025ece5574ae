"""Whether a guest writes as fast as it is copied, and where: said steadily, and only while it is so."""

from __future__ import annotations

from collections.abc import Callable

from agent.protocol import Copying
from appliance.plans.outrun import HALF_SECONDS, Outrun, Race

MIB = 1 << 20
MEMORY = 256 * MIB


def disks(race: Race, began: int, seconds: int, left: Callable[[int], int]) -> list[Outrun | None]:
    """What was said each second, in which 2 MiB came."""
    found = []
    for second in range(began, began + seconds):
        seen = Copying(
            disks_done=2 * MIB * second, disks_left=left(second), memory_done=0, memory_left=MEMORY
        )
        race.take(float(second), seen)
        found.append(race.outrun())
    return found


def rounds(race: Race, sizes: list[int], *, speed: int = 2 * MIB) -> list[list[Outrun | None]]:
    """What was said each second of each round of memory, of so many bytes each."""
    found = []
    now, done = 1000.0, 0
    for number, size in enumerate(sizes, 1):
        said, left = [], size
        while left > 0:
            race.take(
                now,
                Copying(
                    disks_done=99 * MIB,
                    disks_left=0,
                    memory_done=done,
                    memory_left=left,
                    memory_round=number,
                ),
            )
            said.append(race.outrun())
            now, done, left = now + 1, done + min(left, speed), left - speed
        found.append(said)
    return found


def test_disks_that_grow_as_fast_as_they_are_copied_are_named_until_that_is_over() -> None:
    race = Race()
    # First what is there is copied, then no more than what a guest writes meanwhile.
    assert not any(disks(race, 0, 60, lambda second: 4 * MIB + 2 * MIB * (60 - second)))
    found = disks(race, 60, 90, lambda second: (3 + second % 3) * MIB)
    assert found.index("disks") <= HALF_SECONDS + 1
    assert set(found[found.index("disks") :]) == {"disks"}
    # It writes no more.
    race = Race()
    disks(race, 0, 90, lambda second: (80 + second % 3) * MIB)
    after = disks(race, 90, 30, lambda second: 80 * MIB - 2 * MIB * (second - 90))
    assert after[0] == "disks"
    assert after[-1] is None
    assert set(after[after.index(None) :]) == {None}


def test_disks_that_are_written_to_in_waves_are_named_without_flickering() -> None:
    for wave in (6, 20, 28):  # seconds; as much at once as is copied until the next
        found = disks(Race(), 0, 240, lambda second, wave=wave: 2 * MIB * (wave + 1 - second % wave))  # type: ignore[misc]
        assert set(found[90:]) == {"disks"}


def test_disks_that_come_to_their_end_are_not_named() -> None:
    assert not any(disks(Race(), 0, 200, lambda second: MIB * (200 - second)))


def test_memory_that_is_written_as_fast_as_the_limit_is_named_over_whole_rounds() -> None:
    first, second, *others = rounds(Race(), [MEMORY, 40 * MIB, 40 * MIB, 41 * MIB, 39 * MIB])
    # Rounds fall and jump; nothing can be said before one is over that was no more than what was written.
    assert not any(first)
    assert not any(second)
    assert {said for each in others for said in each} == {"memory"}


def test_memory_is_named_no_more_once_its_rounds_become_smaller() -> None:
    found = rounds(Race(), [MEMORY, 40 * MIB, 40 * MIB, 20 * MIB, 10 * MIB])
    assert set(found[2]) == {"memory"}
    assert not any(found[3])
    assert not any(found[4])


def test_disks_that_follow_what_is_written_keep_nothing_waiting_once_memory_goes() -> None:
    race = Race()
    assert disks(race, 0, 100, lambda second: (3 + second % 3) * MIB)[-1] == "disks"
    assert not any(rounds(race, [MEMORY])[0])


def test_a_try_of_its_own_is_looked_at_anew() -> None:
    race = Race()
    rounds(race, [MEMORY, 40 * MIB, 40 * MIB])
    assert race.outrun() == "memory"
    race.take(2000.0, Copying(disks_done=0, disks_left=MIB, memory_done=0, memory_left=MEMORY))
    assert race.outrun() is None
