"""What happens behind the appliance's back shows at once, and says why."""

from __future__ import annotations

import time

import pytest

from tests.zstui.conftest import Cloud, screens

WITHIN_SECONDS = 1.0


@pytest.mark.parametrize(
    ("cause", "why"),
    [("guest_shutdown", "shut down inside the guest"), ("destroyed", "powered off on the host"),
     ("crashed", "crashed")],
)  # fmt: skip
async def test_a_state_says_why(cloud: Cloud, cause: str, why: str) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        began = time.monotonic()
        cloud.host_of(uuid).power_off(uuid, cause)  # type: ignore[arg-type]
        await on.sees("◌ Stopped", why)
        assert time.monotonic() - began < WITHIN_SECONDS
        cloud.host_of(uuid).power_on(uuid)
        await on.sees("◉ Running", "started on the host")


async def test_guests_that_halt_at_once_stay_halted(cloud: Cloud) -> None:
    """Nothing that was halted inside is started again, however many halt in the same moment."""
    uuids = [await cloud.vm(f"web-{number}") for number in range(6)]
    async with screens(cloud.socket) as on:
        await on.sees("vms 6/6")
        for uuid in uuids:
            cloud.host_of(uuid).power_off(uuid, "guest_shutdown")
        await on.sees("vms 0/6")
        await on.until(lambda: on.whole().count("shut down inside the guest") >= 6)
        for uuid in uuids:
            assert cloud.host_of(uuid).domains[uuid].starts == 1
