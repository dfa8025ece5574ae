"""The keys that work on a screen, made from its bindings."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from zstui.i18n import mark, tr
from zstui.keymap import id_of, key_name
from zstui.moved_keys import keymap_file
from zstui.nouns import MAIN, Noun
from zstui.said import Keys, Said
from zstui.screens.acting import Acting
from zstui.screens.panels import PANELS
from zstui.screens.recovering import undoable
from zstui.screens.watching import Watching
from zstui.screens.working import Working
from zstui.sheet import Item, Sheet, heading, note
from zstui.table import LiveTable
from zstui.verbs import VERBS

ON_ROWS = frozenset({"verb", "panel", "delete", "change", "userdata", "console", "copy", "more"})
"""Actions that do nothing where there are no rows."""

OWN = mark("what keys do")
IN_LIST = mark("in the list")
BORN_WITH = ("app.focus_next", "app.focus_previous", "screen.copy_text", "scroll_left", "scroll_right", "page_left",
             "page_right")  # fmt: skip
"""What Textual gives to every screen and list, and no list has a use for."""


class Help(Working, ModalScreen[None]):
    """A sheet of keys over the screen they work on."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1,enter", "dismiss", "back")]

    def __init__(self, about: Working) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        """The sheet."""
        with Vertical(classes="dialog help"):
            yield Said(lambda: tr("Keys"), classes="title")
            yield Sheet(help_items(self._about))
            yield Keys(lambda: tr("arrows scroll · Esc back"), classes="hint")

    def on_mount(self) -> None:
        """Keys scroll."""
        self.query_one(Sheet).focus()

    def retranslate(self) -> None:
        """The same keys in another language."""
        self.query_one(Sheet).show(help_items(self._about))


def _fits(binding: Binding, about: Acting) -> bool:
    """Whether a key means anything in the list that is shown, or on a screen that is no list."""
    noun, name = about.current_noun(), binding.action.partition("(")[0]
    if name == "show":
        return False
    if name in ON_ROWS and not about.has_rows:
        return binding.key == "u" and undoable(about) is not None
    if name == "panel":
        return any(
            binding.key == each.key and (not each.kinds or set(each.kinds) & set(noun.kinds))
            for each in PANELS
        )
    if name in ("console", "userdata"):
        return "VmInstance" in noun.kinds
    if name != "verb":
        return True
    return any(verb.key == binding.key and verb.kind in noun.kinds for verb in VERBS)


def help_items(about: Working) -> list[Item]:
    """Every binding that is active, once, by where it works; of a screen with lists what else there is to know.

    Where nothing may be changed, those that lead to a change are left out, and that is said.
    """
    groups: dict[str, dict[str, tuple[list[str], str]]] = {}
    acting = about if isinstance(about, Acting) else None
    for node, binding, enabled, _ in about.active_bindings.values():
        mine = (isinstance(node, (LiveTable, App)) or node is about) and binding.action not in BORN_WITH
        mine = mine and enabled and bool(binding.description) and not about.refuses(binding.action)
        if not mine or (acting is not None and not _fits(binding, acting)):
            continue
        group = IN_LIST if isinstance(node, LiveTable) else OWN
        told = (
            f"{tr(binding.description)}  [{id_of(binding.action)}]" if binding.id else tr(binding.description)
        )
        keys, _ = groups.setdefault(group, {}).setdefault(binding.action, ([], told))
        keys.append(key_name(binding.key))
    items: list[Item] = []
    for group in sorted(groups, key=lambda each: each != OWN):
        items.append(heading(tr(group)))
        items += [Item(" ".join(keys), told) for keys, told in groups[group].values()]
    if about.zstui.read_only:
        items.append(note(tr("This session only reads: keys that change something are left out."), "warn"))
    if acting is None:
        return items
    items += _general(acting.current_noun(), only_reads=about.zstui.read_only)
    return items + [note(each, "warn") for each in about.zstui.wrong_keys]


def _forms() -> list[Item]:
    """What holds for all forms."""
    return [
        heading(tr("forms and questions")),
        Item("^s", tr("carries it out; the form stays until it is done, or says what is wrong")),
        Item("Esc", tr("goes back: what is under way goes on, what was only typed is asked about")),
        Item("Esc Esc", tr("goes on editing: in each question Esc is the careful answer, y the other")),
    ]


def _general(noun: Noun, *, only_reads: bool) -> list[Item]:
    """What holds for all lists."""
    items: list[Item] = []
    if "VmInstance" in noun.kinds and not only_reads:
        items.append(heading(tr("in a console")))
        keys = (each for each in Watching.BINDINGS if isinstance(each, Binding))
        items += [Item(key_name(each.key), tr(each.description)) for each in keys]
    items.append(heading(tr("lists")))
    items += [Item(str(number), tr(each.title)) for number, each in enumerate(MAIN, start=1)]
    items += [] if only_reads else _forms()
    items.append(heading(tr("finding")))
    items.append(Item("/web !db", tr("rows that hold web and not db, in any column")))
    items.append(Item("state:running @node-a", tr("by column, and by host; ! before any means not")))
    items.append(
        Item(
            ":vm :host :net …",
            tr("a list by name; any name goes to its row, out of a filter that Esc brings back"),
        )
    )
    items.append(
        note(tr("In brackets stand the ids by which {file} puts keys elsewhere.", file=keymap_file()))
    )
    items.append(note(tr("The mouse works too: titles sort, hints and tabs can be clicked.")))
    return items
