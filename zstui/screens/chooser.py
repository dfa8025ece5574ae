"""Choosing among many: type to narrow, arrows to move. Pickers, menus, `:` and the palette are this."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, ClassVar, NamedTuple

from rich.segment import Segment
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Offset, Size
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Static

from appliance.api.errors import ApiError
from zstui.cells import crop, fit, width
from zstui.i18n import language, tr
from zstui.inputs import Entry
from zstui.keymap import TYPING_HELP
from zstui.mirror import STATUS, Batch, Mirror
from zstui.paint import Painted
from zstui.said import Keys, Make, Said
from zstui.screens.working import Working
from zstui.wrong import told

LIMIT = 200
"""Choices shown at most; who sees that many types on."""

EDGE = 3
"""Cells before a title: the cursor's and the mark's."""

FRAME = 6
"""Cells of a line that are neither its title's nor what is said beside it."""


class Choice(NamedTuple):
    """Something to choose: what it stands for, its safe title, and what is said beside it."""

    value: Any
    title: str
    note: str = ""
    paint: str = "plain"
    english: str = ""
    """What it is in English, by which it is found whatever is spoken."""

    @property
    def told(self) -> str:
        """All that it is found by."""
        return f"{self.title} {self.note} {self.english}".casefold()


Find = Callable[[str], Iterable[Choice]]
"""The choices that what was typed leaves, best first, in the language that is spoken."""


class Choices(Painted, can_focus=False):
    """The choices, and a cursor on one of them."""

    class Clicked(Message):
        """A choice was clicked."""

    class Pointed(Message):
        """The cursor is on another choice, or the choices are others."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.choices: list[Choice] = []
        self.marks: list[Any] = []
        """What is marked, in the order in which that was done."""
        self.place = 0
        self.reading = False
        """Whether there may be more to choose from than there is yet."""
        self.narrowed = False
        """Whether something was typed for."""

    @property
    def here(self) -> Choice | None:
        """The choice under the cursor."""
        return self.choices[self.place] if self.place < len(self.choices) else None

    @property
    def caret(self) -> Offset:
        """Where the choice under the cursor is."""
        return Offset(EDGE, self.place - int(self.scroll_offset.y))

    def show(self, choices: list[Choice], place: int = 0) -> None:
        """Show other choices, the cursor on the first, or on another."""
        self.choices = choices
        self.place = place
        self.virtual_size = Size(self.size.width, len(choices))
        self.move(0)

    def move(self, by: int) -> None:
        """Move the cursor, and keep it in sight."""
        self.place = max(0, min(self.place + by, len(self.choices) - 1))
        top, room = int(self.scroll_offset.y), max(1, self.size.height)
        if self.place < top or self.place >= top + room:
            self.scroll_to(y=max(0, self.place - room // 2), animate=False, immediate=True)
        self.refresh()
        self.post_message(self.Pointed())

    def on_resize(self) -> None:
        """Keep the cursor in sight, and what is said of it whole."""
        self.move(0)

    @property
    def cut(self) -> str:
        """What is said beside the choice under the cursor, where there is no room for all of it."""
        note = self.here.note if self.here is not None else ""
        return note if width(note) > self.size.width - self._titles() - FRAME else ""

    def _titles(self) -> int:
        """The cells that titles have."""
        titles = max((width(each.title) for each in self.choices), default=0)
        return min(titles, max(20, self.size.width // 2))

    def _none(self) -> str:
        """Why there is no choice."""
        if self.reading:
            return tr("Reading …")
        return tr("nothing by that name") if self.narrowed else tr("nothing to choose from")

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there, and say so."""
        place = int(self.scroll_offset.y) + event.y
        if place < len(self.choices):
            self.place = place
            self.move(0)
            self.post_message(self.Clicked())

    def render_line(self, y: int) -> Strip:
        """One choice: title, then what is said beside it."""
        place = int(self.scroll_offset.y) + y
        if place >= len(self.choices):
            text = f"  {self._none()}" if not self.choices and y == 0 else ""
            return Strip([Segment(fit(text, self.size.width), self.paint("faint"))])
        choice = self.choices[place]
        ground = "cursor" if place == self.place else ""
        cells = self._titles()
        mark = "✓ " if choice.value in self.marks else "  "
        parts = [
            Segment(("▐" if ground else " ") + mark, self.paint("accent", ground)),
            Segment(fit(choice.title, cells), self.paint(choice.paint, ground)),
            Segment("  " + crop(choice.note, self.size.width - cells - FRAME), self.paint("dim", ground)),
        ]
        return Strip(parts).adjust_cell_length(self.size.width, self.paint("plain", ground))


class Chooser(Working, ModalScreen[list[Any] | None]):
    """Returns the values chosen, one or several, or None when nothing was chosen.

    Where several can be chosen Enter takes what is marked: as it was marked here, or what was typed for besides.
    What is found in a mirror is found again once that has read everything, and so it is where something is to be read
    first (`reads`); an Enter that found nothing waits for it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "move(-10)", "Page up", show=False),
        Binding("pagedown", "move(10)", "Page down", show=False),
        Binding("escape", "leave", "back"),
        Binding("space", "mark", "Mark", show=False, priority=True),
        TYPING_HELP,
    ]

    def __init__(
        self, title: Make, find: Find, *, several: bool = False, chosen: Iterable[Any] = (), typed: str = "",
        low: bool = False, mirror: Mirror | None = None, reads: Callable[[], Awaitable[None]] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(classes="low" if low else "")
        self._title = title
        self._find = find
        self._several = several
        self._marks = list(chosen)
        self._marked_here = False
        self._typed = typed
        self._source = mirror
        self._reads = reads
        self._entered = False

    def compose(self) -> ComposeResult:
        """Title, what is typed, and what it leaves."""
        with Vertical(classes="dialog chooser"):
            yield Said(self._title, classes="title")
            yield Entry(self._typed, compact=True, select_on_focus=False)
            yield Choices()
            yield Static("", classes="whole", markup=False)
            yield Keys(self._hint, classes="hint")

    @property
    def pointed(self) -> Widget | None:
        """The choice that Enter takes, while the keys are for choosing."""
        choices = next(iter(self.query(Choices)), None)
        return choices if isinstance(self.focused, Entry) else super().pointed

    def _hint(self) -> str:
        if self._several:
            return tr("type to narrow · Space marks · Enter takes · Esc back")
        return tr("type to narrow · Enter takes · Esc back")

    def on_mount(self) -> None:
        """Show all."""
        if self._source is not None:
            self.follow(self._source.listeners, self._told)
        if self._reads is not None:
            self.run_worker(self._read_first(self._reads))
        choices = self.query_one(Choices)
        choices.marks = self._marks
        self._narrow(self._typed)
        entry = self.query_one(Entry)
        entry.value, entry.cursor_position = self._typed, len(self._typed)
        entry.passed = frozenset({"space"}) if self._several else frozenset()
        entry.focus()

    @property
    def _reading(self) -> bool:
        return self._reads is not None or (self._source is not None and self._source.status == "connecting")

    async def _read_first(self, read: Callable[[], Awaitable[None]]) -> None:
        try:
            await read()
        except ApiError as error:
            self.zstui.tell(told(error, self.zstui.mirror), wrong=True)
        self._reads = None
        self._look_again()

    def _told(self, batch: Batch) -> None:
        if STATUS in batch:
            self._look_again()

    def _look_again(self) -> None:
        """Something has been read: find anew, and take what was asked for before it was there."""
        here = self.query_one(Choices).here
        self._narrow(self.query_one(Entry).value)
        choices = self.query_one(Choices)
        if here in choices.choices:
            choices.show(choices.choices, choices.choices.index(here))
        if self._entered and not self._reading:
            self._entered = False
            self._take()

    def type(self, text: str) -> None:
        """Type on: what was typed before this screen had the keys."""
        self._typed += text
        if self.is_mounted:
            entry = self.query_one(Entry)
            entry.value += text
            entry.cursor_position = len(entry.value)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A space is a space where only one can be chosen."""
        del parameters
        return self._several if action == "mark" else True

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._entered = False
        self._narrow(event.value)

    def retranslate(self) -> None:
        """The same choices in another language, the cursor where it was."""
        choices = self.query_one(Choices)
        self._narrow(self.query_one(Entry).value, choices.place)

    def _narrow(self, typed: str, place: int = 0) -> None:
        found = []
        for choice in () if self._reads is not None else self._find(typed):
            found.append(choice)
            if len(found) >= LIMIT:
                break
        choices = self.query_one(Choices)
        choices.reading, choices.narrowed = self._reading, bool(typed)
        choices.show(found, place)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.query_one(Choices).move(by)

    def action_mark(self) -> None:
        """Mark what the cursor is on."""
        choices = self.query_one(Choices)
        if choices.here is not None:
            value = choices.here.value
            choices.marks.remove(value) if value in choices.marks else choices.marks.append(value)
            self._marked_here = True
            choices.move(1)

    @on(Choices.Pointed)
    def _pointed(self) -> None:
        """Say below what has no room beside the choice under the cursor."""
        cut = self.query_one(Choices).cut
        whole = self.query_one(".whole", Static)
        whole.update(cut)
        whole.set_class(bool(cut), "-shown")

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._take()

    @on(Choices.Clicked)
    def _clicked(self) -> None:
        if self._several:
            self.action_mark()
        else:
            self._take()

    def _take(self) -> None:
        choices = self.query_one(Choices)
        marks, here = choices.marks, choices.here
        if self._marked_here or (marks and not self.query_one(Entry).value):
            self.dismiss(list(marks))
        elif here is not None:
            self.dismiss([*(each for each in marks if each != here.value), here.value])
        else:
            self._entered = self._reading

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


def narrowed(make: Callable[[], list[Choice]]) -> Find:
    """A find over fixed choices: those that hold all typed words, those with the words in the title first.

    They are made once in each language.
    """
    made: dict[str, list[Choice]] = {}

    def find(typed: str) -> Iterable[Choice]:
        if language() not in made:
            made[language()] = make()
        choices = made[language()]
        wanted = typed.casefold().split()
        if not wanted:
            return choices

        def rank(choice: Choice) -> int:
            title = choice.title.casefold()
            if title.startswith(" ".join(wanted)):
                return 0
            return 1 if all(word in title for word in wanted) else 2

        held = [each for each in choices if all(word in each.told for word in wanted)]
        return sorted(held, key=rank)

    return find
