"""The addresses of a network on a map, and its services by provider."""

from __future__ import annotations

import pytest

from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from tests.zstui.test_look import compare
from zstui.addresses import ROUTER, RUNNING, Span, Use, list_cells, list_line, map_line, per_line, rows_of
from zstui.cells import width
from zstui.screens.addresses import AddressMap


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_map_shows_who_has_what_since_when(cloud: Cloud, size: tuple[int, int]) -> None:
    await cloud.vm("web-1")
    stopped = await cloud.vm("web-2")
    await cloud.session.call("StopVmInstance", uuid=stopped)
    async with screens(cloud.socket, size) as on:
        await on.press("3")
        await on.sees("lan", "i addresses")
        await on.press("i")
        await on.sees("Addresses of lan", "1 range, 3 of 253 addresses taken", "D■□", "web-1", "DHCP server")
        compare(f"addresses-{size[0]}x{size[1]}", on)
        await cloud.vm("web-3")
        await on.sees("4 of 253", "D■□■", "web-3")
        await on.press("n")
        await on.sees("Add a range", "by CIDR")


async def test_a_large_range_costs_what_a_screen_costs(cloud: Cloud) -> None:
    await cloud.make("CreateL3Network", name="wide", l2NetworkUuid=cloud.uuids["wire"])
    await cloud.make("AddIpRangeByNetworkCidr", name="w", l3NetworkUuid=cloud.uuids["wide"],
                     networkCidr="10.128.0.0/12")  # fmt: skip
    async with screens(cloud.socket) as on:
        await on.browser.go("net", cloud.uuids["wide"])
        await on.press("i")
        await on.sees("10.128.0.0", "addresses taken")
        drawn = on.app.screen.query_one(AddressMap)
        assert drawn.virtual_size.height > 30_000
        await on.press("G")
        await on.sees("10.143.255.", "running")


def test_lines_of_the_map_begin_at_round_addresses() -> None:
    span = Span("r", 0x0A000002, 0x0A0000FE)
    assert list(rows_of(span, 64)) == [0x0A000000, 0x0A000040, 0x0A000080, 0x0A0000C0]
    parts = map_line(span, 0x0A000000, 16, {0x0A000003: Use(("■", "good"), "web")})
    assert "".join(text for text, _ in parts) == "10.0.0.0           ·■···· ········ "
    assert [per_line(cells) for cells in (170, 100, 80, 60, 40, 20)] == [128, 64, 32, 32, 16, 8]


async def test_services_are_added_one_by_one_and_taken_away(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.press("3")
        await on.sees("lan")
        await on.press("n")
        await on.sees("Create L3 network")
        await on.write("dmz")
        await on.press("tab", "enter")
        await on.sees("wire")
        await on.press("enter", "ctrl+s")
        await on.sees("Services of dmz", "Flat Network Service Provider", "DHCP", "Userdata", "none yet")
        await on.until(
            lambda: on.browser.row is not None and on.browser.row.name == "dmz", "the cursor on it"
        )
        await on.pilot.pause(0.1)
        compare("services-80x24", on)
        await on.press("enter")
        await on.sees("◉ Userdata")
        await on.misses("none yet")
        await on.press("enter")
        await on.sees("nothing more to give")
        [dmz] = await cloud.session.query("L3Network", name="dmz")
        assert sorted(each["networkServiceType"] for each in dmz["networkServices"]) == ["DHCP", "Userdata"]
        await on.press("x")
        await on.sees("Take which service away?")
        await on.press("enter")
        await on.sees("◉ DHCP")


def test_who_has_addresses_stands_in_columns() -> None:
    since = "Jan 30, 2016 3:01:03 PM"
    uses = {1: Use(RUNNING, "a", "fa:00:00:00:00:00", since),
            2: Use(RUNNING, "数据库-" + "x" * 40, "fa:01:00:00:00:00", since), 3: Use(ROUTER, "router")}  # fmt: skip
    cells = list_cells(uses.values(), 200)
    lines = [
        "".join(text for text, _ in list_line(address, use, cells, 200)) for address, use in uses.items()
    ]
    assert {width(line.split("2016-")[0]) for line in lines[:2]} == {2 + 17 + 28 + 2}
    assert len({width(line.split("fa:")[0]) for line in lines[:2]}) == 1
    short = list_cells(uses.values(), 76)
    assert not short[2]
    assert all(
        width("".join(text for text, _ in list_line(key, use, short, 76))) <= 76 for key, use in uses.items()
    )
    assert "ago" not in list_line(1, uses[1], short, 76)[3][0]
