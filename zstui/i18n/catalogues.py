"""Keeps the catalogues true: `python -m zstui.i18n.catalogues` adds what is new and drops what nobody says.

What it adds has no translation yet, and `make check` fails until it has one in each language.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from zstui.i18n import DOMAINS, LANGUAGES, catalogue_file
from zstui.i18n.sources import SOURCES, Source

HOLE = re.compile(r"\{[^}]*\}")


class Texts(Catalog):
    """A catalogue whose head holds only what never changes by itself."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        """What gettext needs to read it."""
        return [
            ("Language", str(self.locale_identifier)),
            ("Plural-Forms", self.plural_forms),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


def read(file: Path) -> Catalog:
    """A catalogue as it is written down; an empty one when there is none."""
    if not file.is_file():
        return Catalog(locale=file.parent.name)
    with file.open("rb") as opened:
        return read_po(opened, locale=file.parent.name, abort_invalid=True)


def kept(old: Catalog, sources: set[Source]) -> Catalog:
    """A catalogue of exactly these texts, with the translations that there are."""
    new = Texts(locale=old.locale, header_comment=old.header_comment, fuzzy=False)
    for source in sorted(sources, key=_first):
        before = old.get(_first(source))
        new.add(source, before.string if before is not None and before.id == source else "")
    return new


def write(file: Path, catalogue: Catalog) -> None:
    """Write a catalogue so that it differs only where its texts do: no dates, no places, in order."""
    file.parent.mkdir(exist_ok=True)
    with file.open("wb") as opened:
        write_po(opened, catalogue, width=110, no_location=True, ignore_obsolete=True)


def faults(catalogue: Catalog, sources: set[Source]) -> list[str]:
    """What is wrong with a catalogue: texts missing, unused, fuzzy, or with other holes than the English."""
    said = {_source(message): message for message in catalogue if message.id}
    wrong = [f"missing: {source!r}" for source in sorted(sources - said.keys(), key=_first)]
    wrong += [f"unused: {text!r}" for text in sorted(said.keys() - sources, key=_first)]
    return wrong + [fault for message in said.values() for fault in _faults(message)]


def _faults(message: Message) -> list[str]:
    texts = message.string if isinstance(message.string, (tuple, list)) else (str(message.string or ""),)
    wrong = [f"fuzzy: {message.id!r}"] if message.fuzzy else []
    if not all(texts):
        return [*wrong, f"not translated: {message.id!r}"]
    source = _source(message)
    holes = sorted(HOLE.findall(source if isinstance(source, str) else source[1]))
    return wrong + [f"other holes: {text!r}" for text in texts if sorted(HOLE.findall(text)) != holes]


def _source(message: Message) -> Source:
    return (message.id[0], message.id[1]) if isinstance(message.id, (tuple, list)) else message.id


def _first(source: Source) -> str:
    return source if isinstance(source, str) else source[0]


def main() -> int:
    """Bring all catalogues up to date, and say what is still to be translated."""
    left = 0
    for domain in DOMAINS:
        sources = SOURCES[domain]()
        for language in (each for each in LANGUAGES if each != "en"):
            file = catalogue_file(language, domain)
            catalogue = kept(read(file), sources)
            write(file, catalogue)
            wrong = faults(catalogue, sources)
            left += len(wrong)
            sys.stdout.writelines(f"{language}/{domain}.po: {each}\n" for each in wrong)
    sys.stdout.write(f"{left} texts are to be translated\n" if left else "all texts are translated\n")
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
