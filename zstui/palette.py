"""What `:` and Ctrl+P find: lists, rows, actions, forms, themes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from appliance.api.message import MESSAGES, CreateMessage
from zstui import words
from zstui.i18n import mark, tr
from zstui.keymap import key_name
from zstui.mirror import Mirror
from zstui.nouns import NOUNS
from zstui.picks import found_choices, noun_choices
from zstui.screens.chooser import Choice, Chooser, Find, narrowed
from zstui.verbs import title_of

if TYPE_CHECKING:
    from zstui.screens.acting import Acting

GENERAL = (
    ("screen.help", ("help", "keys"), mark("keys")),
    (
        "screen.log",
        ("console", "api", "log", "shell"),
        mark("API console: the calls made here, and a prompt"),
    ),
    ("app.quit", ("q", "quit"), mark("leave")),
)
"""What `:` finds besides lists and rows: the action, the words for it, the first of which is shown, and what it is."""

FORMS = ("Create", "Add", "Attach", "Detach", "UpdateGlobal")
"""How messages begin whose forms the palette offers; what makes a resource has one by any name."""


def jumper(mirror: Mirror) -> Chooser:
    """The chooser of `:`: a list by its word, or any row by its name; `vm web` finds among VMs only."""
    return Chooser(lambda: tr("Go to"), jump_find(mirror), low=True, mirror=mirror)


def jump_find(mirror: Mirror) -> Find:
    """Lists whose word begins with what is typed, then rows."""
    words = {("action", action): names for action, names, _ in GENERAL}

    def find(typed: str) -> Iterable[Choice]:
        general = (Choice(("action", action), f":{names[0]}", tr(said)) for action, names, said in GENERAL)
        lists = [*noun_choices(), *general]
        word, _, rest = typed.strip().lstrip(":").casefold().partition(" ")
        noun = next((each for each in NOUNS.values() if word in each.words), None)
        exact = [each for each in lists if noun is not None and each.value == ("noun", noun.id)]
        if noun is not None and rest:
            found = (each for each in found_choices(mirror, rest, 1000) if each.value[0] == noun.id)
            return [*found, *exact]
        starting = [
            each
            for each in lists
            if any(name.startswith(word) for name in words.get(each.value, (each.title[1:],)))
            or _says(each, word)
        ]
        return [*exact, *(each for each in starting if each not in exact), *found_choices(mirror, word)]

    return find


def _says(choice: Choice, word: str) -> bool:
    return any(each.startswith(word) for each in choice.note.casefold().split())


def palette(screen: Acting, mirror: Mirror, themes: Iterable[str]) -> Chooser:
    """The chooser of Ctrl+P: what keys do here, every form, every list, themes, and rows by name."""

    def fixed() -> list[Choice]:
        named = [
            Choice(("theme", name), tr("theme {name}", name=name), tr("colours")) for name in sorted(themes)
        ]
        return [*_actions(screen), *_forms(), *noun_choices(), *named]

    among = narrowed(fixed)

    def find(typed: str) -> Iterable[Choice]:
        return [*found_choices(mirror, typed, 20), *among(typed)]

    return Chooser(lambda: tr("Everything"), find, mirror=mirror)


def _actions(screen: Acting) -> list[Choice]:
    row = screen.row
    on = tr("on {row}", row=row.name if row else tr("nothing"))
    choices = [
        Choice(("action", action), tr(word), f"{key}  {on}", "strong") for key, word, action in screen.hints()
    ]
    for node, binding, enabled, _ in screen.active_bindings.values():
        action = f"screen.{binding.action}"
        fits = node is screen and enabled and not binding.action.startswith(("verb", "show", "palette"))
        if fits and "." not in binding.action and all(each.value[1] != action for each in choices):
            choices.append(Choice(("action", action), tr(binding.description), key_name(binding.key)))
    return choices


def _forms() -> list[Choice]:
    return [
        Choice(("form", name), tr(title_of(name)), tr(words.first_paragraph(kind.__doc__)))
        for name, kind in sorted(MESSAGES.items())
        if issubclass(kind, CreateMessage) or name.startswith(FORMS)
    ]
