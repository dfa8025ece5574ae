"""Every text that can be shown: those that the code looks up, and those that declarations hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir

from appliance.api.errors import ERRORS
from appliance.api.message import MESSAGES
from appliance.api.resource import RESOURCES
from appliance.api.setting import SETTINGS
from appliance.api.tag import PATTERNS
from zstui import words
from zstui.nouns import NOUNS
from zstui.paint import GOOD, ON_THE_WAY, RESTING, UNSURE, WRONG
from zstui.screens.panels import PANELS
from zstui.verbs import VERBS, title_of, verb_keys

HOLE = re.compile(r"\{(\w+)\}")
"""What a tag's pattern leaves open, which a form has a field for."""

Source = str | tuple[str, str]
"""A text, or one for one thing and one for many."""

KEYWORDS = {"tr": None, "trn": (1, 2), "mark": None, "Binding": (3,), "_pair": (1,), "_ref": (1,),
            "_share": (1,)}  # fmt: skip
"""Functions whose texts are shown, and which of their arguments those are; all others are looked up by `tr`."""


def in_code(root: Path) -> set[Source]:
    """The texts that the screens' own code holds."""
    found: set[Source] = set()
    for _, _, text, _, _ in extract_from_dir(
        root, method_map=[("**.py", "python")], keywords=KEYWORDS, comment_tags=()
    ):
        found.add(tuple(text) if isinstance(text, tuple) else text)  # type: ignore[arg-type]  # pairs
    spoken: set[Source] = {each for each in found if each}
    return spoken


def screens() -> set[Source]:
    """What the screens say: the code's own texts, lists, columns, verbs and states."""
    found: set[Source] = in_code(Path(__file__).resolve().parent.parent)
    for noun in NOUNS.values():
        found.update((noun.title, noun.one, noun.empty))
        found.update(column.title.lower() for column in noun.columns)
    found.update(verb.word for verb in VERBS)
    found.update(verb_keys().values())
    for panel in PANELS:
        found.update((panel.word, panel.title))
    found.update(GOOD | RESTING | UNSURE | WRONG | ON_THE_WAY)
    found.discard("")
    return found


def api() -> set[Source]:
    """What the API's declarations say: messages, parameters, fields, tags, errors."""
    declared: set[Source] = set(_declared())
    return declared - screens() - {""}


def _declared() -> Iterator[str]:
    for name, message in MESSAGES.items():
        if name.startswith(("Query", "Get")):
            continue
        yield title_of(name)
        yield words.first_paragraph(message.__doc__)
        for parameter in message.parameters.values():
            yield words.label(parameter.wire)
            yield parameter.help
            yield from parameter.choices
    for resource in RESOURCES.values():
        for column in resource.columns.values():
            if not column.private:
                yield words.label(column.wire)
    for pattern in PATTERNS:
        yield pattern.help
        yield from (words.label(hole) for hole in HOLE.findall(pattern.pattern))
    for setting in SETTINGS:
        yield setting.help
    for error in ERRORS.values():
        yield error.description


SOURCES = {"screens": screens, "api": api}
