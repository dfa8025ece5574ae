"""A line means the same to us as to a shell, and any text can be written on one."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.api.quoting import UsageError, quote, split

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(TEXTS))
def test_every_text_can_be_written_on_one_line(words: list[str]) -> None:
    line = " ".join(quote(each) for each in words)
    assert line.isprintable()
    assert split(line) == words


@given(st.text("ab $'\"\\\n\t=~").filter(lambda text: "$'" not in text))
def test_other_lines_are_read_as_a_posix_shell_reads_them(line: str) -> None:
    try:
        wanted = shlex.split(line)
    except ValueError:
        with pytest.raises(UsageError, match="complete it"):
            split(line)
    else:
        assert split(line) == wanted


def test_a_shell_reads_what_is_written() -> None:
    text = "userdata::#!/bin/sh\nprintf \"a\\n\" > /x\t\x1b'$HOME'"
    said = subprocess.run(["bash", "-c", f"printf %s {quote(text)}"], capture_output=True, check=True)
    assert said.stdout.decode() == text


def test_codes_are_read() -> None:
    assert split(r"a=$'\x41\u00e9\U0001f600\q\'' b") == ["a=Aé😀\\q'", "b"]
    for line in ("'a", '"a', "a\\", "$'a"):
        with pytest.raises(
            UsageError,
            match=r"no (closing ['\"$]|character after the \\) at its end",
        ):
            split(line)
