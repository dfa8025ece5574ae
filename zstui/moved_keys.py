"""Keys that somebody has put elsewhere: `keymap.toml` in the user's XDG config folder.

    [keys]
    "verb.S" = "ctrl+k"
    "create" = "plus,n"

A key's id is its action: `create`, `show.vm`, `verb.S`; the page of help lists them by what they do.
"""

from __future__ import annotations

import os
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from textual import keys as textual_keys
from textual.binding import Binding, BindingType

from zstui.cells import safe
from zstui.i18n import enumerated, labelled, tr
from zstui.keymap import key_name, long_name

LINE = re.compile(r" \(at line (\d+), column \d+\)$")

MODIFIERS = frozenset({"alt", "ctrl", "hyper", "meta", "shift", "super"})
NAMED = {each.value.rpartition("+")[2] for each in textual_keys.Keys} | {
    *textual_keys.KEY_NAME_REPLACEMENTS.values()
}
"""Keys that Textual has a word for."""

Keys = dict[str, str]
"""Keys with commas between, by the ids of their actions."""


def keymap_file() -> Path:
    """Where the keys are written down."""
    folder = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(folder) / "zstui" / "keymap.toml"


def usual_keys(classes: Iterable[type[Any]]) -> Keys:
    """The keys of all actions that can be put elsewhere, and that work in one place."""
    every: list[BindingType] = [each for kind in classes for each in kind.BINDINGS]
    return {each.id: each.key for each in every if isinstance(each, Binding) and each.id}


def read_keymap(file: Path, usual: Keys) -> tuple[Keys, list[str]]:
    """Keys by id, and what is wrong with the file, in words. What is right counts all the same."""
    try:
        found, outside = _read(file)
    except FileNotFoundError:
        return {}, []
    except OSError as failed:
        return {}, [tr("it cannot be read: {why}", why=failed.strerror or str(failed))]
    except UnicodeDecodeError:
        return {}, [tr("it is not written in UTF-8")]
    except tomllib.TOMLDecodeError as failed:
        return {}, [_no_toml(str(failed), file)]
    wrong = [tr("not below [keys]: {names}", names=enumerated(map(safe, outside)))] if outside else []
    told = {name: why for name, keys in found.items() if (why := _why_not(name, keys, usual))}
    moved = {name: keys for name, keys in found.items() if name not in told}
    while (clash := _last_clash(moved, usual)) is not None:
        name, why = clash
        del moved[name]
        told[name] = why
    return moved, wrong + [labelled(safe(name), told[name]) for name in found if name in told]


def _read(file: Path) -> tuple[dict[str, Any], list[str]]:
    """What is below [keys], and the names of what is elsewhere."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    keys = document.pop("keys", {})
    return (dict(_flat(keys)), [*document]) if isinstance(keys, dict) else ({}, [*document, "keys"])


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The names of a table with their values: `verb.S` is one name with quotes and without."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _no_toml(said: str, file: Path) -> str:
    """Where a file is no TOML, and what the parser says of it."""
    found = LINE.search(said)
    line = found[1] if found is not None else str(len(file.read_text(encoding="utf-8").splitlines()))
    return labelled(tr("line {line}", line=line), tr("this is no TOML ({why})", why=LINE.sub("", said)))


def _why_not(name: str, keys: Any, usual: Keys) -> str:
    """Why something that is written there is not to be; empty where it may."""
    if name not in usual:
        return tr("there is no such action")
    if not isinstance(keys, str) or not all(map(str.strip, keys.split(","))):
        return tr('its keys are to be a text, such as "f8" or "plus,n"')
    unknown = next((key for key in _parted(keys) if not _is_key(key)), None)
    return "" if unknown is None else tr("there is no key {key}", key=safe(unknown))


def _is_key(name: str) -> bool:
    *held, key = name.split("+")
    return MODIFIERS.issuperset(held) and (len(key) == 1 or key in NAMED or _is_character(key))


def _is_character(name: str) -> bool:
    """Textual names what it has no word for as Unicode does: `exclamation_mark`."""
    try:
        return bool(unicodedata.lookup(name.replace("_", " ")))
    except KeyError:
        return False


def _last_clash(moved: Keys, usual: Keys) -> tuple[str, str] | None:
    """The last action that has been put on another's key, and that it is not to be there; None where all is well."""
    now = {name: set(_parted(keys)) for name, keys in (usual | moved).items()}
    for name in reversed(moved):
        for key in _parted(moved[name]):
            other = next((each for each in now if each != name and key in now[each]), None)
            if other is not None:
                stays = " ".join(map(key_name, _parted(usual[name])))
                return name, tr("{key} is the key of {other}; this stays on {usual}",
                                key=key_name(key), other=safe(other), usual=stays)  # fmt: skip
    return None


def _parted(keys: str) -> list[str]:
    return [long_name(key.strip()) for key in keys.split(",")]
