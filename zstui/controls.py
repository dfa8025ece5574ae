"""What forms are filled with besides text: one of a few words, and rows of a list."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from zstui.cells import crop, width
from zstui.i18n import enumerated, tr
from zstui.mirror import Mirror
from zstui.paint import Painted
from zstui.picks import resource_choices
from zstui.said import Make
from zstui.screens.chooser import Chooser, narrowed
from zstui.values import word

OPTION_GAP = 2
BEFORE, AFTER = "… ", "…"
"""In place of options that there is no room for."""


class Edited(Message):
    """A control's value was changed by the user."""

    def __init__(self, origin: Widget) -> None:
        super().__init__()
        self.origin = origin


class Choice(Painted, can_focus=True):
    """One of a few words, all in sight; left and right choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Before", show=False),
        Binding("right,space", "move(1)", "Next", show=False),
    ]

    def __init__(self, options: tuple[str, ...], chosen: str, **more: Any) -> None:
        super().__init__(**more)
        self.options = options
        self.chosen = chosen

    @property
    def caret(self) -> Offset:
        """Where the chosen option is."""
        first, _ = self._seen()
        before = self.options[first : self._place]
        return Offset((width(BEFORE) if first else 0) + sum(map(_cells, before)), 0)

    @property
    def _place(self) -> int:
        return self.options.index(self.chosen) if self.chosen in self.options else 0

    def _seen(self) -> tuple[int, int]:
        """The first of the options that are seen, and the first after them: all, or those about the chosen one."""
        cells, room = [_cells(option) for option in self.options], self.size.width + OPTION_GAP
        if sum(cells) <= room:
            return 0, len(cells)
        first, after = 0, self._place + 1
        room -= width(AFTER)
        while first < self._place and (width(BEFORE) if first else 0) + sum(cells[first:after]) > room:
            first += 1
        room -= width(BEFORE) if first else 0
        while after < len(cells) and sum(cells[first : after + 1]) <= room:
            after += 1
        return first, after

    def action_move(self, by: int) -> None:
        """The option beside."""
        place = self._place + by if self.chosen in self.options else 0
        self.chosen = self.options[place % len(self.options)]
        self.refresh()
        self.post_message(Edited(self))

    def on_click(self, event: events.Click) -> None:
        """The option that was clicked."""
        first, after = self._seen()
        at = width(BEFORE) if first else 0
        for option in self.options[first:after]:
            at += _cells(option)
            if event.x < at:
                self.chosen = option
                self.refresh()
                self.post_message(Edited(self))
                return

    def render_line(self, y: int) -> Strip:
        """The options in a row, as many as fit whole."""
        del y
        ground = "cursor" if self.has_focus else ""
        first, after = self._seen()
        more = self.paint("faint", ground)
        parts = [Segment(BEFORE, more)] if first else []
        for option in self.options[first:after]:
            here = option == self.chosen
            parts.append(Segment("◉ " if here else "◌ ", self.paint("accent" if here else "faint", ground)))
            parts.append(Segment(f"{_shown(option)}  ", self.paint("plain" if here else "dim", ground)))
        parts += [Segment(AFTER, more)] if after < len(self.options) else []
        return Strip(parts).adjust_cell_length(self.size.width, self.paint("plain", ground))


def _cells(option: str) -> int:
    """How wide an option is, with its sign and the gap behind it."""
    return 2 + width(_shown(option)) + OPTION_GAP


def _shown(option: str) -> str:
    """An option as it is read; the empty one is none in particular."""
    return word(option) if option else tr("any")


class Pick(Painted, can_focus=True):
    """A row, or several, chosen from a list that Enter opens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "pick", "choose"),
        Binding("backspace,delete", "clear", "Choose none", show=False),
    ]

    def __init__(
        self, kind: str, title: Make, mirror: Mirror, *, several: bool, message: str = "", **more: Any
    ) -> None:
        super().__init__(**more)
        self.message = message
        """What names the row: what cannot be named by it is offered last."""
        self.kind = kind
        self.mirror = mirror
        self.several = several
        self.keys: list[str] = []
        self.touched = False
        """Whether somebody has chosen, be it none."""
        self._title = title
        self._opened: Chooser | None = None

    def action_pick(self) -> None:
        """Open the list."""
        self._open("")

    def action_clear(self) -> None:
        """Choose none."""
        self._chosen([])

    def on_key(self, event: events.Key) -> None:
        """Typing opens the list, narrowed to what is typed."""
        if event.is_printable and event.character and event.character != " ":
            event.stop()
            event.prevent_default()
            self._open(event.character)

    def on_click(self) -> None:
        """Open the list."""
        self._open("")

    def _open(self, typed: str) -> None:
        if self._opened is not None:
            self._opened.type(typed)  # fast fingers are ahead of the screen
            return
        find = narrowed(lambda: resource_choices(self.mirror, self.kind, self.message))
        chooser = Chooser(self._title, find, several=self.several, chosen=self.keys, typed=typed)
        self._opened = chooser
        self.app.push_screen(chooser, self._chosen)

    def _chosen(self, keys: list[Any] | None) -> None:
        self._opened = None
        if keys is not None:
            self.keys, self.touched = keys, True
            self.refresh()
            self.post_message(Edited(self))

    def render_line(self, y: int) -> Strip:
        """The names, or that there is a list to open."""
        del y
        ground = "cursor" if self.has_focus else ""
        names = enumerated(self.mirror.name(key) for key in self.keys)
        found = resource_choices(self.mirror, self.kind, self.message) if len(self.keys) == 1 else []
        notes = next((each.note for each in found if each.value == self.keys[0]), "")
        room = self.size.width - 2
        text = crop(names, room) if names else tr("Enter opens the list") if self.has_focus else "–"
        parts = [Segment(text, self.paint("plain" if names else "faint", ground))]
        parts.append(Segment(f"  {crop(notes, max(0, room - width(text) - 4))}", self.paint("dim", ground)))
        strip = Strip(parts).adjust_cell_length(self.size.width - 2, self.paint("plain", ground))
        return Strip([*strip, Segment("▾ ", self.paint("accent", ground))])
