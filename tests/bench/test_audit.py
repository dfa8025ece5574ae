"""Writing a small change down in the audit log costs little of it: the same call without the log is the reference."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance.api.audit import AuditEntry
from appliance.serve import dispatch
from appliance.store.transaction import Transaction
from tests.bench.measure import compare
from tests.simulated_cloud import Cloud

ONCE = 50
"""Zones that are made for one figure: no call does less than to make one."""

BAR = 1.3


async def test_a_small_change_is_written_down_for_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud(tmp_path / "data")
    await cloud.start()
    numbers = itertools.count(1)

    async def made() -> float:
        """Seconds of CPU: one process does all of it, and waits for no disk."""
        begun = time.process_time()
        for _ in range(ONCE):
            await cloud.call("CreateZone", name=f"bench-{next(numbers)}")
        return time.process_time() - begun

    async def unwritten() -> float:
        with monkeypatch.context() as without:
            without.setattr(dispatch, "append", _nothing)
            return await made()

    try:
        compared = await compare("a small change, in the audit log", made, unwritten, pairs=16)
    finally:
        await cloud.stop()
    assert compared.ratio <= BAR


def _nothing(tx: Transaction, entries: Sequence[AuditEntry]) -> None:
    """What takes the log's place."""
