"""Live lists: what happens in the cloud shows, the cursor stays on its row, wide characters line up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from appliance.client import Push
from tests.zstui.conftest import Cloud, screens
from tests.zstui.test_look import big_mirror, change
from zstui import words
from zstui.i18n import begin
from zstui.listing import Listing, sort_by
from zstui.mirror import Mirror, Row
from zstui.nouns import NOUNS
from zstui.paint import difference
from zstui.verbs import title_of


async def test_vms_come_go_and_change_live(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1", "◉ Running", "10.9.0.", "◉ live")
        await cloud.vm("web-2")
        await on.sees("web-2", "vms 2/2")
        cloud.host_of(uuid).power_off(uuid, "guest_shutdown")
        await on.sees("◌ Stopped", "shut down inside the guest")
        cloud.host_of(uuid).power_on(uuid)
        await on.sees("started on the host")
        await cloud.session.call("DestroyVmInstance", uuid=uuid)
        await on.sees("Destroyed")


@pytest.mark.parametrize(
    ("message", "title"),
    [("CreateVmInstance", "create VM"), ("GetVmConsoleAddress", "get VM console address"),
     ("CreateL2NoVlanNetwork", "create untagged L2 network"), ("CreateL2VlanNetwork", "create L2 VLAN network"),
     ("AddDnsToL3Network", "add DNS to L3 network"), ("AddKVMHost", "add KVM host"),
     ("AddIpRangeByNetworkCidr", "add IP range by CIDR")],
)  # fmt: skip
def test_messages_have_titles_as_people_write_them(message: str, title: str) -> None:
    assert title_of(message) == title


def test_of_a_line_only_the_cells_are_painted_that_are_other() -> None:
    bold = Style(bold=True)

    def line(*parts: str) -> Strip:
        return Strip([Segment(part, bold if part == "web" else None) for part in parts])

    assert difference(line("web", " 数据 ", "3"), line("web", " 数据 ", "3")) is None
    assert difference(line("web", " 数据 ", "3  "), line("web", " 主机 ", "3  ")) == (3, 6)
    assert difference(line("web", "3", "x"), line("web", "4", "x", "y")) == (3, 3)
    assert difference(line("web", "xx"), line("web", "xx", "y")) == (5, 1)


async def test_a_changed_cell_paints_little_and_time_that_changes_no_cell_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("web-1", "web-2"):
        await cloud.vm(name)
    now = words.now()
    monkeypatch.setattr(words, "now", lambda: now)
    async with screens(cloud.socket) as on:
        await on.sees("web-1", "web-2", "◉ Running")
        await on.press("G")
        on.browser.table.refresh_ages()
        await on.pilot.pause()
        painted: list[Region] = []
        table = on.browser.table
        refresh = table.refresh

        def watched(*regions: Region, **options: Any) -> Any:
            painted.extend(regions or (table.region,))
            return refresh(*regions, **options)

        table.refresh = watched  # type: ignore[method-assign]
        table.refresh_ages()
        assert painted == []
        data = {**on.app.mirror.rows["VmInstance"][cloud.uuids["web-1"]].data, "state": "Pausing"}
        on.app.mirror._apply(Push("change", "VmInstance", cloud.uuids["web-1"], "upsert", data))
        on.app.mirror.flush()
        [region] = painted
        assert (region.height, region.width) == (1, len("◉ Running") + 2)


def test_rows_are_counted_by_their_values_as_they_change() -> None:
    mirror = big_mirror(3)
    assert mirror.tally("VmInstance", "state") == {"Running": 3}
    with asyncio.Runner() as runner:
        runner.run(_change(mirror))
    assert +mirror.tally("VmInstance", "state") == {"Running": 1, "Stopped": 1}


async def _change(mirror: Mirror) -> None:
    mirror._apply(change("vm-1", 1, "Stopped"))
    mirror._drop("VmInstance", f"{2:032x}")
    mirror.flush()


def test_a_filter_without_a_word_is_none() -> None:
    begin("en")
    mirror = big_mirror(3)
    listing = Listing(NOUNS["vm"], mirror)
    listing.filter = "  "
    listing.fill(mirror.all("VmInstance"))
    push = change("vm-9", 1, "Running")
    listing.put(push.uuid, Row("VmInstance", push.uuid, push.inventory))
    assert [row.name for row in listing.some(0, 9)] == ["vm-0", "vm-2", "vm-9"]


def test_the_filter_and_the_order_are_kept_as_rows_change() -> None:
    """One by one as all at once."""
    begin("en")
    mirror = big_mirror(30)
    vm = NOUNS["vm"]
    kept, anew = Listing(vm, mirror), Listing(vm, mirror)
    for listing in (kept, anew):
        listing.filter = "!stopped vm-2"
    kept.fill(mirror.all("VmInstance"))
    for number, state in ((2, "Stopped"), (21, "Stopped"), (2, "Running"), (7, "Stopped")):
        push = change(f"vm-{number}", number, state)
        row = mirror.rows["VmInstance"][push.uuid] = Row("VmInstance", push.uuid, push.inventory)
        kept.put(row.key, row)
    kept.put(f"{22:032x}", None)
    del mirror.rows["VmInstance"][f"{22:032x}"]
    anew.fill(mirror.all("VmInstance"))
    for listing in (kept, anew):
        for text, downward in (("", False), ("vm-1", True), ("!stopped vm-2", True)):
            listing.filter = text
            listing.choose()
            sort_by(listing, vm.columns[0], downward=downward)
            listing.prepare(5)
    names = [[each.rows[each.key_at(place)].name for place in range(len(each))] for each in (kept, anew)]
    assert names[0] == names[1] == [f"vm-{number}" for number in (29, 28, 27, 26, 25, 24, 23, 20, 2)]


def test_who_types_on_finds_what_is_found_at_once() -> None:
    begin("en")
    mirror, vm = big_mirror(40), NOUNS["vm"]
    kept = Listing(vm, mirror)
    kept.fill(mirror.all("VmInstance"))
    for text in (
        "v",
        "vm-",
        "vm-1",
        "vm-1 !stop",
        "vm-1 !stopped",
        "vm-1 state:run",
        "vm-1",
        "vm-2",
        "",
        "vm",
    ):
        before = [kept.key_at(place) for place in range(len(kept))]
        other = kept.find(text)
        anew = Listing(vm, mirror)
        anew.filter = text
        anew.fill(mirror.all("VmInstance"))
        found = [kept.key_at(place) for place in range(len(kept))]
        assert found == [anew.key_at(place) for place in range(len(anew))], text
        assert other == (found != before), text
        assert all(kept.place_of(key) == place for place, key in enumerate(found))


def test_many_rows_are_put_in_place_as_all_anew_are() -> None:
    begin("en")
    mirror, vm = big_mirror(30), NOUNS["vm"]
    kept = Listing(vm, mirror)
    kept.filter = "vm"
    kept.fill(mirror.all("VmInstance"))
    pushed = [change(f"vm-{90 - number}", number, "Stopped") for number in range(5, 12)]
    rows: dict[str, Row | None] = {each.uuid: Row("VmInstance", each.uuid, each.inventory) for each in pushed}
    kept.put_many({**rows, f"{20:032x}": None})
    mirror.rows["VmInstance"].update({key: row for key, row in rows.items() if row is not None})
    del mirror.rows["VmInstance"][f"{20:032x}"]
    anew = Listing(vm, mirror)
    anew.filter = "vm"
    anew.fill(mirror.all("VmInstance"))
    assert [kept.key_at(place) for place in range(len(kept))] == [
        anew.key_at(place) for place in range(len(anew))
    ]
