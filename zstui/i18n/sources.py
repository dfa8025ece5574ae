"""Every text that can be shown: those that the code looks up, and those that declarations hold."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from appliance.api.errors import ERRORS
from appliance.api.message import MESSAGES
from appliance.api.resource import RESOURCES
from appliance.api.setting import SETTINGS
from appliance.api.tag import PATTERNS
from zstui import words
from zstui.nouns import NOUNS
from zstui.paint import GOOD, ON_THE_WAY, RESTING, UNSURE, WRONG
from zstui.screens.panels import PANELS
from zstui.values import english
from zstui.verbs import VERBS, title_of, verb_keys

HOLE = re.compile(r"\{(\w+)\}")
"""What a tag's pattern leaves open, which a form has a field for."""

Source = str | tuple[str, str]
"""A text, or one for one thing and one for many."""

KEYWORDS = {"tr": (1,), "trn": (1, 2), "mark": (1,), "Binding": (3,), "_pair": (1,), "_ref": (1,),
            "_share": (1,)}  # fmt: skip
"""Functions whose texts are shown, and which of their arguments those are; all others are looked up by `tr`."""


def in_code(root: Path) -> set[Source]:
    """The texts that the screens' own code holds, those inside of f-strings too, which Babel passes over."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in root.rglob("*.py"))
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {text for call in calls if (text := _text_of(call))}


def _text_of(call: ast.Call) -> Source:
    """The text of a call that shows one, a pair where it counts; empty of all others."""
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    places = KEYWORDS.get(name, ())
    given = [call.args[place - 1] for place in places if place <= len(call.args)]
    texts = [each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if not texts or len(texts) < len(places):
        return ""
    return (texts[0], texts[1]) if len(texts) == 2 else texts[0]


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
    found.update(map(english, GOOD | RESTING | UNSURE | WRONG | ON_THE_WAY))
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
        for parameter in message.own_parameters():
            yield words.label(parameter.wire)
            yield parameter.help
            yield from map(english, parameter.choices)
    for resource in RESOURCES.values():
        for column in resource.columns.values():
            if not column.private:
                yield words.label(column.wire)
    for pattern in PATTERNS:
        yield pattern.help
        yield from (words.label(hole) for hole in HOLE.findall(pattern.pattern))
        yield words.label(pattern.value_name)
    for setting in SETTINGS:
        yield setting.help
    for error in ERRORS.values():
        yield error.description


SOURCES = {"screens": screens, "api": api}
