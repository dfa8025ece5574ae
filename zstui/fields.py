"""Fields of forms, made from the declaration of what they ask for."""

from __future__ import annotations

import re
from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from appliance.api.message import Parameter
from appliance.api.tag import TagPattern
from zstui import words
from zstui.cells import fit, safe
from zstui.controls import Choice, Edited, Pick
from zstui.i18n import labelled, mark, sentences, tr
from zstui.inputs import Entry
from zstui.mirror import Mirror
from zstui.picks import unfit
from zstui.said import Said
from zstui.verbs import is_list, ref_of

if TYPE_CHECKING:
    from zstui.writing import Writing

LABEL_CELLS = 23
"""Room for a label, as the style sheet has it, and a blank behind it."""


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
            yield Said(lambda: fit(f"{star} {tr(self.label)}", LABEL_CELLS), classes="label")
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
        self.is_duration = parameter.kind is int and parameter.help.startswith("Seconds ")
        if self.is_duration:
            self.more_help = mark("Units may be written: 30d, 12h.")

    @cached_property
    def control(self) -> Entry:
        """One line to type into."""
        default = self.parameter.default
        shown = "" if default in (None, [], {}) or self.required else str(default)
        if shown and self.is_duration:
            shown = words.whole_duration(int(shown))
        return Entry(shown, password=self.parameter.secret, compact=True, select_on_focus=False)

    @property
    def value(self) -> Any:
        """What was typed; a size in bytes, a length of time in seconds."""
        typed = self.control.value
        if typed and (self.is_size or self.is_duration):
            counted = words.read_size(typed) if self.is_size else words.read_duration(typed)
            return typed if counted is None else counted
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

    def __init__(self, parameter: Parameter, kind: str, mirror: Mirror, message: str = "") -> None:
        super().__init__(words.label(parameter.wire), parameter.help, required=parameter.required,
                         wire=parameter.wire)  # fmt: skip
        self.kind = kind
        self.mirror = mirror
        self.message = message
        self.several = is_list(parameter)

    @cached_property
    def control(self) -> Pick:
        """The name of what is chosen."""
        return Pick(self.kind, lambda: labelled(tr(self.label), self.help), self.mirror,
                    several=self.several, message=self.message)  # fmt: skip

    def take_only(self) -> bool:
        """Choose the only one that would do, as long as nobody has chosen; whether it was not chosen before."""
        only = [row for row in self.mirror.all(self.kind) if not unfit(self.message, row)]
        if not self.required or self.control.touched or self.control.keys or len(only) != 1:
            return False
        self.fill([only[0].key])
        return True

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
            from zstui.writing import Writing

            return Writing(compact=True, soft_wrap=False, tab_behavior="focus")
        return Entry(password="password" in self.hole.lower(), compact=True, select_on_focus=False)

    @property
    def value(self) -> Any:
        """What was typed."""
        return (self.control.value if isinstance(self.control, Entry) else self.control.text) or None

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
        if isinstance(self.control, Entry):
            self.control.value = value
        else:
            self.control.text = value

    def on_input_changed(self, event: Message) -> None:
        """It was typed into."""
        event.stop()
        self.post_message(Edited(self))

    on_text_area_changed = on_input_changed


def field_for(parameter: Parameter, mirror: Mirror, message: str) -> Field:
    """The field that asks for a parameter of a message."""
    kind = ref_of(parameter)
    if parameter.name == "network_services":
        return ServicesField(parameter, mirror)
    if kind is not None:
        return PickField(parameter, kind.__name__, mirror, message)
    if parameter.choices or parameter.kind is bool:
        return ChoiceField(parameter)
    return TextField(parameter)
