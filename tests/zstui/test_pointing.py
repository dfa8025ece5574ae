"""The cursor's row is in sight, so that a key acts on what somebody sees; rows that tie are ordered by name."""

from __future__ import annotations

import asyncio
from typing import Any

from textual import events

from appliance.client import Push, Session
from tests.zstui.conftest import Cloud, Screens, screens
from tests.zstui.test_look import big_mirror, change
from zstui.i18n import begin
from zstui.listing import Listing, sort_by
from zstui.mirror import Row
from zstui.nouns import NOUNS
from zstui.palette import jump_find


def add(on: Screens, *names: str, state: str = "Running") -> None:
    """Have the mirror told of VMs."""
    for number, name in enumerate(names, start=len(on.app.mirror.rows["VmInstance"])):
        on.app.mirror._apply(change(name, number, state))
    on.app.mirror.flush()


def pointed(on: Screens) -> str:
    """The line that the list's cursor is drawn on; empty when it is on none."""
    return next((line for line in on.text() if "▐" in line), "")


async def test_the_cursor_is_in_sight_after_the_filter_has_changed(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        add(on, *(f"cache-{each}" for each in range(60)), *(f"web-{each}" for each in range(60)))
        await on.sees("cache-0")
        await on.press("g", "slash")
        await on.write("web-1")
        await on.sees("of 120")
        await on.press(*["backspace"] * 5, "enter")
        await on.misses("of 120")
        assert on.browser.row is not None
        assert on.browser.row.name in pointed(on)
        await on.press("O")
        assert on.browser.row.name in pointed(on)


async def test_the_cursor_is_in_sight_as_rows_come_and_go_unless_somebody_scrolled_away(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        add(on, *(f"web-{each}" for each in range(100, 130)))
        await on.sees("web-100")
        await on.press(*["down"] * 5)
        assert "web-105" in pointed(on)
        add(on, *(f"cache-{each}" for each in range(90)))  # so many are sorted anew
        await on.pilot.pause()
        assert "web-105" in pointed(on)
        add(on, *(f"db-{each}" for each in range(30)))  # these are put in place one by one
        await on.pilot.pause()
        assert "web-105" in pointed(on)
        table = on.browser.table
        for _ in range(20):
            table._on_mouse_scroll_up(wheel(table))
        await on.pilot.pause()
        assert pointed(on) == ""
        add(on, "aaa")
        await on.pilot.pause()
        assert pointed(on) == ""
        await on.press("down")
        assert "web-106" in pointed(on)


def wheel(widget: Any) -> events.MouseScrollUp:
    return events.MouseScrollUp(widget, 1, 1, 0, -1, 0, shift=False, meta=False, ctrl=False)


async def test_a_list_opened_for_the_first_time_has_its_cursor_on_the_first_row(
    cloud: Cloud, monkeypatch: Any
) -> None:
    query = Session.query

    async def slowly(session: Session, kind: str, *conditions: Any, **options: Any) -> Any:
        rows = await query(session, kind, *conditions, **options)
        if kind in ("SystemTag", "UserTag"):
            await asyncio.sleep(0.3)  # the one kind is seen without the other
        return rows

    monkeypatch.setattr(Session, "query", slowly)
    for name in ("a", "b"):
        uuid = await cloud.vm(name)
        await cloud.session.call("CreateUserTag", resourceType="VmInstanceVO", resourceUuid=uuid, tag=name)
    async with screens(cloud.socket) as on:
        await on.browser.go("tag")
        table = on.browser.table
        await on.until(lambda: table.begun and len(table.listing) > 2)
        assert table.here == 0
        first = table.cursor
        data = {**table.listing.rows[first or ""].data, "uuid": "0" * 32, "tag": "!"}
        on.app.mirror._apply(Push("change", "UserTag", "0" * 32, "upsert", data))
        on.app.mirror.flush()
        assert (table.cursor, table.here) == (first, 1), "from then on it stays on its row"


def test_rows_that_tie_are_in_the_order_of_their_names() -> None:
    begin("en")
    mirror = big_mirror(0)
    for number, name in enumerate(("web-10", "web-2", "db-1", "web-1")):
        mirror.rows["VmInstance"][f"{number:032x}"] = vm(name, number)
    twin = vm("web-2", 9)
    mirror.rows["VmInstance"][twin.key] = twin
    listing = Listing(NOUNS["vm"], mirror)
    listing.fill(mirror.all("VmInstance"))
    state = next(each for each in NOUNS["vm"].columns if each.title == "STATE")
    sort_by(listing, state, downward=False)
    wanted = ["db-1", "web-1", "web-2", "web-2", "web-10"]
    assert [row.name for row in listing.some(0, 9)] == wanted
    assert [row.key[-1] for row in listing.some(2, 2)] == ["1", "9"]
    jumped = [choice.title for choice in jump_find(mirror)("we") if choice.title.startswith("web")]
    assert jumped == wanted[1:]


def vm(name: str, number: int) -> Row:
    """A running VM."""
    push = change(name, number, "Running")
    return Row("VmInstance", push.uuid, push.inventory)
