"""Keys: each stands in one place, and none means two things on one screen."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from typing import Any

import pytest
from textual.binding import Binding
from textual.screen import Screen

import zstui.screens
from zstui.screens.acting import Acting
from zstui.screens.browser import Browser
from zstui.screens.panels import PANELS
from zstui.table import LiveTable
from zstui.verbs import VERBS

for module in pkgutil.iter_modules(zstui.screens.__path__):
    importlib.import_module(f"zstui.screens.{module.name}")


MEANT = {"Overview": ["0"]}
"""Keys that a screen takes from those on purpose: the one that opens the overview leaves it."""


def keys_of(kind: type[Any]) -> list[str]:
    """The keys that a class binds itself."""
    own = kind.__dict__.get("BINDINGS", [])
    return [key for each in own if isinstance(each, Binding) for key in each.key.split(",")]


def twice(keys: list[str]) -> list[str]:
    return sorted(key for key, count in Counter(keys).items() if count > 1)


def screens(kind: type[Any] = Screen) -> list[type[Any]]:
    found = [kind] if kind.__module__.startswith("zstui.") else []
    return found + [each for child in kind.__subclasses__() for each in screens(child)]


@pytest.mark.parametrize("kind", screens(), ids=lambda kind: kind.__name__)
def test_no_screen_binds_a_key_twice(kind: type[Any]) -> None:
    assert twice(keys_of(kind)) == []


@pytest.mark.parametrize("kind", screens(Acting), ids=lambda kind: kind.__name__)
def test_a_screen_that_acts_on_rows_has_no_key_of_those_acts(kind: type[Any]) -> None:
    assert len(screens(Acting)) > 2
    keys = [key for each in kind.__mro__ if issubclass(each, Acting) for key in keys_of(each)]
    assert twice(keys) == MEANT.get(kind.__name__, [])


def test_the_list_has_no_key_of_its_table() -> None:
    assert twice([*keys_of(Acting), *keys_of(Browser), *keys_of(LiveTable)]) == []


def test_no_panel_has_the_key_of_another_or_of_a_verb() -> None:
    assert twice([panel.key for panel in PANELS]) == []
    assert {panel.key for panel in PANELS} & {verb.key for verb in VERBS} == set()


def test_a_key_does_one_thing_to_a_row() -> None:
    """A verb's key may mean something else on another kind of row, or in another state."""
    for one in VERBS:
        for other in VERBS:
            if one is not other and (one.key, one.kind) == (other.key, other.kind):
                assert one.states
                assert other.states
                assert not one.states & other.states
    assert {verb.key for verb in VERBS} <= set(keys_of(Acting))


def test_the_law_sees_a_clash() -> None:
    class Clashing(Browser):
        BINDINGS = [Binding("s,t", "one", "One"), Binding("t", "two", "Two")]

    assert twice(keys_of(Clashing)) == ["t"]
