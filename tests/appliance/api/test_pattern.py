"""Patterns mean what Python's regular expressions mean, and take no time."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.api.pattern import check_pattern, full_match

ATOMS = st.sampled_from(["a", "b", ":", ".", "[a-b]", "[^a]", "[ab:]", r"\.", r"\*", "x"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from("*+?")).map(lambda two: f"({two[0]}){two[1]}"),
    ),
    max_leaves=8,
)


@settings(max_examples=500)
@given(PATTERNS, st.text("ab:.*x", max_size=8))
def test_a_pattern_means_what_it_means_in_python(pattern: str, text: str) -> None:
    try:
        check_pattern(pattern)
    except ValueError:
        assert "parentheses" in _why(pattern)
        return
    assert full_match(pattern, text) == (re.fullmatch(pattern, text) is not None)


def _why(pattern: str) -> str:
    try:
        check_pattern(pattern)
    except ValueError as wrong:
        return str(wrong)
    return "nothing"


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("instance:APIStartVmInstanceMsg", "instance:APIStartVmInstanceMsg", True),
        ("instance:API.*", "instance:APIStartVmInstanceMsg", True),
        (".*:read", "instance:read", True),
        (".*:read", "instance:reads", False),
        ("instance:API(Start|Stop)VmInstanceMsg", "instance:APIStopVmInstanceMsg", True),
        (r"org\.zstack.*", "org.zstack.x", True),
        ("", "", True),
        ("a|", "", True),
        ("[]a]+", "]a", True),
        ("[a-]+", "a-", True),
        (r"[\]]", "]", True),
    ],
)
def test_examples(pattern: str, text: str, fits: bool) -> None:
    assert full_match(pattern, text) is fits


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("*a", "* at character 1 is not understood"),
        ("a**", "** at character 2 is not understood"),
        ("a{3}", "{ at character 2 is not understood"),
        ("a*{3}", "*{ at character 2 is not understood"),
        ("^a$", "^ at character 1 is not understood"),
        ("(a", "there is no ) for a ("),
        ("a)", "there is no ( for the ) at character 2"),
        ("[a", "it ends too early"),
        ("a\\", "it ends too early"),
        (r"\d", r"\d at character 1 is not understood"),
        ("(?i)a", "(? at character 1 is not understood"),
        ("[b-a]", "b-a is the wrong way round"),
        ("(((((a)))))", "it has more than 4 parentheses in one another"),
        ("a" * 256, "it has 256 characters; at most 255 can be"),
    ],
)
def test_what_is_no_pattern_is_refused_with_why(pattern: str, why: str) -> None:
    assert why in _why(pattern)


@pytest.mark.parametrize("pattern", ["((((.*)*)*)*)!", "(.*.*.*.*)*" * 20 + "!", "((((a|a)*|.)*|.)*|.)*!"])
def test_no_pattern_takes_long(pattern: str) -> None:
    began = time.process_time()
    assert full_match(pattern, "instance:" + "a" * 90) is False
    assert time.process_time() - began < 1.0
