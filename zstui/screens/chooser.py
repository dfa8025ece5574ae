"""Choosing among many: type to narrow, arrows to move. Pickers, menus, `:` and the palette are this."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.segment import Segment
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input, Static

from zstui.cells import crop, fit, width
from zstui.i18n import tr
from zstui.inputs import Entry
from zstui.paint import Painted
from zstui.said import Said

LIMIT = 200
"""Choices shown at most; who sees that many types on."""


@dataclass(frozen=True)
class Choice:
    """Something to choose: what it stands for, its safe title, and what is said beside it."""

    value: Any
    title: str
    note: str = ""
    paint: str = "plain"


Find = Callable[[str], Iterable[Choice]]
"""The choices that what was typed leaves, best first."""


class Choices(Painted):
    """The choices, and a cursor on one of them."""

    class Clicked(Message):
        """A choice was clicked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.choices: list[Choice] = []
        self.marks: set[Any] = set()
        self.place = 0

    @property
    def here(self) -> Choice | None:
        """The choice under the cursor."""
        return self.choices[self.place] if self.place < len(self.choices) else None

    def show(self, choices: list[Choice]) -> None:
        """Show other choices, the cursor on the first."""
        self.choices = choices
        self.place = 0
        self.virtual_size = Size(self.size.width, len(choices))
        self.move(0)

    def move(self, by: int) -> None:
        """Move the cursor, and keep it in sight."""
        self.place = max(0, min(self.place + by, len(self.choices) - 1))
        top, room = int(self.scroll_offset.y), max(1, self.size.height)
        if self.place < top or self.place >= top + room:
            self.scroll_to(y=max(0, self.place - room // 2), animate=False, immediate=True)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor there, and say so."""
        place = int(self.scroll_offset.y) + event.y
        if place < len(self.choices):
            self.place = place
            self.refresh()
            self.post_message(self.Clicked())

    def render_line(self, y: int) -> Strip:
        """One choice: title, then what is said beside it."""
        place = int(self.scroll_offset.y) + y
        if place >= len(self.choices):
            text = f"  {tr('nothing by that name')}" if not self.choices and y == 0 else ""
            return Strip([Segment(fit(text, self.size.width), self.paint("faint"))])
        choice = self.choices[place]
        ground = "cursor" if place == self.place else ""
        titles = max((width(each.title) for each in self.choices), default=0)
        cells = min(titles, max(20, self.size.width // 2))
        mark = "✓ " if choice.value in self.marks else "  "
        parts = [
            Segment(("▐" if ground else " ") + mark, self.paint("accent", ground)),
            Segment(fit(choice.title, cells), self.paint(choice.paint, ground)),
            Segment("  " + crop(choice.note, self.size.width - cells - 6), self.paint("dim", ground)),
        ]
        return Strip(parts).adjust_cell_length(self.size.width, self.paint("plain", ground))


class Chooser(ModalScreen[list[Any] | None]):
    """Returns the values chosen, one or several, or None when nothing was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "move(-10)", "Page up", show=False),
        Binding("pagedown", "move(10)", "Page down", show=False),
        Binding("escape", "leave", "back"),
        Binding("space", "mark", "Mark", show=False, priority=True),
    ]

    def __init__(
        self, title: str, find: Find, *, several: bool = False, chosen: Iterable[Any] = (), typed: str = "",
        low: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(classes="low" if low else "")
        self._title = title
        self._find = find
        self._several = several
        self._marks = set(chosen)
        self._typed = typed

    def compose(self) -> ComposeResult:
        """Title, what is typed, and what it leaves."""
        with Vertical(classes="dialog chooser"):
            yield Static(self._title, classes="title", markup=False)
            yield Entry(self._typed, compact=True, select_on_focus=False)
            yield Choices()
            yield Said(self._hint, classes="hint")

    def _hint(self) -> str:
        if self._several:
            return tr("type to narrow · Space marks · Enter takes · Esc back")
        return tr("type to narrow · Enter takes · Esc back")

    def on_mount(self) -> None:
        """Show all."""
        choices = self.query_one(Choices)
        choices.marks = self._marks
        self._narrow(self._typed)
        entry = self.query_one(Entry)
        entry.value, entry.cursor_position = self._typed, len(self._typed)
        entry.passed = frozenset({"space"}) if self._several else frozenset()
        entry.focus()

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
        self._narrow(event.value)

    def _narrow(self, typed: str) -> None:
        found = []
        for choice in self._find(typed):
            found.append(choice)
            if len(found) >= LIMIT:
                break
        self.query_one(Choices).show(found)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.query_one(Choices).move(by)

    def action_mark(self) -> None:
        """Mark what the cursor is on."""
        choices = self.query_one(Choices)
        if choices.here is not None:
            choices.marks ^= {choices.here.value}
            choices.move(1)

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
        if self._several and choices.marks:
            self.dismiss(list(choices.marks))
        elif choices.here is not None:
            self.dismiss([choices.here.value])

    def action_leave(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


def narrowed(choices: list[Choice]) -> Find:
    """A find over fixed choices: those that hold all typed words, those with the words in the title first."""

    def find(typed: str) -> Iterable[Choice]:
        wanted = typed.casefold().split()
        if not wanted:
            return choices

        def rank(choice: Choice) -> int:
            title = choice.title.casefold()
            if title.startswith(" ".join(wanted)):
                return 0
            return 1 if all(word in title for word in wanted) else 2

        held = [
            each for each in choices if all(word in f"{each.title} {each.note}".casefold() for word in wanted)
        ]
        return sorted(held, key=rank)

    return find
