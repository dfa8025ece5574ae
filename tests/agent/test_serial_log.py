"""The log of a serial console, read while it grows, is rolled over, and by readers that are too slow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.serial_log import BACKLOG_BYTES, BEHIND_BYTES, CHUNK_BYTES, SerialLog, before_of, last_of

LINE = b"0123456789abcde\n"


def rest(log: SerialLog) -> tuple[int, bytes]:
    """All that there is to read, and how much of it is left out."""
    left_out, found = 0, b""
    while True:
        left, data = log.read()
        left_out, found = left_out + left, found + data
        if not data:
            return left_out, found


def test_what_was_written_before_comes_first_and_then_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"boot\n")
    log = SerialLog(path)
    assert rest(log) == (0, b"boot\n")
    with path.open("ab") as file:
        file.write("登入: ".encode())
    assert rest(log) == (0, "登入: ".encode())
    log.close()


def test_a_long_log_begins_with_the_last_of_it_at_the_beginning_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" + LINE * BACKLOG_BYTES)
    left_out, found = rest(SerialLog(path))
    assert left_out == 0
    assert BACKLOG_BYTES - len(LINE) <= len(found) <= BACKLOG_BYTES
    assert found == LINE * (len(found) // len(LINE))


def test_a_reader_far_behind_is_told_what_it_missed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    log = SerialLog(path)
    path.write_bytes(LINE * 100_000)
    left_out, first = log.read()
    assert len(first) == CHUNK_BYTES
    assert left_out + BACKLOG_BYTES == len(LINE) * 100_000
    assert rest(log) == (0, (LINE * 100_000)[-(BACKLOG_BYTES - CHUNK_BYTES) :])
    path.write_bytes(LINE * 100_000 + b"y" * BEHIND_BYTES)
    assert rest(log) == (0, b"y" * BEHIND_BYTES), "who is not further behind misses nothing"


def test_a_log_that_is_rolled_over_is_read_to_its_end_and_goes_on_in_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one ")
    log = SerialLog(path)
    assert rest(log) == (0, b"one ")
    with path.open("ab") as file:
        file.write(b"two ")
    path.rename(tmp_path / "log.0")
    path.write_bytes(b"three")
    assert rest(log) == (0, b"two three")


def test_a_log_that_is_cut_off_begins_anew_and_one_that_is_not_there_yet_is_waited_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    log = SerialLog(path)
    assert rest(log) == (0, b"")
    path.write_bytes(b"a long line\n")
    assert rest(log)[1] == b"a long line\n"
    os.truncate(path, 0)
    assert rest(log) == (0, b"")
    path.write_bytes(b"new")
    assert rest(log) == (0, b"new")


def test_what_is_no_log_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo"):
        with pytest.raises(OSError, match=name):
            SerialLog(tmp_path / name)


def test_what_a_log_went_on_from_is_shown_before_it_as_far_as_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "log"
    before_of(path).write_bytes(LINE * BACKLOG_BYTES)
    assert last_of(path) == LINE * ((BACKLOG_BYTES - 1) // len(LINE))
    path.write_bytes(b"here\n" * 1000)
    log = SerialLog(path)
    left_out, found = rest(log)
    assert left_out == 0
    assert BACKLOG_BYTES - len(LINE) <= len(found) <= BACKLOG_BYTES
    assert found == LINE * ((len(found) - 5000) // len(LINE)) + b"here\n" * 1000
    with path.open("ab") as file:
        file.write(b"more")
    assert rest(log) == (0, b"more")
    log.close()
    path.write_bytes(b"z" * BACKLOG_BYTES)
    assert last_of(path) == b"z" * BACKLOG_BYTES
