"""A line that is edited at a prompt, on a terminal of its own."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator

import pyte
import pytest

from appliance.serve.line import Editor

HISTORY = ("QueryZone name=a", "QueryHost", "QueryZone name=b")
WIDE = 12
UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"


class Desk:
    """A terminal, and an editor that reads from it."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        self.screen = pyte.Screen(WIDE, 4)
        self._stream = pyte.Stream(self.screen)
        self.terminal = os.fdopen(slave, "r", encoding="utf-8")
        self.editor = Editor(self.terminal, self, str.upper, list(HISTORY))  # type: ignore[arg-type]

    def write(self, text: str) -> None:
        """What the editor shows, on a terminal that turns line ends into new lines."""
        self._stream.feed(text.replace("\n", "\r\n"))

    def flush(self) -> None:
        """Nothing waits."""

    def read(self, keys: str) -> str:
        """The line that keys make."""
        os.write(self.master, keys.encode())
        return self.editor.read("> ")

    def close(self) -> None:
        self.terminal.close()
        os.close(self.master)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("COLUMNS", str(WIDE))
    monkeypatch.setenv("TERM", "xterm")
    made = Desk()
    # Its keys wait in it before it is read, as those do that somebody types while a call runs.
    quiet = termios.tcgetattr(made.terminal.fileno())
    quiet[3] &= ~termios.ICANON & ~termios.ECHO & ~termios.ISIG
    quiet[0] &= ~termios.ICRNL
    termios.tcsetattr(made.terminal.fileno(), termios.TCSANOW, quiet)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("plain", "plain"),
        (f"bc{LEFT}{LEFT}a{RIGHT}{RIGHT}{RIGHT}d", "abcd"),
        ("bc\x1bOHa\x1bOFd\x01_\x05_", "_abcd_"),
        ("abx\x7fc\x1b[H\x1b[3~z\x04", "zc"),
        ("one two\x17three\x01\x0bnew", "new"),
        ("one two\x1bbx\x1bb\x1bf!", "one xtwo!"),
        ("one two\x1bb\x15end ", "end two"),
        ("one two\x1b[1;5D\x1b[1;5D_\x1b[1;5C+", "_one+ two"),
        ("ab\tc", "ABc"),
        ("ab\x1b[D\t", "Ab"),
        ("网络é\x7fX\x1b[D\x7f", "网X"),
        ("\x1b[99;9uok\x1b[200~\x0f", "ok"),
        (UP, "QueryZone name=b"),
        (UP * 9 + "!", "QueryZone name=a!"),
        (f"{UP}{UP}{UP}{DOWN}", "QueryHost"),
        (f"QueryZ{UP}{UP}", "QueryZone name=a"),
        (f"QueryZ{UP}{UP}{DOWN}{DOWN}{DOWN}", "QueryZ"),
    ],
)
def test_keys_make_a_line(desk: Desk, keys: str, line: str) -> None:
    assert desk.read(keys + "\r") == line


def test_it_ends_by_ctrl_d_and_is_dropped_by_ctrl_c(desk: Desk) -> None:
    with pytest.raises(KeyboardInterrupt):
        desk.read("half\x03")
    with pytest.raises(EOFError):
        desk.read("\x04")
    before = termios.tcgetattr(desk.terminal.fileno())
    assert desk.read("line\rnext") == "line"
    assert termios.tcgetattr(desk.terminal.fileno()) == before
    assert os.read(desk.terminal.fileno(), 9) == b"next"


def test_a_line_longer_than_the_row_moves_under_the_cursor(desk: Desk) -> None:
    assert desk.read("0123456789ab\r") == "0123456789ab"
    assert desk.screen.display[0] == "> 3456789ab "
    desk.screen.reset()
    desk.read(f"0123456789ab{LEFT * 11}\r")
    assert desk.screen.display[0] == "> 012345678 "
    desk.screen.reset()
    desk.read("网络网络网络\r")
    assert desk.screen.display[0] == "> 网络网络  "


def test_a_terminal_that_can_only_write_is_written_to(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(desk, "write", written.append)
    desk.editor._dumb = True
    assert desk.read("ab\x7fc\r") == "ac"
    assert "".join(written) == "> ab\b \bc\n"
