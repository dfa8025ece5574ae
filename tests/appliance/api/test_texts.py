"""Texts from outside, made up by the thousand: tags, conditions and what is starred in them never fall over."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.api.errors import ApiError
from appliance.api.grammar import read_condition, read_words
from appliance.api.message import MESSAGES
from appliance.api.parse import command_line, parse, rejoin_tags, split_list
from appliance.api.quoting import UsageError
from appliance.api.redaction import hidden
from appliance.api.tag import PATTERNS, pattern_of

thorough = settings(max_examples=150 * int(os.environ.get("ZSTUI_FUZZ", "1")))
STARTS = st.sampled_from([each.pattern.partition("{")[0] for each in PATTERNS] + ["", "::", "[", '["'])
TAG = st.builds(str.__add__, STARTS, st.text(max_size=60))
VO = st.sampled_from(sorted({each.vo for each in PATTERNS}))


@thorough
@given(VO, TAG)
def test_any_tag_follows_a_pattern_or_none(vo: str, tag: str) -> None:
    found = pattern_of(vo, tag)
    if found is not None:
        pattern, holes = found
        assert pattern.match(tag) == holes


@thorough
@given(VO, st.lists(TAG, max_size=4))
def test_tags_in_one_text_are_parted(vo: str, tags: list[str]) -> None:
    parted = rejoin_tags(vo, ",".join(tags).split(","))
    assert all(isinstance(each, str) for each in parted)
    split_list(",".join(tags))


@thorough
@given(TAG)
def test_what_is_starred_twice_is_starred_once(tag: str) -> None:
    once = hidden(tag)
    assert hidden(once) == once


@thorough
@given(VO, TAG)
def test_any_tag_is_a_call_that_can_be_said_again(vo: str, tag: str) -> None:
    fields = {"resourceType": vo, "resourceUuid": "a" * 32, "tag": tag}
    with contextlib.suppress(ApiError):
        assert command_line(parse(MESSAGES["CreateSystemTag"], fields)).startswith("CreateSystemTag ")


@thorough
@given(st.text(max_size=60), st.lists(st.text(max_size=30), max_size=4))
def test_any_words_are_a_command_or_refused(condition: str, words: list[str]) -> None:
    for read in (lambda: read_condition(condition), lambda: read_words(["QueryZone", *words])):
        _tried(read)


def _tried(read: Any) -> None:
    with contextlib.suppress(UsageError, ApiError):
        read()
