"""Fields of forms, made from the declaration of what they ask for."""

from __future__ import annotations

import re
from abc import abstractmethod
from functools import cached_property
from typing import Any, ClassVar

from rich.segment import Segment
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from appliance.api.message import Parameter
from appliance.api.tag import TagPattern
from zstui import words
from zstui.cells import crop, fit, safe, width
from zstui.i18n import enumerated, labelled, mark, sentences, tr
from zstui.inputs import Entry, Writing
from zstui.mirror import Mirror
from zstui.paint import Painted
from zstui.picks import resource_choices
from zstui.said import Make, Said
from zstui.screens.chooser import Chooser, narrowed
from zstui.values import word
from zstui.verbs import is_list, ref_of


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

    def action_move(self, by: int) -> None:
        """The option beside."""
        place = self.options.index(self.chosen) + by if self.chosen in self.options else 0
        self.chosen = self.options[place % len(self.options)]
        self.refresh()
        self.post_message(Edited(self))

    def on_click(self, event: events.Click) -> None:
        """The option that was clicked."""
        at = 0
        for option in self.options:
            at += width(_shown(option)) + 4
            if event.x < at:
                self.chosen = option
                self.refresh()
                self.post_message(Edited(self))
                return

    def render_line(self, y: int) -> Strip:
        """All options in a row."""
        del y
        ground = "cursor" if self.has_focus else ""
        parts = []
        for option in self.options:
            here = option == self.chosen
            parts.append(Segment("◉ " if here else "◌ ", self.paint("accent" if here else "faint", ground)))
            parts.append(Segment(f"{_shown(option)}  ", self.paint("plain" if here else "dim", ground)))
        return Strip(parts).adjust_cell_length(self.size.width, self.paint("plain", ground))


def _shown(option: str) -> str:
    """An option as it is read; the empty one is none in particular."""
    return word(option) if option else tr("any")


class Pick(Painted, can_focus=True):
    """A row, or several, chosen from a list that Enter opens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "pick", "choose"),
        Binding("backspace,delete", "clear", "Choose none", show=False),
    ]

    def __init__(self, kind: str, title: Make, mirror: Mirror, *, several: bool, **more: Any) -> None:
        super().__init__(**more)
        self.kind = kind
        self.mirror = mirror
        self.several = several
        self.keys: list[str] = []
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
        find = narrowed(lambda: resource_choices(self.mirror, self.kind))
        chooser = Chooser(self._title, find, several=self.several, chosen=self.keys, typed=typed)
        self._opened = chooser
        self.app.push_screen(chooser, self._chosen)

    def _chosen(self, keys: list[Any] | None) -> None:
        self._opened = None
        if keys is not None:
            self.keys = keys
            self.refresh()
            self.post_message(Edited(self))

    def render_line(self, y: int) -> Strip:
        """The names, or that there is a list to open."""
        del y
        ground = "cursor" if self.has_focus else ""
        names = enumerated(self.mirror.name(key) for key in self.keys)
        found = resource_choices(self.mirror, self.kind) if len(self.keys) == 1 else []
        notes = next((each.note for each in found if each.value == self.keys[0]), "")
        room = self.size.width - 2
        text = crop(names, room) if names else tr("Enter opens the list") if self.has_focus else "–"
        parts = [Segment(text, self.paint("plain" if names else "faint", ground))]
        parts.append(Segment(f"  {crop(notes, max(0, room - width(text) - 4))}", self.paint("dim", ground)))
        strip = Strip(parts).adjust_cell_length(self.size.width - 2, self.paint("plain", ground))
        return Strip([*strip, Segment("▾ ", self.paint("accent", ground))])


class Field(Vertical):
    """A label, a control, and below it what is wrong with what it holds."""

    def __init__(self, label: str, help_text: str, *, required: bool, wire: str) -> None:
        super().__init__()
        self.label = label
        self.help_text = help_text
        self.more_help = ""
        self.required = required
        self.wire = wire
        self.error = ""

    def compose(self) -> ComposeResult:
        """Label and control side by side."""
        star = "*" if self.required else " "
        with Horizontal():
            yield Said(lambda: fit(f"{star} {tr(self.label)}", 23), classes="label")
            yield self.control
        yield Static("", classes="error", markup=False)

    @property
    def help(self) -> str:
        """What the field is for, in the user's language."""
        return sentences(tr(self.help_text), tr(self.more_help))

    @property
    @abstractmethod
    def control(self) -> Widget:
        """The widget that holds the value, whether it is on the screen already or not."""

    @property
    @abstractmethod
    def value(self) -> Any:
        """The value as a call wants it; None when there is none."""

    @property
    @abstractmethod
    def held(self) -> Any:
        """What the control holds, right or wrong, as `fill` takes it back."""

    @abstractmethod
    def fill(self, value: Any) -> None:
        """Show a value."""

    def say(self, error: str) -> None:
        """Say what is wrong, or with an empty text that nothing is."""
        if error != self.error:
            self.error = error
            shown = self.query_one(".error", Static)
            shown.update(safe(error))
            shown.display = bool(error)


class TextField(Field):
    """Text, a number, or several words with commas."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(words.label(parameter.wire), parameter.help, required=parameter.required,
                         wire=parameter.wire)  # fmt: skip
        self.parameter = parameter
        self.is_size = parameter.kind is int and "byte" in parameter.help.lower()
        if self.is_size:
            self.more_help = mark("Units may be written: 512M, 2G.")

    @cached_property
    def control(self) -> Entry:
        """One line to type into."""
        default = self.parameter.default
        shown = "" if default in (None, [], {}) or self.required else str(default)
        return Entry(shown, password=self.parameter.secret, compact=True, select_on_focus=False)

    @property
    def value(self) -> Any:
        """What was typed, a size in bytes."""
        typed = self.control.value
        if self.is_size and typed:
            size = words.read_size(typed)
            return typed if size is None else size
        if not typed:
            return "" if self.required and self.parameter.empty_allowed else None
        if is_list(self.parameter):
            return [each.strip() for each in typed.split(",") if each.strip()]
        return typed

    @property
    def held(self) -> str:
        """What was typed."""
        return self.control.value

    def fill(self, value: Any) -> None:
        """Show a value."""
        self.control.value = ", ".join(value) if isinstance(value, list) else str(value)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(Edited(self))


class ChoiceField(Field):
    """One of the words that a parameter allows."""

    def __init__(self, parameter: Parameter) -> None:
        super().__init__(words.label(parameter.wire), parameter.help, required=parameter.required,
                         wire=parameter.wire)  # fmt: skip
        self.parameter = parameter
        self.options = parameter.choices or (mark("false"), mark("true"))
        if not parameter.required and parameter.default is None:
            self.options = ("", *self.options)

    @cached_property
    def control(self) -> Choice:
        """The words in a row."""
        default = self.parameter.default
        text = str(default).lower() if isinstance(default, bool) else default
        return Choice(self.options, text if text in self.options else self.options[0])

    @property
    def value(self) -> Any:
        """The chosen word."""
        return self.control.chosen or None

    @property
    def held(self) -> str:
        """The chosen word."""
        return self.control.chosen

    def fill(self, value: Any) -> None:
        """Choose a word; one that cannot be asked for is left as it is, and not sent."""
        word = str(value).lower() if isinstance(value, bool) else str(value)
        if word in self.options:
            self.control.chosen = word
            self.control.refresh()


class PickField(Field):
    """A resource, or several."""

    def __init__(self, parameter: Parameter, kind: str, mirror: Mirror) -> None:
        super().__init__(words.label(parameter.wire), parameter.help, required=parameter.required,
                         wire=parameter.wire)  # fmt: skip
        self.kind = kind
        self.mirror = mirror
        self.several = is_list(parameter)

    @cached_property
    def control(self) -> Pick:
        """The name of what is chosen; the only one there is, is chosen already."""
        pick = Pick(self.kind, lambda: labelled(tr(self.label), self.help), self.mirror, several=self.several)
        only = list(self.mirror.all(self.kind))
        if self.required and len(only) == 1:
            pick.keys = [only[0].key]
        return pick

    @property
    def value(self) -> Any:
        """The uuids."""
        keys = self.control.keys
        return (keys or None) if self.several else (keys[0] if keys else None)

    @property
    def held(self) -> list[str]:
        """The uuids."""
        return self.control.keys

    def fill(self, value: Any) -> None:
        """Choose."""
        self.control.keys = list(value) if isinstance(value, list) else [value]
        self.control.refresh()


class ServicesField(PickField):
    """Network services: a provider, which brings all that it can."""

    def __init__(self, parameter: Parameter, mirror: Mirror) -> None:
        super().__init__(parameter, "NetworkServiceProvider", mirror)

    @property
    def value(self) -> Any:
        """Provider to services."""
        rows = [self.mirror.find(key) for key in self.control.keys]
        return {row.key: row.get("networkServiceTypes", []) for row in rows if row is not None} or None


class TagField(Field):
    """What stands in the hole of a system tag; several lines where that makes sense."""

    def __init__(self, pattern: TagPattern) -> None:
        [self.hole] = re.findall(r"\{(\w+)\}", pattern.pattern)
        name = pattern.value_name
        super().__init__(words.label(name), pattern.help, required=False, wire=name)
        self.pattern = pattern
        self.long = self.hole == "userdata"
        if self.long:
            self.more_help = mark("^e opens the editor.")

    @cached_property
    def control(self) -> Entry | Writing:
        """One line, or several."""
        if self.long:
            return Writing(compact=True, soft_wrap=False, tab_behavior="focus")
        return Entry(password="password" in self.hole.lower(), compact=True, select_on_focus=False)

    @property
    def value(self) -> Any:
        """What was typed."""
        return (self.control.text if isinstance(self.control, Writing) else self.control.value) or None

    @property
    def held(self) -> str:
        """What was typed."""
        return self.value or ""

    @property
    def tag(self) -> str | None:
        """The whole tag."""
        return self.pattern.pattern.replace(f"{{{self.hole}}}", self.value) if self.value else None

    def fill(self, value: Any) -> None:
        """Show a value."""
        if isinstance(self.control, Writing):
            self.control.text = value
        else:
            self.control.value = value

    @on(Input.Changed)
    @on(TextArea.Changed)
    def _changed(self, event: Message) -> None:
        event.stop()
        self.post_message(Edited(self))


def field_for(parameter: Parameter, mirror: Mirror) -> Field:
    """The field that asks for a parameter."""
    kind = ref_of(parameter)
    if parameter.name == "network_services":
        return ServicesField(parameter, mirror)
    if kind is not None:
        return PickField(parameter, kind.__name__, mirror)
    if parameter.choices or parameter.kind is bool:
        return ChoiceField(parameter)
    return TextField(parameter)
