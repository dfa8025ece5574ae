"""What lies over other widgets keeps its wide glyphs, wherever those below it begin and end."""

from __future__ import annotations

import re

import pytest
from rich.console import Console
from textual.geometry import Region
from textual.widgets._toast import Toast

from tests.zstui.conftest import Cloud, screens

SAID = "云" * 40
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@pytest.mark.parametrize("size", [(120, 36), (121, 36), (160, 48)])
@pytest.mark.parametrize("before", ["", "x"])
async def test_a_message_in_passing_keeps_each_letter(
    cloud: Cloud, size: tuple[int, int], before: str
) -> None:
    await cloud.vm("web")
    async with screens(cloud.socket, size) as on:
        await on.sees("vms 1/1")
        on.app.tell(before + SAID)
        await on.until(lambda: "云" in on.whole())
        assert on.whole().count("云") == len(SAID)


@pytest.mark.parametrize("before", ["", "x"])
async def test_what_changes_below_it_takes_no_letter_of_it(cloud: Cloud, before: str) -> None:
    await cloud.vm("web")
    async with screens(cloud.socket, (120, 36)) as on:
        await on.sees("vms 1/1")
        on.app.tell(before + SAID)
        await on.until(lambda: "云" in on.whole())
        toast = on.app.screen.query_one(Toast).region
        compositor = on.app.screen._compositor
        for edge in range(toast.x + 1, toast.right):
            compositor._dirty_regions = {Region(toast.x - 4, toast.y + 1, edge - toast.x + 4, 1)}
            update = compositor.render_partial_update()
            assert update is not None
            painted = ESCAPES.sub("", update.render_segments(Console(color_system=None)))
            assert painted in on.text()[toast.y + 1], f"to cell {edge - toast.x}"
