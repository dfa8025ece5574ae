"""The screen is as large as its terminal is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.zstui.conftest import LIMIT_SECONDS
from tests.zstui.own_terminal import OwnTerminal, own_terminal

pytestmark = pytest.mark.long

OWNED = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
"""As a shell starts programs: told by a signal of new sizes."""


async def test_a_size_that_was_exported_once_is_not_the_terminal_s(tmp_path: Path) -> None:
    """Shells set COLUMNS and LINES, and whoever exports them, hands on what is no longer true."""
    async with own_terminal(tmp_path, OWNED, columns=120, rows=36, COLUMNS="80", LINES="24") as terminal:
        await _draws_on_line(terminal, 36)
        terminal.resize(100, 30)
        await _draws_on_line(terminal, 30)


async def _draws_on_line(terminal: OwnTerminal, last: int) -> None:
    """Wait until the line of the keys, the last, is drawn there."""
    seen = b""
    async with asyncio.timeout(3 * LIMIT_SECONDS):
        while b"\x1b[%d;1H" % last not in seen:
            seen = seen[-16:] + await terminal.read()


async def test_what_programs_complain_of_may_go_into_a_file(tmp_path: Path) -> None:
    """Textual draws on the standard error; with that elsewhere the screen stayed blank."""
    elsewhere = f"import os; os.dup2(os.open({str(tmp_path / 'err')!r}, os.O_CREAT | os.O_WRONLY), 2)\n"
    async with own_terminal(tmp_path, OWNED + elsewhere, columns=100, rows=30) as terminal:
        await _draws_on_line(terminal, 30)
