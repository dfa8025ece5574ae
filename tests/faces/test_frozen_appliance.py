"""Nothing on the screen waits for the appliance: with its process stopped every key still paints."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from appliance.client import Session
from tests.faces.cells import Program
from tests.faces.conftest import Served

pytestmark = pytest.mark.timeout(240)

FROZEN_SECONDS = 10.0
PAINT_SECONDS = 1.0
"""From a key to what it shows. It is some 30 ms; the rest is for a machine that is busy with other tests."""

DOWN, UP, END, F2, F3, ESCAPE, ENTER = "\x1b[B", "\x1b[A", "\x1b[F", "\x1bOQ", "\x1bOR", "\x1b", "\r"

KEYS = (
    (DOWN, "▐  数据库主机"),
    (UP, "▐  web-1"),
    ("2", "node-a"),
    ("3", "lan"),
    ("7", "Starting → Running"),
    ("1", "▐  web-1"),
    ("/", "/"),
    ("w", "/w"),
    (ESCAPE, "数据库主机"),
    ("?", "help"),
    (ESCAPE, "▐  web-1"),
    (":", ":"),
    (ESCAPE, "▐  web-1"),
    (F2, "运行中"),
    (F2, "執行中"),
    (F2, "Running"),
    (F3, "▐  web-1"),
    (ENTER, "since  "),
    (ESCAPE, "▐  web-1"),
    ("n", "Create VM"),
    (ESCAPE, "▐  web-1"),
    ("0", "Overview"),
    ("1", "▐  web-1"),
)
"""Keys, and what each must show."""


async def press_each(screen: Program, until: float) -> dict[str, float]:
    """Press every key in turn, again and again, until a moment; the longest that each took to paint."""
    longest: dict[str, float] = {}
    while time.monotonic() < until:
        for key, shown in KEYS:
            drawn = screen.drawn
            screen.press(key)
            took = await screen.cells.until(
                lambda text, drawn=drawn, shown=shown: screen.drawn > drawn and shown in text,
                f"{shown!r} after {key!r}",
            )
            longest[f"{key!r} → {shown}"] = max(took, longest.get(f"{key!r} → {shown}", 0.0))
            await asyncio.sleep(0.15)  # as fast as fingers are
    return longest


@pytest.mark.alone
async def test_a_frozen_appliance_holds_up_no_key(served: Served, tmp_path: Path) -> None:
    environment = {**served.environment, "XDG_STATE_HOME": str(tmp_path), "ZSTUI_LANG": "en"}
    async with Program(*served.command(), environment=environment) as screen:
        await screen.cells.sees("◉ live", "▐  web-1", "数据库主机")
        os.kill(served.pid, signal.SIGSTOP)
        try:
            longest = await press_each(screen, time.monotonic() + FROZEN_SECONDS)
            await screen.cells.until(lambda _: "s old" in screen.cells.lines[0], "age of the data")
        finally:
            os.kill(served.pid, signal.SIGCONT)
        print(*(f"{seconds * 1000:6.0f} ms  {key}" for key, seconds in longest.items()), sep="\n")
        assert {key: seconds for key, seconds in longest.items() if seconds > PAINT_SECONDS} == {}
        await screen.cells.sees("◉ live")
        async with await Session.connect(served.socket) as session:
            [vm] = await session.query("VmInstance", name="web-1")
            await session.call("UpdateVmInstance", uuid=vm["uuid"], name="web-2")
        await screen.cells.sees("web-2", "◉ live")
