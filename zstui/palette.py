"""What `:` and Ctrl+P find: lists, rows, actions, forms, themes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from appliance.api.message import MESSAGES, CreateMessage
from zstui import words
from zstui.frame import key_name
from zstui.i18n import mark, tr
from zstui.mirror import Mirror
from zstui.nouns import NOUNS
from zstui.picks import found_choices, noun_choices
from zstui.screens.chooser import Choice, Chooser, Find, narrowed
from zstui.verbs import title_of

if TYPE_CHECKING:
    from zstui.screens.acting import Acting

GENERAL = (
    ("screen.help", ":help", mark("keys")),
    ("screen.log", ":log", mark("calls made here")),
    ("app.quit", ":q", mark("leave")),
)


def jumper(mirror: Mirror) -> Chooser:
    """The chooser of `:`: a list by its word, or any row by its name; `vm web` finds among VMs only."""
    return Chooser(tr("Go to"), jump_find(mirror), low=True)


def jump_find(mirror: Mirror) -> Find:
    """Lists whose word begins with what is typed, then rows."""
    lists = [*noun_choices(), *(Choice(("action", action), word, tr(said)) for action, word, said in GENERAL)]

    def find(typed: str) -> Iterable[Choice]:
        word, _, rest = typed.strip().lstrip(":").casefold().partition(" ")
        noun = next((each for each in NOUNS.values() if word in each.words), None)
        exact = [each for each in lists if noun is not None and each.value == ("noun", noun.id)]
        if noun is not None and rest:
            found = (each for each in found_choices(mirror, rest, 1000) if each.value[0] == noun.id)
            return [*found, *exact]
        starting = [each for each in lists if each.title[1:].startswith(word) or _says(each, word)]
        return [*exact, *(each for each in starting if each not in exact), *found_choices(mirror, word)]

    return find


def _says(choice: Choice, word: str) -> bool:
    return any(each.startswith(word) for each in choice.note.casefold().split())


def palette(screen: Acting, mirror: Mirror, themes: Iterable[str]) -> Chooser:
    """The chooser of Ctrl+P: what keys do here, every form, every list, themes, and rows by name."""
    fixed = [*_actions(screen), *_forms(), *noun_choices()]
    fixed += [
        Choice(("theme", name), tr("theme {name}", name=name), tr("colours")) for name in sorted(themes)
    ]
    among = narrowed(fixed)

    def find(typed: str) -> Iterable[Choice]:
        return [*found_choices(mirror, typed, 20), *among(typed)]

    return Chooser(tr("Everything"), find)


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
        if issubclass(kind, CreateMessage) or name.startswith(("Attach", "Detach", "UpdateGlobal"))
    ]
