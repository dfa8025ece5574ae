"""A guest's terminal by bytes: what it obeys, what it drops, and that nothing a guest writes breaks it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from zstui.cells import HIDDEN
from zstui.terminal import HISTORY, KEPT_BYTES, PIECE_BYTES, WAITING_BYTES, Terminal
from zstui.terminal_sequences import Sequences


def terminal(*pieces: bytes, columns: int = 80, lines: int = 24) -> Terminal:
    made = Terminal(columns, lines)
    for piece in pieces:
        made.put(piece)
        made.turn(10)
    return made


def lines(shown: Terminal) -> list[str]:
    return [shown.text(number) for number in range(shown.first, shown.end)]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"plain \xe4\xbd\xa0\r\n", "plain 你\r\n"),
        (b"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        (b"\x1b]0;title\x07after", "after"),
        (b"\x1b]52;c;aGk=\x1b\\after", "after"),
        (b"\x1bPq#0\x1b\\\x1b_G\x1b\\\x1b^x\x1b\\after", "after"),
        (b"\x1b[?3hwide", "wide"),
        (b"\x1b[?25;3l", "\x1b[?25l"),
        (b"\x1b[1;2;3Hx\x1b[6n\x1b[>c\x1b[?1;2c", "x"),
        (b"\x1b[5;6H", "\x1b[5;6H"),
        (b"\x1b(0lqk\x1b(B lqk", "┌─┐ lqk"),
        (b"\x1b)0\x0elqk\x0flqk", "┌─┐lqk"),
        (b"\x1b[" + b"1;" * 200 + b"mx", "x"),
        ("\x1b[²;3Hx".encode(), "²;3Hx"),
        (b"\xff\xfe", "��"),
        (b"\x1b[4J\x1b[3K\x1b[2Jx", "\x1b[2Jx"),
        ("a\u200bb\u202ec\x85d".encode(), "abcd"),
        (("e" + "\u0301" * 1000 + "f").encode(), "e" + "\u0301" * 4 + "f"),
    ],
)
def test_what_is_not_obeyed_is_dropped_also_byte_by_byte(written: bytes, kept: str) -> None:
    assert Sequences().clean(written) == kept
    apart = Sequences()
    assert "".join(apart.clean(bytes([byte])) for byte in written) == kept


def test_a_sequence_without_end_is_not_kept() -> None:
    endless = Sequences()
    for piece in (b"\x1b[", b"\x1b]0;", b"\x1bP"):
        assert endless.clean(piece + b"1" * 100_000) in ("", "1" * 100_000)
        assert len(endless._rest) <= 200
        endless.clean(b"\x1b\\")


def test_colours_and_wide_letters_have_their_cells() -> None:
    shown = terminal("\x1b[31m登入\x1b[0m: e\u0301 \u202e\u200b!\r\n".encode())
    (red, plain) = shown.line(shown.top)
    assert (red[0], red[1].color and red[1].color.name) == ("登入", "red")
    assert plain[0].startswith(": é ")
    assert "\u202e" not in plain[0], "nothing turns the line around"


def test_what_scrolls_off_is_kept_so_far() -> None:
    shown = terminal(*(b"%d\r\n" % number for number in range(HISTORY + 200)))
    assert shown.top - shown.first == HISTORY
    assert shown.text(shown.top) == str(HISTORY + 200 - 23)
    assert shown.find("4999", shown.end - 1, -1) is not None
    assert shown.find("nowhere", shown.end - 1, -1) is None


def test_sizes_change_without_loss() -> None:
    shown = terminal(*(b"%d\r\n" % number for number in range(30)), columns=80, lines=24)
    for columns, rows in ((80, 5), (100, 50), (40, 10), (80, 24)):
        shown.resize(columns, rows)
        assert [line for line in lines(shown) if line] == [str(number) for number in range(30)]


def test_a_flood_is_neither_kept_nor_parsed() -> None:
    shown = Terminal(80, 24)
    left_out = sum(shown.put(b"y\r\n" * 10_000) for _ in range(100))
    assert left_out >= 100 * 30_000 - WAITING_BYTES
    shown = Terminal(80, 24)
    shown.put(b"z" * KEPT_BYTES)
    turns = 0
    while shown.waits:
        shown.turn(0.0)  # which is over after one piece
        turns += 1
    assert turns == KEPT_BYTES // PIECE_BYTES


PIECES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
    st.builds(
        lambda mark, numbers, final: f"\x1b[{mark}{';'.join(map(str, numbers))}{final}".encode(),
        st.sampled_from(["", "?", ">", "!"]),
        st.lists(st.integers(0, 99_999), max_size=5),
        st.sampled_from([chr(code) for code in range(0x40, 0x7F)]),
    ),
    st.sampled_from(
        [b"\x1bM", b"\x1bD", b"\x1bE", b"\x1bc", b"\x1b7", b"\x1b8", b"\x1b#8", b"\x1b%G", b"\n"]
    ),
)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=30), st.integers(1, 90), st.integers(1, 30))
def test_whatever_a_guest_writes_is_drawn_in_its_cells(pieces: list[bytes], columns: int, rows: int) -> None:
    shown = terminal(*pieces, columns=columns, lines=rows)
    for each in lines(shown):
        assert cell_len(each) <= columns
        assert HIDDEN.isdisjoint(unicodedata.category(letter) for letter in each)
    shown.resize(rows, columns)
    assert all(cell_len(each) <= max(columns, rows) for each in lines(shown))
