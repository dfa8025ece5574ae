"""What happens behind the appliance's back shows at once, and says why."""

from __future__ import annotations

import asyncio
import threading

import pytest

from appliance.reconcile.loop import Loop
from tests.zstui.conftest import LARGE, Cloud, Screens, screens
from zstui.mirror import Row


@pytest.mark.parametrize(
    ("cause", "why"),
    [("guest_shutdown", "shut down inside the guest"), ("destroyed", "powered off on the host"),
     ("crashed", "crashed")],
)  # fmt: skip
async def test_a_state_says_why(cloud: Cloud, cause: str, why: str) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        cloud.host_of(uuid).power_off(uuid, cause)  # type: ignore[arg-type]
        await on.sees("◌ Stopped", why)
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


def wide(on: Screens, title: str) -> int:
    """How wide a column is; 0 when it is not there."""
    fitted = on.browser.table.widths.fitted
    return next((cells for column, cells in fitted if column.title == title), 0)


async def test_columns_shrink_when_what_made_them_wide_is_gone(cloud: Cloud) -> None:
    uuids = [await cloud.vm(name) for name in ("web-1", "web-2")]
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("vms 2/2")
        await on.until(lambda: wide(on, "WHY") == 0, "no column of causes yet")
        cloud.host_of(uuids[0]).power_off(uuids[0], "guest_shutdown")
        cloud.host_of(uuids[1]).power_off(uuids[1], "crashed")
        await on.sees("shut down inside the guest", "crashed")
        assert wide(on, "WHY") == len("shut down inside the guest")
        await cloud.session.call("StartVmInstance", uuid=uuids[0])
        await on.until(lambda: wide(on, "WHY") == len("crashed"), "a narrower column")
        await cloud.session.call("StartVmInstance", uuid=uuids[1])
        await on.until(lambda: wide(on, "WHY") == 0, "no column of causes")
        long = "a name that is rather long"
        await cloud.session.call("UpdateVmInstance", uuid=uuids[0], name=long)
        await on.until(lambda: wide(on, "NAME") == len(long), "a wider column")
        await cloud.session.call("DestroyVmInstance", uuid=uuids[0])
        await cloud.session.call("ExpungeVmInstance", uuid=uuids[0])
        await on.until(lambda: wide(on, "NAME") < 8, "a narrower column")


async def test_a_burst_of_changes_is_measured_once(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("vms 1/1")
        table, mirror = on.browser.table, on.app.mirror
        [row] = mirror.all("VmInstance")
        measured: list[int] = []
        measure = table.widths.measure

        def counted(room: int, seen: list[Row] | tuple[()] = ()) -> bool:
            measured.append(len(seen))
            return measure(room, seen)

        monkeypatch.setattr(table.widths, "measure", counted)
        for number in range(200, 0, -1):
            changed = Row("VmInstance", row.key, {**row.data, "stateCause": "x" * (number % 30)})
            table.take({"VmInstance": {row.key: changed}})
        await on.until(lambda: wide(on, "WHY") == len("WHY"), "a narrower column")
        assert len(measured) <= 3


async def test_workers_are_woken_where_they_run_once_what_was_seen_is_written(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store writes in a thread of its own, where waking a task may be lost, and its commit is still to come."""
    uuid = await cloud.vm("web-1")
    woken: list[tuple[str, int]] = []
    poke = Loop.poke

    def noted(loop: Loop, kind: str, key: str) -> None:
        woken.append((key, threading.get_ident()))
        poke(loop, kind, key)

    monkeypatch.setattr(Loop, "poke", noted)
    cloud.host_of(uuid).power_off(uuid, "crashed")
    async with asyncio.timeout(5):
        while not woken or (await cloud.session.query("VmInstance", uuid=uuid))[0]["state"] != "Stopped":
            await asyncio.sleep(0.02)
    await cloud.session.call("ReconnectHost", uuid=cloud.uuids["node-a"])
    assert {thread for _, thread in woken} == {threading.get_ident()}
