"""What a worker does with a pass that failed: who says "not now" is asked again a few times, and then has failed."""

from __future__ import annotations

import pytest

from agent.protocol import Refusal
from appliance.api.errors import ApiError, HostUnreachable, OperationFailed
from appliance.hosts.link import Refused
from appliance.reconcile.asking import PATIENCE, Tries
from appliance.reconcile.loop import DONE, Next
from appliance.store.errors import StoreLocked

FAILED, AWAY = Next(seconds=101.0), Next(seconds=102.0)


async def outcome(tries: Tries, error: ApiError | None, *, waits: bool = True) -> Next:
    async def advance() -> Next:
        if error is not None:
            raise error
        return DONE

    async def failed(_: ApiError) -> Next:
        return FAILED

    async def away(_: HostUnreachable) -> Next:
        return AWAY

    return await tries.attempt(advance(), failed=failed, away=away if waits else None)


async def test_who_says_not_now_is_asked_again_later_each_time_and_has_failed_then() -> None:
    tries, busy = Tries(), Refused(Refusal(code="lane.busy", message="busy", transient=True))
    pauses = [(await outcome(tries, busy)).seconds for _ in range(PATIENCE)]
    assert pauses == sorted(set(pauses))
    assert await outcome(tries, busy) == FAILED
    tries.reset()
    assert (await outcome(tries, busy)).seconds == pauses[0]


async def test_what_is_refused_for_good_or_is_away_is_told_at_once() -> None:
    tries = Tries()
    assert await outcome(tries, None) == DONE
    assert await outcome(tries, Refused(Refusal(code="storage.full", message="full"))) == FAILED
    assert await outcome(tries, OperationFailed("no")) == FAILED
    assert await outcome(tries, HostUnreachable("gone")) == AWAY
    assert await outcome(tries, HostUnreachable("gone"), waits=False) == FAILED


async def test_a_store_that_takes_nothing_is_no_failure_of_what_a_worker_is_for() -> None:
    with pytest.raises(StoreLocked):
        await outcome(Tries(), StoreLocked("held by another program"))
