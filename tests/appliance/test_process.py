"""The end of an appliance's process: whatever has failed, nothing of it works on."""

from __future__ import annotations

import asyncio

import pytest

from appliance.process import _end


async def test_all_have_ended_before_what_one_failed_for_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("a bug")

    failed = asyncio.create_task(fail())
    await asyncio.wait([failed])
    works_on = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(ValueError, match="a bug"):
        await _end(failed, works_on)
    assert works_on.cancelled()
