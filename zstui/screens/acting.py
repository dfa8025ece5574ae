"""What keys do to rows, on every screen that shows some: calls, forms, questions, the other screens."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer

from appliance.api.message import query_of
from zstui import recycle_bin
from zstui.detail import Detail
from zstui.frame import News
from zstui.i18n import labelled, mark, tr
from zstui.keymap import HELP, movable
from zstui.line import Part
from zstui.mirror import Mirror, Row
from zstui.nouns import NOUNS, Noun, create_message
from zstui.palette import jumper, palette
from zstui.rows import called, impossible, named
from zstui.screens.chooser import Choice, Chooser, narrowed
from zstui.screens.deleting import ask_delete, deleting_word
from zstui.screens.forming import open_again, open_form
from zstui.screens.more import ask_what, calls_on
from zstui.screens.panels import PANELS, panels_of
from zstui.screens.recovering import deleted_among, recover_or_undo, undoable
from zstui.screens.watching import watch
from zstui.screens.working import Working, changing
from zstui.values import word
from zstui.verbs import (
    VERBS,
    Verb,
    delete_message,
    fields_of,
    key_word,
    title_of,
    update_message,
    verb_for,
    verb_keys,
)

if TYPE_CHECKING:
    from zstui.app import Zstui

SURE_SECONDS = 3.0
"""How long a question waits for its key."""


class Acting(Working, Screen[None]):
    """A screen with rows that keys act on."""

    app: Zstui
    has_rows: ClassVar = True
    BINDINGS: ClassVar[list[BindingType]] = movable(
        [
            Binding("n", "create", "Make a new one"),
            Binding("N", "form_again", "Open the form of a call that failed"),
            *(Binding(key, f"verb('{key}')", words) for key, words in verb_keys().items()),
            Binding("D,delete", "delete", "Destroy, delete"),
            Binding("E", "change", "Change name and description"),
            Binding("e", "userdata", "Open user data"),
            Binding("C", "console", "Show the console's address"),
            Binding("y", "copy", "Copy uuid, address, call"),
            Binding("x", "more", "Show all that can be done to this row"),
            Binding("0", "overview", "Show the overview"),
            Binding("p", "span", "Plot an hour or a day"),
            *(Binding(panel.key, f"panel('{panel.id}')", panel.title) for panel in PANELS),
            Binding("L", "log", "Show calls made here, and a prompt"),
            HELP,
            Binding("colon", "jump", "Go to a list or a row"),
            Binding("ctrl+p", "palette", "Find any action or row", priority=True),
        ]
    )

    def __init__(self, mirror: Mirror) -> None:
        super().__init__()
        self.mirror = mirror
        self._armed: tuple[str, tuple[str, ...]] | None = None
        self._disarming: Timer | None = None

    @abstractmethod
    def chosen(self) -> list[Row]:
        """The rows that a key acts on."""

    @abstractmethod
    def current_noun(self) -> Noun:
        """The noun that the screen shows."""

    @abstractmethod
    async def go(self, noun_id: str, key: str | None = None, find: str = "", *, follow: bool = False) -> None:
        """Show a list, and put its cursor on a row, or find rows in it; `follow`: from the list that is shown."""

    @property
    def row(self) -> Row | None:
        """The one row that a key acts on, or the first of several."""
        return next(iter(self.chosen()), None)

    def action_overview(self) -> None:
        """Show the whole cloud at once."""
        from zstui.screens.overview import Overview

        self.app.push_screen(Overview(self.mirror))

    def action_span(self) -> None:
        """Plots show a day instead of an hour, and the other way round."""
        for detail in self.query(Detail):
            detail.turn_span()

    def say(self, text: str, paint: str = "plain") -> None:
        """Say something on the news line."""
        for news in self.query(News):  # none where a call has ended after its screen
            news.say(*([Part(text, paint)] if text else []))

    # --- the keys that work here -------------------------------------------------------------------------

    def hints(self) -> list[tuple[str, str, str]]:
        """Key, word and action of what makes sense on the row."""
        row = self.row
        panels = panels_of(row, self.mirror) if row is not None else []
        panels = [each for each in panels if not self.refuses(f"panel('{each.id}')")]
        panels = [each for each in panels if row is not None and row.get("state") not in each.closed]
        opens = [(each.key, each.word, f"screen.panel('{each.id}')") for each in panels]
        if self.app.read_only:
            return opens
        found = [
            (verb.key, verb.word, f"screen.verb('{verb.key}')") for verb in VERBS if row and verb.fits(row)
        ]
        if row is not None and row.kind == "VmInstance":
            if row.get("state") == "Running":
                found.append(("C", mark("console"), "screen.console"))
            found.append(("e", mark("userdata"), "screen.userdata"))
        if row is not None and row.kind == recycle_bin.KIND:
            found += [("u", mark("recover"), "screen.verb('u')"), ("D", mark("expunge"), "screen.delete")]
        message = delete_message(row) if row is not None else None
        if message is not None:
            found.append(("D", deleting_word(message), "screen.delete"))
        if row is not None and row.kind == "GlobalConfig":
            found.append(("E", mark("change"), "screen.change"))
        if self.current_noun().create:
            found.append(("n", mark("new"), "screen.create"))
        if row is not None and calls_on(row):
            found.append(("x", mark("more"), "screen.more"))
        found += opens
        last = undoable(self)
        if last is not None and not any(key == "u" for key, _, _ in found):
            found.insert(0, ("u", tr("undo: {what}", what=last.words), "screen.verb('u')"))
        return found

    def refuses(self, action: str) -> bool:
        """Whether an action leads to a change, and nothing may be changed; panels may be there to look only."""
        opened = next((each for each in PANELS if action == f"panel('{each.id}')"), None)
        return super().refuses(action) if opened is None else self.app.read_only and not opened.looks

    def warn(self, text: str) -> None:
        """Say on the news line that something is not to be."""
        self.say(text, "warn")

    @changing
    def action_verb(self, key: str) -> None:
        """Do what a key means on the chosen rows."""
        rows = self.chosen()
        verb = verb_for(key, rows[0]) if rows else None
        if key == "u" and (deleted_among(self.mirror, rows) or undoable(self)):
            recover_or_undo(self, rows)
            return
        if verb is None:
            self.does_nothing(f"verb('{key}')", key)
            return
        self.do(verb, [row for row in rows if verb.suits(row)])

    def do(self, verb: Verb, rows: list[Row]) -> None:
        """Do to some rows what a key does, however that was chosen; for some verbs the key is to be pressed then."""
        rows = self.possible(verb.word, verb.states, rows)
        keys = tuple(row.key for row in rows)
        if rows and verb.ask == "again" and self._armed != (verb.id, keys):
            self._arm(verb, rows, keys)
            return
        if rows:
            self._disarm()
            self.carry_out(verb.message, rows)

    def does_nothing(self, action: str, key: str) -> None:
        """Say that a key does nothing here."""
        shown = self.app.key_of(action, key)
        if self.row is None:
            self.say(tr("{key} does nothing here; ? shows what does", key=shown), "dim")
        else:
            self.say(tr("{key} does nothing on this row; ? shows what does", key=shown), "dim")

    def possible(self, word: str, states: frozenset[str], rows: list[Row]) -> list[Row]:
        """Those of some rows that are in one of the states; that none is, is said. What is stale may be in any."""
        if not states or self.mirror.status != "live":
            return rows
        fitting = [row for row in rows if states & {row.text("state"), row.text("status")}]
        if not fitting:
            self.say(impossible(word, states, rows), "warn")
        return fitting

    def _arm(self, verb: Verb, rows: list[Row], keys: tuple[str, ...]) -> None:
        self._disarm()
        self._armed = (verb.id, keys)
        question = tr(
            "Sure? Press {key} to {verb} {rows}",
            key=self.app.key_of(f"verb('{verb.key}')", verb.key),
            verb=tr(verb.word),
            rows=named(rows),
        )
        self.say(question, "warn")
        self._disarming = self.set_timer(SURE_SECONDS, self._disarm)

    def _disarm(self) -> None:
        if self._armed is not None:
            self._armed = None
            self.say("")
        if self._disarming is not None:
            self._disarming.stop()
            self._disarming = None

    def carry_out(self, message: str, rows: list[Row], **fields: Any) -> None:
        """Carry out a message on each of some rows, in the background."""
        every = [{**fields_of(message, row), **fields} for row in rows]
        task = asyncio.create_task(self.app.calls.make_all(message, every))
        self.app.keep(task, tr(title_of(message)), [called(row) for row in rows])

    # --- questions and forms -----------------------------------------------------------------------------

    @changing
    def action_delete(self) -> None:
        """Ask first, naming what will be lost."""
        ask_delete(self, self.chosen())

    @changing
    def action_create(self) -> None:
        """The form of what makes one more of this noun."""
        noun = self.current_noun()
        if noun.create:
            self.open_form(create_message(noun, self.mirror))
        else:
            title = tr(noun.title)
            more = self.row is not None and calls_on(self.row)
            none = tr("{title}: none is made by hand", title=title)
            self.say(tr("{none}; x shows what can be done", none=none) if more else none, "dim")

    @changing
    def action_change(self) -> None:
        """The form of what changes the row's words."""
        row = self.row
        message = update_message(row) if row is not None else None
        if row is None or message is None:
            self.does_nothing("change", "E")
            return
        if row.kind == "GlobalConfig":
            given = {wire: row.get(wire) for wire in ("category", "name")}
        else:
            given = {"uuid": row.key}
        self.open_form(message, given=given, shown=row.data)

    def open_form(self, message: str, **options: Any) -> None:
        """Show the form of a message, and afterwards what it made."""
        open_form(self, message, **options)

    @changing
    def action_form_again(self) -> None:
        """The form of the call that failed last after it was left, as it was filled."""
        open_again(self)

    @changing
    def action_more(self) -> None:
        """Everything that the API can do to the row."""
        if rows := self.chosen():
            ask_what(self, rows)
        else:
            self.does_nothing("more", "x")

    # --- the other screens -------------------------------------------------------------------------------

    def action_userdata(self) -> None:
        """Edit the row's user data."""
        from zstui.screens.userdata import VmUserdata

        row = self.row
        if row is not None and row.kind == "VmInstance":
            self.app.push_screen(VmUserdata(row, self.mirror))
        else:
            self.does_nothing("userdata", "e")

    @changing
    def action_console(self) -> None:
        """Say where the row's console is."""
        from zstui.screens.console import Console

        row = self.row
        if row is None or row.kind != "VmInstance":
            self.does_nothing("console", "C")
        elif self.possible(mark("show console"), frozenset({"Running"}), [row]):
            self.app.push_screen(Console(row), lambda console: watch(self, row, console))

    def action_panel(self, panel_id: str) -> None:
        """Open what a key opens on the row."""
        row = self.row
        panel = next(each for each in PANELS if each.id == panel_id)
        if row is None or panel not in panels_of(row, self.mirror):
            self.does_nothing(f"panel('{panel.id}')", panel.key)
        elif row.get("state") in panel.closed and self.mirror.status == "live":
            why = tr("not while {name} is {state}", name=row.name, state=word(row.text("state")))
            self.say(labelled(tr(panel.word), why), "warn")
        else:
            opened = panel.open if panel.looks else changing(panel.open)
            opened(self, row)

    def action_copy(self) -> None:
        """Copy something of the row."""
        row = self.row
        if row is None:
            self.does_nothing("copy", "y")
            return
        call = self.app.calls.for_a_shell(f"{query_of(row.kind)} {key_word(row)}")
        texts = [("uuid", row.key), (mark("name"), str(row.get("name") or "")), (mark("call"), call)]
        texts += [(mark("address"), str(nic["ip"])) for nic in row.get("vmNics", []) if nic.get("ip")]
        texts += [(mark("address"), row.text("managementIp"))]

        def choices() -> list[Choice]:
            return [Choice(text, tr(label), text) for label, text in texts if text]

        def chosen(values: list[Any] | None) -> None:
            if values:
                self.app.copy_to_clipboard(values[0])
                self.app.tell(tr("copied {text}", text=values[0]))

        self.app.push_screen(
            Chooser(lambda: tr("Copy to the terminal's clipboard"), narrowed(choices)), chosen
        )

    def action_log(self) -> None:
        """The calls made here, and a prompt for more."""
        from zstui.screens.shell import Shell

        self.app.push_screen(Shell(self.mirror))

    def action_jump(self) -> None:
        """Go to a list or a row by name."""
        self.app.push_screen(jumper(self.mirror), self._went)

    def action_palette(self) -> None:
        """Everything, by name."""
        self.app.push_screen(palette(self, self.mirror, self.app.available_themes), self._went)

    async def _went(self, values: list[Any] | None) -> None:
        match values[0] if values else None:
            case ("noun", str(noun_id)):
                await self.go(noun_id)
            case ("find", str(noun_id), str(find)):
                await self.go(noun_id, find=find)
            case ("action", str(action)):
                await self.run_action(action)
            case ("form", str(message)):
                self.open_form(message)
            case ("theme", str(theme)):
                self.app.theme = theme
            case (str(noun_id), str(key)) if noun_id in NOUNS:
                await self.go(noun_id, key)
