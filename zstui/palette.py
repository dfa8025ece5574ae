"""What `:` and Ctrl+P find: lists, rows, actions, forms, themes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from appliance.api.message import MESSAGES, CreateMessage
from zstui import words
from zstui.i18n import mark, tr
from zstui.keymap import key_name
from zstui.mirror import Mirror
from zstui.nouns import NOUNS, create_message
from zstui.picks import found_choices, noun_choices
from zstui.rows import called
from zstui.screens.chooser import Choice, Chooser, Find, narrowed
from zstui.themes import theme_title
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
    ("app.next_language", ("lang", "language"), mark("Another language")),
    ("app.next_theme", ("theme", "colours", "skin"), mark("Other colours")),
    ("screen.overview", ("overview", "pulse"), mark("Overview")),
    ("app.quit", ("q", "quit"), mark("leave")),
)
"""What `:` finds besides lists and rows: the action, the words for it, the first of which is shown, and what it is."""

PARTS = ((("iso", "isos"), "img", "kind:iso", mark("ISO images")),)
"""Lists with a filter: the words for each, the list, what its rows hold, and what it is."""

FORMS = ("Create", "Add", "Attach", "Detach", "UpdateGlobal")
"""How messages begin whose forms the palette offers; what makes a resource has one by any name."""


def jumper(mirror: Mirror) -> Chooser:
    """The chooser of `:`: a list by its word, or any row by its name; `vm web` finds VMs, `vm /web` filters them."""
    return Chooser(lambda: tr("Go to"), jump_find(mirror), low=True, mirror=mirror)


def jump_find(mirror: Mirror) -> Find:
    """What is called exactly as is typed, then lists of which a word begins so, then other rows."""
    words: dict[tuple[str, ...], tuple[str, ...]] = {
        **{("noun", noun.id): noun.words for noun in NOUNS.values()},
        **{("find", noun, held): names for names, noun, held, _ in PARTS},
        **{("action", action): names for action, names, _ in GENERAL},
    }

    def find(typed: str) -> Iterable[Choice]:
        general = (
            Choice(("action", action), f":{names[0]}", tr(said), english=said)
            for action, names, said in GENERAL
        )
        parts = (
            Choice(("find", noun, held), f":{names[0]}", tr(said), "accent", said)
            for names, noun, held, said in PARTS
        )
        lists = [*noun_choices(), *parts, *general]
        word, _, rest = typed.strip().lstrip(":").partition(" ")
        word, rest = word.casefold(), rest.strip()
        exact = [each for each in lists if word in words[each.value]]
        if rest and exact and exact[0].value[0] != "action":
            return _narrowed_list(mirror, exact[0], rest)
        starting = [
            each
            for each in lists
            if any(name.startswith(word) for name in (*words[each.value], *each.told.split()))
        ]
        rows = found_choices(mirror, word)
        named = [each for each in rows if each.title.casefold() == word]
        return dict.fromkeys([*exact, *named, *starting, *rows])

    return find


def _narrowed_list(mirror: Mirror, choice: Choice, rest: str) -> list[Choice]:
    """A list with the rest of the line as its filter; what is no filter by its form may be the name of a row, too."""
    noun, *held = choice.value[1:]
    wanted = rest.removeprefix("/").strip()
    filtered = Choice(
        ("find", noun, " ".join([*held, wanted])), f"{choice.title} /{wanted}", choice.note, choice.paint
    )
    if rest.startswith("/"):
        return [filtered]
    return [*(each for each in found_choices(mirror, rest, 1000) if each.value[0] == noun), filtered]


def palette(screen: Acting, mirror: Mirror, themes: Iterable[str]) -> Chooser:
    """The chooser of Ctrl+P: what keys do here, every form, every list, themes, and rows by name."""

    def fixed() -> list[Choice]:
        named = [
            Choice(("theme", name), tr("theme {name}", name=theme_title(name)), tr("colours"), english=name)
            for name in sorted(themes)
        ]
        forms = _forms() if not screen.app.read_only else []
        return [*_actions(screen), *forms, *noun_choices(), *named]

    among = narrowed(fixed)

    def find(typed: str) -> Iterable[Choice]:
        return [*found_choices(mirror, typed, 20), *among(typed)]

    return Chooser(lambda: tr("Everything"), find, mirror=mirror)


def _actions(screen: Acting) -> list[Choice]:
    row = screen.row
    on = tr("on {row}", row=called(row) if row else tr("nothing"))
    makes = create_message(screen.current_noun(), screen.mirror)
    choices = [
        Choice(("action", action), tr(title_of(makes)), key, "strong", title_of(makes))
        if action == "screen.create" and makes
        else Choice(("action", action), tr(word), f"{key}  {on}", "strong", word)
        for key, word, action in screen.hints()
    ]
    for node, binding, enabled, _ in screen.active_bindings.values():
        action = f"{'screen' if node is screen else 'app'}.{binding.action}"
        fits = node in (screen, screen.app) and enabled and bool(binding.description)
        fits = fits and not binding.action.startswith(("verb", "show", "palette"))
        fits = fits and not screen.refuses(binding.action)
        if fits and "." not in binding.action and all(each.value[1] != action for each in choices):
            choices.append(
                Choice(
                    ("action", action),
                    words.lowered(tr(binding.description)),
                    key_name(binding.key),
                    english=binding.description,
                )
            )
    return choices


def _forms() -> list[Choice]:
    return [
        Choice(
            ("form", name),
            tr(title_of(name)),
            tr(words.first_paragraph(kind.__doc__)),
            english=title_of(name),
        )
        for name, kind in sorted(MESSAGES.items())
        if issubclass(kind, CreateMessage) or name.startswith(FORMS)
    ]
