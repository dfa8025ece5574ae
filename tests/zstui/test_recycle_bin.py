"""The recycle bin: what is in it and until when, back by one key, and gone only when its name was typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from tests.zstui.test_look import compare
from zstui import recycle_bin, words
from zstui.mirror import Mirror, Row
from zstui.nouns import WATCHED
from zstui.screens.recovering import how_long


async def state(cloud: Cloud, uuid: str) -> str:
    [vm] = await cloud.session.query("VmInstance", uuid=uuid)
    return str(vm["state"])


async def data_volume(cloud: Cloud, name: str, vm_uuid: str) -> str:
    """A data volume that a VM has."""
    if "disk" not in cloud.uuids:
        await cloud.make("CreateDiskOffering", name="disk", diskSize=1 << 30)
    made = await cloud.make("CreateDataVolume", name=name, diskOfferingUuid=cloud.uuids["disk"])
    await cloud.session.call("AttachDataVolumeToVm", volumeUuid=made["uuid"], vmInstanceUuid=vm_uuid)
    return str(made["uuid"])


async def test_what_was_just_deleted_comes_back_by_one_key_from_any_list(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("D", "right", "enter")
        await on.sees("web-1 deleted; u takes it back")
        await on.press("2")
        await on.sees("u undo: web-1")
        await on.press("u")
        await on.sees("web-1: taken back")
        await on.until(lambda: on.app.calls.log[-1].line.startswith("zstui call RecoverVmInstance"))
        await on.misses("u undo")
        assert await state(cloud, uuid) == "Stopped"
        await on.press("u")
        await on.sees("u does nothing")


async def test_the_row_that_was_just_deleted_is_taken_back_as_its_toast_says(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    volume = await data_volume(cloud, "data-1", uuid)
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("D", "right", "enter")
        await on.sees("web-1 deleted; u takes it back", "◌ Destroyed")
        await on.press("u")
        await on.sees("web-1: taken back")
        await on.misses("u takes it back")
        await on.sees("◌ Stopped")
        [row] = await cloud.session.query("Volume", uuid=volume)
        assert row["vmInstanceUuid"] == uuid


async def test_the_bin_counts_down_and_gives_back_with_volumes(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    volume = await data_volume(cloud, "data-1", uuid)
    await cloud.session.call("DestroyVmInstance", uuid=uuid)
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go("bin")
        await on.sees("Recycle bin", "web-1", "reclaimable", "in 23h", "1 data volume")
        await on.press("u")
        await on.sees("Recover web-1", "with 1 data volume", "without data volumes")
        await on.press("enter")
        await on.sees("Nothing is in the recycle bin")
        [row] = await cloud.session.query("Volume", uuid=volume)
        assert row["vmInstanceUuid"] == uuid


async def test_expunging_wants_the_name(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    await cloud.session.call("DestroyVmInstance", uuid=uuid)
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go("bin")
        await on.sees("web-1", "in 23h")
        await on.press("D")
        await on.sees("Expunge web-1 now?", "frees", "cannot be undone", "Type web-1")
        await on.press("enter")
        assert await state(cloud, uuid) == "Destroyed"
        await on.write("web-1")
        await on.press("enter")
        await on.sees("Nothing is in the recycle bin", "zstui call ExpungeVmInstance")
        assert await cloud.session.query("VmInstance", uuid=uuid) == []


async def test_all_that_can_be_done_in_the_bin_is_offered(cloud: Cloud) -> None:
    await cloud.session.call("DestroyVmInstance", uuid=await cloud.vm("web-1"))
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go("bin")
        await on.sees("web-1", "in 23h")
        await on.press("x")
        await on.sees("web-1: what shall be done?", "recover VM", "expunge VM")
        await on.write("expunge")
        await on.press("enter")
        await on.sees("Expunge web-1 now?")
        await on.press("escape")
        (row,) = on.app.mirror.all(recycle_bin.KIND)
        on.app.mirror._put(Row(row.kind, row.key, {**row.data, "status": "Expunging"}))
        await on.sees("◍ Expunging")
        await on.press("x")
        await on.sees("no call does anything to web-1; ? shows the keys that work here")
        on.app.mirror._put(row)
        await on.sees("in 23h")
        await on.press("x", "enter")
        await on.sees("zstui call RecoverVmInstance", "Nothing is in the recycle bin")


async def test_an_image_and_a_volume_are_in_the_bin_too(cloud: Cloud) -> None:
    made = await data_volume(cloud, "data-1", await cloud.vm("web-1"))
    await cloud.session.call("DetachDataVolumeFromVm", uuid=made)
    await cloud.session.call("DeleteDataVolume", uuid=made)
    await cloud.session.call("DeleteImage", uuid=cloud.uuids["tiny"])
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go("bin")
        await on.sees("data-1", "data volume", "tiny", "image")
        await on.press("asterisk", "u")
        await on.sees("Nothing is in the recycle bin")
        [image] = await cloud.session.query("Image", uuid=cloud.uuids["tiny"])
        assert image["status"] == "Ready"


def mirror_with(**settings: str) -> Mirror:
    """A mirror with settings of VMs."""
    mirror = Mirror(WATCHED)
    for name, value in settings.items():
        mirror.rows["GlobalConfig"][name] = Row(
            "GlobalConfig", name, {"category": "vm", "name": name, "value": value}
        )
    return mirror


def test_the_question_says_what_the_policy_means() -> None:
    kept = mirror_with(deletionPolicy="Delay", expungePeriod="86400")
    assert (
        how_long(kept, "VmInstance", "u", final=False)
        == "It can be recovered (u) for 1d until it is expunged."
    )
    assert "until somebody expunges it" in how_long(
        mirror_with(deletionPolicy="Never"), "VmInstance", "u", final=False
    )
    assert (
        how_long(mirror_with(deletionPolicy="Direct"), "VmInstance", "u", final=True)
        == "This cannot be undone."
    )


def test_what_is_not_known_is_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = mirror_with()
    date = "Jan 30, 2016 3:01:03 PM"
    monkeypatch.setattr(words, "now", lambda: words.seconds(date) - 5400)
    item = Row(recycle_bin.KIND, "i", {"status": "Deleted", "expungeDate": date})
    assert recycle_bin.left_piece(item, mirror) == ("in 1h 30m", "plain")
    assert recycle_bin.size_piece(item, mirror) == ("?", "warn")
    assert recycle_bin.reclaimable([item]) == "0 B and more reclaimable"
    never = Row(recycle_bin.KIND, "n", {"status": "Deleted", "reclaimableSize": 1 << 30})
    assert recycle_bin.left_piece(never, mirror)[0] == "never"
    going = Row(recycle_bin.KIND, "g", {"status": "Expunging", "expungeDate": date})
    assert recycle_bin.left_piece(going, mirror)[0] == "◍ Expunging"


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_bin_looks_as_it_did(cloud: Cloud, size: tuple[int, int]) -> None:
    uuid = await cloud.vm("web-1")
    await data_volume(cloud, "data-1", uuid)
    await cloud.session.call("DestroyVmInstance", uuid=uuid)
    async with screens(cloud.socket, size) as on:
        await on.browser.go("bin")
        await on.sees("TAKES BACK", "reclaimable", *(["data-1"] if size == LARGE else []))
        compare(f"recycle-bin-{size[0]}x{size[1]}", on)


async def test_the_offer_to_take_back_goes_when_somebody_expunges(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("D", "right", "enter")
        await on.sees("web-1 deleted; u takes it back", "◌ Destroyed")
        await on.press("D")
        await on.sees("Type web-1 to go on")
        await on.press(*"web-1", "enter")
        await on.misses("u takes it back")
        assert not on.app.calls.deletions
        assert "undo" not in on.whole()


async def test_taking_back_leaves_what_else_was_said(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("D", "right", "enter")
        await on.sees("web-1 deleted; u takes it back", "◌ Destroyed")
        on.app.tell("something else went wrong", wrong=True)
        await on.sees("something else went wrong")
        await on.press("u")
        await on.misses("u takes it back")
        assert "something else went wrong" in on.whole()


async def test_what_was_deleted_is_taken_back_by_the_key_that_the_user_chose(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "zstui" / "keymap.toml"
    file.parent.mkdir()
    file.write_text('[keys]\n"verb.u" = "f8"\n')
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("◉ Running")
        await on.press("D")
        await on.sees("It can be recovered (F8) for")
        await on.press("right", "enter")
        await on.sees("web-1 deleted; F8 takes it back", "◌ Destroyed", "F8 recover")
        await on.press("f8")
        await on.sees("web-1: taken back", "◌ Stopped")
        await on.press("2", "f8")
        await on.sees("F8 does nothing on this row")


async def test_many_are_deleted_once_their_number_was_typed(cloud: Cloud) -> None:
    for number in range(10):
        await cloud.vm(f"web-{number}")
    async with screens(cloud.socket) as on:
        await on.until(lambda: len(on.browser.table.listing) == 10)
        for _ in range(9):
            await on.press("space")
        await on.press("D")
        await on.sees("Destroy 9 VMs?")
        assert "to go on" not in on.whole()
        await on.press("escape", "space", "D")
        await on.sees("Destroy 10 VMs?", "Type 10 to go on", "can be recovered")
        await on.press("escape")
