"""Rows that are alike by what orders them stand by name, and those of one name by that of what they are on."""

from __future__ import annotations

from typing import Any

import pytest

from zstui import words
from zstui.attention import concerns
from zstui.columns import Column
from zstui.listing import Listing, sort_by
from zstui.mirror import Mirror, Row
from zstui.moves import Plan
from zstui.nouns import NOUNS
from zstui.related import related
from zstui.screens.planner import host_choices

SCATTERED = ("web-10", "web-2", "web-1", "db", "web-3")
IN_ORDER = ["db", "web-1", "web-2", "web-3", "web-10"]


def mirror_of(kind: str, *others: str, **data: Any) -> Mirror:
    """Rows of a kind with names, in no order, each with the same data."""
    mirror = Mirror((kind, *others))
    for place, name in enumerate(SCATTERED):
        key = f"{place:032x}"
        mirror.rows[kind][key] = Row(kind, key, {"uuid": key, "name": name, **data})
    return mirror


def listed(noun_id: str, mirror: Mirror) -> list[Row]:
    listing = Listing(NOUNS[noun_id], mirror)
    listing.fill(NOUNS[noun_id].rows(mirror))
    return listing.some(0, len(listing))


def test_what_leaves_the_bin_at_one_moment_stands_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(float(each) for each in range(1000, 0, -1))
    monkeypatch.setattr(words, "now", lambda: next(ticks))  # time passes while rows are put in order
    mirror = mirror_of("RecycleBinItem", status="Deleted", expungeDate="Jan 30, 2026 3:01:03 PM")
    assert [row.name for row in listed("bin", mirror)] == IN_ORDER


def test_tags_that_are_alike_stand_by_the_name_of_what_they_are_on() -> None:
    mirror = mirror_of("VmInstance", "UserTag")
    for place, key in enumerate(mirror.rows["VmInstance"]):
        tag = f"t{place}"
        mirror.rows["UserTag"][tag] = Row("UserTag", tag, {"uuid": tag, "tag": "prod", "resourceUuid": key})
    rows = listed("tag", mirror)
    assert [mirror.name(row.get("resourceUuid")) for row in rows] == IN_ORDER
    listing = Listing(NOUNS["tag"], mirror)
    listing.fill(rows)
    type_column: Column = next(each for each in NOUNS["tag"].columns if each.title == "TYPE")
    sort_by(listing, type_column, downward=False)
    assert [mirror.name(row.get("resourceUuid")) for row in listing.some(0, 9)] == IN_ORDER


def test_what_names_a_row_stands_by_name() -> None:
    mirror = mirror_of("VmInstance", "Image", imageUuid="i" * 32)
    image = mirror.rows["Image"]["i" * 32] = Row("Image", "i" * 32, {"uuid": "i" * 32, "name": "tiny"})
    assert [row.name for row in related(image, mirror)] == IN_ORDER


def test_jobs_that_name_a_row_stand_newest_first() -> None:
    mirror = Mirror(("VmInstance", "LongJob"))
    vm = mirror.rows["VmInstance"]["v" * 32] = Row(
        "VmInstance", "v" * 32, {"uuid": "v" * 32, "name": "web-1"}
    )
    for hour in (2, 1, 3):
        job = {"uuid": str(hour), "targetResourceUuid": vm.key, "createDate": f"Jan 30, 2026 {hour}:00:00 PM"}
        mirror.rows["LongJob"][str(hour)] = Row("LongJob", str(hour), job)
    assert [row.key for row in related(vm, mirror)] == ["3", "2", "1"]


def test_what_needs_attention_alike_stands_by_name() -> None:
    mirror = mirror_of("Host", status="Connected", state="Disabled")
    assert [mirror.name(each.key) for each in concerns(mirror)] == IN_ORDER


def test_hosts_to_move_to_that_are_equally_empty_stand_by_name() -> None:
    mirror = mirror_of("Host", availableMemoryCapacity=1 << 30)
    hosts = [row.data for row in mirror.all("Host")]
    plan = Plan("MigrateVm", {}, "hostUuid", "GetVmMigrationCandidateHosts")
    assert [each.title for each in host_choices({"inventories": hosts}, plan, mirror)] == IN_ORDER
    excluded = [{"hostUuid": host["uuid"], "reason": "it is full"} for host in hosts]
    assert [each.title for each in host_choices({"excluded": excluded}, plan, mirror)] == IN_ORDER
