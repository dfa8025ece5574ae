"""Catalogues speak one language each: the words of the glossary, no words of the other Chinese, wide punctuation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from zstui import i18n
from zstui.i18n import DOMAINS, LANGUAGES, catalogue_file
from zstui.i18n.catalogues import read

NEEDED = sorted(set(LANGUAGES) - {"en"})
GLOSSARY = Path(i18n.__file__).with_name("GLOSSARY.md")
CELLS = 6
HAN = "\u4e00-\u9fff"
NARROW = re.compile(rf"[{HAN}](?:\s?[,;:]|[!?])|[,;:] ?[{HAN}]|\. [{HAN}]|[{HAN}]\.(?![.\w])")
"""Punctuation of narrow letters beside a Chinese one."""

TYPED = re.compile(r"[列欄]:值|![词詞] | VERB=[秒概機]\S+ ")
"""What is typed as it stands."""

DANGLING = re.compile(rf"在 \{{time\}}|[{HAN}。] [{HAN}]")
"""A blank within Chinese, or a length of time that something happens at."""


@dataclass(frozen=True)
class Term:
    """A row of the glossary: an English word, what it is called, and what it is never called, by language."""

    english: str
    strict: bool
    words: dict[str, tuple[str, ...]]
    never: dict[str, tuple[tuple[str, tuple[str, ...]], ...]]


def glossary() -> list[Term]:
    """The rows of the table."""
    rows = [line.split("|")[1:-1]
            for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]  # fmt: skip
    cells = [[cell.strip() for cell in row] for row in rows if len(row) == CELLS][1:]
    return [
        Term(row[0], bool(row[1]), {"zh_CN": words(row[2]), "zh_TW": words(row[3])},
             {"zh_CN": never(row[4]), "zh_TW": never(row[5])})
        for row in cells
    ]  # fmt: skip


def words(cell: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(filter(None, (each.strip() for each in cell.split(","))))


def never(cell: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Words, each with those in brackets behind it, of which it may be a part."""
    found = re.findall(r"([^,()\s][^,()]*?)\s*(?:\(([^)]*)\))?(?:,|$)", cell)
    return tuple((word, words(within)) for word, within in found)


@cache
def texts(language: str) -> list[tuple[str, str]]:
    """Each English text and what it is in a language; the form for many, where there are two."""
    found = []
    for domain in DOMAINS:
        for message in read(catalogue_file(language, domain)):
            if message.id:
                english = message.id if isinstance(message.id, str) else message.id[-1]
                said = message.string if isinstance(message.string, str) else message.string[-1]
                found.append((english, said))
    return found


def wrong_words(language: str, terms: list[Term], said: list[tuple[str, str]]) -> Iterator[str]:
    """Words that the glossary bars, and terms for which another word stands."""
    for term in terms:
        for word, within in term.never[language]:
            allowed = (*within, *(each for each in term.words[language] if word in each))
            for english, text in said:
                rest = text
                for each in allowed:
                    rest = rest.replace(each, "")
                if word in rest:
                    yield f"{word} in {text!r} ({english!r}): {term.english} is {term.words[language]}"
        if term.strict:
            pattern = re.compile(rf"(?<![\w{{.]){re.escape(term.english)}s?(?![\w}}:])")
            for english, text in said:
                if pattern.search(english) and not any(each in text for each in term.words[language]):
                    yield f"no {term.words[language]} in {text!r} ({english!r})"


@pytest.mark.parametrize("language", NEEDED)
def test_the_words_of_the_glossary_are_kept(language: str) -> None:
    wrong = list(wrong_words(language, glossary(), texts(language)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("language", NEEDED)
def test_punctuation_beside_chinese_is_wide(language: str) -> None:
    wrong = [text for _, text in texts(language) if NARROW.search(TYPED.sub("", text))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("language", NEEDED)
def test_no_blank_stands_within_chinese(language: str) -> None:
    wrong = [text for _, text in texts(language) if DANGLING.search(TYPED.sub("", text))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("language", NEEDED)
def test_what_is_one_word_in_english_is_one_in_chinese(language: str) -> None:
    """Whether it begins with a capital, or is a title."""
    found: dict[str, dict[str, str]] = {}
    for english, text in texts(language):
        key = english.casefold().replace("-", " ").rstrip(".")
        found.setdefault(key, {})[text.rstrip("。")] = english
    wrong = {key: each for key, each in found.items() if len(each) > 1}
    assert not wrong, "\n".join(f"{key}: {each}" for key, each in wrong.items())


def test_both_chineses_say_guest_at_the_same_places() -> None:
    """What runs inside of a VM, and the VM itself, are two notions."""
    mainland = {english for english, text in texts("zh_CN") if "客户机" in text}
    taiwan = {english for english, text in texts("zh_TW") if "客體" in text}
    assert mainland == taiwan
    assert all("guest" in each.lower() for each in mainland)


def test_the_law_sees_what_is_wrong() -> None:
    terms = [each for each in glossary() if each.english in ("host", "VM")]
    assert len(glossary()) > 60
    assert not list(wrong_words("zh_CN", terms, [("host name of a VM", "云主机的主机名")]))
    assert list(wrong_words("zh_CN", terms, [("the host", "宿主机")]))
    assert list(wrong_words("zh_CN", terms, [("its host", "其主机")]))
    assert list(wrong_words("zh_TW", terms, [("a VM", "一台云主機")]))
    assert all(map(NARROW.search, ("失败: url", "类别:{x}", "磁盘, 128 MiB", "好.")))
    assert not any(
        map(NARROW.search, ("失败：url", "uuid:{uuid}", "云主机[uuid:{uuid}]", "1.5 GiB", "见 a.b"))
    )
    assert DANGLING.search("修改。 ISO") is None
    assert all(map(DANGLING.search, ("在 {time}后", "修改。 变更")))
