"""The record of metadata requests: numbers that never repeat, and a file that stays small."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import fetch
from agent.fetch import FetchLog
from agent.protocol import UserdataFetch

ONE = UserdataFetch(sequence=0, vm_uuid="v", nic_uuid="n", at=1.0, path="/", status=200)


def numbers(log: FetchLog, after: int = 0) -> list[int]:
    return [item.sequence for item in log.after(after)]


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    log = FetchLog(tmp_path)
    assert [log.record(ONE).sequence for _ in range(3)] == [1, 2, 3]
    log.close()
    again = FetchLog(tmp_path)
    assert again.record(ONE).sequence == 4
    assert numbers(again, 2) == [3, 4]
    again.close()


def test_a_line_cut_short_costs_nothing_else(tmp_path: Path) -> None:
    log = FetchLog(tmp_path)
    log.record(ONE)
    log.close()
    with (tmp_path / "fetches.jsonl").open("ab") as file:
        file.write(b'{"sequence":2,"vm')
    again = FetchLog(tmp_path)
    assert again.record(ONE).sequence == 2
    again.close()
    third = FetchLog(tmp_path)
    assert numbers(third) == [1, 2]
    third.close()


@pytest.mark.parametrize("kept_lines", [0, 1])
def test_numbers_lost_in_a_power_cut_are_not_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_lines: int
) -> None:
    log = FetchLog(tmp_path)
    given = [log.record(ONE).sequence for _ in range(5)]
    log.close()
    path = tmp_path / "fetches.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept_lines]))
    other_boot = tmp_path / "boot"
    other_boot.write_text("another-boot\n")
    monkeypatch.setattr(fetch, "_BOOT_ID", other_boot)
    again = FetchLog(tmp_path)
    assert again.record(ONE).sequence > max(given)
    again.close()


def test_the_file_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "CAP", 10)
    log = FetchLog(tmp_path)
    for _ in range(95):
        log.record(ONE)
    assert numbers(log) == list(range(86, 96))
    assert len((tmp_path / "fetches.jsonl").read_bytes().splitlines()) <= 21
    log.close()


def test_an_answer_is_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAGE", 3)
    log = FetchLog(tmp_path)
    for _ in range(5):
        log.record(ONE)
    assert numbers(log, 1) == [2, 3, 4]
    log.close()
