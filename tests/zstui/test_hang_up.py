"""The screen ends with its terminal, also where no signal tells it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.zstui.conftest import LIMIT_SECONDS
from tests.zstui.own_terminal import own_terminal

pytestmark = pytest.mark.long

DEAF = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"


@pytest.mark.parametrize("before", ["", DEAF])
async def test_a_screen_that_no_signal_reaches_ends_with_its_terminal(tmp_path: Path, before: str) -> None:
    """Of a session without a terminal of its own, as a program that somebody waits for who gets the signal."""
    async with own_terminal(tmp_path, before) as terminal:
        seen = b""
        async with asyncio.timeout(3 * LIMIT_SECONDS):
            while b"not connected yet" not in seen:
                seen += await terminal.read()
        terminal.hang_up()
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await terminal.process.wait() == -signal.SIGHUP
