"""The reference pages are what the declarations say."""

from __future__ import annotations

from appliance.serve.documents import DOCS, pages


def test_the_pages_are_as_they_would_be_made() -> None:
    there = {path.relative_to(DOCS).as_posix(): path.read_text() for path in DOCS.rglob("*.md")}
    made = pages()
    changed = sorted(name for name in {*there, *made} if there.get(name) != made.get(name))
    assert changed == [], "run `make docs` and look at what it changed"
