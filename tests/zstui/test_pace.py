"""No frame is painted that the terminal could not take yet, and none is left out that it could."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import pytest_asyncio
from textual.widget import Widget

from tests.zstui.conftest import LIMIT_SECONDS
from tests.zstui.own_terminal import OwnTerminal, own_terminal
from tests.zstui.test_terminal_size import OWNED
from zstui import pace
from zstui.pace import OLD_QUESTION, QUESTION, Pace
from zstui.whole_glyphs import Compositor

ASKED = QUESTION.encode()
ANSWER = b"\x1b[?2026;2$y"


class Line:
    """A terminal's side of a pace."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.painted = 0
        self.pace = Pace(self.paint)

    def paint(self) -> None:
        self.painted += 1

    async def is_painted(self) -> None:
        """Wait for what was left to be painted."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not self.painted:
                await asyncio.sleep(0.01)

    def frame(self) -> bool:
        """Paint one, unless it is held."""
        if self.pace.holds():
            return False
        self.pace.sent(self.sent.append)
        return True


@pytest.fixture
def line() -> Line:
    return Line()


async def test_a_frame_waits_for_the_one_before_and_is_painted_once(line: Line) -> None:
    line.pace.answered()
    assert line.frame()
    assert line.sent == [QUESTION]
    assert not line.frame()
    assert not line.frame()
    assert line.painted == 0
    line.pace.answered()
    assert line.painted == 1
    assert line.frame()
    line.pace.answered()
    assert line.painted == 1, "nothing changed meanwhile"
    assert line.sent == [QUESTION, QUESTION]


async def test_where_nothing_changed_no_frame_is_owed(line: Line) -> None:
    compositor = Compositor()
    compositor.root = cast("Widget", SimpleNamespace(app=SimpleNamespace(pace=line.pace)))
    line.pace.answered()
    assert line.frame()
    assert compositor.render_update() is None
    line.pace.answered()
    assert line.painted == 0


async def test_a_terminal_that_does_not_answer_is_not_asked_nor_waited_for(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "FIRST_SECONDS", 0.01)
    assert line.frame()
    assert not line.frame()
    await line.is_painted()
    assert line.frame()
    assert line.frame()
    assert line.sent == [OLD_QUESTION], "once, lest it knows no other"


async def test_a_terminal_that_only_knows_where_its_cursor_is_is_asked_that(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "FIRST_SECONDS", 0.01)
    assert line.frame()
    assert not line.frame()
    await line.is_painted()
    line.pace.answered(OLD_QUESTION)  # late: its line is slow
    assert line.frame()
    assert not line.frame()
    line.pace.answered(OLD_QUESTION)
    assert line.sent == [OLD_QUESTION, OLD_QUESTION]
    assert line.painted == 2


async def test_one_that_knows_both_is_not_asked_where_its_cursor_is(line: Line) -> None:
    assert line.frame()
    line.pace.answered()
    line.pace.answered(OLD_QUESTION)
    assert line.frame()
    line.pace.answered(OLD_QUESTION)  # somebody has pressed shift and F3
    assert not line.frame()
    assert line.sent == [OLD_QUESTION, QUESTION]


async def test_an_answer_that_is_lost_holds_nothing_up_for_ever(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "PATIENCE_SECONDS", 0.01)
    line.pace.answered()
    assert line.frame()
    assert not line.frame()
    await line.is_painted()
    assert line.frame()
    assert line.frame()
    line.pace.answered()
    assert line.frame()
    assert line.sent == [QUESTION, QUESTION], "asked again, once it has answered again"


@pytest_asyncio.fixture
async def slow(tmp_path: Path) -> AsyncIterator[OwnTerminal]:
    """A screen on a terminal that has said that it has the first frame, and has been asked after the next."""
    async with own_terminal(tmp_path, OWNED) as terminal, asyncio.timeout(6 * LIMIT_SECONDS):
        await until(terminal, ASKED)
        terminal.write(ANSWER)
        while b"not connected yet" not in await until(terminal, ASKED):
            terminal.write(ANSWER)
        yield terminal


async def until(terminal: OwnTerminal, wanted: bytes) -> bytes:
    """What is painted up to something."""
    seen = b""
    while wanted not in seen:
        seen += await terminal.read()
    return seen


@pytest.mark.long
async def test_what_is_typed_on_a_slow_line_is_one_frame_of_how_it_ends(slow: OwnTerminal) -> None:
    reading = asyncio.create_task(until(slow, ASKED))
    for key in b"?", b"\x1b", b"2", b"3":
        slow.write(key)
        assert not (await asyncio.wait({reading}, timeout=0.2))[0], "painted, though nobody could see it yet"
    slow.write(ANSWER)
    seen = await reading
    assert b"Networks" in seen
    assert b"arrows scroll" not in seen, "of a screen that was gone by then"


@pytest.mark.long
async def test_leaving_waits_for_the_answer(slow: OwnTerminal) -> None:
    """Else the shell would get it."""
    slow.write(b"q")
    leaving = asyncio.create_task(until(slow, b"\x1b[?1049l"))
    assert not (await asyncio.wait({leaving}, timeout=0.3))[0]
    slow.write(ANSWER)
    await leaving
    assert await slow.process.wait() == 0
