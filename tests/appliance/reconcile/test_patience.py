"""Who writes for as long as the appliance runs is not ended by a store that takes nothing for a while."""

from __future__ import annotations

import logging

import pytest

from appliance.reconcile import loop
from appliance.reconcile.patience import until_kept
from appliance.store.errors import StoreBroken, StoreFull, StoreLocked


async def test_it_is_tried_until_the_store_takes_it_and_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop, "FIRST_RETRY_SECONDS", 0.001)
    answers = [
        StoreFull("no room"),
        StoreFull("no room"),
        StoreLocked("locked"),
        StoreLocked("locked"),
        "kept",
    ]

    async def write() -> str:
        answer = answers.pop(0)
        if isinstance(answer, str):
            return answer
        raise answer

    with caplog.at_level(logging.WARNING):
        assert await until_kept("heart beat", write) == "kept"
    assert [each.getMessage().partition(";")[0] for each in caplog.records] == [
        "heart beat: no room",
        "heart beat: locked",
    ]


async def test_what_else_a_write_raises_is_raised() -> None:
    async def write() -> None:
        raise StoreBroken("the disk")

    with pytest.raises(StoreBroken):
        await until_kept("heart beat", write)
