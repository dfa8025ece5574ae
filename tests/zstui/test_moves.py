"""Planning moves and watching them: rules before the call, hosts with reasons, bytes and what is left."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from tests.zstui.test_look import compare
from zstui.columns import fit_columns
from zstui.details import details
from zstui.mirror import Mirror, Row
from zstui.moves import COLUMNS, plan_of
from zstui.nouns import WATCHED
from zstui.sheet import Sheet, note

MIB = 1 << 20


async def test_a_running_vm_is_moved_by_key(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    [before] = await cloud.session.query("VmInstance", uuid=uuid)
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("m")
        await on.sees("Move web-1 to another host", "✓ a running VM moves while it runs", "memory free")
        await on.press("enter")
        await on.sees("zstui call MigrateVm", ":mig shows")
        await on.until(lambda: on.app.mirror.rows["VmInstance"][uuid].get("hostUuid") != before["hostUuid"])
        await on.browser.go("mig")
        await on.sees("Migrations", "web-1", "◉ Succeeded", "node-")


async def test_a_host_that_would_not_do_says_why(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    [vm] = await cloud.session.query("VmInstance", uuid=uuid)
    other = ({cloud.uuids["node-a"], cloud.uuids["node-b"]} - {vm["hostUuid"]}).pop()
    await cloud.session.call("ChangeHostState", uuid=other, stateEvent="disable")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("m")
        await on.sees("✗ is Disabled; enable it first")
        await on.press("enter")
        await on.sees("Move web-1 to another host")
        assert not [entry for entry in on.app.calls.log if "MigrateVm" in entry.line]


async def test_a_stopped_vm_takes_its_root_volume_along(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    await cloud.session.call("StopVmInstance", uuid=uuid)
    async with screens(cloud.socket) as on:
        await on.sees("◌ Stopped")
        await on.press("m")
        await on.sees("✓ the VM of a root volume must be stopped; web-1 is Stopped", "memory free")
        await on.press("enter")
        await on.sees("zstui call LocalStorageMigrateVolume volumeUuid=", "✓")


def volume(**data: object) -> Row:
    """A data volume, changed as said."""
    return Row("Volume", "v", {"uuid": "v", "name": "data", "type": "Data", "status": "Ready", **data})


def test_rules_say_what_must_be_done_first() -> None:
    mirror = Mirror(WATCHED)
    vm = Row("VmInstance", "w", {"uuid": "w", "name": "web", "state": "Running", "rootVolumeUuid": "r",
                                 "allVolumes": [{"type": "Data", "name": "data"}]})  # fmt: skip
    mirror.rows["VmInstance"]["w"] = vm
    loose = plan_of(volume(), mirror)
    used = plan_of(volume(vmInstanceUuid="w"), mirror)
    root = plan_of(volume(type="Root", vmInstanceUuid="w"), mirror)
    assert loose is not None
    assert loose.allowed
    assert used is not None
    assert not used.allowed
    assert used.rules[0].text == "a data volume must be detached; this one is attached to web"
    assert root is not None
    assert [rule.met for rule in root.rules[:2]] == [False, False]
    assert root.rules[1].text == "data volumes stay behind: detach data first"
    assert plan_of(Row("Host", "h", {}), mirror) is None
    why = "a move of it as it runs broke off before, and so on; stop and start the VM, then move it"
    broken = plan_of(Row("VmInstance", "w", {**vm.data, "cannotMove": why}), mirror)
    assert broken is not None
    assert broken.hindrance == why


def running(**data: object) -> Row:
    """The job of a move that is under way."""
    asked = json.dumps({"vmInstanceUuid": "w", "hostUuid": "h"})
    return Row("LongJob", "j", {
        "uuid": "j", "name": "MigrateVm", "state": "Running", "targetResourceName": "web-1", "progress": 25,
        "step": "move memory and disks", "jobData": asked, "createDate": "Jan 30, 2016 3:01:03 PM",
        "doneBytes": 256 * MIB, "totalBytes": 1024 * MIB, "bytesPerSecond": 64 * MIB, **data,
    })  # fmt: skip


def test_progress_is_told_in_bytes_rate_and_time_left() -> None:
    mirror = Mirror(WATCHED)
    mirror.rows["Host"]["h"] = Row("Host", "h", {"name": "node-b"})
    shown = {column.title: column.show(running(), mirror)[0] for column in COLUMNS}
    assert shown["TO"] == "node-b"
    assert (shown["BYTES"], shown["RATE"], shown["LEFT"]) == ("256M of 1G", "64M/s", "12s")
    assert shown["PROGRESS"].endswith("25%")
    unknown = {column.title: column.show(running(bytesPerSecond=None), mirror)[0] for column in COLUMNS}
    assert (unknown["RATE"], unknown["LEFT"]) == ("", "")


def test_what_something_keeps_has_no_time_left() -> None:
    mirror = Mirror(WATCHED)
    kept = running(waitsFor="its guest to write less: raise it")
    shown = {column.title: column.show(kept, mirror)[0] for column in COLUMNS}
    assert (shown["RATE"], shown["LEFT"]) == ("64M/s", "")
    assert shown["WHY"] == "waits for its guest to write less: raise it"
    assert [item.text for item in details(kept, mirror) if item.label == "pace"] == ["64 MiB in a second"]


async def test_a_narrow_list_of_moves_shows_where_they_go_all_the_while(cloud: Cloud) -> None:
    name = "mysql-primary-4.example"
    async with screens(cloud.socket) as on:
        host = Row("Host", "h", {"uuid": "h", "name": "rack-12-node-17"})
        on.app.mirror._put(host)
        on.app.mirror._put(running(targetResourceName=name, waitsFor="a host that is away for now"))
        on.app.mirror._put(Row("LongJob", "k", running(bytesPerSecond=1023 * MIB, totalBytes=1 << 40).data))
        await on.browser.go("mig")
        await on.sees(name, "rack-12-node-17", "◍ Running", "━╌╌╌╌  25%")


async def test_while_hosts_are_asked_for_nobody_is_told_that_there_is_none(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    answer = asyncio.Event()
    async with screens(cloud.socket) as on:
        await on.sees("web-1", "◉ Running")
        call = on.app.calls.session.call

        async def late(message: str, /, **fields: object) -> object:
            if message.startswith("GetVmMigration"):
                await answer.wait()
            return await call(message, **fields)

        on.app.calls.session.call = late  # type: ignore[method-assign, assignment]
        await on.press("m")
        await on.sees("Move web-1", "Reading …")
        answer.set()
        await on.misses("Reading …")
        await on.write("nowhere")
        await on.sees("nothing by that name")


async def test_in_the_list_of_vms_one_sees_how_far_a_move_has_come(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1", "◉ Running")
        row = on.app.mirror.rows["VmInstance"][uuid]
        on.app.mirror._put(running(targetResourceUuid=uuid, progress=20))
        on.app.mirror._put(Row(row.kind, uuid, {**row.data, "state": "Migrating"}))
        await on.sees("◍ Migrating 20%")
        on.app.mirror._put(running(targetResourceUuid=uuid, progress=80))
        await on.sees("◍ Migrating 80%")
        on.app.mirror._put(row)
        await on.misses("80%")


@pytest.mark.parametrize("columns", [80, 100, 119])
async def test_a_move_that_failed_says_why_in_a_list_of_any_width(cloud: Cloud, columns: int) -> None:
    details = "there is no host that could take VM web: each of them has less memory free than it needs to run there"
    error = json.dumps({"code": "SYS.1006", "description": "An operation failed", "details": details})
    async with screens(cloud.socket, (columns, 24)) as on:
        on.app.mirror._put(Row("Host", "h", {"uuid": "h", "name": "rack-12-node-17"}))
        on.app.mirror._put(running(state="Failed", jobResult=error, targetResourceName="vm-of-a-customer"))
        await on.browser.go("mig")
        await on.sees("vm-of-a-customer", "rack-12-node-17", "✗ Failed", "there is no h")


def test_a_job_says_the_names_of_what_it_was_asked_for_with() -> None:
    mirror = Mirror(WATCHED)
    mirror.rows["Host"]["h"] = Row("Host", "h", {"name": "node-b"})
    found = {item.label: item.text for item in details(running(), mirror) if item.label}
    assert found["host"] == "node-b"


async def test_a_migrating_vm_counts_as_running(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    await cloud.session.call("StopVmInstance", uuid=await cloud.vm("web-2"))
    async with screens(cloud.socket) as on:
        await on.sees("vms 1/2")
        row = on.app.mirror.rows["VmInstance"][uuid]
        on.app.mirror._put(Row(row.kind, uuid, {**row.data, "state": "Migrating"}))
        await on.browser.go("vm")
        await on.sees("Migrating", "vms 1/2")


async def test_a_vm_that_stands_still_is_not_counted_as_running(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    await cloud.vm("web-2")
    async with screens(cloud.socket) as on:
        await on.sees("vms 2/2")
        row = on.app.mirror.rows["VmInstance"][uuid]
        on.app.mirror._put(Row(row.kind, uuid, {**row.data, "standsStill": "it is suspended"}))
        await on.sees("vms 1/2 1✗")
        on.app.mirror._put(Row(row.kind, uuid, {**row.data, "state": "Unknown", "standsStill": "it was"}))
        await on.sees("vms 1/2 1?")
        on.app.mirror._put(row)
        await on.sees("vms 2/2 ")


async def test_rules_are_whole_in_any_width_and_whatever_comes_to_them(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, (120, 36)) as on:
        await on.sees("◉ Running")
        await on.press("m")
        await on.sees("memory free")
        rules = on.app.screen.query_one(Sheet)
        for width in (120, 60, 160, 80):
            await on.pilot.resize_terminal(width, 36)
            await on.until(lambda: rules.size.height == rules.virtual_size.height, "all lines of all rules")
        rules.show([*rules.items, note("one more")])
        await on.until(lambda: rules.size.height == rules.virtual_size.height, "that line, too")


async def test_why_a_volume_stays_begins_with_the_reason(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.browser.go("vol")
        await on.sees("Ready")
        await on.press("m")
        await on.sees("  ✗ the VM of a root volume must be stopped; web-1 is Runn", "it is here")
        (line,) = [line for line in on.text() if "  ✗ " in line and "node-" in line]
        assert "  ✗ the VM of a root volume must be stopped; web-1 is Runn" in line
        assert "uuid" not in line


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_moves_look_as_they_did(cloud: Cloud, size: tuple[int, int]) -> None:
    await cloud.vm("web-1")
    kind = f"{size[0]}x{size[1]}"
    async with screens(cloud.socket, size) as on:
        await on.sees("◉ Running", "Starting → Running")
        if size == SMALL:
            await on.press("m")
            await on.sees("memory free")
            compare(f"planner-{kind}", on)
            await on.press("escape")
        host = next(iter(on.app.mirror.rows["Host"]))
        asked = json.dumps({"vmInstanceUuid": "w", "hostUuid": host})
        on.app.mirror._put(running(jobData=asked))
        await on.browser.go("mig")
        await on.sees("256M of 1G", "12s")
        compare(f"migrations-{kind}", on)


def test_a_move_that_goes_on_has_not_ended_nor_succeeded() -> None:
    mirror = Mirror(WATCHED)
    columns = {column.title: column for column in COLUMNS}
    asked = {
        "uuid": "j",
        "name": "MigrateVm",
        "lastOpDate": "Jan 30, 2026 3:01:03 PM",
        "progress": 40,
        "jobData": '{"vmInstanceUuid": "v"}',
    }
    running, ended = (Row("LongJob", "j", {**asked, "state": each}) for each in ("Running", "Succeeded"))
    assert columns["ENDED"].show(running, mirror)[0] == ""
    assert columns["ENDED"].show(ended, mirror)[0] != ""
    states = [columns["STATE"].show(each, mirror) for each in (running, ended)]
    assert states == [("◍ Running", "busy"), ("◉ Succeeded", "good")]
    assert "━━━━╌╌╌╌╌╌ 40%" in details(running, mirror)[0].text
    vm = Row("VmInstance", "v", {"uuid": "v", "name": "v", "state": "Migrating"})
    mirror.rows["LongJob"]["j"] = Row("LongJob", "j", {**running.data, "targetResourceUuid": "v"})
    assert any("━━━━╌╌╌╌╌╌ 40%" in item.text for item in details(vm, mirror))


def test_a_list_of_moves_keeps_what_it_is_ordered_by_and_how_far_they_are() -> None:
    widths = {column.title: min(column.most, 14) for column in COLUMNS}
    fitted = [column.title for column, _ in fit_columns(COLUMNS, widths, 78)]
    assert {"ASKED", "WHAT", "TO", "STATE", "PROGRESS"} <= set(fitted)
