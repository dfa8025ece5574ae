"""SECURITY.md says what is so: each test that it names is there, and so is each file."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import http_parser

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()


def test_every_test_that_is_named_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 30
    there: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        there |= set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
    assert named - there == set()


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_versions_are_those_that_are_pinned() -> None:
    pinned = dict(
        line.lower().split("==") for line in (ROOT / "requirements.lock").read_text().split() if "==" in line
    )
    told = re.findall(r"^\| ([\w-]+) \| (\d[\w.]+) \|", PAGE, re.MULTILINE)
    assert len(told) >= 6
    assert [(name, version) for name, version in told if pinned[name.lower()] != version] == []


def test_http_is_parsed_by_aiohttps_compiled_parser() -> None:
    """The one in Python, which it falls back to in silence, has had holes of its own."""
    assert http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy
    assert http_parser.HttpRequestParser.__module__ == "aiohttp._http_parser"
