"""Every text of the screens is translated: none is missing, fuzzy or left over, and all have the same holes."""

from __future__ import annotations

import pytest
from babel.messages.catalog import Catalog

from zstui.i18n import DOMAINS, LANGUAGES, catalogue_file
from zstui.i18n.catalogues import faults, read
from zstui.i18n.pseudo import PLAIN, STRANGE, strange
from zstui.i18n.sources import SOURCES, Source

NEEDED = sorted(set(LANGUAGES) - {"en"})


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("language", NEEDED)
def test_every_text_is_translated(language: str, domain: str) -> None:
    sources = SOURCES[domain]()
    assert len(sources) > 150
    wrong = faults(read(catalogue_file(language, domain)), sources)
    assert not wrong, "\n".join(["run `make texts`, then translate what it adds:", *wrong])


def test_the_check_sees_what_is_wrong() -> None:
    sources: set[Source] = {"one", "{number} rows", "old", ("a row", "rows")}
    catalogue = Catalog(locale="zh_CN")
    catalogue.add("one", "")
    catalogue.add("{number} rows", "行")
    catalogue.add("gone", "没")
    catalogue.add("old", "旧", flags={"fuzzy"})
    assert faults(catalogue, sources) == [
        "missing: ('a row', 'rows')", "unused: 'gone'", "not translated: 'one'",
        "other holes: '行'", "fuzzy: 'old'",
    ]  # fmt: skip


def test_the_pseudo_language_keeps_holes_and_widths() -> None:
    from zstui.cells import width

    assert strange("{count} of {total}") == "{count} öƒ {total}"
    assert [width(each) for each in STRANGE] == [1] * len(PLAIN)
    assert not set(STRANGE) & set(PLAIN)
