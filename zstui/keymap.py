"""What keys are called: by Textual, by people, and by those who put them elsewhere."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS

CALLED = re.compile(r"(?:\w+\.)?(\w+)(?:\((.*)\))?")


KEY_NAMES = {
    "up": "↑", "down": "↓", "left": "←", "right": "→", "home": "Home", "end": "End", "backspace": "⌫",
    "enter": "Enter", "escape": "Esc", "space": "Space", "delete": "Del", "tab": "Tab", "pageup": "PgUp",
    "pagedown": "PgDn",
}  # fmt: skip


def _called(sign: str) -> str:
    """What Textual calls the key of a sign."""
    name = unicodedata.name(sign).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


SIGNS = {_called(sign): sign for sign in string.punctuation}

HELP = Binding("question_mark,f1", "help", "Show the keys", show=False)
"""What every screen has but those that hand all keys to a guest."""

TYPING_HELP = Binding("f1", "help", "Show the keys", show=False)
"""The same where a question mark is typed."""


def long_name(key: str) -> str:
    """A key as Textual names it: `plus` for `+`."""
    return key if len(key) != 1 or key.isalnum() else _called(key)


def key_name(key: str) -> str:
    """A key as people write it."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return f"^{key_name(key.removeprefix('ctrl+'))}"
    return key.upper() if re.fullmatch(r"f\d+", key) else SIGNS.get(key, key)


def id_of(action: str) -> str:
    """The id of the key of an action: `verb('S')` is `verb.S`."""
    found = CALLED.fullmatch(action)
    if found is None:
        return action
    name, arguments = found.groups()
    return f"{name}.{arguments.strip(chr(39))}" if arguments else name


def movable(bindings: Iterable[BindingType]) -> list[BindingType]:
    """Bindings that can be put on other keys, by their ids."""
    return [replace(each, id=id_of(each.action)) if isinstance(each, Binding) else each for each in bindings]
