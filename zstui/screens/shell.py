"""The calls made here, each as the line that repeats it, and a prompt to type more of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input, Static

from appliance.api.completion import Completer, Named, Where
from appliance.api.errors import ApiError, Cancelled
from appliance.api.grammar import read_words, without_program
from appliance.api.message import MESSAGES, Message
from appliance.api.quoting import split
from appliance.api.resource import Resource
from zstui import words
from zstui.calls import CALL, Entry
from zstui.cells import safe, safe_lines
from zstui.frame import Hints, Totals
from zstui.i18n import labelled, mark, tr
from zstui.i18n.server_texts import said
from zstui.inputs import Entry as Field
from zstui.keymap import TYPING_HELP
from zstui.mirror import Mirror
from zstui.screens.working import Working
from zstui.sheet import Item, Sheet, heading, note
from zstui.wrong import told

if TYPE_CHECKING:
    from zstui.app import Zstui

PROMPT = ">>> "
SHOWN_LINES = 400
"""Lines of one reply that are shown; the command line prints all."""

OFFERS = 6
INTRODUCTION = mark(
    "Every call made on these screens stands here as the line that repeats it. Type calls as in zstui shell: "
    "QueryVmInstance state=Running. Tab completes names and uuids, help NAME explains, ↑ brings lines back."
)


class Shell(Working, Screen[None]):
    """ZStack's prompt inside the full screen."""

    app: Zstui
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", priority=True),
        Binding("up", "recall(-1)", "Lines before"),
        Binding("down", "recall(1)", "Line after", show=False),
        Binding("pageup", "turn(-1)", "Page", show=False),
        Binding("pagedown", "turn(1)", "Page", show=False),
        Binding("ctrl+y", "copy", "Copy line"),
        Binding("escape", "leave", "Back", priority=True),
        TYPING_HELP,
    ]

    def __init__(self, mirror: Mirror) -> None:
        super().__init__()
        self._mirror = mirror
        self._place = 0
        self._help: dict[int, list[Item]] = {}
        """What was said besides calls, by how many calls stood before it."""

    def compose(self) -> ComposeResult:
        """What was called, and the prompt below it."""
        yield Totals(self._mirror)
        yield Sheet(id="said")
        yield Sheet(id="offers")
        with Horizontal(id="prompt"):
            yield Static(PROMPT, markup=False)
            yield Field(compact=True, select_on_focus=False)
        yield Hints()

    def on_mount(self) -> None:
        """Follow the calls."""
        self.query_one("#said", Sheet).can_focus = False
        self.query_one("#offers", Sheet).can_focus = False
        self._offer([])
        self.follow(self.app.calls.listeners, self._changed)
        self.follow(self._mirror.listeners, self._totals)
        self._prompt.focus()
        self._changed()

    def _totals(self, _: object) -> None:
        for totals in self.query(Totals):  # none any more where the screen is being taken down
            totals.refresh()

    @property
    def _prompt(self) -> Field:
        return self.query_one(Field)

    def _changed(self) -> None:
        items = [note(tr(INTRODUCTION))]
        for place, entry in enumerate(self.app.calls.log):
            items += self._help.get(place, [])
            items += entry_items(entry)
        items += self._help.get(len(self.app.calls.log), [])
        said = self.query_one("#said", Sheet)
        said.show(items)
        said.scroll_end(animate=False)

    def retranslate(self) -> None:
        """What is said here, in another language."""
        self._changed()

    def hints(self) -> list[tuple[str, str, str]]:
        """What keys do at the prompt."""
        return [("Enter", mark("run"), ""), ("Tab", mark("complete"), "screen.complete"),
                ("↑", mark("earlier"), ""),
                ("PgUp", mark("scroll"), "screen.turn(-1)"), ("^y", mark("copy"), "screen.copy"),
                ("Esc", mark("back"), "screen.leave")]  # fmt: skip

    @on(Input.Submitted)
    def _submitted(self) -> None:
        """Carry out the line."""
        line, self._prompt.value = self._prompt.value.strip(), ""
        self._place = 0
        self._offer([])
        if line in ("exit", "quit"):
            self.action_leave()
        elif line:
            self.run_worker(self._carry_out(line))

    async def _carry_out(self, line: str) -> None:
        try:
            typed = without_program(split(line), self.app.target)
            if typed[:1] == ["help"]:
                self._say(explained(typed[1:]))
                return
            command = read_words(typed)
            await self.app.calls.make(command.kind.__name__, typed=True, **command.fields)
        except ApiError as error:
            if not self.app.calls.log or self.app.calls.log[-1].error is not error:
                self._refuse(line, error_items(error))

    def _refuse(self, line: str, why: list[Item]) -> None:
        """Say what is wrong with a line that was no call, and keep it to be mended."""
        self.app.calls.lines.append(line)
        self._say([Item("", f"{PROMPT}{safe(line)}", "accent"), *why])

    def _say(self, items: list[Item]) -> None:
        self._help.setdefault(len(self.app.calls.log), []).extend(items)
        self._changed()

    async def action_complete(self) -> None:
        """Complete the last word, or offer what it may become."""
        line = self._prompt.value[: self._prompt.cursor_position]
        if len(line) < len(self._prompt.value):
            return
        word = line.rpartition(" ")[2]
        completer, offers = await self._offers(line, word)
        if not offers:
            return
        longest = completer.grown(word, offers)
        self._prompt.value = line[: len(line) - len(word)] + longest
        self._prompt.cursor_position = len(self._prompt.value)
        shown = [
            Item("", f"{safe(each)}  {safe(completer.names.get(each, ''))}".rstrip(), "dim")
            for each in offers
        ]
        self._offer(shown if len(offers) > 1 else [])

    async def _offers(self, line: str, word: str) -> tuple[Completer, list[str]]:
        """What a word may become; resources are asked for when it may be the uuid of one."""
        wanted: list[tuple[type[Resource], str, Where]] = []
        known: dict[str, Named] = {}

        def look_up(resource: type[Resource], typed: str, where: Where) -> Named:
            wanted.append((resource, typed, where))
            return known.get(resource.__name__, [])

        completer = Completer(look_up)
        offers = completer.complete(line, word)
        for resource, typed, where in wanted:
            try:
                known[resource.__name__] = await self.app.calls.session.named(resource, typed, where)
            except ApiError as error:
                self.app.tell(told(error, self.app.mirror), wrong=True)
                return completer, []
        return completer, completer.complete(line, word) if wanted else offers

    def _offer(self, items: list[Item]) -> None:
        more = len(items) - OFFERS
        if more > 0:
            items = [*items[: OFFERS - 1], note(tr("… {number} more", number=more + 1), "faint")]
        offers = self.query_one("#offers", Sheet)
        offers.display = bool(items)
        offers.styles.height = len(items)
        offers.show(items)

    def action_recall(self, by: int) -> None:
        """Bring an earlier line back."""
        lines = self.app.calls.lines
        self._place = max(-len(lines), min(self._place + by, 0))
        self._prompt.value = lines[self._place] if self._place else ""
        self._prompt.cursor_position = len(self._prompt.value)

    def action_turn(self, by: int) -> None:
        """Scroll what was said."""
        said = self.query_one("#said", Sheet)
        said.scroll_relative(y=by * max(1, said.size.height - 1), animate=False)

    def action_copy(self) -> None:
        """Copy the line that is typed, else the last that was carried out."""
        lines = [self._prompt.value] if self._prompt.value else [entry.line for entry in self.app.calls.log]
        if lines:
            text = self.app.calls.for_a_shell(lines[-1])
            self.app.copy_to_clipboard(text)
            self.app.tell(tr("copied {text}", text=text))

    def action_leave(self) -> None:
        """Back to where one was."""
        self.dismiss()


def entry_items(entry: Entry) -> list[Item]:
    """A call, and what came of it."""
    items = [Item("", f"{PROMPT}{safe(entry.line.removeprefix(CALL))}", "accent")]
    if entry.seconds is None:
        return [*items, note(tr("running …"), "busy")]
    if entry.error is not None:
        return items + error_items(entry.error)
    if entry.typed:
        return items + reply_items({**(entry.reply or {}), "success": True})
    return [*items, note(tr("done in {seconds} s", seconds=f"{entry.seconds:.1f}"), "good")]


def error_items(error: ApiError) -> list[Item]:
    """An error as the command line prints it."""
    parts = (
        (mark("code"), error.code),
        (mark("description"), tr(error.description)),
        (mark("details"), said(error.details)),
    )
    paint = "dim" if error.code == Cancelled.code else "bad"
    return [note(labelled(tr(name), line), paint) for name, text in parts for line in safe_lines(text)]


def reply_items(reply: dict[str, Any]) -> list[Item]:
    """A reply as the command line prints it."""
    lines = safe_lines(json.dumps(reply, indent=4, sort_keys=True, ensure_ascii=False))
    items = [note(line, "plain") for line in lines[:SHOWN_LINES]]
    more = len(lines) - SHOWN_LINES
    return (
        [*items, note(tr("… {number} lines more; zstui call prints all", number=more))] if more > 0 else items
    )


def explained(asked: list[str]) -> list[Item]:
    """What `help` says: of a message its words and parameters, else the names of all messages."""
    kind = MESSAGES.get(asked[0]) if asked else None
    if kind is None:
        return [heading(tr("messages")), note("  ".join(sorted(MESSAGES)))]
    return [heading(kind.__name__), note(tr(words.first_paragraph(kind.__doc__))), *_parameters(kind)]


def _parameters(kind: type[Message]) -> list[Item]:
    return [
        Item(each.wire, tr(each.help) + (f"  ({tr('required')})" if each.required else ""), "dim")
        for each in kind.own_parameters()
    ]
