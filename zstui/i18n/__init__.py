"""The user's language: texts are written in English where they are used, and looked up when they are drawn.

Nothing translated is kept: what is drawn again after `use()` is drawn in the new language. Each app has a
language of its own, so that several faces can live in one process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from zstui.i18n.pseudo import PSEUDO, Pseudo

LANGUAGES = {"en": "English", "zh_CN": "简体中文", "zh_TW": "繁體中文"}
"""What can be chosen, each in its own words."""

DOMAINS = ("screens", "api")
"""The catalogues of a language: what the screens say, and what the API's declarations say."""

WIDE = "\u2e80"
"""Where letters begin that have their blanks within themselves."""

TRADITIONAL = ("hant", "tw", "hk", "mo")


@dataclass
class Tongue:
    """The language of one app."""

    name: str = "en"
    texts: NullTranslations = field(default_factory=NullTranslations)


_tongue: ContextVar[Tongue] = ContextVar("tongue", default=Tongue())  # noqa: B039 - English, never changed


def begin(name: str) -> None:
    """Give the app that begins in this context a language of its own."""
    _tongue.set(Tongue(name, catalogue(name)))


def use(name: str) -> None:
    """Speak another language from now on."""
    tongue = _tongue.get()
    tongue.name, tongue.texts = name, catalogue(name)


def language() -> str:
    """The language that is spoken, as Babel writes it."""
    return _tongue.get().name


def tr(text: str, /, **values: object) -> str:
    """A text in the user's language, with `{values}` put into it."""
    said = _tongue.get().texts.gettext(text) if text else ""
    return said.format(**values) if values else said


def trn(one: str, many: str, number: int, /, **values: object) -> str:
    """A text that counts: `{number}` is put into it."""
    return _tongue.get().texts.ngettext(one, many, number).format(number=number, **values)


def enumerated(parts: Iterable[str]) -> str:
    """Several texts in a row, parted as the user's language does."""
    return tr(", ").join(parts)


def labelled(label: str, text: str) -> str:
    """A text with what it is, or what it is of, before it."""
    return tr(": ").join((label, text))


def sentences(*parts: str) -> str:
    """Sentences one after the other: a blank stands between, but not after the full stop of wide letters."""
    said = ""
    for part in parts:
        said += f"{' ' if said and part and said[-1] < WIDE else ''}{part}"
    return said


def mark(text: str) -> str:
    """A text that is written down here and looked up by `tr` where it is drawn."""
    return text


@cache
def catalogue(name: str) -> NullTranslations:
    """The texts of a language. English needs none, and the pseudo-language makes its own."""
    if name == PSEUDO:
        return Pseudo()
    found: NullTranslations = NullTranslations()
    for domain in DOMAINS:
        file = catalogue_file(name, domain)
        if file.is_file():
            texts = _read(file)
            texts.add_fallback(found)
            found = texts
    return found


def catalogue_file(name: str, domain: str) -> Path:
    """Where the texts of a language are."""
    return Path(__file__).parent / name / f"{domain}.po"


def _read(file: Path) -> GNUTranslations:
    """A catalogue as gettext wants it, compiled in memory: what is read is always what is written."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with file.open("rb") as opened:
        texts = read_po(opened, locale=file.parent.name, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, texts)
    compiled.seek(0)
    return GNUTranslations(compiled)


def first_language(environment: Mapping[str, str] = os.environ, remembered: str = "") -> str:
    """The language to begin with: what `ZSTUI_LANG` says, else what was chosen last, else the locale."""
    wishes: tuple[Callable[[], str], ...] = (
        lambda: known(environment.get("ZSTUI_LANG", "")),
        lambda: known(remembered),
        lambda: known(next((environment[each] for each in LOCALE if environment.get(each)), "")),
    )
    return next((found for wish in wishes if (found := wish())), "en")


LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Where a locale's name stands, the strongest first."""


def known(name: str) -> str:
    """The language that a locale's name means, such as `zh_TW.UTF-8` or `zh-Hant`; empty when none of ours."""
    parts = name.partition(".")[0].partition("@")[0].replace("-", "_").lower().split("_")
    if parts[0] == "zh":
        return "zh_TW" if any(each in TRADITIONAL for each in parts) else "zh_CN"
    return parts[0] if parts[0] in ("en", PSEUDO) else ""


def next_language() -> str:
    """The language after the one that is spoken."""
    names = list(LANGUAGES)
    here = language()
    return names[(names.index(here) + 1) % len(names)] if here in names else names[0]
