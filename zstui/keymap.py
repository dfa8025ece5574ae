"""Keys that somebody has put elsewhere: `keymap.toml` in the user's XDG config folder.

    [keys]
    "verb.S" = "ctrl+k"
    "create" = "plus,n"

A key's id is its action: `create`, `show.vm`, `verb.S`; the page of help lists them by what they do.
"""

from __future__ import annotations

import os
import re
import string
import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS

from zstui.cells import safe
from zstui.i18n import enumerated, labelled, tr

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


def keymap_file() -> Path:
    """Where the keys are written down."""
    folder = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(folder) / "zstui" / "keymap.toml"


def read_keymap(file: Path, known: set[str]) -> tuple[dict[str, str], str]:
    """Keys by id, and what is wrong with the file: nothing, or in words. What is right counts all the same."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get("keys", {})
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError) as failed:
        return {}, labelled(str(file), str(failed))
    if not isinstance(found, dict):
        return {}, labelled(str(file), tr("[keys] is no table"))
    good = {name: keys for name, keys in found.items() if name in known and isinstance(keys, str) and keys}
    strange = sorted(set(map(str, found)) - set(good))
    wrong = tr("no such action: {names}", names=enumerated(map(safe, strange)))
    return good, labelled(str(file), wrong) if strange else ""
