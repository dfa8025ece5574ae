"""Volumes and the trees of their snapshots."""

from __future__ import annotations

import pytest

from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from tests.zstui.test_look import compare
from tests.zstui.test_recycle_bin import data_volume
from zstui.mirror import Row
from zstui.screens.snapshots import branches, merged, with_those_on_top


def snapshot(key: str, parent: str | None = None, *, latest: bool = False, second: int = 0) -> Row:
    """A snapshot on top of another."""
    date = f"Jan 30, 2016 3:01:{second:02} PM"
    data = {
        "uuid": key,
        "name": key,
        "parentUuid": parent,
        "latest": latest,
        "createDate": date,
        "size": 1 << 20,
    }
    return Row("VolumeSnapshot", key, data)


FORKED = [snapshot("a"), snapshot("b", "a", second=1), snapshot("c", "b", latest=True, second=2),
          snapshot("d", "a", second=3)]  # fmt: skip


def test_a_tree_is_drawn_with_what_the_volume_is_now() -> None:
    drawn = [f"{each.lines}{each.snapshot.name if each.snapshot else 'now'}" for each in branches(FORKED)]
    assert drawn == ["a", "├─ b", "│  └─ c", "│     └─ now", "└─ d"]
    assert [each.snapshot for each in branches([])] == [None]


def test_what_goes_with_a_snapshot_and_what_is_merged() -> None:
    assert [row.key for row in with_those_on_top(FORKED, "b")] == ["b", "c"]
    assert [merged(FORKED, key) for key in "abcd"] == [3, 2, 1, 0]


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_snapshots_are_taken_gone_back_to_and_deleted(cloud: Cloud, size: tuple[int, int]) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket, size) as on:
        await on.sees("◉ Running")
        await on.press("v")
        await on.sees("Snapshots of", "0 snapshots", "now")
        for name in ("first", "second"):
            await on.press("n")
            await on.sees("Create volume snapshot", "Display name")
            await on.write(name)
            await on.press("ctrl+s")
            await on.misses("Display name")
            await on.sees(name, "now")
        await on.sees("└─ second", "2 snapshots, 2 MiB", "not quiesced")
        await on.misses("Creating")
        compare(f"snapshots-{size[0]}x{size[1]}", on)
        await on.press("up", "up", "up", "R")
        await on.sees("web-1 is Running: stop it")
        await cloud.session.call("StopVmInstance", uuid=uuid)
        await on.sees("web-1, Stopped")
        await on.press("R")
        await on.sees("to first?", "since second was taken is given up")
        await on.press("right", "enter")
        await on.sees("├─ second", "└─ now")
        await on.press("D")
        await on.sees("Delete 2 snapshots?", "1 file is merged into its own")
        await on.press("right", "enter")
        await on.sees("0 snapshots")
        assert await cloud.session.query("VolumeSnapshot") == []


async def test_a_data_volume_is_detached_given_away_and_made_larger(cloud: Cloud) -> None:
    first = await cloud.vm("web-1")
    await cloud.vm("web-2")
    volume = await data_volume(cloud, "data-1", first)
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go("vol", volume)
        await on.sees("data-1", "Data", "v snapshots", "a attach", "z resize")
        await on.sees("device id")
        compare("volumes-160x45", on)
        await on.press("a")
        await on.sees("Detach data volume from VM: data-1?")
        await on.press("y")
        await on.sees("zstui call DetachDataVolumeFromVm", "✓")
        await on.press("a")
        await on.sees("Give data-1 to which VM?", "web-1")
        await on.write("web-1")
        await on.press("enter")
        await on.sees("zstui call AttachDataVolumeToVm", "✓")
        [row] = await cloud.session.query("Volume", uuid=volume)
        assert row["vmInstanceUuid"] == first
        await on.press("z")
        await on.sees("Resize data volume", "Its new virtual size")
        await on.write("2G")
        await on.press("ctrl+s")
        await on.sees("zstui call ResizeDataVolume")
        await on.until(lambda: on.app.mirror.rows["Volume"][volume].get("size") == 2 << 30)


async def test_a_data_volume_is_made_of_an_offering_that_no_list_has_read(cloud: Cloud) -> None:
    await cloud.make("CreateDiskOffering", name="large", diskSize=1 << 34)
    async with screens(cloud.socket) as on:
        await on.browser.go("vol")
        await on.sees("No volumes yet")
        await on.press("n")
        await on.sees("Create data volume")
        await on.until(lambda: on.app.mirror.rows.get("DiskOffering"))
        await on.write("data-1")
        await on.press("tab", "enter")
        await on.sees("large", "16G")
        await on.press("enter", "ctrl+s")
        await on.sees("data-1", "Not yet made")
